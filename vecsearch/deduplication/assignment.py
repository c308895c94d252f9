"""Which pictures are copies of which, by bytes, by cosine or by pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from vecsearch.deduplication.candidate_pairs import find_candidate_pairs
from vecsearch.deduplication.greedy_groups import GreedyGroups, same_content
from vecsearch.deduplication.ranked_images import Numbers, RankedImages
from vecsearch.deduplication.ranked_vectors import RankedVectors
from vecsearch.deduplication.scaled_pictures import ScaledPictures
from vecsearch.deduplication.verified_groups import VerifiedGroups
from vecsearch.deduplication.verifier import (
    EDITED,
    NEAR,
    NONE,
    SIMILAR,
    PairVerdicts,
    Verifier,
)
from vecsearch.embed.backbones.backbone import CopyCosines
from vecsearch.search.index_reader import IndexReader
from vecsearch.types import Progress


@dataclass(frozen=True, slots=True)
class Assignment:
    """For each image by rank, the one that is ``kept`` in its place, and what it is to that.

    ``kept`` (n,) int32 are ranks, ``found`` the kind of each, of which bytes are no part, and the
    share of it that agrees. ``looked_at`` pictures were read, ``pairs`` of them compared.
    """

    by: Literal["bytes", "cosine", "pixels"]
    kept: Numbers
    found: PairVerdicts
    looked_at: int = 0
    pairs: int = 0


def assign_by_content(ranked: RankedImages) -> Assignment:
    """Relate files with the same bytes."""
    return Assignment("bytes", same_content(ranked), _all(len(ranked), NONE))


def assign_by_cosine(
    opened: IndexReader,
    ranked: RankedImages,
    vectors: RankedVectors,
    threshold: float,
    progress: Progress | None,
) -> Assignment:
    """Relate pictures with a cosine of *threshold*, or the same bytes; raises IndexDamagedError."""
    stars = GreedyGroups(opened, ranked, vectors, threshold)
    stars.find(progress)
    return Assignment("cosine", stars.kept, _all(len(ranked), SIMILAR))


def assign_by_pixels(
    opened: IndexReader,
    ranked: RankedImages,
    vectors: RankedVectors,
    cosines: CopyCosines,
    edited: bool,
    progress: Progress | None,
) -> Assignment:
    """Relate pictures whose pixels agree, or that have the same bytes.

    Without *edited*, their pixels must agree all over. Where no picture can be looked at, they are
    related by cosine. Raises IndexDamagedError.
    """
    best = same_content(ranked)
    order = np.flatnonzero(best == np.arange(len(ranked))).astype(np.int32)
    looks = ScaledPictures(opened, ranked)
    looks.read(order, progress)
    if not looks.readable.any():
        # Not as by a cosine that someone gave: nothing of this is moved without being told to.
        return replace(
            assign_by_cosine(opened, ranked, vectors, cosines.alone, progress), by="pixels"
        )
    pairs = find_candidate_pairs(opened, ranked, vectors, looks, order, cosines.candidate, progress)
    look = Verifier(looks, vectors, cosines.alone, ranked.exclusions)
    linked = VerifiedGroups(len(ranked), pairs, look.compare)
    linked.find(frozenset((NEAR, EDITED, SIMILAR) if edited else (NEAR,)), progress)
    kept, what = linked.kept, linked.what
    # What has the bytes of another picture is to the kept one what that is.
    return Assignment(
        "pixels",
        kept[best],
        PairVerdicts(what.kinds[best], what.shares[best]),
        int(looks.seen.sum()),
        look.pairs_seen,
    )


def _all(count: int, kind: int) -> PairVerdicts:
    return PairVerdicts(np.full(count, kind, np.int8), np.zeros(count, np.float32))
