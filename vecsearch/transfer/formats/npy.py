"""NumPy's .npy: arrays read a block at a time, and written as they come."""

from __future__ import annotations

import io
import math
import os
import stat
import tokenize
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

from vecsearch.errors import SourceError
from vecsearch.transfer.formats.blocks import Block, Numbers, as_numbers, is_numbers

_COLUMNS_BYTES: Final = 32 << 20
"""So much of an array in column order is read at a time: its rows lie all over the file."""

_MAGIC: Final = b"\x93NUMPY"
_VERSIONS: Final = {
    (1, 0): (2, np.lib.format.read_array_header_1_0),
    (2, 0): (4, np.lib.format.read_array_header_2_0),
    (3, 0): (4, np.lib.format.read_array_header_2_0),
}
"""How many bytes tell the length of a header, and what reads it.

The third version differs from the second by names of fields, which are not read here.
"""

_HEADER_BYTES: Final = 10_000
"""NumPy reads no longer ones, but into memory."""

_BAD_HEADER: Final = (
    *(ValueError, TypeError, OverflowError, EOFError, SyntaxError, MemoryError),
    *(RecursionError, KeyError, AttributeError, IndexError, tokenize.TokenError),
)
"""What NumPy raises for a header that is none; it is parsed as Python, but not run."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a .npy tells of its array; ``in_columns`` is column-major order."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    in_columns: bool

    @property
    def size_bytes(self) -> int:
        """How long the array is in the file."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(file: IO[bytes], name: str) -> Header:
    """Read the header of the .npy that begins here; raises SourceError, which calls it *name*.

    Objects are pickled in such a file, and would run what somebody else wrote: they are refused.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers that Python 2 wrote
            version = np.lib.format.read_magic(file)
            if version not in _VERSIONS:
                raise ValueError(f"a header of the version {version[0]}.{version[1]}")
            length_bytes, read = _VERSIONS[version]
            length = file.read(length_bytes)
            size_bytes = int.from_bytes(length, "little")
            if size_bytes > _HEADER_BYTES:
                raise ValueError(f"a header of {size_bytes} bytes")
            shape, in_columns, dtype = read(io.BytesIO(length + file.read(size_bytes)))
    except _BAD_HEADER as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise SourceError(f"{name} is not a .npy file of numbers ({reason})", path=name) from None
    if dtype.hasobject:
        raise SourceError(
            f"{name} is not a .npy file of numbers: it holds Python objects, which are not loaded",
            hint="save an array of one number type with numpy.save",
            path=name,
        )
    if not dtype.itemsize or any(type(one) is not int or one < 0 for one in shape):
        raise SourceError(
            f"{name} is not a .npy file of numbers: it holds {dtype} of shape {shape}", path=name
        )
    return Header(dtype, shape, bool(in_columns) and len(shape) > 1)


def check_vectors(name: str, header: Header) -> tuple[int, int]:
    """Return (n, d) of an array of vectors, d = 0 if it is empty; raises SourceError for others."""
    dtype, shape = header.dtype, header.shape
    if is_numbers(dtype):
        if shape in ((0,), (0, 0)) or (len(shape) == 2 and not shape[0]):
            return 0, 0
        if len(shape) == 2 and shape[1]:
            return shape[0], shape[1]
    hint = "vectors are floats or whole numbers of 8 to 64 bits, of shape (n, d)"
    if dtype.names:
        hint = f"save one of its fields, {', '.join(dtype.names)}, as an array of shape (n, d)"
    elif is_numbers(dtype) and len(shape) == 1:
        hint = "a single vector is of shape (1, d): x.reshape(1, -1)"
    raise SourceError(f"{name} holds {dtype} of shape {shape}", hint=hint, path=name)


class NpyVectors:
    """The vectors of a .npy file: ``row_count`` of them, ``dim`` long."""

    encoder_json = ""
    """What made the vectors; such a file does not tell."""

    def __init__(self, path: Path) -> None:
        """Read the header of *path*; raises SourceError but for numbers of shape (n, d)."""
        self.path = path
        self._header, self._offset = _open(path)
        self.row_count, self.dim = check_vectors(str(path), self._header)

    def blocks(self, step: int) -> Iterator[Block]:
        """Read all rows in order, *step* at a time."""
        if self._header.in_columns:
            yield from self._blocks_of_columns(step)
            return
        for start in range(0, self.row_count, step):
            # Mapped anew for each block: what was read before is let go.
            yield Block(as_numbers(map_array(self.path)[start : start + step]))

    def _blocks_of_columns(self, step: int) -> Iterator[Block]:
        dtype, dim = self._header.dtype, self._header.shape[1]
        many = max(step, _COLUMNS_BYTES // (dtype.itemsize * dim))
        with told(self.path), self.path.open("rb", buffering=0) as file:
            for start in range(0, self.row_count, many):
                count = min(many, self.row_count - start)
                columns = np.empty((dim, count), dtype)
                for number, column in enumerate(columns):
                    file.seek(self._offset + (number * self.row_count + start) * dtype.itemsize)
                    read_into(file, column, str(self.path))
                for first in range(0, count, step):
                    part: Numbers = columns[:, first : first + step].T
                    yield Block(as_numbers(np.ascontiguousarray(part)))


def map_array(path: Path) -> npt.NDArray[Any]:
    """Map the array in the .npy file *path*; raises SourceError."""
    header, offset = _open(path)
    if not header.size_bytes:
        return np.empty(header.shape, header.dtype)
    order: Any = "F" if header.in_columns else "C"
    with told(path):
        return np.memmap(path, header.dtype, "r", offset, header.shape, order)


def _open(path: Path) -> tuple[Header, int]:
    """Read the header of *path*, and where its array begins; raises SourceError."""
    check_regular(path)
    with told(path), path.open("rb") as file:
        header, offset = read_header(file, str(path)), file.tell()
        size_bytes = os.fstat(file.fileno()).st_size
        if offset + header.size_bytes > size_bytes:
            raise SourceError(
                f"{path} is not a .npy file of numbers that is complete: its array of shape "
                f"{header.shape} takes {header.size_bytes} bytes, and has "
                f"{size_bytes - offset}",
                hint="was it copied completely?",
                path=path,
            )
        file.seek(offset + header.size_bytes)
        if file.read(len(_MAGIC)) == _MAGIC:
            raise SourceError(
                f"{path} holds several arrays", hint="save each in a file of its own", path=path
            )
    return header, offset


def check_regular(path: Path) -> None:
    """Raise SourceError for what is no regular file: a pipe would never end."""
    with told(path):
        mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise SourceError(f"cannot read {path}: not a regular file", path=path)


def read_into(file: IO[bytes], array: npt.NDArray[Any], name: str) -> None:
    """Fill a contiguous *array* with what comes next; raises SourceError where *file* ends."""
    left = array.view(np.uint8).reshape(-1).data
    while len(left):
        count = file.readinto(left)  # type: ignore[attr-defined]
        if not count:
            raise SourceError(f"cannot read {name}: it ends too early", path=name)
        left = left[count:]


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn OSError into SourceError, which names *path*."""
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"cannot read {path}: {reason}", path=path) from None


class NpyWriter:
    """Writes vectors as .npy; how many there are must be known before."""

    def __init__(self, file: IO[bytes], row_count: int, dim: int, dtype: str) -> None:
        """Write the header."""
        self._file = file
        self._dtype = np.dtype(dtype).newbyteorder("<")
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": (row_count, dim)}
        np.lib.format.write_array_header_1_0(file, header)

    def write(self, vectors: Numbers) -> None:
        """Write the next rows."""
        self._file.write(np.ascontiguousarray(vectors, self._dtype).data)
