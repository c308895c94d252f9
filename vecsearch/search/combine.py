"""Several vectors -> one query, and queries that lead away from some pictures."""

from __future__ import annotations

from typing import Final

import numpy as np

from vecsearch.types import Vectors
from vecsearch.unit_length import lengths_of, unit_length

GAMMA: Final = 0.25
"""The weight of the pictures that hits should not be like. Measured on photographs, asking with a
picture and taking away a hit of another kind: see docs/experiments/search.md."""

_SAME_COSINE: Final = 1 - 1e-5
_ZERO_LENGTH: Final = 1e-3


def rocchio(plus: Vectors, minus: Vectors) -> tuple[Vectors, list[int]]:
    """Lead queries away from a vector: Rocchio's formula with one relevant vector each.

    *plus* (q, d) and *minus* (d,) are means of unit vectors. Returns (q, d) of unit length, and the
    places where nothing is left to ask for, for the two are the same. J. J. Rocchio, "Relevance
    feedback in information retrieval", in G. Salton (ed.), The SMART Retrieval System, 1971.
    """
    cosines = unit_length(plus) @ unit_length(minus[None])[0]
    difference = plus - GAMMA * minus
    lengths = lengths_of(difference)
    nothing = (cosines > _SAME_COSINE) | (lengths < _ZERO_LENGTH)
    return unit_length(difference, lengths), np.flatnonzero(nothing).tolist()


def is_zero(vector: Vectors) -> bool:
    """Return whether a mean (d,) of unit vectors has no direction, for they cancel out."""
    return bool(np.linalg.norm(vector) < _ZERO_LENGTH)
