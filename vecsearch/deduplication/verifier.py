"""The second look: pairs of pictures whose pixels tell whether they are copies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.deduplication.candidate_pairs import Pairs
from vecsearch.deduplication.coarse_to_fine import compare_coarsely, compare_finely
from vecsearch.deduplication.exclusions import Exclusions
from vecsearch.deduplication.file_comparison import PictureFile, agree_in_frames, are_near
from vecsearch.deduplication.greedy_groups import TOLERANCE
from vecsearch.deduplication.ranked_vectors import RankedVectors
from vecsearch.deduplication.scaled_pictures import ScaledPictures
from vecsearch.deduplication.template_matching import Floats

NONE, NEAR, EDITED, SIMILAR = range(4)
"""What two pictures are: different; copies whose pixels agree all over; copies whose pixels agree
in part; or, where there are no pixels to look at, such with similar features."""

_BATCH: Final = 256


@dataclass(frozen=True, slots=True)
class PairVerdicts:
    """What m pairs are, (m,) int8, and which share of their parts agrees, (m,), 0 if not seen."""

    kinds: npt.NDArray[np.int8]
    shares: Floats


class Verifier:
    """Compares pictures by their pixels, and by their vectors where it cannot see them."""

    def __init__(
        self, looks: ScaledPictures, vectors: RankedVectors, alone: float, exclusions: Exclusions
    ) -> None:
        """Take a cosine of *alone* for that of copies that cannot be seen.

        Pairs among the *exclusions* are not compared, and are not copies.
        """
        self._exclusions = exclusions
        self._looks, self._vectors, self._alone = looks, vectors, alone - TOLERANCE
        self.pairs_seen = 0

    def compare(self, pairs: Pairs) -> PairVerdicts:
        """Return what *pairs* (m, 2) are."""
        kinds = np.zeros(len(pairs), np.int8)
        shares = np.zeros(len(pairs), np.float32)
        asked = np.flatnonzero(~self._exclusions.are_excluded(pairs))
        for start in range(0, len(asked), _BATCH):
            batch = asked[start : start + _BATCH]
            kinds[batch], shares[batch] = self._compare(pairs[batch])
        return PairVerdicts(kinds, shares)

    def _compare(self, pairs: Pairs) -> tuple[npt.NDArray[np.int8], Floats]:
        kinds = np.zeros(len(pairs), np.int8)
        shares = np.zeros(len(pairs), np.float32)
        visible = self._looks.seen[pairs].all(axis=1)
        blind = np.flatnonzero(~visible)
        if len(blind):
            first, second = (self._vectors.of(pairs[blind, side]) for side in range(2))
            cosines = np.einsum("ij,ij->i", first, second)
            for place in blind[cosines >= self._alone].tolist():
                if self._agree_in_frames(pairs[place]):
                    kinds[place] = SIMILAR
        places = np.flatnonzero(visible)
        if not len(places):
            return kinds, shares
        self.pairs_seen += len(places)
        first, second = (
            self._looks.small[pairs[places, side]].astype(np.float32) for side in range(2)
        )
        sizes = self._looks.sizes[pairs[places, 0]], self._looks.sizes[pairs[places, 1]]
        guess = compare_coarsely(first, second, sizes)
        likely = np.flatnonzero(guess.likely)
        if not len(likely):
            return kinds, shares
        looks = self._looks.closer(pairs[places[likely]].ravel())
        clear = []
        for place, one, other in zip(likely.tolist(), looks[::2], looks[1::2], strict=True):
            if one is not None and other is not None:
                clear.append((place, one, other))
        if not clear:
            return kinds, shares
        chosen = np.array([place for place, _, _ in clear])
        verdicts = compare_finely(
            guess.chosen(chosen), [one for _, one, _ in clear], [other for _, _, other in clear]
        )
        for place, near, copies, share in zip(
            places[chosen].tolist(), verdicts.near, verdicts.copies, verdicts.share, strict=True
        ):
            kinds[place] = self._confirm(pairs[place], bool(near), bool(copies))
            shares[place] = share if kinds[place] != NONE else 0
        return kinds, shares

    def _confirm(self, pair: Pairs, near: bool, copies: bool) -> int:
        """Look at the files themselves, where a closer look has found copies."""
        several = bool(self._looks.several[pair].any())
        if not copies or (several and not near):
            return NONE
        if near:
            files = self._files(pair)
            if files is not None and are_near(*files):
                return NEAR
        return NONE if several else EDITED

    def _agree_in_frames(self, pair: Pairs) -> bool:
        """Return whether two files have the same frames, as far as they can be read."""
        several = self._looks.several[pair]
        if not several.any() or not self._looks.readable[pair].all():
            return True
        files = self._files(pair) if several.all() else None
        return files is not None and agree_in_frames(*files)

    def _files(self, pair: Pairs) -> tuple[PictureFile, PictureFile] | None:
        first, second = (self._looks.content(rank) for rank in pair.tolist())
        if first is None or second is None:
            return None
        return PictureFile(first), PictureFile(second)
