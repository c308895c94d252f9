"""Groups of copies, as `vecsearch.duplicates` returns them, made of an assignment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from vecsearch.deduplication.arrays import Ranks
from vecsearch.deduplication.assignment import Assignment
from vecsearch.deduplication.path_states import path_states
from vecsearch.deduplication.ranked_images import is_of_vector
from vecsearch.deduplication.ranked_vectors import RankedVectors
from vecsearch.deduplication.report import DuplicateCopy, DuplicateGroup, Kind, Why, pixels_of
from vecsearch.deduplication.verifier import EDITED, NEAR, NONE, SIMILAR
from vecsearch.search.index_reader import IndexReader
from vecsearch.types import Image

_LOOKED_UP: Final = 4096
_SCORED: Final = 1024

_KINDS: Final[Mapping[int, Kind]] = {
    NONE: "exact",
    NEAR: "near",
    EDITED: "edited",
    SIMILAR: "similar",
}


def make_groups(
    opened: IndexReader, vectors: RankedVectors, assignment: Assignment
) -> Iterator[DuplicateGroup]:
    """Look up the images of every group, and no others."""
    kept, rows = assignment.kept, vectors.ranked.rows
    copies = np.flatnonzero(kept != np.arange(len(kept)))
    copies = copies[np.argsort(kept[copies], kind="stable")].astype(np.int32)
    keepers, starts = np.unique(kept[copies], return_index=True)
    ends = np.append(starts[1:], len(copies))
    # Some groups at a time, for a look-up has its cost.
    first = 0
    while first < len(keepers):
        last = max(first + 1, int(np.searchsorted(ends, starts[first] + _LOOKED_UP)))
        members = np.concatenate([keepers[first:last], copies[starts[first] : ends[last - 1]]])
        images = opened.snapshot.images_by_row(rows[members].tolist())
        for place in range(first, last):
            ranks = np.append(keepers[place], copies[starts[place] : ends[place]]).astype(np.int32)
            found = [images[row] for row in rows[ranks].tolist()]
            yield _group(opened, vectors, assignment, ranks, found)
        first = last


def _scores(vectors: RankedVectors, ranks: Ranks) -> list[float]:
    """Return the cosines of some images to the first, in float64, so that no order matters."""
    first = vectors.of(ranks[:1])[0].astype(np.float64)
    parts = [
        vectors.of(ranks[start : start + _SCORED]) @ first
        for start in range(0, len(ranks), _SCORED)
    ]
    scores: list[float] = np.clip(np.concatenate(parts), -1.0, 1.0).tolist()
    return scores


def _group(
    opened: IndexReader,
    vectors: RankedVectors,
    assignment: Assignment,
    ranks: Ranks,
    images: Sequence[Image],
) -> DuplicateGroup:
    ranked = vectors.ranked
    states = path_states(images, ranked.files[ranks].tolist(), opened.snapshot.sources())
    scores = _scores(vectors, ranks)
    content = ranked.contents[ranks[0]]
    made = []
    for rank, image, score, state in zip(ranks.tolist(), images, scores, states, strict=True):
        exact = bool(content >= 0 and ranked.contents[rank] == content)
        same = exact or rank == ranks[0]
        kind = "exact" if same else _KINDS[assignment.verdicts.kinds[rank]]
        share = float(assignment.verdicts.shares[rank])
        made.append(
            DuplicateCopy(
                id=image.id,
                path=image.path,
                width=image.width,
                height=image.height,
                size_bytes=image.size_bytes,
                mtime_ns=image.mtime_ns,
                content_hash=_content_of(opened, image),
                score=score,
                exact=exact,
                kind=kind,
                agreement=None if same or kind == "similar" else share,
                state=state,
            )
        )
    kept, *others = made
    freed = sum(one.size_bytes for one in others if one.state == "there")
    preferred = bool(ranked.places[ranks[0]] < ranked.places[ranks[1]])
    why = _why(kept, others[0], preferred=preferred)
    return DuplicateGroup(kept=kept, others=tuple(others), freed_bytes=freed, why=why)


def _why(kept: DuplicateCopy, next_best: DuplicateCopy, *, preferred: bool) -> Why:
    """Return by what the kept picture comes before the best of its copies."""
    if next_best.state in ("changed", "gone") and kept.state != next_best.state:
        return "unchanged"
    if preferred:
        return "preferred"
    if pixels_of(kept) != pixels_of(next_best):
        return "pixels"
    if kept.size_bytes != next_best.size_bytes:
        return "bytes"
    return "oldest" if kept.mtime_ns != next_best.mtime_ns else "first"


def _content_of(opened: IndexReader, image: Image) -> bytes:
    halves = opened.gather(np.array([image.row]))[0].astype(np.float16)
    return b"" if is_of_vector(image, halves) else image.content_hash
