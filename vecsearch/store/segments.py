"""Vector segments: write-once files of float16 rows, each row with its own checksum.

A file holds ``n`` rows of ``d`` little-endian float16 values, then ``n`` little-endian uint32, the
CRC-32 of each row's bytes.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.errors import IndexDamagedError, IndexFolderError
from vecsearch.store.write_once import CHECKED_AT_OPENING_BYTES, FileRecord, Write, write_once
from vecsearch.types import Float16Vectors, Rows, Vectors

_CHECKSUM_BYTES: Final = 4
BLOCK_BYTES: Final = 32 << 20
"""Rows are copied so much at a time."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A mapped file of rows: ``halves`` (n, d) from ``first_row`` on, ``checksums`` (n,) uint32.

    ``believed`` tells that the whole file was found to be what was written; the rows of others are
    checked as they are used.
    """

    path: Path
    first_row: int
    halves: Float16Vectors
    checksums: npt.NDArray[np.uint32]
    believed: bool

    @property
    def end_row(self) -> int:
        """The first row after it."""
        return self.first_row + len(self.halves)

    def check(self, places: Rows) -> None:
        """Compare the checksums of some rows, counted from 0; raises IndexDamagedError."""
        if self.believed:
            return
        for place in damaged_places(self.halves, self.checksums, places.tolist()):
            raise IndexDamagedError(
                f"{self.path} is damaged at row {self.first_row + place} (its checksum differs)",
                hint="vecsearch repair mends what can be mended",
                path=self.path,
            )


def write_segment(folder: Path, number: int, blocks: Iterable[Float16Vectors]) -> FileRecord:
    """Write *blocks* of rows, one after another, as segment *number*."""
    checksums = array("L")

    def fill(write: Write) -> None:
        for block in blocks:
            halves = np.ascontiguousarray(block, dtype="<f2")
            checksums.extend(zlib.crc32(row) for row in halves)
            write(halves.data)
        write(np.array(checksums, dtype="<u4").data)

    return write_once(folder, f"vectors/{number:06d}.f16", fill)


def map_segment(path: Path, first_row: int, row_count: int, dim: int, size_bytes: int) -> Segment:
    """Map a segment's rows without reading them; *path* was checked as far as its size allows."""
    halves = np.memmap(path, dtype="<f2", mode="r", shape=(row_count, dim))
    checksums = np.memmap(path, dtype="<u4", mode="r", offset=halves.nbytes, shape=(row_count,))
    return Segment(
        path,
        first_row,
        np.asarray(halves),  # a memmap takes ten times as long to give a row
        np.asarray(checksums),
        believed=size_bytes <= CHECKED_AT_OPENING_BYTES,
    )


def damaged_places(
    halves: Float16Vectors, checksums: npt.NDArray[np.uint32], places: Iterable[int]
) -> Iterator[int]:
    """Find the *places* whose row does not fit its checksum."""
    return (place for place in places if zlib.crc32(halves[place]) != checksums[place])


def read_damaged(path: Path, row_count: int, dim: int) -> tuple[Float16Vectors, list[int]]:
    """Read a file that is not what was written: its rows, and the places that are not to be used.

    Of a file that is gone or has another length no row can be told to be sound.
    """
    size_bytes = segment_bytes(row_count, dim)
    if not path.is_file() or path.stat().st_size != size_bytes:
        return np.zeros((row_count, dim), "<f2"), list(range(row_count))
    try:
        segment = map_segment(path, 0, row_count, dim, size_bytes)
    except OSError as error:
        raise IndexFolderError(f"{path} cannot be read: {error.strerror}", path=path) from None
    return segment.halves, list(damaged_places(segment.halves, segment.checksums, range(row_count)))


def segment_bytes(row_count: int, dim: int) -> int:
    """Return how long the file of a segment is."""
    return row_count * (2 * dim + _CHECKSUM_BYTES)


def live_blocks(
    segments: Sequence[Segment], deleted_rows: Rows, block_bytes: int = BLOCK_BYTES
) -> Iterator[Float16Vectors]:
    """Read the rows of *segments* that are not deleted, in order, a block at a time.

    Raises IndexDamagedError.
    """
    for segment in segments:
        step = max(1, block_bytes // (2 * segment.halves.shape[1]))
        for start in range(0, len(segment.halves), step):
            block = segment.halves[start : start + step]
            rows = np.arange(len(block)) + (segment.first_row + start)
            live = np.flatnonzero(~np.isin(rows, deleted_rows, assume_unique=True))
            segment.check(start + live)
            yield block[live]


def gather(segments: Sequence[Segment], rows: Rows, dim: int) -> Vectors:
    """Copy the vectors of *rows* out of *segments*: (len(rows), d) float32.

    Raises IndexDamagedError.
    """
    vectors = np.empty((len(rows), dim), np.float32)
    starts = np.array([segment.first_row for segment in segments], dtype=np.int64)
    which = np.searchsorted(starts, rows, side="right") - 1
    for number in np.unique(which):
        segment = segments[int(number)]
        mask = which == number
        places = rows[mask] - segment.first_row
        segment.check(places)
        vectors[mask] = segment.halves[places]
    return vectors
