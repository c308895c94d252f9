"""Where pictures stand on a map: t-SNE of their vectors, then moved apart until none is hidden."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vecsearch.types import Vectors

Points = npt.NDArray[np.float32]
"""(n, 2) float32."""

_Exact = npt.NDArray[np.float64]

PCA_DIMENSIONS = 50
"""What t-SNE's authors bring vectors to first: less noise, and much less time."""

FEWEST = 5
"""With fewer pictures there are no neighbourhoods to keep: the first two axes of PCA it is."""

DEFAULT_PERPLEXITY = 30.0

ROUNDS = 3000
NEARLY = 0.97
"""`spread` stops at this share of the wanted distance; a small magnification gives the rest."""


def tsne(vectors: Vectors, *, seed: int = 0, perplexity: float | None = None) -> Points:
    """Lay unit vectors (n, d) out in the plane by t-SNE; the long axis of the map lies along x.

    Source: van der Maaten & Hinton, Visualizing Data using t-SNE, JMLR 9, 2008. On unit vectors
    the Euclidean distance orders pairs as the cosine does. *perplexity* is min(30, (n - 1) / 3)
    unless given, and less than n in any case. The same input and seed give the same points.
    Time grows as n log n: 9 s for 2,000 vectors on one core.
    """
    scores = _principal(vectors, seed)
    n = len(scores)
    if n < FEWEST or not scores.any():
        return _fill_disc(n) if not scores.any() else _turned(scores[:, :2])
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    wanted = min(DEFAULT_PERPLEXITY, (n - 1) / 3) if perplexity is None else perplexity
    model = TSNE(
        perplexity=min(wanted, n - 1),
        init=scores[:, :2] * np.float32(1e-4),
        random_state=seed,
    )
    # Several threads add up in any order, and t-SNE makes another map of the last digit.
    with threadpool_limits(1):
        return _turned(model.fit_transform(scores))


def spread(points: Points, size: float) -> Points:
    """Move *points* apart until squares of side *size* around them do not overlap.

    Squares that overlap push each other along the line between their centres, over and over; so
    crowds grow while their neighbourhoods, and the gaps between crowds, stay. Points that are far
    enough apart from the start are returned as they are.
    """
    from scipy.spatial import cKDTree

    placed = _without_heaps(points.astype(np.float64), size)
    n = len(placed)
    closest = 1.0
    for _ in range(ROUNDS):
        # A hair less than size, or rounding alone would keep touching squares busy.
        pairs = cKDTree(placed).query_pairs(size * (1 - 1e-6), p=np.inf, output_type="ndarray")
        if not len(pairs):
            closest = 1.0
            break
        first, second = pairs[:, 0], pairs[:, 1]
        apart = placed[second] - placed[first]
        reach = np.maximum(np.abs(apart).max(axis=1), 1e-9 * size)
        closest = float(reach.min()) / size
        if closest >= NEARLY:
            break
        push = apart * (np.maximum(size / reach - 1.0, 0.0) / 2)[:, np.newaxis]
        moved = np.stack(
            [
                np.bincount(second, push[:, axis], n) - np.bincount(first, push[:, axis], n)
                for axis in (0, 1)
            ],
            axis=1,
        )
        # The mean of the pushes, twice as far: the sum would throw crowds about.
        pushes = np.bincount(pairs.ravel(), minlength=n)
        placed = placed + moved * (2.0 / np.maximum(pushes, 1))[:, np.newaxis]
    if closest < 1.0:
        middle = placed.mean(axis=0)
        placed = middle + (placed - middle) / closest
    return placed.astype(np.float32)


def _principal(vectors: Vectors, seed: int) -> npt.NDArray[np.float32]:
    """Principal components, (n, at least 2) with the first of variance 1; all 0 for equal rows."""
    n, d = vectors.shape
    count = min(n, d, PCA_DIMENSIONS)
    scores = np.zeros((n, max(2, count)), np.float32)
    # Equal unit vectors differ by rounding only, which must not be blown up to a map.
    if n < 2 or float(np.ptp(vectors, axis=0).max()) < 1e-5:
        return scores
    from sklearn.decomposition import PCA

    scores[:, :count] = PCA(count, random_state=seed).fit_transform(vectors)
    scores /= scores[:, 0].std()
    return scores


def _turned(points: npt.NDArray[np.float32]) -> Points:
    """Centre *points* and turn them so that they reach farthest along x."""
    centred = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    turned: _Exact = centred @ axes.T
    return turned.astype(np.float32)


def _without_heaps(points: _Exact, size: float) -> _Exact:
    """Lay points that are equal, between which there is no line to push along, out as a disc."""
    if len(points) < 2:
        return points
    _, heap, counts = np.unique(
        np.round(points / (1e-3 * size)), axis=0, return_inverse=True, return_counts=True
    )
    heap = heap.ravel()
    order = np.argsort(heap, kind="stable")
    place = np.empty(len(points), np.int64)  # of each point within its heap
    place[order] = np.arange(len(points)) - (np.cumsum(counts) - counts)[heap[order]]
    many = counts[heap]
    radius = np.where(many > 1, 0.55 * size * np.sqrt(many), 0.0)
    return points + radius[:, np.newaxis] * _disc(place, many)


def _disc(k: npt.NDArray[np.int64], of: npt.NDArray[np.int64]) -> _Exact:
    """Give the place of the k-th of so many points that fill the unit disc evenly.

    Source: Vogel, A better way to construct the sunflower head, 1979.
    """
    angle = k * (np.pi * (3.0 - np.sqrt(5.0)))
    disc: _Exact = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return disc * np.sqrt((k + 0.5) / of)[:, np.newaxis]


def _fill_disc(n: int) -> Points:
    if n < 2:
        return np.zeros((n, 2), np.float32)
    return _disc(np.arange(n), np.full(n, n)).astype(np.float32)
