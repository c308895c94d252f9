"""The vectors of images by rank, at unit length."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from vecsearch.deduplication.ranked_images import Numbers, RankedImages
from vecsearch.search.index_reader import IndexReader
from vecsearch.store.segments import gather
from vecsearch.types import Vectors

_BYTES: Final = 64 << 20


class RankedVectors:
    """Vectors of the images of an index, whose stored ones are a little off the unit sphere."""

    def __init__(self, opened: IndexReader, ranked: RankedImages) -> None:
        """Read nothing yet."""
        self._rows, self._dim = ranked.rows, opened.snapshot.dim
        self._segments = opened.snapshot.segments

    def check(self) -> None:
        """Compare all live rows with their checksums, once; raises IndexDamagedError."""
        rows = np.sort(self._rows)
        for segment in self._segments:
            inside = slice(*np.searchsorted(rows, (segment.first_row, segment.end_row)))
            segment.check(rows[inside] - segment.first_row)
        self._segments = [replace(segment, believed=True) for segment in self._segments]

    def of(self, ranks: Numbers) -> Vectors:
        """Return the vectors of some images at unit length, (n, d) float32."""
        vectors = gather(self._segments, self._rows[ranks], self._dim)
        vectors /= np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, None]
        return vectors

    def at_once(self, most: int) -> int:
        """Return how many are to be in memory at a time: *most*, or fewer long ones."""
        return max(1, min(most, _BYTES // (4 * self._dim)))
