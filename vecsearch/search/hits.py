"""Vectors -> hits: the best of the images that may be hits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from time import perf_counter

import numpy as np

from vecsearch.search.index_reader import IndexReader
from vecsearch.search.query_options import QueryOptions
from vecsearch.search.ranker import Apart, Ranker, Ranking
from vecsearch.types import Hit, Observer, Rows, Vectors, no_observer


class HitFinder:
    """Finds the best hits among all images of an index, or some."""

    def __init__(
        self,
        reader: IndexReader,
        k: int,
        options: QueryOptions,
        *,
        among: Rows | None = None,
        observer: Observer = no_observer,
    ) -> None:
        """Find the images that may be hits; raises NotFoundError if there are none.

        *among* are their rows, sorted, where they are known already.
        """
        self._observer = observer
        self._reader, self._k, self._options = reader, k, options
        searcher, count = None, len(reader)
        if among is None and (chosen := options.filter):
            from vecsearch.search.filters import chosen_rows

            among = chosen_rows(reader.snapshot, chosen)
        if among is not None:
            searcher, count = reader.among(among), len(among)
        self._ranker = Ranker(reader, options, searcher, count)

    def prepare(self) -> None:
        """Open what the search needs."""
        self._ranker.prepare()

    def nearest(self, xq: Vectors, apart: Sequence[Apart]) -> Iterator[tuple[Hit, ...]]:
        """Find the hits of each of *xq*, (q, d); *apart* has the rows that stand apart for each."""
        start = perf_counter()
        rankings = list(self.rank(xq, apart))
        self._observer("search", perf_counter() - start)
        yield from self._hits(rankings)

    def rank(self, xq: Vectors, apart: Sequence[Apart]) -> Iterator[Ranking]:
        """Rank the rows that are hits of each of *xq*, without looking up what they are.

        With k as large as the index this is the whole order: the first candidates re-ranked, if
        the options say so, then the others by cosine. For the pictures of the index themselves::

            apart = [Apart(frozenset({row}), frozenset({row})) for row in rows.tolist()]
            HitFinder(reader, len(reader), options).rank(reader.gather(rows), apart)
        """
        depth = self._k + self._options.offset
        return map(self._wanted, self._ranker.rank(xq, depth, apart))

    def nearest_to_any(self, xqs: Iterable[Vectors], apart: Apart) -> tuple[Hit, ...]:
        """Find the hits of largest cosine with any of the vectors, which come (q, d) at a time.

        Exact if the searches are: an image among the first k has, by the vector that it is nearest
        to, fewer than k before it, since these are before it by the largest cosine too.
        """
        best_d = np.empty(0, np.float32)
        best_i: Rows = np.empty(0, np.int64)
        depth = self._k + self._options.offset + len(apart.excluded)
        for xq in xqs:
            D, I = self._ranker.search(self._ranker.expand(xq, [apart] * len(xq)), depth)  # noqa: N806, E741
            best_d = np.concatenate([best_d, D.ravel()])
            best_i = np.concatenate([best_i, I.ravel()])
            order = np.lexsort((best_i, -best_d))
            _, first = np.unique(best_i[order], return_index=True)
            kept = order[np.sort(first)][: D.shape[1]]
            best_d, best_i = best_d[kept], best_i[kept]
        left = (best_i >= 0) & ~np.isin(best_i, list(apart.excluded))
        ranking = Ranking(best_i[left], best_d[left], np.empty(0))
        (hits,) = self._hits([self._wanted(ranking)])
        return hits

    def _wanted(self, ranking: Ranking) -> Ranking:
        """Leave out what is below the threshold, and what is before the offset or after k."""
        rows, scores, orders = ranking.rows, ranking.scores, ranking.orders
        near = scores >= self._options.threshold
        part = slice(self._options.offset, self._options.offset + self._k)
        return Ranking(rows[near][part], scores[near][part], orders[near[: len(orders)]][part])

    def _hits(self, rankings: Sequence[Ranking]) -> Iterator[tuple[Hit, ...]]:
        found = {row for ranking in rankings for row in ranking.rows.tolist()}
        start = perf_counter()
        images = self._reader.snapshot.images_by_row(sorted(found))
        self._observer("look-up", perf_counter() - start)
        for ranking in rankings:
            orders = [*ranking.orders.tolist(), *[None] * len(ranking.rows)]
            lines = zip(ranking.rows.tolist(), ranking.scores.tolist(), orders, strict=False)
            yield tuple(
                Hit(
                    rank,
                    images[row].id,
                    images[row].path,
                    score,
                    float(np.sqrt(max(0.0, 2.0 - 2.0 * score))),
                    order,
                    images[row].has_file,
                    images[row].content_hash,
                )
                for rank, (row, score, order) in enumerate(lines, start=self._options.offset + 1)
            )
