"""The command ``build``: scan, plan, read, embed, commit at intervals, compact what is due."""

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

from vecsearch.building.batch import batched
from vecsearch.building.compact import compact_if_due
from vecsearch.building.fit import Sample, fit_int8, fit_projection
from vecsearch.building.options import BuildOptions
from vecsearch.building.plan import Plan, Source, make_plan
from vecsearch.building.reader import Reader, make_reader
from vecsearch.building.sources import scan_sources
from vecsearch.building.stage import Counts, Stage
from vecsearch.embed.encoder import Encoder, EncoderConfig, check_same, make_encoder, open_encoder
from vecsearch.embed.spec import EncoderSpec
from vecsearch.errors import EncoderMismatchError, SourceError, UsageError
from vecsearch.images.read import ReadImage
from vecsearch.images.scan import Scan
from vecsearch.index.recipes import AUTO, check_recipe
from vecsearch.store.change import NewIndex
from vecsearch.store.folder import check_free
from vecsearch.store.locate import has_index, index_of
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.writer import Writer, open_writer
from vecsearch.types import Agreement, Progress


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
    options: BuildOptions | None = None,
    progress: Progress | None = None,
) -> BuildReport:
    """Create an index of the pictures in *sources*, or bring it up to date.

    Without *sources*: those of the index, or ``db``. Without *index*: ``indexes/`` and the name of
    the first source. What is committed stays if the build is interrupted, and the next one goes on
    from there.

    Raises SourceError, WeightsError, UsageError, EncoderMismatchError, IndexFolderError.
    """
    start = time.monotonic()
    config, options = encoder or EncoderConfig(), options or BuildOptions()
    roots = [Path(os.path.normpath(Path(source).absolute())) for source in sources]
    folder = Path(os.path.normpath(index or index_of(roots[0] if roots else Path("db"))))
    kept, agreement = None, None
    if has_index(folder) and not options.fresh:
        with open_writer(folder) as writer, closing(Snapshot(folder)) as snapshot:
            spec = _checked_spec(snapshot, config)
            _check_same_recipe(snapshot, options.recipe)
            reader = make_reader(options, config.engine, spec.precision)
            if index is None:
                _check_same_sources(snapshot, roots)
            scans = scan_sources(roots, snapshot, options)
            opened = cache(lambda: _carried_encoder(snapshot, spec, config))
            counts = _bring_up_to_date(writer, snapshot, scans, opened, reader, options, progress)
            compact_if_due(writer, progress)
            total = writer.generation().image_count
    else:
        check_free(folder, fresh=options.fresh)
        reader = make_reader(options, config.engine, config.precision)
        scans = scan_sources(roots or [Path("db")], None, options)
        made, kept, agreement = _new_encoder(config, scans, reader, options, progress)
        files = made.serialize()
        made = made.reread(*files)  # the very network that will be asked, rounding and all
        spec = made.spec
        recipe = options.recipe or AUTO
        check_recipe(recipe, spec.dim)
        new = NewIndex(spec.to_json(), spec.dim, *files, _note(agreement), recipe)
        with open_writer(folder, new, fresh=options.fresh) as writer:
            counts = _bring_up_to_date(writer, None, scans, lambda: made, reader, options, progress)
            writer.publish()
            compact_if_due(writer, progress)
            total = writer.generation().image_count
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
    spec = EncoderSpec.from_json(snapshot.encoder_json)
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
    scans: Sequence[Scan],
    reader: Reader,
    options: BuildOptions,
    progress: Progress | None,
) -> tuple[Encoder, float | None, Agreement | None]:
    encoder = make_encoder(config, progress)
    sample = Sample([file for one in scans for file in one.files], reader)
    kept, agreement = None, None
    if config.dim is not None:
        encoder, kept = fit_projection(encoder, sample, config.dim, progress)
    if config.precision == "int8":
        encoder, agreement = fit_int8(encoder, sample, options.force, progress)
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
    reader: Reader,
    options: BuildOptions,
    progress: Progress | None,
) -> Counts:
    images = snapshot.images() if snapshot else ()
    skipped = snapshot.skipped() if snapshot else ()
    plan = make_plan(images, skipped, scans, retry_skipped=options.retry_skipped)
    stage = Stage(writer, snapshot, scans, plan, options)
    try:
        _read_and_embed(plan, stage, encoder, reader, progress)
        stage.finish()
    except KeyboardInterrupt:
        stage.commit()
        raise
    if snapshot is None and not writer.generation().image_count:
        raise SourceError(
            f"none of the {stage.counts.skipped} pictures can be used; "
            f"the first: {stage.first_reason}"
        )
    return stage.counts


def _read_and_embed(
    plan: Plan,
    stage: Stage,
    encoder: Callable[[], Encoder],
    reader: Reader,
    progress: Progress | None,
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
        for outcome in reader.read(files, known=stage.knows):
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
