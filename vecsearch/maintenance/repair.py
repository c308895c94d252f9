"""The command ``repair``: damaged files are made again from those that are sound."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from vecsearch.arguments import checked
from vecsearch.embed.encoder import Encoder, EncoderConfig, make_encoder, open_encoder
from vecsearch.embed.spec import EncoderSpec
from vecsearch.errors import IndexDamagedError, IndexFolderError, VecsearchError
from vecsearch.images.reader import ReadImage, read_images
from vecsearch.images.sources.allowed_urls import check_fetch
from vecsearch.indexing.batches import batched
from vecsearch.indexing.compaction import compact_segments
from vecsearch.indexing.diff import UNSETTLED
from vecsearch.maintenance.verify import find_problems
from vecsearch.store.change import Change
from vecsearch.store.locate import only_index
from vecsearch.store.salvage import Salvaged, salvage
from vecsearch.store.segments import Segment
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.sqlite import damaged_catalog
from vecsearch.store.writer import Writer, open_writer
from vecsearch.types import Image, Problem, Progress, Skipped, UrlPath, wanted

_NO_LIMIT = 1 << 62


@dataclass(slots=True, kw_only=True)
class RepairReport:
    """What was wrong, and what came of it.

    ``re_embedded`` images got new vectors from their files. ``lost`` ones could not, and are no
    longer in the index; a build takes them up again when their files are back. ``left`` is what is
    still wrong. ``words_lost`` if the words were damaged and could not be had again: the index goes
    on without them.
    """

    index: Path
    problems: tuple[Problem, ...]
    re_embedded: list[Path] = field(default_factory=list)
    lost: list[Path] = field(default_factory=list)
    left: list[Problem] = field(default_factory=list)
    words_lost: bool = False
    seconds: float = 0.0


@checked
def repair(
    index: str | Path | None = None, *, fetch: bool = False, progress: Progress | None = None
) -> RepairReport:
    """Mend what `verify` finds, as far as it can be.

    The FAISS file is made anew from the segments, without opening the damaged one; damaged rows
    from their images; the network and its words from its weights. Raises IndexDamagedError for a
    damaged catalog, which nothing else can replace, NotFetchedError where an image is needed that
    is behind a URL below no source named on this machine, unless *fetch* says to read
    it; IndexFolderError, and mends nothing, where a file cannot be read, for want of a permission
    say.
    """
    start = time.monotonic()
    folder = Path(index) if index is not None else only_index()
    with open_writer(folder, mending=True) as writer:
        problems = tuple(find_problems(folder, quick=False, progress=progress))
        for one in problems:
            if one.unreadable:
                raise IndexFolderError(
                    f"{one.path} {one.what}",
                    hint="nothing was mended: what cannot be read need not be damaged",
                    path=one.path,
                )
        report = RepairReport(index=folder, problems=problems)
        kinds = {problem.kind for problem in problems}
        if "catalog" in kinds:
            writer.rewrite_catalog()  # damage in pages that hold nothing goes away by this
            problems = tuple(find_problems(folder, quick=False, progress=progress))
            kinds = {problem.kind for problem in problems}
        if "catalog" in kinds:
            raise damaged_catalog(problems[0].path, problems[0].what)
        if "encoder" in kinds:
            _mend_encoder(writer, progress)
        if "words" in kinds:
            report.words_lost = not _mend_words(writer, progress)
        if "vectors" in kinds:
            _mend_vectors(writer, _readable(folder, fetch), report, progress)
        if kinds & {"vectors", "ann"}:
            with closing(Snapshot(folder)) as snapshot:
                compact_segments(writer, snapshot, _to_make_anew(snapshot, problems), progress)
        if problems:
            report.left = list(find_problems(folder, quick=False, progress=progress))
    report.seconds = time.monotonic() - start
    return report


def _to_make_anew(snapshot: Snapshot, problems: Sequence[Problem]) -> list[Segment]:
    """List the segments without a sound FAISS file."""
    damaged = {problem.path for problem in problems if problem.kind == "ann"}
    return [
        one
        for one in snapshot.segments
        if (base := snapshot.bases.get(one.first_row)) is None
        or snapshot.folder / base.record.name in damaged
    ]


def _mend_encoder(writer: Writer, progress: Progress | None) -> None:
    """Make the network anew, if nothing but its weights is in it; else leave it as it is."""
    spec = EncoderSpec.from_json(writer.encoder_json())
    if spec.projection_hash or spec.quantization_hash:
        return
    made = _made_anew(spec, progress)
    # How pictures are prepared for it is no part of the network.
    same = made and replace(made.spec, preprocessing=spec.preprocessing)
    if made is not None and same and same.fingerprint == spec.fingerprint:
        writer.replace_encoder(*made.serialize())


def _mend_words(writer: Writer, progress: Progress | None) -> bool:
    """Take the words from the weights again, or drop them; return whether there are words.

    The space that a PCA leads to is known by the damaged file alone.
    """
    spec = EncoderSpec.from_json(writer.encoder_json())
    made = None if spec.projection_hash else _made_anew(spec, progress)
    same = made is not None and made.spec.weights_hash == spec.weights_hash
    words = made.words if made is not None and same else None
    writer.replace_words(words.to_bytes() if words else b"")
    return words is not None


def _made_anew(spec: EncoderSpec, progress: Progress | None) -> Encoder | None:
    """Make the network from its weights, before PCA and int8; None without them."""
    config = EncoderConfig(
        model=spec.model,
        layer=spec.layer,
        pool=spec.pool,
        weights=spec.weights,
        precision="fp32" if spec.precision == "int8" else spec.precision,
        engine="openvino",
    )
    if "://" in spec.weights:
        return None  # none is called so here: a download is called by its file
    try:
        return make_encoder(config, progress)
    except VecsearchError:
        return None


def _readable(folder: Path, fetch: bool) -> Iterator[Salvaged]:
    """Salvage the damaged segments; what is lost of them may be fetched if *fetch* says so.

    Raises NotFetchedError if it may not.
    """
    if not fetch:
        for image in (image for run in salvage(folder) for image in run.lost):
            if isinstance(image.path, UrlPath):
                check_fetch(image.path)
        return salvage(folder)
    return (
        replace(run, lost=[replace(one, path=wanted(one.path)) for one in run.lost])
        for run in salvage(folder)
    )


def _mend_vectors(
    writer: Writer, damaged: Iterable[Salvaged], report: RepairReport, progress: Progress | None
) -> None:
    """Move the sound rows of damaged segments to a new one, and embed the images of the others."""
    lost: list[Image] = []
    first_rows = set()
    for run in damaged:
        first_rows.add(run.first_row)
        lost.extend(run.lost)
        if run.sound:
            writer.commit(
                Change(
                    embedded=[(image.id, image) for image in run.sound],
                    vectors=run.vectors,
                )
            )
    for change in _embedded_anew(writer, lost, report, progress):
        writer.commit(change)
    writer.commit(Change(dropped_segments=sorted(first_rows)))
    report.re_embedded.sort()  # pictures are read in threads, and come as they are ready


def _embedded_anew(
    writer: Writer, images: Sequence[Image], report: RepairReport, progress: Progress | None
) -> Iterator[Change]:
    encoder = _encoder(writer) if images else None
    spec = EncoderSpec.from_json(writer.encoder_json())
    if spec.is_external:
        reason = "it was imported, without a network"
    elif spec.is_current:
        reason = "the network is damaged too"
    else:
        reason = "pictures are prepared in another way since the index was built"
    reasons = dict.fromkeys((image.id for image in images), reason)
    done = 0
    if encoder is not None:
        reading = read_images(
            ((image, image.path) for image in images),
            encoder.spec.image_size,
            max_pixels=_NO_LIMIT,
        )

        def readable() -> Iterator[tuple[Image, ReadImage]]:
            for one in reading:
                if one.image is None:
                    reasons[one.tag.id] = one.reason
                else:
                    yield one.tag, one.image

        for batch, vectors in encoder.stream(
            batched(readable(), lambda: encoder.engine.batch_size)
        ):
            yield Change(
                embedded=[(image.id, read.timed(image.mtime_ns).file) for image, read in batch],
                vectors=vectors,
            )
            for image, _ in batch:
                del reasons[image.id]
                report.re_embedded.append(image.path)
            done += len(batch)
            if progress:
                progress("embedding", done, len(images))
    lost = [image for image in images if image.id in reasons]
    report.lost.extend(image.path for image in lost)
    if lost:
        yield Change(
            removed=[image.id for image in lost],
            skipped=[
                Skipped(
                    image.path,
                    image.size_bytes,
                    UNSETTLED,
                    f"its vector was damaged, and: {reasons[image.id]}",
                )
                for image in lost
            ],
        )


def _encoder(writer: Writer) -> Encoder | None:
    """Open the encoder that the index carries, None if there is none for new vectors.

    Raises IndexFolderError.
    """
    spec = EncoderSpec.from_json(writer.encoder_json())
    if spec.is_external or not spec.is_current:
        return None
    try:
        return open_encoder(spec, *writer.encoder_files())
    except IndexDamagedError:
        return None
