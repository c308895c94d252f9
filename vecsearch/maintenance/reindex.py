"""The commands ``reindex`` and ``tune``: other FAISS bases, or other ways to search them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vecsearch.ann.exact import exact_search
from vecsearch.ann.read_base import open_base
from vecsearch.ann.recall import recall
from vecsearch.ann.recipes import FLAT, check_recipe
from vecsearch.ann.searcher import CodedRows
from vecsearch.ann.settings import SearchSettings
from vecsearch.ann.tuning import K, judging_queries, tuning_queries
from vecsearch.ann.tuning import tune as tune_base
from vecsearch.arguments import checked
from vecsearch.errors import UsageError, VecsearchError
from vecsearch.indexing.compaction import compact_segments, improvable
from vecsearch.store.locate import only_index
from vecsearch.store.records import Base
from vecsearch.store.segments import Segment
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.writer import Writer, open_writer
from vecsearch.types import Progress


@dataclass(frozen=True, slots=True)
class TunedBase:
    """A FAISS base and how it is searched: ``settings.recall`` is what the tuning measured,

    ``recall`` what ``queries`` others, which had no part in it, find. -1 where there are none.
    """

    path: Path
    images: int
    recipe: str
    settings: SearchSettings
    recall: float
    queries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneReport:
    """The bases of an index as they are now; an exact one has nothing to tune."""

    index: Path
    total: int
    target: float
    bases: tuple[TunedBase, ...]
    seconds: float


@checked
def reindex(
    index: str | Path | None = None,
    *,
    recipe: str = "auto",
    recall: float | None = None,
    progress: Progress | None = None,
) -> TuneReport:
    """Make the FAISS bases anew from the stored vectors; no picture is touched.

    *recipe* is ``auto`` or a FAISS factory string, *recall* what it is tuned for, and both are kept
    for what is added later. Large indexes are done a segment at a time, so the same command goes
    on after an interruption. Raises UsageError, IndexFolderError or a subclass.
    """
    start = time.monotonic()
    folder = Path(index) if index is not None else only_index()
    with open_writer(folder) as writer:
        with closing(Snapshot(folder)) as before:
            check_recipe(recipe, before.dim)
            target = check_recall(before.recall if recall is None else recall)
        with _kept_if_possible(writer, before, recipe, target):
            with closing(Snapshot(folder)) as snapshot:
                compact_segments(writer, snapshot, improvable(snapshot), progress)
            if target != before.recall:
                _tune(writer, target, progress)
        return _report(writer, target, start)


@checked
def tune(
    index: str | Path | None = None,
    *,
    recall: float | None = None,
    progress: Progress | None = None,
) -> TuneReport:
    """Choose how the approximate bases are searched, so that they reach *recall* at 10; keep that.

    By default *recall* is what they were tuned for before, at first 0.95. It is measured on images
    that the bases do not have. Raises UsageError, and IndexFolderError or a subclass.
    """
    start = time.monotonic()
    folder = Path(index) if index is not None else only_index()
    if recall is not None:
        check_recall(recall)
    with open_writer(folder) as writer:
        with closing(Snapshot(folder)) as before:
            target = before.recall if recall is None else recall
        writer.set_config("recall", str(target))
        _tune(writer, target, progress)
        return _report(writer, target, start)


def check_recall(value: float) -> float:
    """Return *value* if it is a recall to tune for; else raise UsageError."""
    if not 0 < value < 1:
        raise UsageError(f"--recall is {value}", hint="give a share between 0 and 1, such as 0.95")
    return value


@contextmanager
def _kept_if_possible(
    writer: Writer, before: Snapshot, recipe: str, target: float
) -> Iterator[None]:
    """Write down what is asked for; take it back if it cannot be had."""
    writer.set_config("recipe", recipe)
    writer.set_config("recall", str(target))
    try:
        yield
    except VecsearchError:
        writer.set_config("recipe", before.recipe)
        writer.set_config("recall", str(before.recall))
        raise


def _tune(writer: Writer, target: float, progress: Progress | None) -> None:
    with closing(Snapshot(writer.folder)) as snapshot:
        searches = {}
        for segment, base in _approximate(snapshot):
            rows, held = segment.halves[: base.row_count], segment.halves[base.row_count :]
            opened = _opened(snapshot, base)
            settings = tune_base(opened, rows, tuning_queries(held), target, progress)
            searches[base.first_row] = settings.to_json()
    if searches:
        writer.set_search(searches)


def _opened(snapshot: Snapshot, base: Base) -> Any:
    return snapshot.open_base(
        base, lambda path: open_base(path, base.recipe, base.row_count, snapshot.dim)
    )


def _approximate(snapshot: Snapshot) -> Iterator[tuple[Segment, Base]]:
    for segment in snapshot.segments:
        base = snapshot.bases.get(segment.first_row)
        if base is not None and base.recipe != FLAT:
            yield segment, base


def _report(writer: Writer, target: float, start: float) -> TuneReport:
    with closing(Snapshot(writer.folder)) as snapshot:
        approximate = {one.first_row for one, _ in _approximate(snapshot)}
        return TuneReport(
            index=writer.folder,
            total=snapshot.generation.image_count,
            target=target,
            bases=tuple(
                _judged(snapshot, segment, base, segment.first_row in approximate)
                for segment in snapshot.segments
                if (base := snapshot.bases.get(segment.first_row))
            ),
            seconds=time.monotonic() - start,
        )


def _judged(snapshot: Snapshot, segment: Segment, base: Base, approximate: bool) -> TunedBase:
    path, settings = snapshot.folder / base.record.name, SearchSettings.from_json(base.search)
    if not approximate:
        return TunedBase(path, base.row_count, base.recipe, settings, 1.0, 0)
    rows = segment.halves[: base.row_count]
    xq = judging_queries(segment.halves[base.row_count :]).astype(np.float32)
    if not len(xq):
        return TunedBase(path, base.row_count, base.recipe, settings, -1.0, 0)
    coded = CodedRows(_opened(snapshot, base), rows, 0, np.empty(0, np.int64), settings)
    _, found = coded.candidates(xq, K, settings)
    _, truth = exact_search(xq, rows, min(K, len(rows)))
    return TunedBase(path, base.row_count, base.recipe, settings, recall(found, truth), len(xq))
