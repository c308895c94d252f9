"""Vectors -> ranked rows: searched, expanded and re-ranked as the options say, without hits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.ann.blas_threads import ONE_THREAD
from vecsearch.ann.searcher import Scores, Searcher
from vecsearch.search.centre import centred
from vecsearch.search.expand import expanded
from vecsearch.search.index_reader import IndexReader
from vecsearch.search.query_options import QueryOptions
from vecsearch.search.rerank import k_reciprocal
from vecsearch.types import Rows, Vectors

_SLACK: Final = 8
"""This number of rows more are fetched to be scored anew: a search of many queries sums in another
order than one of a single query, and the two may end with different rows."""


@dataclass(frozen=True, slots=True)
class Apart:
    """Rows that are not ordinary candidates of a query.

    ``excluded`` are never hits. ``own`` are the query's pictures themselves: they may be hits, if
    not excluded, but are not among the neighbours by which the query is expanded or re-ranked.
    """

    excluded: frozenset[int] = frozenset()
    own: frozenset[int] = frozenset()


NONE_APART: Final = Apart()


@dataclass(frozen=True, slots=True)
class Ranking:
    """The ``rows`` (n,) int64 that answer a query, best first, and their cosines ``scores`` (n,).

    ``orders`` (m,) float64, m <= n, has the scores by which the first m are re-ranked, larger is
    better; the others follow by cosine.
    """

    rows: Rows
    scores: Scores
    orders: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Scored:
    """Some ``rows`` (n,), best first, with ``scores`` (n,) and ``vectors`` (n, d)."""

    rows: Rows
    scores: Scores
    vectors: Vectors


class Ranker:
    """Ranks the rows of one generation of an index, or those of a *searcher* that has *count*."""

    def __init__(
        self, reader: IndexReader, options: QueryOptions, searcher: Searcher | None, count: int
    ) -> None:
        """Keep what is searched."""
        self._reader, self._options = reader, options
        self._searcher, self._count = searcher, count

    def prepare(self) -> None:
        """Open what the search needs."""
        if self._searcher is None or self._options.expand:
            _ = self._reader.searcher

    def expand(self, xq: Vectors, apart: Sequence[Apart]) -> Vectors:
        """Expand each of *xq*, (q, d), by its nearest of the whole index, if the options say so.

        What comes back is centred, unless the query is at the centre itself and stays as it is.
        """
        count = self._options.expand
        if not count:
            return xq
        away = [one.excluded | one.own for one in apart]
        depth = min(count + _SLACK + max(map(len, away)), len(self._reader))
        result = centred(xq, self._reader.centre)
        at_centre = np.flatnonzero(~result.any(axis=1))
        result[at_centre] = xq[at_centre]
        _, I = self._reader.search(result, depth)  # noqa: N806, E741
        for number in np.setdiff1d(np.arange(len(xq)), at_centre).tolist():
            query, nearest = result[number], _without(I[number], away[number])
            vectors = self._scored(query, nearest).vectors[:count]
            result[number] = expanded(query, centred(vectors, self._reader.centre))
        return result

    def search(self, xq: Vectors, depth: int) -> tuple[Scores, Rows]:
        """Find the nearest *depth* of each of *xq*, or all there are: D and I, -1 for none."""
        D, I = self._reader.search(xq, min(depth, self._count), self._searcher)  # noqa: N806, E741
        return np.clip(D, -1.0, 1.0), I  # float16 is a little off the unit sphere

    def rank(self, xq: Vectors, depth: int, apart: Sequence[Apart]) -> Iterator[Ranking]:
        """Rank at least *depth* rows for each of *xq*, (q, d), or all that there are.

        Raises IndexDamagedError and IndexFolderError.
        """
        xq = self.expand(xq, apart)
        wanted = self._options.rerank
        spare = max((len(one.excluded | one.own) for one in apart), default=0)
        D, I = self.search(xq, max(depth, wanted + _SLACK if wanted else 0) + spare)  # noqa: N806, E741
        for query, scores, rows, one in zip(xq, D, I, apart, strict=True):
            kept = (rows >= 0) & ~_among(rows, one.excluded)
            ranking = Ranking(rows[kept], scores[kept], np.empty(0))
            yield self._reranked(query, ranking, one.own) if wanted else ranking

    def _reranked(
        self, query: npt.NDArray[np.float32], found: Ranking, own: frozenset[int]
    ) -> Ranking:
        """Put the query's own pictures first, then the first candidates anew, then the others."""
        wanted = self._options.rerank
        itself = _among(found.rows, own)
        others, cosines = found.rows[~itself], found.scores[~itself]
        first = self._scored(query, others[: wanted + _SLACK])
        rows, scores = first.rows, first.scores
        # In the order of the rows, so that whatever is summed is summed in one order.
        by_row = np.argsort(rows[:wanted])
        orders = np.empty(len(by_row))
        centre = self._reader.centre
        seen = query + centre if self._options.expand else query  # an expanded one is centred
        compared = np.concatenate([seen[None], first.vectors[by_row]])
        with ONE_THREAD:
            orders[by_row] = k_reciprocal(compared, centre)
        best = np.argsort(-orders, kind="stable")  # equal ones by cosine, then by row
        return Ranking(
            np.concatenate([found.rows[itself], rows[best], rows[wanted:], others[len(rows) :]]),
            np.concatenate(
                [found.scores[itself], scores[best], scores[wanted:], cosines[len(rows) :]]
            ),
            np.concatenate([np.ones(int(itself.sum())), orders[best]]),
        )

    def _scored(self, query: npt.NDArray[np.float32], rows: Rows) -> _Scored:
        """Score *rows* anew, in float64, best first."""
        rows = np.sort(rows)
        vectors = self._reader.gather(rows)
        exact = np.einsum("ij,j->i", vectors, query, dtype=np.float64)
        scores = np.clip(exact, -1.0, 1.0).astype(np.float32)
        order = np.argsort(-scores, kind="stable")  # equal scores by row
        return _Scored(rows[order], scores[order], vectors[order])


def _without(rows: Rows, away: frozenset[int]) -> Rows:
    return rows[(rows >= 0) & ~_among(rows, away)]


def _among(rows: Rows, some: frozenset[int]) -> npt.NDArray[np.bool_]:
    return np.isin(rows, list(some)) if some else np.zeros(len(rows), np.bool_)
