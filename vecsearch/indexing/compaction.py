"""Compaction: live rows into few large segments, each with a FAISS base."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import Final

import numpy as np

from vecsearch.ann.base import make_base, write_base
from vecsearch.ann.recipes import Recipe, choose_recipe
from vecsearch.ann.settings import SearchSettings
from vecsearch.ann.tuning import tune, tuning_queries
from vecsearch.store.change import Compaction, NewBase
from vecsearch.store.segments import BLOCK_BYTES, Segment, live_blocks
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.writer import Writer
from vecsearch.types import Float16Vectors, Progress, Rows

STALE_SHARE: Final = 0.1
"""Unsettled segments are compacted if this share of the rows of FAISS bases is deleted or new."""

UNCOVERED_BYTES: Final = 128 << 20
"""More than this without a base is always compacted: exact search of it takes 6 ms."""

MANY_SEGMENTS: Final = 64
"""More segments than this without a base are merged into one."""

SEGMENT_BYTES: Final = 2 << 30
"""The size of the largest segment, so that making its base takes bounded memory."""

HELD_OUT: Final = 1000
"""How many rows of a segment are kept out of an approximate base, to measure it."""

LEAST_STRIDE: Final = 10
"""At most one row in this many is held out."""


def compact_if_due(writer: Writer, progress: Progress | None = None) -> None:
    """Compact if it is worth the work: each row is copied a few times at most."""
    with closing(Snapshot(writer.folder)) as snapshot:
        uncovered = [one for one in snapshot.segments if one.first_row not in snapshot.bases]
        if _is_due(snapshot):
            compact_segments(writer, snapshot, _unsettled(snapshot), progress)
        elif len(uncovered) > MANY_SEGMENTS:
            blocks = live_blocks(uncovered, snapshot.deleted_rows)
            count = sum(snapshot.live_count(one) for one in uncovered)
            writer.compact(Compaction(uncovered, blocks, count))


def compact_segments(
    writer: Writer,
    snapshot: Snapshot,
    segments: Sequence[Segment],
    progress: Progress | None,
    *,
    segment_bytes: int = SEGMENT_BYTES,
    block_bytes: int = BLOCK_BYTES,
) -> None:
    """Copy the live rows of *segments* into large ones, each with its FAISS base.

    Each of these is committed by itself, so what was done before a kill is not done again.
    """
    for number, group in enumerate(_groups(snapshot, segments, segment_bytes)):
        rows = sum(snapshot.live_count(one) for one in group)
        recipe = choose_recipe(snapshot.recipe, rows, snapshot.dim)
        stride = 0 if recipe.is_exact else max(LEAST_STRIDE, rows // HELD_OUT)
        writer.compact(
            Compaction(
                replaced=group,
                blocks=_ordered(group, snapshot.deleted_rows, stride, block_bytes),
                row_count=rows,
                make_base=partial(_make_base, recipe, snapshot.recall, progress),
                held_stride=stride,
                forget=number == 0,
            )
        )


def _make_base(
    recipe: Recipe,
    target: float,
    progress: Progress | None,
    rows: Float16Vectors,
    held: Float16Vectors,
) -> NewBase:
    """Make and tune the base over *rows*; *held* are the rows of the segment that it lacks."""
    base = make_base(rows, recipe.factory, progress)
    settings = SearchSettings()
    if not recipe.is_exact:
        settings = tune(base, rows, tuning_queries(held), target, progress)
    return NewBase(recipe.factory, settings.to_json(), partial(write_base, base))


def _ordered(
    segments: Sequence[Segment], deleted_rows: Rows, stride: int, block_bytes: int
) -> Iterator[Float16Vectors]:
    """Read the live rows, those to be held out after the others, in a second round."""
    if not stride:
        yield from live_blocks(segments, deleted_rows, block_bytes)
        return
    for held in (False, True):
        seen = 0
        for block in live_blocks(segments, deleted_rows, block_bytes):
            chosen = (np.arange(len(block)) + seen) % stride == 0
            seen += len(block)
            yield block[chosen == held]


def _groups(
    snapshot: Snapshot, segments: Sequence[Segment], segment_bytes: int
) -> Iterator[list[Segment]]:
    """Divide *segments* into groups that each make one segment, about as large as they may be."""
    group: list[Segment] = []
    rows = 0
    for segment in segments:
        live = snapshot.live_count(segment)
        if group and rows + live > most_rows(snapshot.dim, segment_bytes):
            yield group
            group, rows = [], 0
        group.append(segment)
        rows += live
    if group:
        yield group


def _unsettled(snapshot: Snapshot, segment_bytes: int = SEGMENT_BYTES) -> list[Segment]:
    """List the segments that a compaction would change for the better."""
    return [one for one in snapshot.segments if not _is_settled(snapshot, one, segment_bytes)]


def improvable(snapshot: Snapshot, segment_bytes: int = SEGMENT_BYTES) -> list[Segment]:
    """List the unsettled segments, if anything in them is deleted, uncovered or could be merged."""
    segments = _unsettled(snapshot, segment_bytes)
    most = most_rows(snapshot.dim, segment_bytes)
    if len(segments) == 1 and len(segments[0].halves) <= most:
        (one,) = segments
        base = snapshot.bases.get(one.first_row)
        wanted = choose_recipe(snapshot.recipe, len(one.halves), snapshot.dim).factory
        if base and base.recipe == wanted and not snapshot.deleted_count(one):
            return []
    return segments


def _is_settled(snapshot: Snapshot, segment: Segment, segment_bytes: int) -> bool:
    """Return whether *segment* is large, has its base as asked for, and few deleted rows."""
    base = snapshot.bases.get(segment.first_row)
    rows, deleted = len(segment.halves), snapshot.deleted_count(segment)
    most = most_rows(snapshot.dim, segment_bytes)
    if base is None or 2 * rows <= most or deleted > STALE_SHARE * rows:
        return False
    return base.recipe == choose_recipe(snapshot.recipe, rows, snapshot.dim).factory


def _is_due(snapshot: Snapshot) -> bool:
    """Return whether much is searched without a base, or much of the bases is deleted."""
    covered = stale = uncovered = 0
    for segment in snapshot.segments:
        if segment.first_row in snapshot.bases:
            covered += len(segment.halves)
            stale += snapshot.deleted_count(segment)
        else:
            uncovered += snapshot.live_count(segment)
    too_many = 2 * uncovered * snapshot.dim > UNCOVERED_BYTES
    return too_many or uncovered + stale > STALE_SHARE * covered


def most_rows(dim: int, segment_bytes: int = SEGMENT_BYTES) -> int:
    """Return how many rows of *dim* dimensions a segment may have."""
    return max(1, segment_bytes // (2 * dim))
