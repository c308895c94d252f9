"""Means over queries or classes, and their 95% confidence intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from vecsearch.ann.recall import Shares
from vecsearch.types import Rows

_RESAMPLES: Final = 2000
_DRAWN: Final = 1 << 18
"""The most values that are drawn at a time, of 8 bytes each."""

_Z: Final = 1.959964
"""The 97.5% point of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95% confidence interval, and how it was had; ``none`` of a value that is certain."""

    low: float
    high: float
    method: Literal["bootstrap", "Wilson", "none"]


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
