"""NumPy's .npz, a zip of .npy arrays: vectors, and their ids beside them."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

from vecsearch.errors import SourceError
from vecsearch.transfer.formats.blocks import VECTOR_COLUMNS, Block, as_numbers, is_numbers
from vecsearch.transfer.formats.id_values import ID_COLUMNS, are_ids, choose_column, texts_of_arrays
from vecsearch.transfer.formats.npy import (
    Header,
    check_regular,
    check_vectors,
    read_header,
    read_into,
    told,
)

_ENDING: Final = ".npy"
_BLOCK: Final = 8192
_WHOLE_BYTES: Final = 256 << 20
"""An array in column order is read at once, for a zip is read from its beginning to its end."""

_LARGE: Final = 64 << 20
_MOST_TIMES: Final = 200
"""So many times shorter no vectors become, but by the thousand those that are all the same."""

_BAD_ZIP: Final = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OverflowError),
    *(NotImplementedError, RuntimeError),  # an unknown compression; a password
)


class NpzVectors:
    """The vectors in an array of a .npz file, as `NpyVectors` has those of a .npy."""

    encoder_json = ""
    """What made the vectors; such a file does not tell."""

    def __init__(self, path: Path, name: str | None = None) -> None:
        """Find the array *name*, or that of vectors; raises SourceError and UsageError."""
        check_regular(path)
        self.path = path
        with _opened(path) as archive:
            self.names = [
                one.removesuffix(_ENDING) for one in archive.namelist() if one.endswith(_ENDING)
            ]
            if not self.names:
                raise SourceError(f"{path} holds no arrays", path=path)
            self._name = self._choose(archive, name)
            with self._array(archive, self._name) as (header, _):
                self._header = header
        self.row_count, self.dim = check_vectors(f"{self._name} in {path}", self._header)

    def blocks(self, step: int) -> Iterator[Block]:
        """Read all rows in order, *step* at a time."""
        for values in self._parts(self._name, step):
            yield Block(as_numbers(values))

    def id_column(self, wanted: str | None) -> str | None:
        """Choose the array of the ids; None if there is none and none is *wanted*."""
        if wanted is not None:
            return choose_column(self.path, self.names, wanted, (), "--id-column")
        return next((name for name in ID_COLUMNS if name in self.names), None)

    def ids(self, name: str) -> Iterator[str]:
        """Read the ids in the array *name*; raises SourceError."""
        with _opened(self.path) as archive, self._array(archive, name) as (header, _):
            if len(header.shape) != 1 or not are_ids(header.dtype):
                raise SourceError(
                    f"{name} in {self.path} holds {header.dtype} of shape {header.shape}",
                    hint="ids are texts or whole numbers of shape (n,)",
                    path=self.path,
                )
        yield from texts_of_arrays(self._parts(name, _BLOCK), f"{name} in {self.path}")

    def _choose(self, archive: zipfile.ZipFile, wanted: str | None) -> str:
        if wanted is None and not set(VECTOR_COLUMNS) & set(self.names):
            tables = [name for name in self.names if self._may_be_vectors(archive, name)]
            if len(tables) == 1:
                return tables[0]
        return choose_column(self.path, self.names, wanted, VECTOR_COLUMNS, "--vector-column")

    def _may_be_vectors(self, archive: zipfile.ZipFile, name: str) -> bool:
        try:
            with self._array(archive, name) as (header, _):
                return len(header.shape) == 2 and is_numbers(header.dtype)
        except SourceError:
            return False

    @contextmanager
    def _array(self, archive: zipfile.ZipFile, name: str) -> Iterator[tuple[Header, IO[bytes]]]:
        """Open an array: its header, and the file, in which the values come next."""
        info = archive.getinfo(name + _ENDING)
        if info.file_size > max(_LARGE, _MOST_TIMES * info.compress_size):
            raise SourceError(
                f"{name} in {self.path} tells of {info.file_size:,} bytes, which so short a file "
                "cannot hold",
                hint="it may be malicious",
                path=self.path,
            )
        with archive.open(info) as file:
            header = read_header(file, f"{name} in {self.path}")
            if header.size_bytes > info.file_size:
                raise SourceError(f"{name} in {self.path} ends too early", path=self.path)
            yield header, file

    def _parts(self, name: str, step: int) -> Iterator[npt.NDArray[Any]]:
        with _opened(self.path) as archive, self._array(archive, name) as (header, file):
            shape, what = header.shape, f"{name} in {self.path}"
            if header.in_columns:
                if header.size_bytes > _WHOLE_BYTES:
                    raise SourceError(
                        f"{what} lies in column order, which cannot be read in parts",
                        hint="save it as a .npy, or save numpy.ascontiguousarray(x)",
                        path=self.path,
                    )
                columns = np.empty(shape[::-1], header.dtype)
                read_into(file, columns, what)
                for start in range(0, shape[0], step):
                    yield np.ascontiguousarray(columns.T[start : start + step])
                return
            for start in range(0, shape[0], step):
                values = np.empty((min(step, shape[0] - start), *shape[1:]), header.dtype)
                read_into(file, values, what)
                yield values


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip; raises SourceError for what is none, or is damaged."""
    try:
        with told(path), zipfile.ZipFile(path) as archive:
            yield archive
    except _BAD_ZIP as error:
        reason = " ".join(str(error).split())
        raise SourceError(f"cannot read {path} ({reason})", path=path) from None
