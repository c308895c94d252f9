"""Groups of copies by verified pairs: as few candidate pairs as possible are verified."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from vecsearch.deduplication.arrays import Indices, Ranks
from vecsearch.deduplication.candidate_pairs import Pairs
from vecsearch.deduplication.verifier import PairVerdicts
from vecsearch.types import Progress

_BATCH = 4096
"""How many images are compared with their candidates before the results are looked at."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """The best ``keeper`` found so far that an image is a copy of, and what it is to that one."""

    keeper: int
    kind: int
    share: float


class VerifiedGroups:
    """The images by rank, and ``kept``, (n,) int32: for each the rank of the copy that is kept.

    As in `GreedyGroups`, the best image that is in no group is kept, and takes all its copies that
    are in none. Only candidate pairs are verified, none with an image that is not kept: an image is
    kept once all better candidates of it are decided and it is a copy of none of them. A candidate
    of a copy is compared with the kept image too. ``verdicts`` tell what each image is to the one
    that is kept. -1 is an image that is not decided yet.
    """

    def __init__(self, count: int, pairs: Pairs, verify: Callable[[Pairs], PairVerdicts]) -> None:
        """Begin with nothing decided: *pairs* (m, 2) are candidates, which *verify* compares."""
        self._verify = verify
        both = np.concatenate([pairs, pairs[:, ::-1]])
        both = both[np.lexsort((both[:, 1], both[:, 0]))]
        self._others: Ranks = both[:, 1].astype(np.int32)
        self._starts = np.searchsorted(both[:, 0], np.arange(count + 1))
        self._undecided_better = np.bincount(pairs[:, 1], minlength=count)
        self._claims: dict[int, _Claim] = {}
        self._verified: set[tuple[int, int]] = set()
        self.kept: Ranks = np.full(count, -1, np.int32)
        self.verdicts = PairVerdicts.of_one_kind(count)

    def find(self, kinds: frozenset[int], progress: Progress | None = None) -> None:
        """Decide for all images; copies are pairs of one of *kinds*."""
        total = len(self.kept)
        while len(first := self._certain()):
            self._decide(first, first)
            asked = self._unverified(first.tolist())
            while True:
                self._claim(list(asked), kinds)
                taken = self._take()
                asked = self._unverified(taken)
                if not taken:
                    break
            if progress:
                progress("comparing pixels", int((self.kept >= 0).sum()), total)

    def _certain(self) -> Indices:
        """Return images that are certainly kept: no undecided one could take them."""
        free = np.flatnonzero((self.kept < 0) & (self._undecided_better == 0))
        unclaimed = np.array([rank not in self._claims for rank in free.tolist()], np.bool_)
        return free[unclaimed][:_BATCH]

    def _unverified(self, ranks: list[int]) -> Iterator[tuple[int, int]]:
        """Return what keeps each of *ranks* with its undecided candidates, each pair once."""
        for rank in ranks:
            keeper = int(self.kept[rank])
            for other in self._candidates(rank):
                pair = (keeper, other)
                if self.kept[other] < 0 and pair not in self._verified:
                    self._verified.add(pair)
                    yield pair

    def _claim(self, asked: list[tuple[int, int]], kinds: frozenset[int]) -> None:
        """Verify pairs of a kept image and another; remember for each other the best keeper."""
        found = self._verify(np.array(asked, np.int32).reshape(-1, 2))
        rows = zip(asked, found.kinds.tolist(), found.shares.tolist(), strict=True)
        for (keeper, other), kind, share in rows:
            if kind in kinds and (other not in self._claims or keeper < self._claims[other].keeper):
                self._claims[other] = _Claim(keeper, kind, share)

    def _take(self) -> list[int]:
        """Give claimed images to their keepers, unless an undecided one could be better."""
        taken = []
        for rank, claim in self._claims.items():
            better = (other for other in self._candidates(rank) if other < claim.keeper)
            if all(self.kept[other] >= 0 for other in better):
                taken.append(rank)
                self.verdicts.kinds[rank], self.verdicts.shares[rank] = claim.kind, claim.share
        ranks = np.array(taken, np.intp)
        self._decide(ranks, np.array([self._claims.pop(rank).keeper for rank in taken], np.intp))
        return taken

    def _decide(self, ranks: Indices, keepers: Indices) -> None:
        self.kept[ranks] = keepers
        for rank in ranks.tolist():
            others = self._others[self._starts[rank] : self._starts[rank + 1]]
            self._undecided_better[others[others > rank]] -= 1

    def _candidates(self, rank: int) -> list[int]:
        others: list[int] = self._others[self._starts[rank] : self._starts[rank + 1]].tolist()
        return others
