"""Measures of rankings, each query by itself: arrays in, figures out.

They are those of Manning, Raghavan and Schütze, "Introduction to Information Retrieval" (2008),
chapter 8. Throughout, ``right`` (q, r) bool tells which of the first r ranks have an image that is
relevant to the query, and ``relevant`` (q,) int64 how many such images there are, at least 1.
All figures are float64 (q,), between 0 and 1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Right = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]
Figures = npt.NDArray[np.float64]


def precision(right: Right, k: int) -> Figures:
    """Return the share of the first *k* ranks that are right (section 8.4, precision at k).

    It is divided by *k* even where fewer images are relevant, or ranked: a query with 3 relevant
    images has at most 0.6 at 5. `best_precision` tells how much can be had.
    """
    return np.asarray(right[:, :k].sum(axis=1) / k, np.float64)


def best_precision(relevant: Counts, k: int) -> Figures:
    """Return the precision at *k* of a perfect ranking: min(relevant, k) / k."""
    return np.asarray(np.minimum(relevant, k) / k, np.float64)


def recall(right: Right, relevant: Counts, k: int) -> Figures:
    """Return the share of the relevant images that are among the first *k* (section 8.3)."""
    return np.asarray(right[:, :k].sum(axis=1) / relevant, np.float64)


def r_precision(right: Right, relevant: Counts) -> Figures:
    """Return the precision at R, where R is the number of relevant images (section 8.4).

    Where only r < R ranks are looked at, it is the precision at r.
    """
    looked_at = np.minimum(relevant, right.shape[1])
    found = np.cumsum(right, axis=1)[np.arange(len(right)), looked_at - 1]
    return np.asarray(found / looked_at, np.float64)


def average_precision(right: Right, relevant: Counts) -> Figures:
    """Return the mean of the precisions at the ranks of all relevant images (section 8.4).

    AP = 1/R sum of precision(j) over the ranks j that are right; a relevant image that is not
    ranked counts as 0. Its mean over queries is the mean average precision, mAP. Where only r < R
    ranks are looked at, 1/r takes the place of 1/R, so that a perfect ranking still has 1.
    """
    ranks = np.arange(1, right.shape[1] + 1)
    precisions = np.cumsum(right, axis=1) / ranks
    looked_at = np.minimum(relevant, right.shape[1])
    return np.asarray(np.where(right, precisions, 0.0).sum(axis=1) / looked_at, np.float64)


def first_right(right: Right) -> Counts:
    """Return the rank of the first relevant image, from 1 on; 0 where none is ranked."""
    return np.where(right.any(axis=1), right.argmax(axis=1) + 1, 0)


def reciprocal_rank(first: Counts) -> Figures:
    """Return 1 / the rank of the first relevant image, *first* (q,) of `first_right`; or else 0.

    Its mean over queries is the mean reciprocal rank, MRR (Voorhees, "The TREC-8 Question Answering
    Track Report", 1999).
    """
    return np.where(first > 0, 1.0 / np.maximum(first, 1), 0.0)
