"""Near duplicates as stars: each image goes to the best copy that is similar enough to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.ann.searcher import CodedRows, Scores
from vecsearch.deduplication.ranked_images import Numbers, RankedImages
from vecsearch.deduplication.ranked_vectors import RankedVectors
from vecsearch.search.index_reader import IndexReader
from vecsearch.types import Progress, Rows, Vectors

TOLERANCE: Final = 1e-5
"""How far below the threshold a cosine may be: sums of the same products differ by their order."""

_PHASE: Final = "comparing"
_ASKING: Final = 2048
_ANSWERING: Final = 4096
"""So many vectors ask, and answer, at a time, or fewer long ones."""

_BATCH: Final = 256
_WIDTHS: Final = (16, 256)
"""How many neighbours are asked for, and how many by what has more than these."""

_SLACK: Final = 2.0**-9
"""How far scores of stored vectors may be from cosines: float16 is a little off the unit sphere."""


class GreedyGroups:
    """The images by rank, and ``kept``, (n,) int32: for each the rank of the copy that is kept.

    From the best to the worst, an image that belongs to nothing yet is kept, and takes all that
    belong to nothing yet and are at least as similar to it as *threshold*, or have its content. So
    what is not kept is that similar to what is kept in its place, however long a chain of similar
    images is; and no two that are kept are. -1 is of what was not decided yet.
    """

    def __init__(
        self, opened: IndexReader, ranked: RankedImages, vectors: RankedVectors, threshold: float
    ) -> None:
        """Begin with nothing decided."""
        self._opened, self._ranked, self._vectors = opened, ranked, vectors
        self._least = threshold - TOLERANCE
        self._by_row = np.argsort(ranked.rows).astype(np.int32)
        self._rows = ranked.rows[self._by_row]
        self.kept: Numbers = np.full(len(ranked), -1, np.int32)

    def find(self, progress: Progress | None = None) -> None:
        """Decide for all; raises IndexDamagedError.

        Where the index is exact, every pair that could matter is compared, in blocks. An
        approximate one is asked for the neighbours of one image after the other; what it does not
        find is missed, unless it is found from the other side.
        """
        if any(isinstance(part, CodedRows) for part in self._opened.parts):
            self._ask(progress)
        else:
            self._vectors.check()
            self._sweep(progress)

    def _sweep(self, progress: Progress | None) -> None:
        """Compare blocks of images that belong to nothing with each other and with all worse."""
        size = self._vectors.at_once(_ASKING)
        for batch in self._undecided(size, progress):
            vectors = self._vectors.of(batch)
            near = vectors @ vectors.T >= self._least
            self._part(near, batch, batch)
            chosen = []
            for place, rank in enumerate(batch.tolist()):
                if self.kept[rank] < 0:
                    self._keep(rank, batch[near[place] | self._alike(rank, batch)])
                    chosen.append(place)
            self._take(batch[chosen], vectors[chosen], int(batch[-1]))

    def _take(self, keepers: Numbers, vectors: Vectors, after: int) -> None:
        """Return what is worse than rank *after* and undecided to the best of *keepers*, if any."""
        later = self._by_row[(self._by_row > after) & (self.kept[self._by_row] < 0)]
        contents = self._ranked.contents
        size = self._vectors.at_once(_ANSWERING)
        for start in range(0, len(later), size):
            ranks = later[start : start + size]
            near = vectors @ self._vectors.of(ranks).T >= self._least
            self._part(near, keepers, ranks)
            shared = contents[ranks] >= 0
            if shared.any():
                near[:, shared] |= contents[keepers][:, None] == contents[ranks[shared]]
            found = near.any(axis=0)
            self.kept[ranks[found]] = keepers[near[:, found].argmax(axis=0)]

    def _ask(self, progress: Progress | None) -> None:
        """Ask the index for the neighbours of what belongs to nothing, in the order of ranks."""
        for batch in self._undecided(_BATCH, progress):
            width = min(_WIDTHS[0], len(self._ranked))
            D, I = self._opened.search(self._opened.gather(self._ranked.rows[batch]), width)  # noqa: N806, E741
            for place, rank in enumerate(batch.tolist()):
                if self.kept[rank] < 0:
                    self._settle(rank, D[place], I[place])

    def _settle(self, rank: int, scores: Scores, rows: Rows) -> None:
        """Decide for one image, of which the nearest *rows* are known."""
        own = np.array([rank], np.int32)
        vector = self._vectors.of(own)
        near, full = self._near(rank, vector, scores, rows)
        if full:
            stored = self._opened.gather(self._ranked.rows[own])
            D, I = self._opened.search(stored, min(_WIDTHS[1], len(self._ranked)))  # noqa: N806, E741
            near, full = self._near(rank, vector, D[0], I[0])
        better = near[(near < rank) & (self.kept[near] == near)]
        if len(better):
            self.kept[rank] = better.min()
            return
        self._keep(rank, near)
        if self._ranked.contents[rank] >= 0:
            self._keep(rank, self._by_row[self._alike(rank, self._by_row)])
        if full:  # it may have any number of neighbours
            self._take(own, vector, rank)

    def _near(self, rank: int, vector: Vectors, scores: Scores, rows: Rows) -> tuple[Numbers, bool]:
        """Return the ranks of *rows* that are near, and whether there may be more of them."""
        found = (rows >= 0) & (scores >= self._least - _SLACK)
        ranks = self._by_row[np.searchsorted(self._rows, rows[found])]
        full = bool(found.all()) and len(rows) < len(self._ranked)
        ranks = ranks[self._vectors.of(ranks) @ vector[0] >= self._least]
        return ranks[~self._ranked.exclusions.excluded_from(rank, ranks)], full

    def _keep(self, rank: int, like: Numbers) -> None:
        """Keep an image, and give it those of *like* that belong to nothing."""
        self.kept[like[self.kept[like] < 0]] = rank
        self.kept[rank] = rank

    def _part(self, near: npt.NDArray[np.bool_], ranks: Numbers, others: Numbers) -> None:
        """Take out of *near* (n, m) what somebody has said to be no copies."""
        if self._ranked.exclusions:
            for place, rank in enumerate(ranks.tolist()):
                near[place, self._ranked.exclusions.excluded_from(rank, others)] = False

    def _alike(self, rank: int, among: Numbers) -> npt.NDArray[np.bool_]:
        """Return which of some images have the content of another."""
        number = self._ranked.contents[rank]
        if number < 0:
            return np.zeros(len(among), np.bool_)
        alike: npt.NDArray[np.bool_] = self._ranked.contents[among] == number
        return alike

    def _undecided(self, size: int, progress: Progress | None) -> Iterator[Numbers]:
        """Return the images that belong to nothing yet, from the best on, *size* at a time."""
        at, total = 0, len(self._ranked)
        while len(ranks := at + np.flatnonzero(self.kept[at:] < 0)):
            at = int(ranks[0])
            if progress:
                progress(_PHASE, at, total)
            yield ranks[:size].astype(np.int32)
        if progress:
            progress(_PHASE, total, total)


def same_content(ranked: RankedImages) -> Numbers:
    """Return for each image, (n,) int32, the rank of the best copy with the same content."""
    ranks = np.arange(len(ranked), dtype=np.int32)
    shared = np.flatnonzero(ranked.contents >= 0)
    _, first, which = np.unique(ranked.contents[shared], return_index=True, return_inverse=True)
    ranks[shared] = shared[first][which]
    return ranks
