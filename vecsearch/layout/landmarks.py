"""t-SNE of a large collection: a sample is laid out, and all others are placed by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vecsearch.errors import UsageError
from vecsearch.layout.points import Points
from vecsearch.layout.principal import Scores

_EARLY: Final = 250
_LATE: Final = 500
_REFINING: Final = 50
_EXAGGERATION: Final = 12.0
_NEAREST: Final = 10
"""A vector begins at the median of so many landmarks."""
_PLACING_PERPLEXITY: Final = 5.0
_STEP: Final = 25
_BLOCK: Final = 8192


def place_by_landmarks(
    scores: Scores,
    landmarks: int,
    seed: int,
    perplexity: float,
    report: Callable[[str, int, int], None],
) -> Points:
    """Lay *landmarks* of the *scores* (n, m) out by t-SNE, and the others among them.

    Each of the others begins at the median of its nearest landmarks and is moved by t-SNE's
    gradient while these stand still. Source: Policar, Strazar & Zupan, Embedding to reference
    t-SNE space addresses batch effects in single-cell classification, 2021. Raises UsageError
    where openTSNE is missing.
    """
    try:
        from openTSNE import TSNEEmbedding, affinity, initialization
        from openTSNE.nearest_neighbors import KNNIndex
    except ImportError:
        raise UsageError(
            f"t-SNE of more than {landmarks:,} pictures needs the package openTSNE",
            hint="pip install 'vecsearch[large-viz]', or --method pca",
        ) from None

    class Nearest(KNNIndex):  # type: ignore[misc]
        """Exact neighbours by matrix products: openTSNE's own are by trees, or approximate."""

        VALID_METRICS: Final = ("euclidean",)

        def build(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
            found, distances = _nearest(self.data, self.data, self.k + 1)
            # Not always the first: there may be copies.
            itself = found == np.arange(len(found))[:, np.newaxis]
            itself[~itself.any(axis=1), -1] = True
            shape = len(found), self.k
            return found[~itself].reshape(shape), distances[~itself].reshape(shape)

        def query(
            self, query: Scores, k: int
        ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
            return _nearest(query, self.data, k)

    n = len(scores)
    order = np.random.RandomState(seed).permutation(n)
    chosen, others = np.sort(order[:landmarks]), np.sort(order[landmarks:])
    total = _EARLY + _LATE
    report("t-SNE", 0, total)
    index = Nearest(scores[chosen], int(3 * perplexity))
    embedding = TSNEEmbedding(
        initialization.rescale(scores[chosen, :2].astype(np.float64)),
        affinity.PerplexityBasedNN(knn_index=index, perplexity=perplexity),
        negative_gradient_method="auto",
    )
    for before, iterations, exaggeration in ((0, _EARLY, _EXAGGERATION), (_EARLY, _LATE, 1.0)):
        embedding.optimize(
            iterations,
            exaggeration=exaggeration,
            inplace=True,
            callbacks=lambda done, _error, _points, before=before: report(
                "t-SNE", before + done, total
            ),
            callbacks_every_iters=_STEP,
        )
    report("t-SNE", total, total)
    points = np.empty((n, 2), np.float32)
    points[chosen] = embedding
    for start in range(0, len(others), _BLOCK):
        block = others[start : start + _BLOCK]
        placed = embedding.prepare_partial(
            scores[block], initialization="median", k=_NEAREST, perplexity=_PLACING_PERPLEXITY
        )
        placed.optimize(_REFINING, inplace=True, learning_rate=0.1, exaggeration=1.5, momentum=0.0)
        points[block] = placed
        report("placing", start + len(block), len(others))
    return points


def _nearest(
    queries: Any, rows: Any, k: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Find the *k* of *rows* nearest to each of *queries*: places and Euclidean distances."""
    from sklearn.neighbors import NearestNeighbors

    model = NearestNeighbors(n_neighbors=min(k, len(rows)), algorithm="brute").fit(rows)
    distances, found = model.kneighbors(queries)
    return found, distances
