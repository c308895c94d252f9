"""Alpha query expansion: a query is led towards its nearest images before it is asked again.

Radenović, Tolias and Chum, "Fine-tuning CNN Image Retrieval with No Human Annotation" (TPAMI 41(7),
2019), section 3.3.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.types import Vectors

ALPHA: Final = 3.0
"""The power of the cosine, as in the paper."""


def expanded(
    query: npt.NDArray[np.float32], neighbours: Vectors, cosines: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return the unit vector (d,) along q + Σ max(cos, 0)^alpha x over the neighbours x.

    *query* (d,) and *neighbours* (n, d) are of unit length, *cosines* (n,) those of the query with
    them. The query itself is its own neighbour, of cosine 1. Summed in float64.
    """
    weights = np.maximum(cosines.astype(np.float64), 0.0) ** ALPHA
    total = query.astype(np.float64) + weights @ neighbours.astype(np.float64)
    return np.asarray(total / np.linalg.norm(total), np.float32)
