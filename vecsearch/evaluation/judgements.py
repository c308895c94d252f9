"""What the rankings of an evaluation by labels are worth, query by query."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from vecsearch.evaluation import measures
from vecsearch.evaluation.classes import NEIGHBOURS
from vecsearch.evaluation.labels import Labelled
from vecsearch.evaluation.leave_one_out import ranked_rows
from vecsearch.evaluation.measures import Counts, Figures
from vecsearch.search.index_reader import IndexReader
from vecsearch.search.query_options import QueryOptions
from vecsearch.types import Progress, Rows

_ROWS_A_LABEL: Final = 64
"""A table by row has fewer rows than this for each label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOptions:
    """How to judge: the first ``depth`` ranks, precision and recall at ``ks``, the ``query``'s."""

    depth: int
    ks: Sequence[int]
    query: QueryOptions


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Judgements:
    """What each query is worth: every array is (q, ...), in one order.

    ``rows`` and ``classes`` are those of the queries, ``relevant`` counts the others of the class;
    ``first`` (q, 5) are the classes of the first hits, -1 beyond as many as are relevant;
    ``first_right`` is 0 where no relevant one was seen; ``precision`` and ``recall`` are by k.
    """

    rows: Rows
    classes: Counts
    relevant: Counts
    first: Counts
    first_right: Counts
    average_precision: Figures
    r_precision: Figures
    precision: dict[int, Figures]
    recall: dict[int, Figures]


def choose_queries(classes: Counts, sample: int) -> Counts:
    """Choose at most *sample* places of *classes* (n,) whose class has others, in order.

    The same every time: one of each class, and then of each in proportion to its size.
    """
    sizes = np.bincount(classes)
    generator = np.random.RandomState(0)
    shuffled = generator.permutation(np.flatnonzero(sizes[classes] > 1))
    if len(shuffled) <= sample:
        return np.sort(shuffled)
    by_class = shuffled[np.argsort(classes[shuffled], kind="stable")]
    counts = np.bincount(classes[by_class], minlength=len(sizes))
    nth = np.arange(len(by_class)) - np.repeat(np.cumsum(counts) - counts, counts)
    shares = np.where(nth > 0, (nth + 0.5) / sizes[classes[by_class]], 0.0)
    order = np.lexsort((generator.permutation(len(by_class)), shares))
    return np.sort(by_class[order[:sample]])


def judge(
    reader: IndexReader,
    labelled: Labelled,
    queries: Counts,
    options: JudgeOptions,
    progress: Progress,
) -> Judgements:
    """Query with the images at the places *queries* of *labelled*, and judge their rankings.

    Rankings are held for some queries at a time. Raises IndexDamagedError.
    """
    rows, classes = labelled.rows[queries], labelled.classes[queries]
    relevant = np.bincount(labelled.classes)[classes] - 1
    class_of = _classes_by_row(labelled)
    found = Judgements(
        rows=rows,
        classes=classes,
        relevant=relevant,
        first=np.full((len(rows), NEIGHBOURS), -1, np.int64),
        first_right=np.zeros(len(rows), np.int64),
        average_precision=np.zeros(len(rows)),
        r_precision=np.zeros(len(rows)),
        precision={k: np.zeros(len(rows)) for k in {*options.ks, NEIGHBOURS}},
        recall={k: np.zeros(len(rows)) for k in {*options.ks, NEIGHBOURS}},
    )
    among = labelled.rows if len(labelled.rows) < len(reader) else None
    reader.check_all()
    done = 0
    progress("asking", done, len(rows))
    for ranked in ranked_rows(reader, rows, options.depth, options.query, among):
        part = slice(done, done + len(ranked))
        hits = class_of(ranked)
        right, of_class = hits == classes[part, np.newaxis], relevant[part]
        first = hits[:, :NEIGHBOURS]
        due = np.arange(first.shape[1]) < of_class[:, np.newaxis]
        found.first[part, : first.shape[1]] = np.where(due, first, -1)
        found.first_right[part] = measures.first_right(right)
        found.average_precision[part] = measures.average_precision(right, of_class)
        found.r_precision[part] = measures.r_precision(right, of_class)
        for k in found.precision:
            found.precision[k][part] = measures.precision(right, k)
            found.recall[k][part] = measures.recall(right, of_class, k)
        done += len(ranked)
        progress("asking", done, len(rows))
    return found


def _classes_by_row(labelled: Labelled) -> Callable[[Rows], Counts]:
    """Return what finds the classes of rows, -1 for row -1 and for rows without a label.

    A table is several times as fast, but the rows of a collection may be far apart.
    """
    rows, classes = labelled.rows, labelled.classes
    if int(rows[-1]) < _ROWS_A_LABEL * len(rows):
        table = np.full(int(rows[-1]) + 2, -1, np.int64)  # the last is that of row -1
        table[rows] = classes
        return table.__getitem__

    def look_up(wanted: Rows) -> Counts:
        places = np.minimum(np.searchsorted(rows, wanted), len(rows) - 1)
        return np.where(rows[places] == wanted, classes[places], -1)

    return look_up
