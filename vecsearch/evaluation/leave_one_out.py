"""The rankings of images by images of the index, without the query itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from vecsearch.search.hits import HitFinder
from vecsearch.search.index_reader import IndexReader
from vecsearch.search.query_options import QueryOptions
from vecsearch.search.ranker import Apart
from vecsearch.types import Rows

_MOST_QUERIES: Final = 256
_MOST_PLACES: Final = 1 << 20
"""Ranks that are held at a time: about 40 bytes each."""


def ranked_rows(
    reader: IndexReader, queries: Rows, depth: int, options: QueryOptions, among: Rows | None
) -> Iterator[Rows]:
    """Rank for each of the rows *queries* the *depth* nearest others, by *options*.

    *among* are the rows, sorted, that may be hits; None for all. Yields (b, depth) rows for some
    queries at a time, best first, -1 where there are fewer.
    """
    finder = HitFinder(reader, depth, options, among=among)
    step = max(1, min(_MOST_QUERIES, _MOST_PLACES // depth))
    for start in range(0, len(queries), step):
        block = queries[start : start + step]
        rows = np.full((len(block), depth), -1, np.int64)
        for line, ranking in zip(
            rows, finder.rank(reader.gather(block), leave_one_out(block)), strict=True
        ):
            line[: len(ranking.rows)] = ranking.rows
        yield rows


def leave_one_out(queries: Rows) -> list[Apart]:
    """Return, for each of the rows *queries*, that it is not its own hit."""
    return [Apart(frozenset({row}), frozenset({row})) for row in queries.tolist()]
