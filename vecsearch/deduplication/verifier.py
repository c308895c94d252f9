"""Verification of candidate pairs: their pixels tell whether they are copies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.deduplication.arrays import Floats, Indices
from vecsearch.deduplication.candidate_pairs import Pairs
from vecsearch.deduplication.coarse_to_fine import FinePicture, compare_coarsely, compare_finely
from vecsearch.deduplication.file_comparison import PictureFile, agree_in_frames, are_near
from vecsearch.deduplication.ranked_vectors import TOLERANCE, RankedVectors
from vecsearch.deduplication.scaled_pictures import ScaledPictures

NONE, NEAR, EDITED, SIMILAR = range(4)
"""What two pictures are: different; copies whose pixels agree all over; copies whose pixels agree
in part; or, where there are no pixels to compare, pictures with similar features."""

_BATCH: Final = 256


@dataclass(frozen=True, slots=True)
class PairVerdicts:
    """What m pairs are, (m,) int8, and which share of their parts agrees, (m,), 0 if unknown."""

    kinds: npt.NDArray[np.int8]
    shares: Floats

    @classmethod
    def of_one_kind(cls, count: int, kind: int = NONE) -> PairVerdicts:
        """Make *count* verdicts of one kind, with no share known."""
        return cls(np.full(count, kind, np.int8), np.zeros(count, np.float32))

    def put(self, places: Indices, verdicts: PairVerdicts) -> None:
        """Write the *verdicts* of the pairs at *places*."""
        self.kinds[places], self.shares[places] = verdicts.kinds, verdicts.shares


class Verifier:
    """Compares pictures by their pixels, and by their vectors where they have not been read.

    Pairs that the user has said are not copies are not compared. ``pairs_compared`` counts those
    whose pixels were.
    """

    def __init__(self, pictures: ScaledPictures, vectors: RankedVectors, alone: float) -> None:
        """Take *alone* as the cosine of copies whose pixels cannot be compared."""
        self._pictures, self._vectors = pictures, vectors
        self._least_cosine = alone - TOLERANCE
        self.pairs_compared = 0

    def verify(self, pairs: Pairs) -> PairVerdicts:
        """Return what *pairs* (m, 2) are."""
        verdicts = PairVerdicts.of_one_kind(len(pairs))
        asked = np.flatnonzero(~self._vectors.ranked.exclusions.are_excluded(pairs))
        for start in range(0, len(asked), _BATCH):
            batch = asked[start : start + _BATCH]
            seen = self._pictures.seen[pairs[batch]].all(axis=1)
            for places, verify in (
                (batch[~seen], self._by_vectors),
                (batch[seen], self._by_pixels),
            ):
                if len(places):
                    verdicts.put(places, verify(pairs[places]))
        return verdicts

    def _by_vectors(self, pairs: Pairs) -> PairVerdicts:
        verdicts = PairVerdicts.of_one_kind(len(pairs))
        first, second = (self._vectors.of(pairs[:, side]) for side in range(2))
        cosines = np.einsum("ij,ij->i", first, second)
        for place in np.flatnonzero(cosines >= self._least_cosine).tolist():
            if self._agree_in_frames(pairs[place]):
                verdicts.kinds[place] = SIMILAR
        return verdicts

    def _by_pixels(self, pairs: Pairs) -> PairVerdicts:
        """Compare small pictures, larger ones of likely pairs, and the files of copies."""
        verdicts = PairVerdicts.of_one_kind(len(pairs))
        self.pairs_compared += len(pairs)
        first, second = (self._pictures.small[pairs[:, side]].astype(np.float32) for side in (0, 1))
        sizes = self._pictures.sizes[pairs[:, 0]], self._pictures.sizes[pairs[:, 1]]
        coarse = compare_coarsely(first, second, sizes)
        read = self._read_finely(pairs, np.flatnonzero(coarse.likely))
        if not read:
            return verdicts
        places = np.array([one.place for one in read])
        fine = compare_finely(
            coarse.chosen(places), [one.first for one in read], [one.second for one in read]
        )
        for number, place in enumerate(places.tolist()):
            near, copies = bool(fine.near[number]), bool(fine.copies[number])
            verdicts.kinds[place] = self._confirm(pairs[place], near, copies)
            if verdicts.kinds[place] != NONE:
                verdicts.shares[place] = fine.share[number]
        return verdicts

    def _read_finely(self, pairs: Pairs, likely: Indices) -> list[_FinePair]:
        """Read the larger pictures of *likely* pairs; pairs that cannot be read are left out."""
        pictures = self._pictures.fine(pairs[likely].ravel()) if len(likely) else []
        return [
            _FinePair(place, first, second)
            for place, first, second in zip(
                likely.tolist(), pictures[::2], pictures[1::2], strict=True
            )
            if first is not None and second is not None
        ]

    def _confirm(self, pair: Pairs, near: bool, copies: bool) -> int:
        """Compare the files themselves, where the larger pictures are copies."""
        several = bool(self._pictures.several[pair].any())
        if not copies or (several and not near):
            return NONE
        if near:
            files = self._files(pair)
            if files is not None and are_near(*files):
                return NEAR
        return NONE if several else EDITED

    def _agree_in_frames(self, pair: Pairs) -> bool:
        """Return whether two files have the same frames, as far as they can be read."""
        several = self._pictures.several[pair]
        if not several.any() or not self._pictures.readable[pair].all():
            return True
        files = self._files(pair) if several.all() else None
        return files is not None and agree_in_frames(*files)

    def _files(self, pair: Pairs) -> tuple[PictureFile, PictureFile] | None:
        first, second = (self._pictures.content(rank) for rank in pair.tolist())
        if first is None or second is None:
            return None
        return PictureFile(first), PictureFile(second)


@dataclass(frozen=True, slots=True)
class _FinePair:
    """The larger pictures of the pair at ``place``."""

    place: int
    first: FinePicture
    second: FinePicture
