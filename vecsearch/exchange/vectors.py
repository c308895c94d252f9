"""A file of vectors, whatever its format."""

from __future__ import annotations

from pathlib import Path

from vecsearch.errors import UsageError
from vecsearch.exchange.npy import NpyVectors
from vecsearch.exchange.parquet import ParquetTable, ParquetVectors


def open_vectors(path: Path, column: str | None = None) -> NpyVectors | ParquetVectors:
    """Open *path*, a .npy or a .parquet with the vectors in *column*.

    Raises UsageError for another ending or column, SourceError for what cannot be read.
    """
    kind = path.suffix.lower()
    if kind == ".npy":
        return NpyVectors(path)
    if kind == ".parquet":
        return ParquetVectors(ParquetTable(path), column)
    raise UsageError(
        f"{path} is neither .npy nor .parquet", hint="give a file of vectors", path=path
    )
