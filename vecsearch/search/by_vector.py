"""Queries that are vectors of the user's own."""

from __future__ import annotations

from typing import Final

import numpy as np

from vecsearch.errors import UsageError
from vecsearch.search.hits import HitFinder
from vecsearch.search.index_reader import IndexReader
from vecsearch.search.query_options import QueryOptions
from vecsearch.search.ranker import NONE_APART
from vecsearch.types import Result, Vectors
from vecsearch.unit_length import lengths_of, unit_length

_BATCH: Final = 256


def unit_vectors(vectors: Vectors, dim: int) -> Vectors:
    """Return *vectors*, (q, dim) of any length, at unit length.

    Raises UsageError for another shape, and a vector that is not finite or zero.
    """
    try:
        xq = np.array(vectors, np.float32, ndmin=2)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{vectors!r:.100} are no vectors", hint="give an array") from None
    if xq.ndim != 2 or xq.shape[1] != dim:
        raise UsageError(f"vectors of shape (q, {dim}) are needed, not {xq.shape}")
    with np.errstate(over="ignore", invalid="ignore"):  # what is too large is refused below
        lengths = lengths_of(xq)
    if not (np.isfinite(lengths).all() and lengths.all()):
        raise UsageError("a query vector is zero or not finite")
    return unit_length(xq, lengths)


def search_vectors(
    reader: IndexReader, xq: Vectors, k: int, options: QueryOptions, encoder: str
) -> list[Result]:
    """Find the *k* images nearest to each of *xq*, (q, d) of unit length.

    *encoder* is named in the results. Raises NotFoundError if no image may be a hit.
    """
    finder = HitFinder(reader, k, options)
    results: list[Result] = []
    for start in range(0, len(xq), _BATCH):
        batch = xq[start : start + _BATCH]
        for hits in finder.nearest(batch, [NONE_APART] * len(batch)):
            results.append(
                Result(
                    query=f"vector:{len(results)}",
                    path=None,
                    hits=hits,
                    expand=options.expand,
                    rerank=options.rerank,
                    encoder=encoder,
                )
            )
    return results
