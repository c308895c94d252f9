"""Groups of copies where every comparison has its cost: only what decides is compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from vecsearch.deduplication.candidate_pairs import Pairs
from vecsearch.deduplication.ranked_images import Numbers
from vecsearch.deduplication.verifier import PairVerdicts
from vecsearch.types import Progress

_BATCH = 4096
"""So many images are compared with their candidates before what they decide is looked at."""


class VerifiedGroups:
    """The images by rank, and ``kept``, (n,) int32: for each the rank of the copy that is kept.

    As in `GreedyGroups`, the best image that belongs to nothing is kept, and takes all its copies
    that belong to nothing. Only pairs that may be copies are compared, none with an image that is
    not kept: an image is kept once all better ones that it may be a copy of are decided and it is
    a copy of none of them. What may be a copy of a copy is compared with the kept one too. ``what``
    tells what each image is to the one that is kept. -1 is of what was not decided yet.
    """

    def __init__(self, count: int, pairs: Pairs, compare: Callable[[Pairs], PairVerdicts]) -> None:
        """Begin with nothing decided; *pairs* (m, 2) may be copies, *compare* tells if they are."""
        self._compare = compare
        both = np.concatenate([pairs, pairs[:, ::-1]])
        both = both[np.lexsort((both[:, 1], both[:, 0]))]
        self._others: Numbers = both[:, 1].astype(np.int32)
        self._starts = np.searchsorted(both[:, 0], np.arange(count + 1))
        self._better = np.bincount(pairs[:, 1], minlength=count)
        self._best: dict[int, tuple[int, int, float]] = {}
        self._compared: set[tuple[int, int]] = set()
        self.kept: Numbers = np.full(count, -1, np.int32)
        self.what = PairVerdicts(np.zeros(count, np.int8), np.zeros(count, np.float32))

    def find(self, kinds: frozenset[int], progress: Progress | None = None) -> None:
        """Decide for all; copies are pairs of one of *kinds*."""
        total = len(self.kept)
        while len(first := self._first()):
            self._decide(first, first)
            asked = self._candidates(first.tolist())
            while True:
                self._look(list(asked), kinds)
                taken = self._take()
                asked = self._candidates(taken)
                if not taken:
                    break
            if progress:
                progress("comparing pixels", int((self.kept >= 0).sum()), total)

    def _first(self) -> npt.NDArray[np.intp]:
        """Return images that are kept for certain: nothing that is undecided could take them."""
        free = np.flatnonzero((self.kept < 0) & (self._better == 0))
        known = np.array([rank not in self._best for rank in free.tolist()], np.bool_)
        return free[known][:_BATCH]

    def _candidates(self, ranks: list[int]) -> Iterator[tuple[int, int]]:
        """Return undecided images that may be copies of *ranks*, with what these are kept by."""
        for rank in ranks:
            keeper = int(self.kept[rank])
            for other in self._near(rank):
                pair = (keeper, other)
                if self.kept[other] < 0 and pair not in self._compared:
                    self._compared.add(pair)
                    yield pair

    def _look(self, asked: list[tuple[int, int]], kinds: frozenset[int]) -> None:
        """Compare kept images with others, and keep in mind which are the best that take them."""
        found = self._compare(np.array(asked, np.int32).reshape(-1, 2))
        rows = zip(asked, found.kinds.tolist(), found.shares.tolist(), strict=True)
        for (keeper, other), kind, share in rows:
            if kind in kinds and (other not in self._best or keeper < self._best[other][0]):
                self._best[other] = (keeper, kind, share)

    def _take(self) -> list[int]:
        """Return images to what keeps them, unless an undecided one could be better."""
        taken = []
        for rank, (keeper, kind, share) in self._best.items():
            if all(self.kept[other] >= 0 for other in self._near(rank) if other < keeper):
                taken.append(rank)
                self.what.kinds[rank], self.what.shares[rank] = kind, share
        ranks = np.array(taken, np.intp)
        self._decide(ranks, np.array([self._best.pop(rank)[0] for rank in taken], np.intp))
        return taken

    def _decide(self, ranks: npt.NDArray[np.intp], keepers: npt.NDArray[np.intp]) -> None:
        self.kept[ranks] = keepers
        for rank in ranks.tolist():
            near = self._others[self._starts[rank] : self._starts[rank + 1]]
            self._better[near[near > rank]] -= 1

    def _near(self, rank: int) -> list[int]:
        near: list[int] = self._others[self._starts[rank] : self._starts[rank + 1]].tolist()
        return near
