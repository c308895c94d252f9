"""Vectors -> hits: the nearest of the images that may be hits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np

from vecsearch.index.search import Scores
from vecsearch.search.opened import Opened
from vecsearch.search.options import QueryOptions
from vecsearch.types import Hit, Rows, Vectors


class Candidates:
    """The images that may be hits of a question, and which of the nearest are wanted."""

    def __init__(self, opened: Opened, k: int, options: QueryOptions) -> None:
        """Find them; raises NotFoundError if there are none."""
        self._opened, self._k, self._options = opened, k, options
        self._searcher = None
        self._count = len(opened)
        if options.folders or options.patterns:
            from vecsearch.search.filters import chosen_rows

            rows = chosen_rows(opened.snapshot, options.folders, options.patterns)
            self._searcher, self._count = opened.among(rows), len(rows)

    def prepare(self) -> None:
        """Open what the search needs."""
        if self._searcher is None:
            _ = self._opened.searcher

    def nearest(
        self, xq: Vectors, excluded: Sequence[Collection[int]]
    ) -> Iterator[tuple[Hit, ...]]:
        """Find the hits of each of *xq*, (q, d), but for the rows *excluded* for each."""
        D, I = self._search(xq, max(map(len, excluded), default=0))  # noqa: N806, E741
        yield from self._hits(
            [
                self._wanted(scores, rows, out)
                for scores, rows, out in zip(D.tolist(), I.tolist(), excluded, strict=True)
            ]
        )

    def nearest_to_any(self, xqs: Iterable[Vectors], excluded: Collection[int]) -> tuple[Hit, ...]:
        """Find the hits of largest cosine with any of the vectors, which come (q, d) at a time.

        Exact if the searches are: an image among the first k has, by the vector that it is nearest
        to, fewer than k before it, since these are before it by the largest cosine too.
        """
        best_d = np.empty(0, np.float32)
        best_i: Rows = np.empty(0, np.int64)
        for xq in xqs:
            D, I = self._search(xq, len(excluded))  # noqa: N806, E741
            best_d = np.concatenate([best_d, D.ravel()])
            best_i = np.concatenate([best_i, I.ravel()])
            order = np.lexsort((best_i, -best_d))
            _, first = np.unique(best_i[order], return_index=True)
            kept = order[np.sort(first)][: D.shape[1]]
            best_d, best_i = best_d[kept], best_i[kept]
        (hits,) = self._hits([self._wanted(best_d.tolist(), best_i.tolist(), excluded)])
        return hits

    def _search(self, xq: Vectors, spare: int) -> tuple[Scores, Rows]:
        k = min(self._k + self._options.offset + spare, self._count)
        D, I = self._opened.search(xq, k, self._searcher)  # noqa: N806, E741
        return np.clip(D, -1.0, 1.0), I  # float16 is a little off the unit sphere

    def _wanted(
        self, scores: Sequence[float], rows: Sequence[int], excluded: Collection[int]
    ) -> list[tuple[float, int]]:
        options = self._options
        nearest = [
            (score, row)
            for score, row in zip(scores, rows, strict=True)
            if row >= 0 and row not in excluded and score >= options.threshold
        ]
        return nearest[options.offset : options.offset + self._k]

    def _hits(self, wanted: Sequence[Sequence[tuple[float, int]]]) -> Iterator[tuple[Hit, ...]]:
        rows = {row for nearest in wanted for _, row in nearest}
        images = self._opened.snapshot.images_by_row(sorted(rows))
        for nearest in wanted:
            yield tuple(
                Hit(
                    rank,
                    images[row].id,
                    images[row].path,
                    score,
                    float(np.sqrt(2.0 - 2.0 * score)),
                )
                for rank, (score, row) in enumerate(nearest, start=self._options.offset + 1)
            )
