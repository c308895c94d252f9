"""A file of vectors, whatever its format."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from vecsearch.errors import UsageError
from vecsearch.exchange.blocks import DTYPES
from vecsearch.exchange.npy import NpyVectors
from vecsearch.exchange.npz import NpzVectors
from vecsearch.exchange.parquet import ParquetTable
from vecsearch.exchange.parquet_vectors import ParquetVectors

VectorFile = NpyVectors | NpzVectors | ParquetVectors
"""``row_count`` vectors of ``dim`` numbers, in ``blocks``; 0 numbers where there are no vectors."""

ENDINGS: Final = (".npy", ".npz", ".parquet")


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
