"""Groups of copies by cosine: each image goes to the best copy that is similar enough to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from vecsearch.deduplication.arrays import Flags, Ranks
from vecsearch.deduplication.ranked_vectors import TOLERANCE, Neighbours, RankedVectors
from vecsearch.types import Progress, Vectors

_PHASE: Final = "comparing"
_ASKING: Final = 2048
_ANSWERING: Final = 4096
"""At most how many vectors ask, and answer, at a time; fewer where they are long."""

_BATCH: Final = 256
_WIDTHS: Final = (16, 256)
"""How many neighbours are asked for, and how many by an image that has more than these."""

_SLACK: Final = 2.0**-9
"""How far scores of stored vectors may be from cosines: float16 is a little off the unit sphere."""


class GreedyGroups:
    """The images by rank, and ``kept``, (n,) int32: for each the rank of the copy that is kept.

    From the best to the worst, an image that is in no group yet is kept, and takes all that are in
    none and are at least as similar to it as *threshold*, or have its content. So what is not kept
    is that similar to the image that is kept in its place, however long a chain of similar images
    is; and no two that are kept are. -1 is an image that is not decided yet.
    """

    def __init__(self, vectors: RankedVectors, threshold: float) -> None:
        """Begin with nothing decided."""
        self._vectors, self._ranked = vectors, vectors.ranked
        self._least = threshold - TOLERANCE
        self.kept: Ranks = np.full(len(self._ranked), -1, np.int32)

    def find(self, progress: Progress | None = None) -> None:
        """Decide for all images; raises IndexDamagedError.

        Where the index is exact, every pair that could matter is compared, in blocks. An
        approximate one is asked for the neighbours of one image after the other; what it does not
        find is missed, unless it is found from the other side.
        """
        if self._vectors.are_approximate:
            self._ask_index(progress)
        else:
            self._vectors.check()
            self._compare_all(progress)

    def _compare_all(self, progress: Progress | None) -> None:
        """Compare blocks of undecided images with each other and with all worse ones."""
        size = self._vectors.at_once(_ASKING)
        for batch in self._undecided(size, progress):
            vectors = self._vectors.of(batch)
            near = vectors @ vectors.T >= self._least
            self._remove_excluded(near, batch, batch)
            chosen = []
            for place, rank in enumerate(batch.tolist()):
                if self.kept[rank] < 0:
                    self._keep(rank, batch[near[place] | self._same_content(rank, batch)])
                    chosen.append(place)
            self._take(batch[chosen], vectors[chosen], int(batch[-1]))

    def _take(self, keepers: Ranks, vectors: Vectors, after: int) -> None:
        """Give undecided images worse than rank *after* to the best of *keepers*, if any."""
        by_row = self._vectors.by_row
        later = by_row[(by_row > after) & (self.kept[by_row] < 0)]
        contents = self._ranked.contents
        size = self._vectors.at_once(_ANSWERING)
        for start in range(0, len(later), size):
            ranks = later[start : start + size]
            near = vectors @ self._vectors.of(ranks).T >= self._least
            self._remove_excluded(near, keepers, ranks)
            shared = contents[ranks] >= 0
            if shared.any():
                near[:, shared] |= contents[keepers][:, None] == contents[ranks[shared]]
            found = near.any(axis=0)
            self.kept[ranks[found]] = keepers[near[:, found].argmax(axis=0)]

    def _ask_index(self, progress: Progress | None) -> None:
        """Ask the index for the neighbours of undecided images, in the order of ranks."""
        for batch in self._undecided(_BATCH, progress):
            found = self._vectors.nearest(batch, _WIDTHS[0])
            for place, rank in enumerate(batch.tolist()):
                if self.kept[rank] < 0:
                    own = slice(place, place + 1)
                    self._decide(rank, Neighbours(found.ranks[own], found.scores[own]))

    def _decide(self, rank: int, nearest: Neighbours) -> None:
        """Decide for one image, of which the *nearest*, (1, k), are known."""
        own = np.array([rank], np.int32)
        vector = self._vectors.of(own)
        near = self._near(rank, vector, nearest)
        if near.may_be_more:
            near = self._near(rank, vector, self._vectors.nearest(own, _WIDTHS[1]))
        better = near.ranks[(near.ranks < rank) & (self.kept[near.ranks] == near.ranks)]
        if len(better):
            self.kept[rank] = better.min()
            return
        self._keep(rank, near.ranks)
        if self._ranked.contents[rank] >= 0:
            by_row = self._vectors.by_row
            self._keep(rank, by_row[self._same_content(rank, by_row)])
        if near.may_be_more:
            self._take(own, vector, rank)

    def _near(self, rank: int, vector: Vectors, nearest: Neighbours) -> _Near:
        """Return those of the *nearest* of an image, (1, k), that are similar enough to it."""
        found = (nearest.ranks[0] >= 0) & (nearest.scores[0] >= self._least - _SLACK)
        ranks = nearest.ranks[0][found]
        may_be_more = bool(found.all()) and len(found) < len(self._ranked)
        ranks = ranks[self._vectors.of(ranks) @ vector[0] >= self._least]
        return _Near(ranks[~self._ranked.exclusions.excluded_from(rank, ranks)], may_be_more)

    def _keep(self, rank: int, like: Ranks) -> None:
        """Keep an image, and give it the undecided ones of *like*."""
        self.kept[like[self.kept[like] < 0]] = rank
        self.kept[rank] = rank

    def _remove_excluded(self, near: Flags, ranks: Ranks, others: Ranks) -> None:
        """Take out of *near* (n, m) the pairs that the user has said are not copies."""
        if self._ranked.exclusions:
            for place, rank in enumerate(ranks.tolist()):
                near[place, self._ranked.exclusions.excluded_from(rank, others)] = False

    def _same_content(self, rank: int, among: Ranks) -> Flags:
        """Return which of some images have the content of another."""
        number = self._ranked.contents[rank]
        if number < 0:
            return np.zeros(len(among), np.bool_)
        same: Flags = self._ranked.contents[among] == number
        return same

    def _undecided(self, size: int, progress: Progress | None) -> Iterator[Ranks]:
        """Return the images that are not decided yet, from the best on, *size* at a time."""
        at, total = 0, len(self._ranked)
        while len(ranks := at + np.flatnonzero(self.kept[at:] < 0)):
            at = int(ranks[0])
            if progress:
                progress(_PHASE, at, total)
            yield ranks[:size].astype(np.int32)
        if progress:
            progress(_PHASE, total, total)


@dataclass(frozen=True, slots=True)
class _Near:
    """The ``ranks`` that are similar enough to an image, and whether there may be more of them."""

    ranks: Ranks
    may_be_more: bool
