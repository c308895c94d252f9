"""The command ``build``: scan, plan, read, embed, commit at intervals, compact what is due."""

from __future__ import annotations

import dataclasses
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

from vecsearch.ann.recipes import AUTO, check_recipe
from vecsearch.arguments import checked
from vecsearch.embed.encoder import Encoder, EncoderConfig, model_of
from vecsearch.embed.spec import EncoderSpec
from vecsearch.errors import IndexFolderError, SourceError, UsageError
from vecsearch.images.sources.notes import Excluded
from vecsearch.images.sources.scan import Scan
from vecsearch.indexing.build_encoder import (
    FittedEncoder,
    carried_encoder,
    checked_spec,
    new_encoder,
    new_index_of,
)
from vecsearch.indexing.build_options import BuildOptions
from vecsearch.indexing.compaction import compact_if_due
from vecsearch.indexing.embed_files import embed_files
from vecsearch.indexing.fit import Sample
from vecsearch.indexing.named_sources import Named
from vecsearch.indexing.open_sources import kept_patterns, open_sources
from vecsearch.indexing.plan_build import plan_build
from vecsearch.indexing.read import make_reader
from vecsearch.indexing.renamed import (
    RelocateReport,
    check_not_renamed,
    missing_sources,
    take_renamed,
)
from vecsearch.indexing.stage import Counts, Stage
from vecsearch.indexing.worklist import Worklist
from vecsearch.store.locate import has_index
from vecsearch.store.own_files import check_free
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.writer import Writer, open_writer
from vecsearch.types import Agreement, Progress, Reduction, SourceName
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
    given = options or BuildOptions()
    lists = [from_list] if isinstance(from_list, str | Path) else from_list
    named = Named.of(sources, lists, null=null)
    folder = Path(os.path.normpath(index or named.index()))
    order = _Order(
        named=named,
        folder=folder,
        is_index_named=index is not None,
        config=encoder or EncoderConfig(),
        options=given,
        progress=progress,
    )
    done = _build_anew(order) if given.fresh or not has_index(folder) else _update(order)
    return BuildReport(
        index=folder,
        counts=done.counts,
        total=done.total,
        seconds=time.monotonic() - start,
        encoder=done.encoder,
        reduction=done.reduction,
        agreement=done.agreement,
        relocated=tuple(done.relocated),
        missing=tuple(done.missing),
        left_out=dict(sum((scan.left_out for scan in done.scans), Counter())),
        exclude=tuple(done.options.exclude or ()),
        excluded=_excluded(done.scans),
        unused=_unused(given.exclude or (), done.scans),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What a build is asked for: which sources, into which folder, and how."""

    named: Named
    folder: Path
    is_index_named: bool
    config: EncoderConfig
    options: BuildOptions
    progress: Progress | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """What a build has done; ``options`` are with the patterns that the index keeps."""

    counts: Counts
    total: int
    encoder: EncoderSpec
    scans: Sequence[Scan]
    options: BuildOptions
    reduction: Reduction | None = None
    agreement: Agreement | None = None
    relocated: Sequence[RelocateReport] = ()
    missing: Sequence[Path] = ()


def _update(order: _Order) -> _Done:
    """Bring the index in the folder up to date."""
    folder, named, config, options = order.folder, order.named, order.config, order.options
    with open_writer(folder) as writer:
        with closing(Snapshot(folder)) as snapshot:
            spec = checked_spec(snapshot, config)
            _check_same_recipe(snapshot, options.recipe)
        reader = make_reader(options, config.engine, spec.precision, spec.image_size)
        relocated = take_renamed(writer, named.roots)
        with closing(Snapshot(folder)) as snapshot, closing(Worklist()) as work:
            if not order.is_index_named:
                _check_same_sources(snapshot, named.roots)
            options = _with_kept(options, snapshot)
            scans = open_sources(named, snapshot, options)
            missing = missing_sources(snapshot, [scan.root for scan in scans])
            plan = plan_build(scans, snapshot, work, options)
            opened = cache(partial(carried_encoder, snapshot, spec, config))
            stage = Stage(writer, snapshot, scans, plan, options)
            embed_files(stage, plan, opened, reader, order.progress)
            compact_if_due(writer, order.progress)
            total = writer.generation().image_count
    return _Done(
        counts=stage.counts,
        total=total,
        encoder=spec,
        scans=scans,
        options=options,
        relocated=relocated,
        missing=missing,
    )


def _build_anew(order: _Order) -> _Done:
    """Build a new index in the folder, in place of the one that may be there."""
    folder, named, config, options = order.folder, order.named, order.config, order.options
    check_free(folder, fresh=options.fresh)
    if not (order.is_index_named or options.fresh):
        check_not_renamed(named.roots, folder)
    image_size = model_of(config).facts.input.size
    reader = make_reader(options, config.engine, config.precision, image_size)
    options = _with_kept_of(folder, options)
    scans = _open_anew(folder, named, options)
    with closing(Worklist()) as work:
        plan = plan_build(scans, None, work, options)
        new = new_encoder(config, Sample(work, reader), options.force, folder, order.progress)
        recipe = options.recipe or AUTO
        check_recipe(recipe, new.encoder.spec.dim)
        encoder, begun = _begun(folder, new, recipe, fresh=options.fresh)
        reduction, agreement, spec = new.reduction, new.agreement, new.encoder.spec
        del new  # its network is another one now
        with begun as writer:
            stage = Stage(writer, None, scans, plan, options)
            embed_files(stage, plan, lambda: encoder, reader, order.progress)
            if not writer.generation().image_count:
                raise SourceError(
                    f"none of {counted(stage.counts.skipped, 'picture')} can be used; "
                    f"the first: {stage.first_reason}"
                )
            writer.publish()
            compact_if_due(writer, order.progress)
            total = writer.generation().image_count
    return _Done(
        counts=stage.counts,
        total=total,
        encoder=spec,
        scans=scans,
        options=options,
        reduction=reduction,
        agreement=agreement,
    )


def _begun(
    folder: Path, new: FittedEncoder, recipe: str, *, fresh: bool
) -> tuple[Encoder, AbstractContextManager[Writer]]:
    """Return the very network that will be asked, rounding and all, and the index that has it.

    The files' contents, a quarter of a gigabyte with a long PCA, are left to the writer to forget.
    """
    files = new.encoder.serialize()
    begun = new_index_of(new, *files, recipe)
    return new.encoder.reread(*files), open_writer(folder, begun, fresh=fresh)


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


def _check_same_sources(snapshot: Snapshot, roots: Sequence[SourceName]) -> None:
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
