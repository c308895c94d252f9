"""The methods that lay vectors out in the plane: t-SNE, PCA, UMAP."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from vecsearch.errors import UsageError
from vecsearch.layout.landmarks import Report, place_by_landmarks
from vecsearch.layout.points import Features, Points, turned
from vecsearch.layout.principal import Components, principal
from vecsearch.types import Progress, no_progress

FEWEST: Final = 5
"""Fewer pictures have no neighbourhoods to keep: the first two axes of PCA are used."""

DEFAULT_PERPLEXITY: Final = 30.0

LANDMARKS: Final = 10_000
"""Of a larger collection, this many vectors are laid out, and the others are placed by them."""

_UMAP_NEIGHBOURS: Final = 15


def lay_out(
    features: Features,
    method: str = "tsne",
    *,
    seed: int = 0,
    perplexity: float | None = None,
    progress: Progress | None = None,
) -> Points:
    """Lay unit vectors (n, d) out in the plane; the long axis of the map lies along x.

    ``tsne``: van der Maaten & Hinton, Visualizing Data using t-SNE, JMLR 9, 2008. On unit vectors
    the Euclidean distance orders pairs as the cosine does. *perplexity* is min(30, (n - 1) / 3)
    unless given, and less than n in any case. Of more than LANDMARKS vectors a sample is laid out,
    and the others are placed by it (extra ``large-viz``).
    ``pca``: the first two principal components.
    ``umap``: McInnes, Healy & Melville 2018, through umap-learn (extra ``umap``).

    The same input and seed give the same points; equal vectors are all at one place. Raises
    UsageError for another method or where its package is missing.
    """
    if method not in METHODS:
        raise UsageError(f"unknown layout {method!r}", hint=f"known are {', '.join(METHODS)}")
    report: Report = progress or no_progress
    report("principal components", 0, len(features))
    scores = principal(features, seed)
    report("principal components", len(features), len(features))
    if not scores.any():
        return np.zeros((len(scores), 2), np.float32)
    if method == "pca" or len(scores) < FEWEST:
        return turned(scores[:, :2])
    wanted = perplexity
    if wanted is None:
        wanted = min(DEFAULT_PERPLEXITY, (len(scores) - 1) / 3)
    return turned(METHODS[method](scores, seed, min(wanted, len(scores) - 1), report))


def _tsne(scores: Components, seed: int, perplexity: float, report: Report) -> Points:
    n = len(scores)
    if n > LANDMARKS:
        return place_by_landmarks(scores, LANDMARKS, seed, perplexity, report)
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    report("t-SNE", 0, n)
    model = TSNE(perplexity=perplexity, init=scores[:, :2] * np.float32(1e-4), random_state=seed)
    # Several threads add up in any order, and t-SNE makes another map of the last digit.
    with threadpool_limits(1):
        points: Points = model.fit_transform(scores)
    report("t-SNE", n, n)
    return points


def _umap(scores: Components, seed: int, perplexity: float, report: Report) -> Points:
    n = len(scores)
    report("UMAP", 0, n)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of numba and UMAP, to developers
            from umap import UMAP

            model = UMAP(
                n_neighbors=min(_UMAP_NEIGHBOURS, n - 1), random_state=seed, n_jobs=1,
                init="spectral" if n > 4 * _UMAP_NEIGHBOURS else "random",
            )  # fmt: skip
            points = np.asarray(model.fit_transform(scores), np.float32)
    except ImportError:
        raise UsageError(
            "UMAP needs the package umap-learn", hint="pip install 'vecsearch[umap]'"
        ) from None
    report("UMAP", n, n)
    return points


def _pca(scores: Components, seed: int, perplexity: float, report: Report) -> Points:
    return scores[:, :2]


METHODS: Final[Mapping[str, Callable[[Components, int, float, Report], Points]]] = {
    "tsne": _tsne,
    "pca": _pca,
    "umap": _umap,
}
