"""How far a reduced or quantised encoder finds the nearest pictures that the full one finds."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.ann.recall import recall
from vecsearch.embed.feature_file import FeaturePanels
from vecsearch.embed.pca import Projection
from vecsearch.types import Agreement, Rows, Vectors
from vecsearch.unit_length import unit_length

LEAST_OVERLAP: Final = 0.9
"""An int8 network that agrees less with the fp32 one is refused."""

NEAREST: Final = 10

Cosines = npt.NDArray[np.floating]


def nearest_count(pictures: int) -> int:
    """Return how many nearest to compare: ten, or a third of the others where they are few."""
    return min(NEAREST, max(1, (pictures - 1) // 3))


def measure_agreement(exact: Vectors, approximate: Vectors, held_out: int) -> Agreement:
    """Compare two networks' vectors (n, d) of the same pictures, the last *held_out* as queries."""
    k = nearest_count(len(exact))
    queries = slice(len(exact) - held_out, None)
    a, b = (vectors[queries] @ vectors.T for vectors in (exact, approximate))
    cosines = (exact[queries] * approximate[queries]).sum(axis=1)
    return Agreement(held_out, k, shared_nearest(a, b, k), float(cosines.mean()))


def overlap_when_reduced(
    features: FeaturePanels, projection: Projection, queries: int, k: int
) -> float:
    """Compare the nearest of the last *queries* vectors among all, before and after *projection*.

    The search is exact. Memory: (queries, n) scores, (n, dim) reduced vectors, and two panels.
    """
    n, _ = features.shape
    exact = np.zeros((queries, n))
    reduced = np.tile(projection.bias.astype(np.float64), (n, 1))
    for first, panel in features.panels():
        exact += panel[n - queries :] @ panel.T
        reduced += panel @ projection.matrix[:, first : first + panel.shape[1]].T
    reduced = unit_length(reduced)
    return shared_nearest(exact, reduced[n - queries :] @ reduced.T, k)


def shared_nearest(exact: Cosines, approximate: Cosines, k: int) -> float:
    """Return the mean share of the *k* nearest by *exact* that *approximate* finds too.

    Both are (q, n); the queries are the last q of the n pictures, and do not find themselves.
    """
    return recall(_nearest_others(approximate, k), _nearest_others(exact, k))


def _nearest_others(scores: Cosines, k: int) -> Rows:
    q, n = scores.shape
    others = scores.copy()
    others[np.arange(q), np.arange(n - q, n)] = -np.inf
    return np.argsort(-others, axis=1, kind="stable")[:, :k]
