"""What a map is made of: images, their vectors by place, likeliest words, nearest neighbours."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.ann.searcher import CodedRows
from vecsearch.embed.words import Words
from vecsearch.search.index_reader import IndexReader
from vecsearch.search.query_options import ImageFilter
from vecsearch.types import Guess, Image, Progress, Rows, Vectors

_QUERIES: Final = 256
_COMPARED: Final = 8192


class MapVectors:
    """The ``images`` of a map and, at the same places, their vectors; only those wanted are copied.

    ``encoder`` is what made them, in a line.
    """

    def __init__(
        self, reader: IndexReader, images: list[Image], words: Words | None, encoder: str
    ) -> None:
        """Keep where the vectors lie."""
        self._reader, self._words = reader, words
        self.images, self.encoder = images, encoder
        self._rows: Rows = np.array([image.row for image in images], dtype=np.int64)

    def __len__(self) -> int:
        """Count them."""
        return len(self.images)

    def __getitem__(self, places: npt.NDArray[np.int64]) -> Vectors:
        """Fetch the vectors at *places*, (len(places), d) float32; raises IndexDamagedError."""
        return self._reader.gather(self._rows[places])

    def guesses(self) -> list[tuple[Guess, ...]] | None:
        """Return the likeliest words of every vector; None if the index has no words."""
        if self._words is None:
            return None
        found: list[tuple[Guess, ...]] = []
        for start in range(0, len(self), _COMPARED):
            found += self._words.guess(self[np.arange(start, min(len(self), start + _COMPARED))])
        return found

    def nearest(
        self, *, k: int = 8, progress: Progress | None = None
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.float32]]:
        """Find the *k* nearest others of every vector, best first: places (n, k) and cosines.

        Where there are fewer than *k*, the place is n and the cosine -1.
        An approximate index is searched; of an exact one all pairs are compared in blocks, which
        is several times as fast.
        """
        reader, n = self._reader, len(self)
        every = n == len(reader)  # an index is searched as a whole, or not
        approximate = every and any(isinstance(part, CodedRows) for part in reader.parts)
        step = _QUERIES if approximate else _COMPARED
        order = np.argsort(self._rows)
        near = np.full((n, k), n, np.uint32)
        scores = np.full((n, k), -1.0, np.float32)
        for start in range(0, n, step):
            block = np.arange(start, min(n, start + step))
            if approximate:
                D, I = reader.search(self[block], min(k + 1, n))  # noqa: N806, E741
                found = order[np.searchsorted(self._rows, np.maximum(I, 0), sorter=order) % n]
                found[I < 0] = -1
            else:
                D, found = self._compare(block, min(k + 1, n))  # noqa: N806
            other = (found >= 0) & (found != block[:, np.newaxis])
            # Those that count come first, in their order; of k + 1 that are all others, the last
            # goes.
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
        self, block: npt.NDArray[np.int64], k: int
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Find the *k* nearest of all vectors to those in *block*: cosines and places."""
        import faiss

        heap = faiss.ResultHeap(len(block), k, keep_max=True)
        queries = self[block]
        for start in range(0, len(self), _COMPARED):
            vectors = self[np.arange(start, min(len(self), start + _COMPARED))]
            D, I = faiss.knn(  # noqa: N806, E741
                queries, vectors, min(k, len(vectors)), faiss.METRIC_INNER_PRODUCT
            )
            heap.add_result(D, I + start)
        heap.finalize()
        return heap.D, heap.I


def map_vectors(
    reader: IndexReader, chosen: ImageFilter | None, words: Words | None, encoder: str
) -> MapVectors:
    """Return the images that are *chosen*, by id, or all, with what a map wants of them.

    Raises NotFoundError if a filter leaves none.
    """
    if not chosen:
        return MapVectors(reader, list(reader.snapshot.images()), words, encoder)
    from vecsearch.search.filters import chosen_rows

    found = reader.snapshot.images_by_row(chosen_rows(reader.snapshot, chosen).tolist())
    images = sorted(found.values(), key=lambda image: image.id)
    return MapVectors(reader, images, words, encoder)
