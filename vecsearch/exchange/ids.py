"""Lists of ids, one for each vector: .txt, .json, .npy, or a column of a .parquet."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Final

from vecsearch.errors import SourceError, UsageError
from vecsearch.exchange.npy import map_array
from vecsearch.exchange.parquet import ParquetTable

ENDINGS: Final = (".txt", ".json", ".npy", ".parquet")
WRITTEN_ENDINGS: Final = (".txt", ".json")
_BLOCK: Final = 8192


def read_ids(path: Path, column: str | None = None) -> Iterator[str]:
    """Read the ids in *path*, in the format of its ending; *column* is that of a .parquet.

    Raises UsageError for another ending, SourceError for a file that holds no list of ids.
    """
    kind = path.suffix.lower()
    if kind not in ENDINGS:
        raise UsageError(
            f"ids in {path}: unknown ending", hint=f"known are {', '.join(ENDINGS)}", path=path
        )
    try:
        if kind == ".txt":
            yield from _read_lines(path)
        elif kind == ".json":
            yield from _read_json(path)
        elif kind == ".npy":
            yield from _read_npy(path)
        else:
            table = ParquetTable(path)
            yield from table.ids(table.id_column(column, needed=True))
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}", path=path) from None


class IdsWriter:
    """Writes ids to *file* as .txt, a line each, or .json, a list."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        """Begin in the format of the ending of *path*; raises UsageError for an unknown one."""
        self._lines = path.suffix.lower() == ".txt"
        self._file = file
        self._path = path
        self._count = 0
        if path.suffix.lower() not in WRITTEN_ENDINGS:
            known = ", ".join(WRITTEN_ENDINGS)
            raise UsageError(f"ids to {path}: unknown ending", hint=f"known are {known}", path=path)

    def write(self, ids: Iterable[str]) -> None:
        """Write the next ids; raises UsageError for one that cannot be a line."""
        for one in ids:
            if not self._lines:
                before = "[\n" if not self._count else ",\n"
                self._file.write((before + json.dumps(one)).encode())
            elif "\n" in one or "\r" in one:
                raise UsageError(
                    f"{one!r} has a line end in it, which {self._path} cannot hold",
                    hint="write the ids to a .json file",
                )
            else:
                self._file.write(os.fsencode(one) + b"\n")
            self._count += 1

    def finish(self) -> None:
        """Write what comes last."""
        if not self._lines:
            self._file.write(b"\n]\n" if self._count else b"[]\n")


def _read_lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        for line in file:
            yield line.rstrip("\r\n")


def _read_json(path: Path) -> Iterator[str]:
    try:
        ids = json.loads(path.read_bytes())
    except ValueError as error:
        raise SourceError(f"{path} is no JSON ({error})", path=path) from None
    if not isinstance(ids, list) or not all(type(one) in (str, int) for one in ids):
        raise SourceError(
            f"{path} is no list of ids", hint="give a list of texts or whole numbers", path=path
        )
    yield from map(str, ids)


def _read_npy(path: Path) -> Iterator[str]:
    array = map_array(path)
    if array.ndim != 1 or array.dtype.kind not in "iuSU":
        raise SourceError(
            f"{path} holds {array.dtype} of shape {array.shape}",
            hint="ids are texts or whole numbers of shape (n,)",
            path=path,
        )
    for start in range(0, len(array), _BLOCK):
        for one in array[start : start + _BLOCK].tolist():
            yield os.fsdecode(one) if isinstance(one, bytes) else str(one)
