"""The command ``verify``: everything in an index against everything else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from vecsearch.ann.base import count_differing
from vecsearch.ann.read_base import open_base
from vecsearch.ann.recipes import FLAT
from vecsearch.ann.settings import SearchSettings
from vecsearch.arguments import checked
from vecsearch.embed.encoder import open_encoder
from vecsearch.embed.spec import EncoderSpec
from vecsearch.embed.words import Words
from vecsearch.errors import (
    EncoderMismatchError,
    IndexDamagedError,
    IndexFolderError,
    VecsearchError,
)
from vecsearch.fields import read_fields
from vecsearch.store.audit import audit_catalog, audit_files
from vecsearch.store.locate import is_collection, only_index
from vecsearch.store.records import Base
from vecsearch.store.schema import CATALOG
from vecsearch.store.segments import Segment
from vecsearch.store.snapshot import Snapshot
from vecsearch.types import Agreement, Problem, Progress, Reduction


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What was found wrong with an index: nothing, if ``problems`` is empty."""

    index: Path
    problems: tuple[Problem, ...]
    quick: bool
    seconds: float


@checked
def verify(
    index: str | Path | None = None, *, quick: bool = False, progress: Progress | None = None
) -> VerifyReport:
    """Look for damage: in the catalog, in every file and row, between FAISS and the segments.

    ``quick`` compares lengths and beginnings only. Damage is reported, not raised. Raises
    IndexFolderError for a folder that is no index, IndexFormatError for a newer one. Of a
    collection every shard is looked at, and one that is gone or has another encoder is a problem.
    """
    start = time.monotonic()
    folder = Path(index) if index is not None else only_index()
    find = _find_in_shards if is_collection(folder) else find_problems
    return VerifyReport(
        index=folder,
        problems=tuple(find(folder, quick=quick, progress=progress)),
        quick=quick,
        seconds=time.monotonic() - start,
    )


def _find_in_shards(folder: Path, *, quick: bool, progress: Progress | None) -> Iterator[Problem]:
    """Look for damage in every shard of a collection; raises what is wrong with its catalog."""
    from vecsearch.cluster.shard_catalog import place_of_shard, read_catalog
    from vecsearch.cluster.united_snapshot import check_known

    catalog = read_catalog(folder)
    for number, shard in enumerate(catalog.shards):

        def report(phase: str, done: int, total: int, before: int = number) -> None:
            if progress:
                progress(phase, before * total + done, len(catalog.shards) * total)

        place = place_of_shard(folder, shard)
        try:
            problems = list(find_problems(place, quick=quick, progress=report))
            yield from problems
            if not problems:
                with closing(Snapshot(place)) as opened:
                    check_known(folder, catalog, shard, place, opened)
        except EncoderMismatchError as error:
            yield Problem("encoder", place, str(error).removeprefix(f"{place} ").partition("; ")[0])
        except IndexFolderError as error:
            yield Problem("catalog", place, str(error).partition("; ")[0], unreadable=True)


def find_problems(folder: Path, *, quick: bool, progress: Progress | None) -> Iterator[Problem]:
    """Look for damage; what depends on a damaged part is not checked."""
    steps = 1 if quick else 3
    _report(progress, 0, steps)
    damaged_catalog = audit_catalog(folder, quick=quick)
    yield from damaged_catalog
    if damaged_catalog:
        return
    damaged_files = audit_files(folder, quick=quick)
    yield from damaged_files
    _report(progress, 1, steps)
    if quick:
        return
    kinds = {problem.kind for problem in damaged_files}
    if not kinds & {"vectors"}:
        with closing(Snapshot(folder)) as snapshot:
            if unreadable := list(_read_records(snapshot)):
                yield from unreadable
                return
            if "ann" not in kinds:
                for segment in snapshot.segments:
                    if base := snapshot.bases.get(segment.first_row):
                        yield from _compare_base(snapshot, segment, base)
            _report(progress, 2, steps)
            if "encoder" not in kinds:
                yield from _open_encoder(snapshot)
            if "words" not in kinds:
                yield from _open_words(snapshot)
    _report(progress, steps, steps)


def _compare_base(snapshot: Snapshot, segment: Segment, base: Base) -> Iterator[Problem]:
    """Compare a FAISS file with its segment: an exact one vector by vector, else in number.

    The codes of an approximate one are not the vectors; its checksum is all that can be compared.
    """
    path = snapshot.folder / base.record.name
    try:
        opened = snapshot.open_base(
            base, lambda path: open_base(path, base.recipe, base.row_count, snapshot.dim)
        )
    except IndexFolderError as error:
        yield Problem("ann", path, str(error).partition("; ")[0])
        return
    if opened is None:
        return
    if base.recipe == FLAT and (differing := count_differing(opened, segment.halves)):
        yield Problem(
            "ann", path, f"has {differing} vectors that differ from those in the segments"
        )


def _read_records(snapshot: Snapshot) -> Iterator[Problem]:
    """Read what the catalog keeps as JSON."""
    path = snapshot.folder / CATALOG
    try:
        EncoderSpec.from_json(snapshot.encoder_json, snapshot.dim)
        for base in snapshot.bases.values():
            SearchSettings.from_json(base.search)
        for kind, text in ((Agreement, snapshot.agreement), (Reduction, snapshot.reduction)):
            if text:
                read_fields(kind, text)
    except IndexDamagedError as error:
        yield Problem("catalog", path, str(error).partition("; ")[0])
    except ValueError as error:
        yield Problem("catalog", path, f"what was measured is not valid: it {error}")


def _open_encoder(snapshot: Snapshot) -> Iterator[Problem]:
    spec = EncoderSpec.from_json(snapshot.encoder_json, snapshot.dim)
    if spec.is_external:
        return
    files = snapshot.encoder_files()
    try:
        open_encoder(spec, files.xml, files.constants, engine="openvino")
    except VecsearchError as error:
        yield Problem("encoder", files.xml, " ".join(str(error).split()))


def _open_words(snapshot: Snapshot) -> Iterator[Problem]:
    if snapshot.words_record is None:
        return
    path = snapshot.folder / snapshot.words_record.name
    try:
        Words.from_bytes(snapshot.read_words(), snapshot.dim)
    except ValueError as error:
        yield Problem("words", path, str(error))
    except IndexFolderError as error:
        yield Problem("words", path, str(error).removeprefix(f"{path} ").partition("; ")[0])


def _report(progress: Progress | None, done: int, total: int) -> None:
    if progress:
        progress("verifying", done, total)
