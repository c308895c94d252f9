"""The command ``build``: scan, plan, read, embed, commit at intervals, compact what is due."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import chain
from pathlib import Path

from vecsearch.ann.recipes import AUTO, check_recipe
from vecsearch.arguments import checked
from vecsearch.embed.encoder import (
    Encoder,
    EncoderConfig,
    check_same,
    make_encoder,
    model_of,
    open_encoder,
)
from vecsearch.embed.spec import EncoderSpec
from vecsearch.errors import EncoderMismatchError, IndexFolderError, SourceError, UsageError
from vecsearch.images.reader import ReadImage
from vecsearch.images.sources.exclude import Excluded
from vecsearch.images.sources.scan import Scan
from vecsearch.indexing.batches import batched
from vecsearch.indexing.build_options import BuildOptions
from vecsearch.indexing.commits import Counts, Stage
from vecsearch.indexing.compaction import compact_if_due
from vecsearch.indexing.diff import Plan
from vecsearch.indexing.fit import Sample, fit_int8, fit_projection
from vecsearch.indexing.open_sources import Named, kept_patterns, open_sources, plan_build
from vecsearch.indexing.read import Reader, make_reader
from vecsearch.indexing.renamed import (
    RelocateReport,
    check_not_renamed,
    missing_sources,
    take_renamed,
)
from vecsearch.indexing.worklist import ToRead, Worklist
from vecsearch.store.change import NewIndex
from vecsearch.store.locate import has_index
from vecsearch.store.own_files import check_free
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.writer import Writer, open_writer
from vecsearch.types import Agreement, Progress, Reduction
from vecsearch.wording import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """What a build did, in numbers of images, and what the index holds now.

    ``reduction`` is what a PCA trained by this build keeps, ``agreement`` how an int8 network
    calibrated by this build compares with fp32. ``relocated`` are sources that were found under
    another name, ``missing`` ones that are gone and were not asked for. ``left_out`` counts, by
    ending, files that should be pictures in a format that is not read here. ``exclude`` are the
    patterns of what is not to be in the index, ``excluded`` counts what they and
    `.vecsearchignore` files left out of what this build looked through. ``unused`` are patterns
    that were given to this build and matched nothing.
    """

    index: Path
    counts: Counts
    total: int
    seconds: float
    encoder: EncoderSpec
    reduction: Reduction | None
    agreement: Agreement | None
    relocated: tuple[RelocateReport, ...] = ()
    missing: tuple[Path, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()
    excluded: Excluded = field(default_factory=Excluded)
    unused: tuple[str, ...] = ()


@checked
def build(
    *sources: str | Path,
    index: str | Path | None = None,
    encoder: EncoderConfig | None = None,
    options: BuildOptions | None = None,
    progress: Progress | None = None,
    from_list: str | Path | Sequence[str | Path] = (),
    null: bool = False,
) -> BuildReport:
    """Create an index of the pictures in *sources*, or bring it up to date.

    A source is a folder, a ``.tar``, or a URL that fsspec opens. *from_list* names files that list
    pictures, one path a line, or ended by null bytes if *null*; ``-`` is standard input.

    Without any of these: the sources of the index, also if it is built anew, or ``db``. Without
    *index*: ``indexes/`` and the name of the first source, without one the only index there. What
    is committed stays if the build is interrupted, and the next one goes on from there.

    Raises SourceError, WeightsError, UsageError, EncoderMismatchError, IndexFolderError.
    """
    start = time.monotonic()
    config, given = encoder or EncoderConfig(), options or BuildOptions()
    options = given
    lists = [from_list] if isinstance(from_list, str | Path) else from_list
    named = Named.of(sources, lists, null=null)
    folder = Path(os.path.normpath(index or named.index()))
    reduction, agreement = None, None
    relocated: list[RelocateReport] = []
    missing: list[Path] = []
    if has_index(folder) and not options.fresh:
        with open_writer(folder) as writer:
            with closing(Snapshot(folder)) as snapshot:
                spec = _checked_spec(snapshot, config)
                _check_same_recipe(snapshot, options.recipe)
            reader = make_reader(options, config.engine, spec.precision, spec.image_size)
            relocated = take_renamed(writer, named.roots)
            with closing(Snapshot(folder)) as snapshot, closing(Worklist()) as work:
                if index is None:
                    _check_same_sources(snapshot, named.roots)
                options = _with_kept(options, snapshot)
                scans = open_sources(named, snapshot, options)
                missing = missing_sources(snapshot, [scan.root for scan in scans])
                plan = plan_build(scans, snapshot, work, options)
                opened = cache(partial(_carried_encoder, snapshot, spec, config))
                stage = Stage(writer, snapshot, scans, plan, options)
                counts = _bring_up_to_date(stage, plan, opened, reader, progress)
                compact_if_due(writer, progress)
                total = writer.generation().image_count
    else:
        check_free(folder, fresh=options.fresh)
        if index is None and not options.fresh:
            check_not_renamed(named.roots, folder)
        image_size = model_of(config).facts.input.size
        reader = make_reader(options, config.engine, config.precision, image_size)
        options = _with_kept_of(folder, options)
        scans = _open_anew(folder, named, options)
        with closing(Worklist()) as work:
            plan = plan_build(scans, None, work, options)
            made, reduction, agreement = _new_encoder(
                config, Sample(work, reader), options, _existing(folder), progress
            )
            spec = made.spec
            check_recipe(options.recipe or AUTO, spec.dim)
            made, begun = _begun(folder, made, agreement, reduction, options)
            with begun as writer:
                stage = Stage(writer, None, scans, plan, options)
                counts = _bring_up_to_date(stage, plan, lambda: made, reader, progress)
                if not writer.generation().image_count:
                    raise SourceError(
                        f"none of {counted(counts.skipped, 'picture')} can be used; "
                        f"the first: {stage.first_reason}"
                    )
                writer.publish()
                compact_if_due(writer, progress)
                total = writer.generation().image_count
    return BuildReport(
        index=folder,
        counts=counts,
        total=total,
        seconds=time.monotonic() - start,
        encoder=spec,
        reduction=reduction,
        agreement=agreement,
        relocated=tuple(relocated),
        missing=tuple(missing),
        left_out=dict(sum((scan.left_out for scan in scans), Counter())),
        exclude=tuple(options.exclude or ()),
        excluded=_excluded(scans),
        unused=_unused(given.exclude or (), scans),
    )


def _with_kept(options: BuildOptions, snapshot: Snapshot) -> BuildOptions:
    """Add the patterns that an index keeps, unless others were given."""
    if options.exclude is not None:
        return options
    return dataclasses.replace(options, exclude=kept_patterns(snapshot))


def _with_kept_of(folder: Path, options: BuildOptions) -> BuildOptions:
    """Add the patterns of an index that is to be built anew, if it can be read."""
    if has_index(folder):
        with suppress(IndexFolderError), closing(Snapshot(folder)) as snapshot:
            return _with_kept(options, snapshot)
    return options


def _excluded(scans: Sequence[Scan]) -> Excluded:
    total = Excluded()
    for scan in scans:
        total.add(scan.excluded)
    return total


def _unused(given: Sequence[str], scans: Sequence[Scan]) -> tuple[str, ...]:
    """List the *given* patterns that matched nothing; of sources that are as they were, none is."""
    used = {text for scan in scans for text in scan.exclude.used}
    walked = all(scan.walked for scan in scans)
    return tuple(text for text in given if walked and text not in used)


def _open_anew(folder: Path, named: Named, options: BuildOptions) -> list[Scan]:
    """Prepare to scan for a new index: what was named, or the sources of the one in its place."""
    if named.roots or not has_index(folder):
        return open_sources(named if named.roots else Named.of(["db"], ()), None, options)
    try:
        with closing(Snapshot(folder)) as snapshot:
            return open_sources(named, snapshot, options)
    except IndexFolderError as error:
        raise SourceError(
            f"the sources of {folder} cannot be read: {error}",
            hint="name the folders of its pictures",
            path=folder,
        ) from None


def _check_same_sources(snapshot: Snapshot, roots: Sequence[Path]) -> None:
    """Raise SourceError if an index that was not named belongs to other folders altogether."""
    known = snapshot.sources()
    if roots and known and not set(roots) & set(known):
        raise SourceError(
            f"{snapshot.folder} is the index of {', '.join(map(str, known))}",
            hint=f"name another index, or -i {snapshot.folder} to add to this one",
            path=snapshot.folder,
        )


def _check_same_recipe(snapshot: Snapshot, recipe: str | None) -> None:
    if recipe not in (None, snapshot.recipe):
        raise UsageError(
            f"{snapshot.folder} has the recipe {snapshot.recipe}",
            hint=f"vecsearch reindex --recipe {recipe} gives it another, without reading a picture",
        )


def _checked_spec(snapshot: Snapshot, config: EncoderConfig) -> EncoderSpec:
    spec = EncoderSpec.from_json(snapshot.encoder_json, snapshot.dim)
    if spec.is_external:
        raise EncoderMismatchError(
            f"{snapshot.folder} was imported and has no network to embed pictures with",
            hint="choose another index with -i, or import it anew with --encoder INDEX",
            path=snapshot.folder,
        )
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
    config: EncoderConfig,
    sample: Sample,
    options: BuildOptions,
    folder: Path,
    progress: Progress | None,
) -> tuple[Encoder, Reduction | None, Agreement | None]:
    encoder = make_encoder(config, progress)
    reduction, agreement = None, None
    if config.dim is not None:
        encoder, reduction = fit_projection(encoder, sample, config.dim, folder, progress)
    if config.precision == "int8":
        encoder, agreement = fit_int8(encoder, sample, options.force, progress)
    return encoder, reduction, agreement


def _begun(
    folder: Path,
    encoder: Encoder,
    agreement: Agreement | None,
    reduction: Reduction | None,
    options: BuildOptions,
) -> tuple[Encoder, AbstractContextManager[Writer]]:
    """Return the very network that will be asked, rounding and all, and the index that has it.

    The files' contents, a quarter of a gigabyte with a long PCA, are left to the writer to forget.
    """
    files = encoder.serialize()
    spec = encoder.spec
    new = NewIndex(
        spec.to_json(),
        spec.dim,
        *files,
        agreement=_note(agreement),
        reduction=_note(reduction),
        recipe=options.recipe or AUTO,
        encoder_words=encoder.words.to_bytes() if encoder.words else b"",
    )
    return encoder.reread(*files), open_writer(folder, new, fresh=options.fresh)


def _existing(folder: Path) -> Path:
    """Return *folder*, or what there is of the way to it: on its disk, where there is to be room.

    The system's folder for temporary files is often in memory, which is what such a file spares.
    """
    return next(one for one in (folder, *folder.absolute().parents) if one.is_dir())


def _note(measured: Agreement | Reduction | None) -> str:
    return json.dumps(dataclasses.asdict(measured)) if measured else ""


def _carried_encoder(snapshot: Snapshot, spec: EncoderSpec, config: EncoderConfig) -> Encoder:
    spec.check_current(snapshot.folder)
    xml, constants, _ = snapshot.encoder_files()
    snapshot.check_constants()
    return open_encoder(spec, xml, constants, engine=config.engine)


def _bring_up_to_date(
    stage: Stage,
    plan: Plan,
    encoder: Callable[[], Encoder],
    reader: Reader,
    progress: Progress | None,
) -> Counts:
    try:
        _read_and_embed(plan, stage, encoder, reader, progress)
        stage.finish()
    except KeyboardInterrupt:
        stage.commit()
        raise
    return stage.counts


def _read_and_embed(
    plan: Plan,
    stage: Stage,
    encoder: Callable[[], Encoder],
    reader: Reader,
    progress: Progress | None,
) -> None:
    total = len(plan.work)
    done = 0

    def report(count: int) -> None:
        nonlocal done
        done += count
        if progress and total:
            progress("embedding", done, total)

    def to_embed() -> Iterator[tuple[ToRead, ReadImage]]:
        files = ((source, source.file.as_path()) for source in plan.work)
        for outcome in reader.read(files, known=stage.knows):
            image = outcome.image and outcome.image.timed(outcome.tag.file.mtime_ns)
            if image is not None and image.pixels is not None:
                yield outcome.tag, image
                continue
            if image is None:
                stage.skip(outcome.tag, outcome.reason, outcome.settled)
            else:
                stage.reuse(outcome.tag, image)
            stage.commit_if_due()
            report(1)

    report(0)
    batches = batched(to_embed(), lambda: encoder().engine.batch_size)
    for first in batches:  # the encoder is not even opened when all content is known
        for batch, vectors in encoder().stream(chain([first], batches)):
            stage.embed(batch, vectors)
            stage.commit_if_due()
            report(len(batch))
