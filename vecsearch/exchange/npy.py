"""NumPy's .npy: vectors read a block at a time, and written as they come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from vecsearch.errors import SourceError

Floats = npt.NDArray[np.floating[Any]]
"""(n, d) float16, float32 or float64."""


class NpyVectors:
    """The vectors of a .npy file: ``row_count`` of them, ``dim`` long."""

    encoder_json = ""
    """What made the vectors; such a file does not tell."""

    def __init__(self, path: Path) -> None:
        """Read the header of *path*; raises SourceError for anything but floats of shape (n, d)."""
        array = map_array(path)
        if (
            array.ndim != 2
            or not array.shape[1]
            or array.dtype.kind != "f"
            or array.dtype.itemsize not in (2, 4, 8)
        ):
            raise SourceError(
                f"{path} holds {array.dtype} of shape {array.shape}",
                hint="vectors are float16, float32 or float64 of shape (n, d)",
                path=path,
            )
        self.path = path
        self.row_count, self.dim = map(int, array.shape)

    def blocks(self, step: int) -> Iterator[Floats]:
        """Read all rows in order, *step* at a time."""
        for start in range(0, self.row_count, step):
            # Mapped anew for each block: what was read before is let go.
            yield map_array(self.path)[start : start + step]


def map_array(path: Path) -> npt.NDArray[Any]:
    """Map the array in the .npy file *path*; raises SourceError."""
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}", path=path) from None
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise SourceError(f"{path} is no .npy file of numbers ({reason})", path=path) from None
    return array


class NpyWriter:
    """Writes vectors as .npy; how many there are must be known before."""

    def __init__(self, file: IO[bytes], row_count: int, dim: int, dtype: str) -> None:
        """Write the header."""
        self._file = file
        self._dtype = np.dtype(dtype).newbyteorder("<")
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": (row_count, dim)}
        np.lib.format.write_array_header_1_0(file, header)

    def write(self, vectors: Floats) -> None:
        """Write the next rows."""
        self._file.write(np.ascontiguousarray(vectors, self._dtype).data)
