"""The vectors of images by rank, at unit length, and the nearest ranks that an index finds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from vecsearch.ann.searcher import CodedRows, Scores
from vecsearch.deduplication.arrays import Ranks
from vecsearch.deduplication.ranked_images import RankedImages
from vecsearch.search.index_reader import IndexReader
from vecsearch.store.segments import gather
from vecsearch.types import Vectors
from vecsearch.unit_length import unit_length

_BYTES: Final = 64 << 20

TOLERANCE: Final = 1e-5
"""How far below the threshold a cosine may be: sums of the same products differ by their order."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """For each of q images, the ``ranks`` (q, k) int32 of the nearest, -1 where there are fewer.

    ``scores`` (q, k) are those of stored vectors, which are a little off the unit sphere.
    """

    ranks: Ranks
    scores: Scores


class RankedVectors:
    """The vectors of the *ranked* images of an index.

    ``by_row`` (n,) int32 are the ranks in the order in which their vectors lie on the disk.
    """

    def __init__(self, opened: IndexReader, ranked: RankedImages) -> None:
        """Read nothing yet."""
        self.ranked = ranked
        self.by_row: Ranks = np.argsort(ranked.rows).astype(np.int32)
        self._opened = opened
        self._sorted_rows = ranked.rows[self.by_row]
        self._segments = opened.snapshot.segments
        self._dim = opened.snapshot.dim

    @property
    def are_approximate(self) -> bool:
        """Return whether the index finds neighbours by codes, so that it may miss some."""
        return any(isinstance(part, CodedRows) for part in self._opened.parts)

    def check(self) -> None:
        """Compare all live rows with their checksums, once; raises IndexDamagedError."""
        for segment in self._segments:
            inside = slice(
                *np.searchsorted(self._sorted_rows, (segment.first_row, segment.end_row))
            )
            segment.check(self._sorted_rows[inside] - segment.first_row)
        self._segments = [replace(segment, believed=True) for segment in self._segments]

    def of(self, ranks: Ranks) -> Vectors:
        """Return the vectors of some images at unit length, (n, d) float32."""
        vectors = gather(self._segments, self.ranked.rows[ranks], self._dim)
        # The squares of a large block are not kept, as they would be for a norm.
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        return unit_length(vectors, lengths)

    def at_once(self, most: int) -> int:
        """Return how many vectors may be in memory at a time: *most*, or fewer long ones."""
        return max(1, min(most, _BYTES // (4 * self._dim)))

    def nearest(self, ranks: Ranks, k: int) -> Neighbours:
        """Ask the index for the *k* nearest of some images, themselves among them.

        Raises IndexDamagedError.
        """
        stored = self._opened.gather(self.ranked.rows[ranks])
        D, I = self._opened.search(stored, min(k, len(self.ranked)))  # noqa: N806, E741
        places = np.minimum(np.searchsorted(self._sorted_rows, I), len(self._sorted_rows) - 1)
        return Neighbours(np.where(I < 0, -1, self.by_row[places]).astype(np.int32), D)
