"""Lists of ids, one for each vector: .txt, .json, .npy, or a column of a .csv or .parquet."""

from __future__ import annotations

import codecs
import csv
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Final

from vecsearch.errors import SourceError, UsageError
from vecsearch.transfer.formats.id_values import (
    ID_COLUMNS,
    are_ids,
    choose_column,
    texts_of_arrays,
)
from vecsearch.transfer.formats.npy import check_regular, map_array
from vecsearch.transfer.formats.parquet import ParquetTable

ENDINGS: Final = (".txt", ".json", ".csv", ".tsv", ".npy", ".parquet")
WRITTEN_ENDINGS: Final = (".txt", ".json")
_BLOCK: Final = 8192
_DELIMITERS: Final = ",;\t"
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""How files begin that some programs write, and what they are then; all others are UTF-8."""


def read_ids(path: Path, column: str | None = None) -> Iterator[str]:
    """Read the ids in *path*, in the format of its ending; *column* is that of a table.

    A missing id is an empty one. Raises UsageError for another ending, SourceError for a file that
    holds no list of ids.
    """
    kind = path.suffix.lower()
    if kind not in ENDINGS:
        raise UsageError(
            f"ids in {path}: unknown ending", hint=f"known are {', '.join(ENDINGS)}", path=path
        )
    check_regular(path)
    try:
        if kind == ".txt":
            yield from _read_lines(path)
        elif kind == ".json":
            yield from _read_json(path)
        elif kind in (".csv", ".tsv"):
            yield from _read_csv(path, column)
        elif kind == ".npy":
            yield from _read_npy(path)
        else:
            table = ParquetTable(path)
            yield from table.ids(table.id_column(column, needed=True))
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}", path=path) from None
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{path} is not {error.encoding} ({error.reason})", hint="save it as UTF-8", path=path
        ) from None


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
            elif "\n" in one or "\r" in one or (not self._count and one.startswith("\ufeff")):
                what = "a line end in it" if one[0] != "\ufeff" else "a byte order mark before it"
                raise UsageError(
                    f"{one!r} has {what}, which {self._path} cannot hold",
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
    with _opened(path, "\n") as file:
        for line in file:
            yield line.removesuffix("\n").removesuffix("\r")


def _read_csv(path: Path, column: str | None) -> Iterator[str]:
    """Read a column of a table, whose first line names them; a single one needs no name."""
    with _opened(path, "") as file:
        first = file.readline()
        file.seek(0)
        rows = csv.reader(file, delimiter=next((one for one in _DELIMITERS if one in first), ","))
        try:
            heads = next(rows, [])
            if not heads:
                raise SourceError(f"{path} has no line with names of columns", path=path)
            if column is None and len(heads) == 1:
                place = 0
            else:
                place = heads.index(choose_column(path, heads, column, ID_COLUMNS, "--id-column"))
            for row in rows:
                yield row[place] if place < len(row) else ""
        except csv.Error as error:
            raise SourceError(
                f"{path} line {rows.line_num} cannot be read ({error})", path=path
            ) from None


def _opened(path: Path, newline: str) -> IO[str]:
    """Open a file of text; bytes that are not UTF-8 survive."""
    with path.open("rb") as file:
        start = file.read(4)
    encoding = next((name for mark, name in _MARKS if start.startswith(mark)), "utf-8")
    errors = "surrogateescape" if encoding.startswith("utf-8") else "strict"
    return path.open(encoding=encoding, errors=errors, newline=newline)


def _read_json(path: Path) -> Iterator[str]:
    try:
        ids = json.loads(path.read_bytes())
    except ValueError as error:
        raise SourceError(f"{path} is not JSON ({error})", path=path) from None
    except RecursionError:
        raise SourceError(
            f"{path} is not a list of ids: it is nested too deeply", path=path
        ) from None
    if not isinstance(ids, list) or not all(one is None or type(one) in (str, int) for one in ids):
        raise SourceError(
            f"{path} is not a list of ids", hint="give a list of texts or whole numbers", path=path
        )
    yield from ("" if one is None else str(one) for one in ids)


def _read_npy(path: Path) -> Iterator[str]:
    array = map_array(path)
    if array.ndim != 1 or not are_ids(array.dtype):
        raise SourceError(
            f"{path} holds {array.dtype} of shape {array.shape}",
            hint="ids are texts or whole numbers of shape (n,)",
            path=path,
        )
    blocks = (array[start : start + _BLOCK] for start in range(0, len(array), _BLOCK))
    yield from texts_of_arrays(blocks, str(path))
