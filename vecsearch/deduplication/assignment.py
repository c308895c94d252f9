"""Which picture is kept in the place of which, by bytes, by cosine or by pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from vecsearch.deduplication.arrays import Ranks
from vecsearch.deduplication.candidate_pairs import find_candidate_pairs
from vecsearch.deduplication.greedy_groups import GreedyGroups
from vecsearch.deduplication.ranked_images import RankedImages
from vecsearch.deduplication.ranked_vectors import RankedVectors
from vecsearch.deduplication.scaled_pictures import ScaledPictures
from vecsearch.deduplication.verified_groups import VerifiedGroups
from vecsearch.deduplication.verifier import EDITED, NEAR, SIMILAR, PairVerdicts, Verifier
from vecsearch.embed.backbones.backbone import CopyCosines
from vecsearch.types import Progress


@dataclass(frozen=True, slots=True)
class Assignment:
    """For each image by rank, the one that is ``kept`` in its place, and what it is to that.

    ``kept`` (n,) int32 are ranks. ``verdicts`` tell the kind of each, which does not consider
    bytes, and the share of it that agrees. ``looked_at`` pictures were read, ``pairs`` compared.
    """

    by: Literal["bytes", "cosine", "pixels"]
    kept: Ranks
    verdicts: PairVerdicts
    looked_at: int = 0
    pairs: int = 0


def assign_by_content(ranked: RankedImages) -> Assignment:
    """Assign files to the best file with the same bytes."""
    return Assignment("bytes", _same_content(ranked), PairVerdicts.of_one_kind(len(ranked)))


def assign_by_cosine(
    vectors: RankedVectors, threshold: float, progress: Progress | None
) -> Assignment:
    """Assign pictures to one with a cosine of *threshold*, or with the same bytes.

    Raises IndexDamagedError.
    """
    groups = GreedyGroups(vectors, threshold)
    groups.find(progress)
    similar = PairVerdicts.of_one_kind(len(vectors.ranked), SIMILAR)
    return Assignment("cosine", groups.kept, similar)


def assign_by_pixels(
    vectors: RankedVectors,
    pictures: ScaledPictures,
    cosines: CopyCosines,
    edited: bool,
    progress: Progress | None,
) -> Assignment:
    """Assign pictures to one whose pixels agree, or that has the same bytes.

    Without *edited*, their pixels must agree all over. Where no picture can be read, they are
    assigned by cosine. Raises IndexDamagedError.
    """
    ranked = vectors.ranked
    best = _same_content(ranked)
    order = np.flatnonzero(best == np.arange(len(ranked))).astype(np.int32)
    pictures.read(order, progress)
    if not pictures.readable.any():
        # Not as by a cosine that someone gave: nothing of this is moved without being told to.
        return replace(assign_by_cosine(vectors, cosines.alone, progress), by="pixels")
    pairs = find_candidate_pairs(vectors, pictures, order, cosines.candidate, progress)
    verifier = Verifier(pictures, vectors, cosines.alone)
    groups = VerifiedGroups(len(ranked), pairs, verifier.verify)
    groups.find(frozenset((NEAR, EDITED, SIMILAR) if edited else (NEAR,)), progress)
    return Assignment(
        "pixels",
        groups.kept[best],
        # A picture with the bytes of another one is to the kept one what that is.
        PairVerdicts(groups.verdicts.kinds[best], groups.verdicts.shares[best]),
        int(pictures.seen.sum()),
        verifier.pairs_compared,
    )


def _same_content(ranked: RankedImages) -> Ranks:
    """Return for each image, (n,) int32, the rank of the best copy with the same content."""
    ranks = np.arange(len(ranked), dtype=np.int32)
    shared = np.flatnonzero(ranked.contents >= 0)
    _, first, which = np.unique(ranked.contents[shared], return_index=True, return_inverse=True)
    ranks[shared] = shared[first][which]
    return ranks
