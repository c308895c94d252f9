"""Recall: the share of the true nearest rows that was found, and how sure one can be of it.

Recall@k is that of Jégou, Douze and Schmid, "Product quantization for nearest neighbor search"
(TPAMI 2011), as Aumüller, Bernhardsson and Faithfull, "ANN-Benchmarks" (2020), count it: a row as
near as the true k-th is a true one, so that ties are no misses.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from vecsearch.ann.exact import exact_search
from vecsearch.store.segments import Segment, gather, live_blocks
from vecsearch.types import Float16Vectors, Progress, Rows, Vectors

Shares = npt.NDArray[np.float64]

_TIE: Final = 1e-6
"""Scores that differ by less are equal: the true nearest were told apart in float32."""

_RESAMPLES: Final = 2000
_DRAWN: Final = 1 << 18
"""So many values are drawn at a time, of 8 bytes each."""

_Z: Final = 1.959964
"""The 97.5% point of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95% confidence interval, and how it was had; ``none`` of a value that is certain."""

    low: float
    high: float
    method: Literal["bootstrap", "Wilson", "none"]


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
    """Return, for each of *xq*, the share of *truth* (q, k) that is in *found* (q, k), with ties.

    Both are scored anew, in float64, so that no order of summation makes a difference.
    """
    shares = np.empty(len(xq))
    for number, query in enumerate(xq.astype(np.float64)):
        of_truth, of_found = (
            gather(segments, line[line >= 0], xq.shape[1]) @ query
            for line in (truth[number], found[number])
        )
        good = int(np.count_nonzero(of_found >= of_truth.min() - _TIE))
        shares[number] = min(good, of_truth.size) / of_truth.size
    return shares


def mean_of(values: Shares, classes: Rows | None = None) -> float:
    """Return the mean of *values*, (q,), or with *classes*, (q,) from 0 on, of the classes' means.

    A class that has no value is left out.
    """
    return float(_means(values[np.newaxis], None if classes is None else classes[np.newaxis])[0])


def interval(shares: Shares, classes: Rows | None = None) -> Interval:
    """Return a 95% confidence interval of the mean of *shares*, one for each query.

    With *classes* it is that of the mean of their means, as `mean_of` has it.

    It is the percentile bootstrap over queries, 2,000 seeded resamples (Efron and Tibshirani, "An
    Introduction to the Bootstrap", 1993, chapter 13): what one query finds is not independent, so
    queries are drawn and not hits. Where all shares are equal, resampling them tells nothing; then
    it is Wilson's score interval ("Probable inference", JASA 1927) with each query as one trial,
    which is wide enough for any values between 0 and 1.
    """
    count, mean = len(shares), float(shares.mean())
    if np.ptp(shares) == 0:
        scale = 1 + _Z**2 / count
        centre = (mean + _Z**2 / (2 * count)) / scale
        half = _Z * (mean * (1 - mean) / count + (_Z / (2 * count)) ** 2) ** 0.5 / scale
        return Interval(max(0.0, centre - half), min(1.0, max(mean, centre + half)), "Wilson")
    generator = np.random.RandomState(0)
    step = max(1, _DRAWN // count)
    means = []
    for start in range(0, _RESAMPLES, step):
        drawn = generator.randint(0, count, (min(step, _RESAMPLES - start), count))
        means.append(_means(shares[drawn], None if classes is None else classes[drawn]))
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return Interval(float(low), float(high), "bootstrap")


def _means(values: Shares, classes: Rows | None) -> Shares:
    """Compute what `mean_of` does for each line of *values* and *classes*, (r, q)."""
    if classes is None:
        return np.asarray(values.mean(axis=1), np.float64)
    lines, width = len(values), int(classes.max()) + 1
    cells = (classes + width * np.arange(lines)[:, np.newaxis]).ravel()
    sums = np.bincount(cells, values.ravel(), lines * width).reshape(lines, width)
    counts = np.bincount(cells, minlength=lines * width).reshape(lines, width)
    means = sums / np.maximum(counts, 1)
    return np.asarray(means.sum(axis=1) / np.count_nonzero(counts, axis=1), np.float64)
