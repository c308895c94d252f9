"""A file of vectors, whatever its format."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.errors import UsageError
from vecsearch.transfer.formats.blocks import DTYPES
from vecsearch.transfer.formats.npy import NpyVectors
from vecsearch.transfer.formats.npz import NpzVectors
from vecsearch.transfer.formats.parquet import ParquetTable
from vecsearch.transfer.formats.parquet_vectors import ParquetVectors

VectorFile = NpyVectors | NpzVectors | ParquetVectors
"""``row_count`` vectors of ``dim`` numbers, in ``blocks``; 0 numbers where there are no vectors."""

ENDINGS: Final = (".npy", ".npz", ".parquet")
_ROWS_AT_A_TIME: Final = 8192


def open_vectors(path: Path, column: str | None = None, dtype: str | None = None) -> VectorFile:
    """Open *path*, a .npy, a .npz or a .parquet with the vectors in *column*.

    *dtype* is what the bytes of a binary column are. Raises UsageError for another ending, column
    or dtype, SourceError for what cannot be read.
    """
    if dtype is not None and dtype not in DTYPES:
        raise UsageError(f"unknown dtype {dtype!r}", hint=f"known are {', '.join(DTYPES)}")
    kind = path.suffix.lower()
    if kind == ".npy":
        return NpyVectors(path)
    if kind == ".npz":
        return NpzVectors(path, column)
    if kind == ".parquet":
        return ParquetVectors(ParquetTable(path), column, dtype)
    raise UsageError(
        f"{path} is neither .npy, .npz nor .parquet", hint="give a file of vectors", path=path
    )


def read_vectors(path: Path) -> npt.NDArray[np.float32]:
    """Read all vectors of a file to ask with, (q, d) float32, of any length.

    Raises what `open_vectors` raises, and UsageError for a file without vectors or with a row that
    is none.
    """
    file = open_vectors(path)
    if not file.dim:
        raise UsageError(f"{path} has no vectors", hint="give some to ask with")
    # Not at once: of a file that is no query but a collection, nothing should be held twice.
    xq = np.empty((file.row_count, file.dim), np.float32)
    start = 0
    for block in file.blocks(_ROWS_AT_A_TIME):
        for place, fault in block.faults.items():
            raise UsageError(f"row {start + place} of {path}: {fault}", hint="leave it out")
        values = block.values
        if values.dtype.itemsize == 8:  # of any length, and float32 holds less
            largest = np.abs(values.astype(np.float64)).max(axis=1, keepdims=True)
            values = values / np.where(np.isfinite(largest) & (largest > 0), largest, 1)
        xq[start : start + len(values)] = values
        start += len(values)
    return xq
