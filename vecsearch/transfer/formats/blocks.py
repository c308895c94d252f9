"""Vectors as they are read from a file, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.floating[Any]] | npt.NDArray[np.integer[Any]]
"""(n, d) of any float type but longdouble, or any integer type."""

VECTOR_COLUMNS: Final = ("vector", "embedding", "embeddings", "emb", "features")
"""Names of columns that are looked for, in this order, where none is given."""

DTYPES: Final = ("float32", "float16", "bfloat16", "float64", "int8", "uint8")
"""What the bytes of a vector may be, where a file does not tell."""

NO_VECTOR: Final = "it has no vector"


@dataclass(frozen=True, slots=True)
class Block:
    """The next rows of a file: ``values`` (n, d), and by its place each row without d numbers.

    What is wrong with such a row is said as a sentence; its values are not finite.
    """

    values: Numbers
    faults: Mapping[int, str] = field(default_factory=dict)


def as_numbers(values: npt.NDArray[Any]) -> Numbers:
    """Make float32 of bfloat16, which NumPy keeps as two bytes of no type."""
    if values.dtype.kind != "V":
        return values
    wide = values.view(values.dtype.str.replace("V", "u")).astype(np.uint32)
    return (wide << 16).view(np.float32)


def is_numbers(dtype: np.dtype[Any]) -> bool:
    """Return whether values of a type can be those of a vector."""
    if dtype.kind == "V":  # so NumPy saves what ml_dtypes calls bfloat16
        return dtype.itemsize == 2 and dtype.names is None and dtype.subdtype is None
    return dtype.kind in "iu" or (dtype.kind == "f" and dtype.itemsize in (2, 4, 8))
