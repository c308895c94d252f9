"""Vectors brought to unit length."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

Number = TypeVar("Number", np.float32, np.float64)


def unit_length(
    vectors: npt.NDArray[Number], lengths: npt.NDArray[Number] | None = None
) -> npt.NDArray[Number]:
    """Return *vectors* (n, d) at unit length; a vector of zeros stays as it is.

    *lengths* (n,) are those of the vectors, where they are known.
    """
    if lengths is None:
        lengths = lengths_of(vectors)
    divisors: npt.NDArray[Number] = np.where(lengths > 0, lengths, lengths.dtype.type(1))
    return vectors / divisors[:, None]


def lengths_of(vectors: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """Return the Euclidean lengths (n,) of *vectors* (n, d)."""
    lengths: npt.NDArray[Number] = np.linalg.norm(vectors, axis=1)
    return lengths
