"""How many of the nearest pictures one kind of vector finds that another finds."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.embed.feature_file import Features
from vecsearch.embed.pca import Projection

NEAREST: Final = 10

Scores = npt.NDArray[np.floating]


def nearest_count(pictures: int) -> int:
    """Return how many nearest to compare: ten, or a third of the others where they are few."""
    return min(NEAREST, max(1, (pictures - 1) // 3))


def shared_nearest(exact: Scores, approximate: Scores, k: int) -> float:
    """Return the mean share of the *k* nearest by *exact* that *approximate* finds too.

    Both are (q, n); the queries are the last q of the n pictures, and do not find themselves.
    """
    tops = []
    q, n = exact.shape
    for scores in (exact, approximate):
        others = scores.copy()
        others[np.arange(q), np.arange(n - q, n)] = -np.inf
        tops.append(np.argsort(-others, axis=1, kind="stable")[:, :k])
    return float(np.mean([len(np.intersect1d(a, b)) / k for a, b in zip(*tops, strict=True)]))


def overlap_when_reduced(features: Features, projection: Projection, queries: int, k: int) -> float:
    """Compare the nearest of the last *queries* vectors among all, before and after *projection*.

    The search is exact. Memory: (queries, n) scores, (n, dim) reduced vectors, and two panels.
    """
    n, _ = features.shape
    exact = np.zeros((queries, n))
    reduced = np.tile(projection.bias.astype(np.float64), (n, 1))
    for first, panel in features.panels():
        exact += panel[n - queries :] @ panel.T
        reduced += panel @ projection.matrix[:, first : first + panel.shape[1]].T
    lengths = np.linalg.norm(reduced, axis=1, keepdims=True)
    reduced /= np.maximum(lengths, 1e-12)  # a picture at the very mean has no direction
    return shared_nearest(exact, reduced[n - queries :] @ reduced.T, k)
