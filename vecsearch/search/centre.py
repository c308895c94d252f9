"""Vectors as they are seen from the middle of a collection.

Features of one network all have much in common, so that all cosines are high. From the mean, what
tells vectors apart is left, and fewer of them are near everything (Suzuki et al., "Centering
Similarity Measures to Reduce Hubs", EMNLP 2013).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.types import Vectors

_SHORT: Final = 1e-3
"""A vector this near to the centre has no direction from it but that of its rounding."""


def centred(vectors: Vectors, centre: npt.NDArray[np.float32]) -> Vectors:
    """Return *vectors* (n, d) minus *centre* (d,), at unit length; zeros where nothing is left."""
    differences = vectors - centre
    lengths = np.linalg.norm(differences, axis=1, keepdims=True)
    differences *= (lengths > _SHORT) / np.maximum(lengths, _SHORT)
    return differences
