"""The command ``build``: scan, plan, read, embed, commit at intervals, renew the FAISS base."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Final

from vecsearch.building.batch import batched
from vecsearch.building.fit import fit_int8, fit_projection
from vecsearch.building.plan import Plan, Source, make_plan
from vecsearch.building.stage import Counts, Stage
from vecsearch.embed.encoder import Encoder, EncoderConfig, check_same, make_encoder, open_encoder
from vecsearch.embed.layers import IMAGE_SIZE
from vecsearch.embed.spec import EncoderSpec
from vecsearch.errors import EncoderMismatchError, SourceError
from vecsearch.images.read import ReadImage, read_images
from vecsearch.images.scan import Scan, scan
from vecsearch.index.base import FLAT, make_base, write_base
from vecsearch.store.change import NewIndex
from vecsearch.store.folder import check_free
from vecsearch.store.locate import has_index, index_of
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.writer import Writer, open_writer
from vecsearch.types import Agreement, Progress

REBASE_SHARE: Final = 0.1
"""The FAISS base is made anew when more than this share of its rows came after it or died."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """What a build did, in numbers of images, and what the index holds now.

    ``variance_kept`` is the share of the variance that a PCA trained by this build keeps,
    ``agreement`` how an int8 network calibrated by this build compares with fp32.
    """

    index: Path
    counts: Counts
    total: int
    seconds: float
    encoder: EncoderSpec
    variance_kept: float | None
    agreement: Agreement | None


def build(
    *sources: str | Path,
    index: str | Path | None = None,
    encoder: EncoderConfig | None = None,
    fresh: bool = False,
    force: bool = False,
    progress: Progress | None = None,
) -> BuildReport:
    """Create an index of the pictures in *sources*, or bring it up to date.

    Without *sources*: those of the index, or ``db``. Without *index*: ``indexes/`` and the name of
    the first source. What is committed stays if the build is interrupted, and the next one goes on
    from there. ``fresh`` starts over; the old index answers until the new one is complete.
    ``force`` takes an int8 network that agrees little with fp32.

    Raises SourceError, WeightsError, UsageError, EncoderMismatchError, IndexFolderError.
    """
    start = time.monotonic()
    config = encoder or EncoderConfig()
    roots = [Path(os.path.normpath(Path(source).absolute())) for source in sources]
    folder = Path(os.path.normpath(index or index_of(roots[0] if roots else Path("db"))))
    kept, agreement = None, None
    if has_index(folder) and not fresh:
        with open_writer(folder) as writer, closing(Snapshot(folder)) as snapshot:
            spec = _checked_spec(snapshot, config)
            if index is None:
                _check_same_sources(snapshot, roots)
            scans = _scan(roots or snapshot.sources())
            opened = cache(lambda: _carried_encoder(snapshot, spec, config))
            counts = _bring_up_to_date(writer, snapshot, scans, opened, progress)
            total = _renew_base(writer, progress)
    else:
        check_free(folder, fresh=fresh)
        scans = _scan(roots or [Path("db")])
        made, kept, agreement = _new_encoder(config, scans, force, progress)
        files = made.serialize()
        made = made.reread(*files)  # the very network that will be asked, rounding and all
        spec = made.spec
        new = NewIndex(spec.to_json(), spec.dim, *files, _note(agreement))
        with open_writer(folder, new, fresh=fresh) as writer:
            counts = _bring_up_to_date(writer, None, scans, lambda: made, progress)
            writer.publish()
            total = _renew_base(writer, progress)
    return BuildReport(
        index=folder,
        counts=counts,
        total=total,
        seconds=time.monotonic() - start,
        encoder=spec,
        variance_kept=kept,
        agreement=agreement,
    )


def _check_same_sources(snapshot: Snapshot, roots: Sequence[Path]) -> None:
    """Raise SourceError if an index that was not named belongs to other folders altogether."""
    known = snapshot.sources()
    if roots and not set(roots) & set(known):
        raise SourceError(
            f"{snapshot.folder} is the index of {', '.join(map(str, known))}",
            hint=f"name another index, or -i {snapshot.folder} to add to this one",
            path=snapshot.folder,
        )


def _scan(roots: Sequence[Path]) -> list[Scan]:
    scans = [scan(root) for root in roots]
    for one in scans:
        if not one.files:
            raise SourceError(
                f"no images in {one.root}",
                hint="nothing was changed; give a folder with .jpg, .png or other picture files",
                path=one.root,
            )
    return scans


def _checked_spec(snapshot: Snapshot, config: EncoderConfig) -> EncoderSpec:
    spec = EncoderSpec.from_json(snapshot.encoder_json)
    differing = check_same(config, spec)
    if differing:
        raise EncoderMismatchError(
            f"{snapshot.folder} was built with another encoder than {', '.join(differing)}",
            hint="leave the option out to update it, build with --fresh to start over, "
            "or choose another index with -i",
            path=snapshot.folder,
        )
    return spec


def _new_encoder(
    config: EncoderConfig, scans: Sequence[Scan], force: bool, progress: Progress | None
) -> tuple[Encoder, float | None, Agreement | None]:
    encoder = make_encoder(config, progress)
    files = [file for one in scans for file in one.files]
    kept, agreement = None, None
    if config.dim is not None:
        encoder, kept = fit_projection(encoder, files, config.dim, progress)
    if config.precision == "int8":
        encoder, agreement = fit_int8(encoder, files, force, progress)
    return encoder, kept, agreement


def _note(agreement: Agreement | None) -> str:
    return json.dumps(dataclasses.asdict(agreement)) if agreement else ""


def _carried_encoder(snapshot: Snapshot, spec: EncoderSpec, config: EncoderConfig) -> Encoder:
    xml, constants, _ = snapshot.encoder_files()
    snapshot.check_constants()
    return open_encoder(spec, xml, constants, engine=config.engine)


def _bring_up_to_date(
    writer: Writer,
    snapshot: Snapshot | None,
    scans: Sequence[Scan],
    encoder: Callable[[], Encoder],
    progress: Progress | None,
) -> Counts:
    images = snapshot.images() if snapshot else ()
    plan = make_plan(images, snapshot.skipped() if snapshot else (), scans)
    stage = Stage(writer, snapshot, plan)
    try:
        _read_and_embed(plan, stage, encoder, progress)
        stage.finish([one.root for one in scans])
    except KeyboardInterrupt:
        stage.commit()
        raise
    if not writer.generation().row_count:
        raise SourceError(
            f"none of the {stage.counts.skipped} pictures can be used; "
            f"the first: {stage.first_reason}"
        )
    return stage.counts


def _read_and_embed(
    plan: Plan, stage: Stage, encoder: Callable[[], Encoder], progress: Progress | None
) -> None:
    total = len(plan.to_read)
    done = 0

    def report(count: int) -> None:
        nonlocal done
        done += count
        if progress and total:
            progress("embedding", done, total)

    def to_embed() -> Iterator[tuple[Source, ReadImage]]:
        files = ((source, source[1].as_path()) for source in plan.to_read)
        for outcome in read_images(files, IMAGE_SIZE, known=stage.knows):
            if outcome.image is not None and outcome.image.pixels is not None:
                yield outcome.tag, outcome.image
                continue
            if outcome.image is None:
                stage.skip(outcome.tag, outcome.reason, outcome.settled)
            else:
                stage.reuse(outcome.tag, outcome.image)
            stage.commit_if_due()
            report(1)

    report(0)
    batches = batched(to_embed(), lambda: encoder().engine.batch_size)
    for first in batches:  # the encoder is not even opened when all content is known
        for batch, vectors in encoder().stream(chain([first], batches)):
            stage.embed(batch, vectors)
            stage.commit_if_due()
            report(len(batch))


def _renew_base(writer: Writer, progress: Progress | None) -> int:
    """Make the FAISS base anew if too much has changed since; return the number of images."""
    with closing(Snapshot(writer.folder)) as snapshot:
        generation = snapshot.generation
        late = generation.row_count - generation.ann_rows
        dead = snapshot.died_since_base()
        if generation.ann is None or late + dead > REBASE_SHARE * generation.ann_rows:
            if progress:
                progress("indexing", 0, generation.row_count)
            base = make_base((block for _, block in snapshot.blocks), snapshot.dim)
            writer.commit_ann(lambda write: write_base(base, write), FLAT)
        return snapshot.image_count()
