"""Vector segments: write-once files of float16 rows, each row with its own checksum.

A file holds ``n`` rows of ``d`` little-endian float16 values, then ``n`` little-endian uint32, the
CRC-32 of each row's bytes.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vecsearch.store.files import FileRecord, Write, write_once
from vecsearch.types import Vectors

Halves = npt.NDArray[np.float16]


def write_segment(folder: Path, number: int, vectors: Vectors) -> FileRecord:
    """Write (n, d) *vectors* as segment *number*."""
    halves = np.ascontiguousarray(vectors, dtype="<f2")
    checksums = np.array([zlib.crc32(row) for row in halves], dtype="<u4")

    def fill(write: Write) -> None:
        write(halves.data)
        write(checksums.data)

    return write_once(folder, f"vectors/{number:06d}.f16", fill)


def map_segment(path: Path, row_count: int, dim: int) -> Halves:
    """Map the rows of a segment, (n, d) float16, without reading them."""
    return np.memmap(path, dtype="<f2", mode="r", shape=(row_count, dim))
