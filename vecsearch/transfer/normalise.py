"""Vectors of any length and number type become unit vectors in float16, as segments have them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vecsearch.transfer.formats.blocks import Numbers
from vecsearch.types import Float16Vectors

_ROUNDING: Final = 2.0**-10
"""How far from 1 the length of a unit vector may be once it is rounded to float16, twice over."""


def to_halves(block: Numbers) -> tuple[Float16Vectors, npt.NDArray[np.bool_]]:
    """Normalise the rows of *block* (n, d): (n, d) float16, and (n,) which have a direction.

    Rows that are zero or not finite have none and become zeros. A row of unit length whose values
    are float16's is kept bit by bit, so that what was exported is imported as it was.
    """
    wide = np.float64 if block.dtype.itemsize == 8 else np.float32
    x: npt.NDArray[Any] = block.astype(wide)
    largest = np.maximum(x.max(axis=1), -x.min(axis=1))
    usable = np.isfinite(largest) & (largest > 0)
    x[~usable] = 0
    # Scaled first, so that no square of a finite value is too large or too small for its type.
    scale = np.where(usable, largest, 1)
    x /= scale[:, None]
    lengths = np.where(usable, np.sqrt(np.einsum("nd,nd->n", x, x)), 1)
    x /= lengths[:, None]
    halves = x.astype(np.float16)
    unit = np.flatnonzero(usable & (np.abs(lengths * scale - 1) <= _ROUNDING))
    given = block[unit]
    rounded = given.astype(np.float16)
    same = (rounded == given).all(axis=1)
    halves[unit[same]] = rounded[same]
    return halves, usable
