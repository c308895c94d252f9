"""Recall: the share of the true nearest rows that a search has found.

Recall@k is that of Jégou, Douze and Schmid, "Product quantization for nearest neighbor search"
(TPAMI 2011); Aumüller, Bernhardsson and Faithfull, "ANN-Benchmarks" (2020), define it for k > 1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vecsearch.types import Rows

Shares = npt.NDArray[np.float64]
"""(q,) float64, each from 0 to 1."""


def shared_share(found: Rows, truth: Rows, tied: npt.NDArray[np.bool_] | None = None) -> Shares:
    """Return, for each query, the share of its line of *truth* that its line of *found* has.

    *found* (q, m) and *truth* (q, k) are ids, with -1 for no row. *tied* (q, m) marks what was
    found and is as near as the last of the truth: it counts as true, so that ties are no misses.
    The share is 0 where there is no truth.
    """
    true = truth >= 0
    right = ((found[:, :, None] == truth[:, None, :]) & true[:, None, :]).any(axis=2)
    if tied is not None:
        right |= tied & (found >= 0)
    count = true.sum(axis=1)
    return np.asarray(np.minimum(right.sum(axis=1), count) / np.maximum(count, 1), np.float64)


def recall(found: Rows, truth: Rows) -> float:
    """Return the mean of `shared_share` over the queries."""
    return float(np.mean(shared_share(found, truth)))
