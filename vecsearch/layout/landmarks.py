"""t-SNE of a large collection: a sample is laid out, and all others are placed by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from vecsearch.errors import UsageError
from vecsearch.layout.points import ExactPoints, Places, Points
from vecsearch.layout.principal import Components

Report = Callable[[str, int, int], None]

_EARLY: Final = 250
_LATE: Final = 500
_SETTLING: Final = 50
_EXAGGERATION: Final = 12.0
_NEAREST: Final = 10
"""A vector begins at the median of this many landmarks."""
_PLACING_PERPLEXITY: Final = 5.0
_STEP: Final = 25
_BLOCK: Final = 8192

MOST_REFINED: Final = 250_000
"""Of more vectors, finding the neighbours of each would take most of the time."""
_REFINING: Final = ((50, 4.0), (150, 1.0))
"""Iterations and their exaggeration, over all vectors."""
_REFINING_PERPLEXITY: Final = 15.0


def place_by_landmarks(
    scores: Components, landmarks: int, seed: int, perplexity: float, report: Report
) -> Points:
    """Lay *landmarks* of the *scores* (n, m) out by t-SNE, then the others among them.

    Each of the others begins at the median of its nearest landmarks and is moved by t-SNE's
    gradient while these stand still. Source: Policar, Strazar & Zupan, Embedding to reference
    t-SNE space addresses batch effects in single-cell classification, 2021. Of at most
    MOST_REFINED, all are then moved together, which brings neighbours to each other that the
    landmarks do not tell apart. Source: Kobak & Berens, The art of using t-SNE for single-cell
    transcriptomics, 2019. Raises UsageError where openTSNE is missing.
    """
    try:
        import openTSNE  # noqa: F401
    except ImportError:
        raise UsageError(
            f"t-SNE of more than {landmarks:,} pictures needs the package openTSNE",
            hint="pip install 'vecsearch[large-viz]', or --method pca",
        ) from None
    order = np.random.RandomState(seed).permutation(len(scores))
    chosen, others = np.sort(order[:landmarks]), np.sort(order[landmarks:])
    embedding = _embed_landmarks(scores[chosen], perplexity, report)
    points = np.empty((len(scores), 2), np.float64)
    points[chosen] = embedding
    for start in range(0, len(others), _BLOCK):
        block = others[start : start + _BLOCK]
        placed = embedding.prepare_partial(
            scores[block], initialization="median", k=_NEAREST, perplexity=_PLACING_PERPLEXITY
        )
        placed.optimize(_SETTLING, inplace=True, learning_rate=0.1, exaggeration=1.5, momentum=0.0)
        points[block] = placed
        report("placing", start + len(block), len(others))
    if len(scores) <= MOST_REFINED:
        points = _refine(scores, points, report)
    return points.astype(np.float32)


def _embed_landmarks(scores: Components, perplexity: float, report: Report) -> Any:
    """Lay landmarks out; the embedding that is returned can place other vectors."""
    from openTSNE import TSNEEmbedding, affinity, initialization

    report("t-SNE", 0, _EARLY + _LATE)
    index = _neighbours(scores, perplexity)
    embedding = TSNEEmbedding(
        initialization.rescale(scores[:, :2].astype(np.float64)),
        affinity.PerplexityBasedNN(knn_index=index, perplexity=perplexity),
        negative_gradient_method="auto",
    )
    _optimize(embedding, ((_EARLY, _EXAGGERATION), (_LATE, 1.0)), "t-SNE", report)
    return embedding


def _refine(scores: Components, points: ExactPoints, report: Report) -> ExactPoints:
    """Move all points together, from where they are."""
    from openTSNE import TSNEEmbedding, affinity

    report("neighbours", 0, len(scores))
    index = _neighbours(scores, _REFINING_PERPLEXITY)
    embedding = TSNEEmbedding(
        points,
        affinity.PerplexityBasedNN(knn_index=index, perplexity=_REFINING_PERPLEXITY),
        negative_gradient_method="auto",
    )
    report("neighbours", len(scores), len(scores))
    _optimize(embedding, _REFINING, "refining", report)
    return np.asarray(embedding)


def _optimize(
    embedding: Any, phases: Sequence[tuple[int, float]], name: str, report: Report
) -> None:
    total = sum(iterations for iterations, _ in phases)
    before = 0
    for iterations, exaggeration in phases:
        embedding.optimize(
            iterations,
            exaggeration=exaggeration,
            inplace=True,
            callbacks=lambda done, _error, _points, before=before: report(
                name, before + done, total
            ),
            callbacks_every_iters=_STEP,
        )
        before += iterations
    report(name, total, total)


def _neighbours(scores: Components, perplexity: float) -> Any:
    """Return an exact neighbour search for openTSNE, whose own ones use trees or approximate.

    Three times the perplexity, as van der Maaten (JMLR 15, 2014) has it.
    """
    from openTSNE.nearest_neighbors import KNNIndex

    class Nearest(KNNIndex):  # type: ignore[misc]
        VALID_METRICS: Final = ("euclidean",)

        def build(self) -> tuple[Places, ExactPoints]:
            found, distances = _nearest(self.data, self.data, self.k + 1)
            # Not always the first: there may be copies.
            itself = found == np.arange(len(found))[:, np.newaxis]
            itself[~itself.any(axis=1), -1] = True
            shape = len(found), self.k
            return found[~itself].reshape(shape), distances[~itself].reshape(shape)

        def query(self, query: Components, k: int) -> tuple[Places, ExactPoints]:
            return _nearest(query, self.data, k)

    return Nearest(scores, min(int(3 * perplexity), len(scores) - 1))


def _nearest(queries: Any, rows: Any, k: int) -> tuple[Places, ExactPoints]:
    """Find the *k* of *rows* nearest to each of *queries*: places and Euclidean distances."""
    import faiss

    squares, found = faiss.knn(
        np.ascontiguousarray(queries), np.ascontiguousarray(rows), min(k, len(rows))
    )
    return found, np.sqrt(np.maximum(squares, 0.0)).astype(np.float64)
