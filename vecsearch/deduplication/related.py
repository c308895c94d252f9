"""Which pictures are copies of which, by bytes, by cosine or by pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from vecsearch.deduplication.candidates import find_candidates
from vecsearch.deduplication.greedy_groups import GreedyGroups, same_content
from vecsearch.deduplication.linkage import Linked
from vecsearch.deduplication.pixels import Looks
from vecsearch.deduplication.ranks import Numbers, Ranked
from vecsearch.deduplication.second_look import (
    EDITED,
    NEAR,
    NONE,
    SIMILAR,
    Found,
    SecondLook,
)
from vecsearch.deduplication.unit_rows import UnitRows
from vecsearch.embed.backbones.backbone import CopyCosines
from vecsearch.search.index_reader import IndexReader
from vecsearch.types import Progress


@dataclass(frozen=True, slots=True)
class Related:
    """For each image by rank, the one that is ``kept`` in its place, and what it is to that.

    ``kept`` (n,) int32 are ranks, ``found`` the kind of each, of which bytes are no part, and the
    share of it that agrees. ``looked_at`` pictures were read, ``pairs`` of them compared.
    """

    by: Literal["bytes", "cosine", "pixels"]
    kept: Numbers
    found: Found
    looked_at: int = 0
    pairs: int = 0


def by_content(ranked: Ranked) -> Related:
    """Relate files with the same bytes."""
    return Related("bytes", same_content(ranked), _all(len(ranked), NONE))


def by_cosine(
    opened: IndexReader,
    ranked: Ranked,
    vectors: UnitRows,
    threshold: float,
    progress: Progress | None,
) -> Related:
    """Relate pictures with a cosine of *threshold*, or the same bytes; raises IndexDamagedError."""
    stars = GreedyGroups(opened, ranked, vectors, threshold)
    stars.find(progress)
    return Related("cosine", stars.kept, _all(len(ranked), SIMILAR))


def by_pixels(
    opened: IndexReader,
    ranked: Ranked,
    vectors: UnitRows,
    cosines: CopyCosines,
    edited: bool,
    progress: Progress | None,
) -> Related:
    """Relate pictures whose pixels agree, or that have the same bytes.

    Without *edited*, their pixels must agree all over. Where no picture can be looked at, they are
    related by cosine. Raises IndexDamagedError.
    """
    best = same_content(ranked)
    order = np.flatnonzero(best == np.arange(len(ranked))).astype(np.int32)
    looks = Looks(opened, ranked)
    looks.read(order, progress)
    if not looks.readable.any():
        # Not as by a cosine that someone gave: nothing of this is moved without being told to.
        return replace(by_cosine(opened, ranked, vectors, cosines.alone, progress), by="pixels")
    pairs = find_candidates(opened, ranked, vectors, looks, order, cosines.candidate, progress)
    look = SecondLook(looks, vectors, cosines.alone, ranked.apart)
    linked = Linked(len(ranked), pairs, look.compare)
    linked.find(frozenset((NEAR, EDITED, SIMILAR) if edited else (NEAR,)), progress)
    kept, what = linked.kept, linked.what
    # What has the bytes of another picture is to the kept one what that is.
    return Related(
        "pixels",
        kept[best],
        Found(what.kinds[best], what.shares[best]),
        int(looks.seen.sum()),
        look.pairs_seen,
    )


def _all(count: int, kind: int) -> Found:
    return Found(np.full(count, kind, np.int8), np.zeros(count, np.float32))
