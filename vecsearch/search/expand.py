"""Alpha query expansion: a query is moved towards its nearest images, and searched again.

Radenović, Tolias and Chum, "Fine-tuning CNN Image Retrieval with No Human Annotation" (TPAMI 41(7),
2019), section 3.3, of vectors that are seen from the middle of the collection.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.types import Vectors
from vecsearch.unit_length import unit_length

ALPHA: Final = 2.0
"""The power of the cosine. The paper has 3, of cosines all higher: docs/experiments/rerank.md."""


def expanded(query: npt.NDArray[np.float32], neighbours: Vectors) -> npt.NDArray[np.float32]:
    """Return the unit vector (d,) along q + Σ max(qx, 0)^alpha x over the neighbours x.

    *query* (d,) and *neighbours* (n, d) are centred and of unit length. The query itself is its
    own neighbour, of cosine 1. Summed in float64.
    """
    wide = query.astype(np.float64)
    near = neighbours.astype(np.float64)
    total = wide + np.maximum(near @ wide, 0.0) ** ALPHA @ near
    return np.asarray(unit_length(total[None])[0], np.float32)
