"""The vectors of an index, fetched by place when a layout wants them."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.ann.searcher import CodedRows
from vecsearch.search.index import Index
from vecsearch.search.index_reader import IndexReader
from vecsearch.search.query_options import ImageFilter
from vecsearch.types import Guess, Image, Progress, Rows, Vectors

_ASKED: Final = 256
_COMPARED: Final = 8192


class StoredVectors:
    """The vectors of an index's images; only those that are asked for are copied."""

    def __init__(self, opened: IndexReader, rows: Rows) -> None:
        """Keep where the vectors lie."""
        self._opened, self.rows = opened, rows

    def __len__(self) -> int:
        """Count them."""
        return len(self.rows)

    def __getitem__(self, places: npt.NDArray[np.int64]) -> Vectors:
        """Fetch the vectors at *places*, (len(places), d) float32; raises IndexDamagedError."""
        return self._opened.gather(self.rows[places])


def stored_vectors(
    index: Index, chosen: ImageFilter | None = None
) -> tuple[list[Image], StoredVectors]:
    """Return the images of *index* that are *chosen*, by id, and their vectors in the same order.

    Raises NotFoundError if a filter leaves none.
    """
    opened = index.opened()
    if chosen:
        from vecsearch.search.filters import chosen_rows

        found = opened.snapshot.images_by_row(chosen_rows(opened.snapshot, chosen).tolist())
        images = sorted(found.values(), key=lambda image: image.id)
    else:
        images = list(opened.snapshot.images())
    rows = np.array([image.row for image in images], dtype=np.int64)
    return images, StoredVectors(opened, rows)


def guesses_of(index: Index, features: StoredVectors) -> list[tuple[Guess, ...]] | None:
    """Return the likeliest words of every vector; None if *index* has no words."""
    if not index.has_words:
        return None
    places = np.arange(len(features))
    found: list[tuple[Guess, ...]] = []
    for start in range(0, len(places), _COMPARED):
        found += index.guess(features[places[start : start + _COMPARED]])
    return found


def nearest_places(
    index: Index, features: StoredVectors, *, k: int = 8, progress: Progress | None = None
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.float32]]:
    """Find the *k* nearest others of every vector: their places (n, k), best first, and cosines.

    Where there are fewer than *k*, the place is n and the cosine -1. An approximate index is asked;
    of an exact one all pairs are compared in blocks, which is several times as fast as asking.
    """
    opened, n = index.opened(), len(features)
    every = n == opened.snapshot.generation.image_count  # an index is asked about all, or not
    approximate = every and any(isinstance(part, CodedRows) for part in opened.parts)
    step = _ASKED if approximate else _COMPARED
    order = np.argsort(features.rows)
    near = np.full((n, k), n, np.uint32)
    scores = np.full((n, k), -1.0, np.float32)
    for start in range(0, n, step):
        block = np.arange(start, min(n, start + step))
        if approximate:
            D, I = opened.search(features[block], min(k + 1, n))  # noqa: N806, E741
            found = order[np.searchsorted(features.rows, np.maximum(I, 0), sorter=order) % n]
            found[I < 0] = -1
        else:
            D, found = _compare(features, block, min(k + 1, n))  # noqa: N806
        other = (found >= 0) & (found != block[:, np.newaxis])
        # Those that count come first, in their order; of k + 1 that are all others, the last goes.
        first = np.argsort(~other, axis=1, kind="stable")[:, :k]
        lines = np.arange(len(block))[:, np.newaxis]
        there = other[lines, first]
        width = first.shape[1]
        near[block, :width] = np.where(there, found[lines, first], n)
        scores[block, :width] = np.where(there, D[lines, first], -1.0)
        if progress:
            progress("neighbours", int(block[-1]) + 1, n)
    return near, scores


def _compare(
    features: StoredVectors, block: npt.NDArray[np.int64], k: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Find the *k* nearest of all vectors to those in *block*: cosines and places."""
    import faiss

    heap = faiss.ResultHeap(len(block), k, keep_max=True)
    asked = features[block]
    for start in range(0, len(features), _COMPARED):
        rows = features[np.arange(start, min(len(features), start + _COMPARED))]
        D, I = faiss.knn(asked, rows, min(k, len(rows)), faiss.METRIC_INNER_PRODUCT)  # noqa: N806, E741
        heap.add_result(D, I + start)
    heap.finalize()
    return heap.D, heap.I
