"""The true nearest rows of queries, by exact search, and which share of them was found.

A row as near as the true k-th counts as a true one (Aumüller, Bernhardsson and Faithfull,
"ANN-Benchmarks", 2020).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.ann.exact import exact_search
from vecsearch.ann.recall import Shares, shared_share
from vecsearch.store.segments import Segment, gather, live_blocks
from vecsearch.types import Float16Vectors, Progress, Rows, Vectors

_TIE: Final = 1e-6
"""Scores that differ by less are equal: the true nearest were told apart in float32."""


def live_rows(segments: Sequence[Segment], deleted: Rows) -> Rows:
    """List the rows of *segments* that are not *deleted*."""
    rows = [np.arange(one.first_row, one.end_row) for one in segments]
    return np.setdiff1d(np.concatenate([np.empty(0, np.int64), *rows]), deleted, assume_unique=True)


def are_rows(
    halves: Float16Vectors, segments: Sequence[Segment], deleted: Rows
) -> npt.NDArray[np.bool_]:
    """Return which of *halves*, (q, d), are to the bit a live row of *segments*."""
    halves = np.ascontiguousarray(halves, dtype="<f2")
    marks = np.array([zlib.crc32(row) for row in halves], dtype=np.uint32)
    known = np.zeros(len(halves), dtype=np.bool_)
    for segment in segments:
        places = np.flatnonzero(np.isin(segment.checksums, marks))
        places = places[~np.isin(places + segment.first_row, deleted)]
        for place in places.tolist():
            alike = np.flatnonzero((marks == segment.checksums[place]) & ~known)
            known[alike] = (halves[alike] == segment.halves[place]).all(axis=1)
    return known


def true_nearest(
    xq: Vectors,
    segments: Sequence[Segment],
    deleted: Rows,
    k: int,
    progress: Progress | None = None,
) -> Rows:
    """Find by exact search, a block at a time, the *k* live rows nearest to each of *xq*.

    Returns (q, k) rows, best first, -1 where there are fewer. Raises IndexDamagedError.
    """
    best_d = np.full((len(xq), k), -np.inf, np.float32)
    best_i = np.full((len(xq), k), -1)
    rows = live_rows(segments, deleted)
    done = 0
    for block in live_blocks(segments, deleted):
        if not len(block):
            continue
        D, I = exact_search(xq, block, min(k, len(block)))  # noqa: N806, E741
        best_d = np.concatenate([best_d, D], axis=1)
        best_i = np.concatenate([best_i, rows[I + done]], axis=1)
        order = np.argsort(-best_d, axis=1, kind="stable")[:, :k]
        best_d = np.take_along_axis(best_d, order, 1)
        best_i = np.take_along_axis(best_i, order, 1)
        done += len(block)
        if progress:
            progress("exact search", done, len(rows))
    return best_i


def found_shares(xq: Vectors, found: Rows, truth: Rows, segments: Sequence[Segment]) -> Shares:
    """Return the share of *truth* (q, k) that is in *found* (q, k), for each of *xq*, with ties.

    Both are scored anew, in float64, so that no order of summation makes a difference.
    """
    tied = np.zeros(found.shape, np.bool_)
    for number, query in enumerate(xq.astype(np.float64)):
        there = found[number] >= 0
        of_truth, of_found = (
            gather(segments, rows, xq.shape[1]) @ query
            for rows in (truth[number][truth[number] >= 0], found[number][there])
        )
        tied[number, there] = of_found >= of_truth.min() - _TIE
    return shared_share(found, truth, tied)
