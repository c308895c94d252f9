"""A file of feature vectors that do not fit into memory, read by panels of columns.

A panel is all rows of some columns. Means, products between all pictures, and the axes of a PCA
are sums or stacks over panels, so that none of these needs more than one panel in memory.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from vecsearch.errors import IndexFolderError
from vecsearch.types import Vectors

PANEL_BYTES: Final = 64 << 20
"""The most that a panel takes as float64, in which it is computed."""

_DTYPE: Final = np.dtype("<f4")


class FeaturePanels(Protocol):
    """Feature vectors that are read by panels."""

    @property
    def shape(self) -> tuple[int, int]:
        """(n, d): how many vectors there are, and how long they are."""
        ...

    def panels(self) -> Iterator[tuple[int, Vectors]]:
        """Return from left to right the first column of each panel, and the panel (n, width)."""
        ...


class FeatureFile:
    """At most *capacity* vectors of *dim* float32 in an unnamed file; a context manager.

    It lies in *folder*, or where the file system cannot do without a name, has one there; it is
    gone when it is closed, and when the process is, however it ends. It is written and read, never
    mapped: a mapped file that finds the disk full, or its file system gone, kills the process.
    """

    def __init__(
        self, folder: Path, capacity: int, dim: int, *, panel_bytes: int = PANEL_BYTES
    ) -> None:
        """Make the file; raises IndexFolderError if *folder* has no room for all of it."""
        self.dim = dim
        self._folder = folder
        self._capacity = capacity
        self._width = max(1, min(dim, panel_bytes // (8 * max(1, capacity))))
        self._present = np.zeros(capacity, dtype=bool)
        self._bytes = capacity * dim * _DTYPE.itemsize
        with self._refusals_told():
            free = shutil.disk_usage(folder).free
            if free < self._bytes:
                raise self._no_room(f"{free / 1e6:,.0f} MB are free")
            # Its life is this object's.
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115

    def __enter__(self) -> FeatureFile:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close, and so delete, the file."""
        with suppress(OSError):  # what is not written yet need not be
            self._file.close()

    def __len__(self) -> int:
        """Count the vectors that were put in."""
        return int(np.count_nonzero(self._present))

    def put(self, place: int, vector: npt.NDArray[np.float32]) -> None:
        """Write *vector* (d,) at *place*, below the capacity; places may come in any order."""
        row = np.ascontiguousarray(vector, _DTYPE)
        with self._refusals_told():
            for first in range(0, self.dim, self._width):
                part = row[first : first + self._width]
                self._file.seek(self._offset(first, place, len(part)))
                self._file.write(part.data)
        self._present[place] = True

    def rows(self, start: int = 0, stop: int | None = None) -> FeaturePanels:
        """Return the vectors *start* to *stop* (exclusive), in the order of their places."""
        return _Rows(self, np.flatnonzero(self._present)[start:stop])

    def read(self, places: npt.NDArray[np.int64]) -> Iterator[tuple[int, Vectors]]:
        """Return the panels of the vectors at *places*, which ascend."""
        with self._refusals_told():
            self._file.flush()
        low, high = int(places[0]), int(places[-1]) + 1
        for first in range(0, self.dim, self._width):
            width = min(self._width, self.dim - first)
            panel = np.empty((high - low, width), _DTYPE)
            with self._refusals_told():
                self._file.seek(self._offset(first, low, width))
                if self._file.readinto(panel.data.cast("B")) < panel.nbytes:
                    # What the disk swallowed silently must not become part of an encoder.
                    raise OSError("its end is missing")
            yield first, panel if len(panel) == len(places) else panel[places - low]

    def _offset(self, first: int, place: int, width: int) -> int:
        return (self._capacity * first + place * width) * _DTYPE.itemsize

    def _no_room(self, reason: str) -> IndexFolderError:
        return IndexFolderError(
            f"{self._folder} cannot take the {self._bytes / 1e6:,.0f} MB of feature vectors that "
            f"the PCA is trained on ({reason})",
            hint="free some room, or put the index elsewhere with -i",
            path=self._folder,
        )

    @contextmanager
    def _refusals_told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._no_room(error.strerror or str(error)) from None


@dataclass(frozen=True, slots=True)
class _Rows:
    """Some of the vectors in a file."""

    file: FeatureFile
    places: npt.NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.places), self.file.dim

    def panels(self) -> Iterator[tuple[int, Vectors]]:
        return self.file.read(self.places)
