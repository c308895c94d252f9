"""The command ``compact``: the living rows into one segment, and the FAISS base anew over them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vecsearch.index.base import FLAT, add_rows, new_base, write_base
from vecsearch.store.locate import only_index
from vecsearch.store.segments import Halves, living_blocks
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.writer import Writer, open_writer
from vecsearch.types import Progress

STALE_SHARE: Final = 0.1
"""All is compacted when more than this share of the FAISS base's rows came after it or died."""

MANY_SEGMENTS: Final = 64
"""With so many segments behind the base, these are made one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactReport:
    """What a compaction did: the sizes of all files that count, before and after."""

    index: Path
    total: int
    size_before_bytes: int
    size_bytes: int
    seconds: float


def compact(index: str | Path | None = None, *, progress: Progress | None = None) -> CompactReport:
    """Take what was removed or replaced out of the index's files, and fold in what was added.

    An index that has nothing of the kind is left as it is. Raises IndexFolderError and its kin.
    """
    start = time.monotonic()
    folder = Path(index) if index is not None else only_index()
    with open_writer(folder) as writer:
        before = _size_bytes(folder)
        with closing(Snapshot(folder)) as snapshot:
            if is_stale(snapshot, share=0.0) or len(snapshot.segments) > 1:
                compact_all(writer, snapshot, progress)
        total = writer.generation().image_count
    return CompactReport(
        index=folder,
        total=total,
        size_before_bytes=before,
        size_bytes=_size_bytes(folder),
        seconds=time.monotonic() - start,
    )


def compact_if_due(writer: Writer, progress: Progress | None = None) -> None:
    """Compact when so much has gathered that it pays: each row is copied a few times at most."""
    with closing(Snapshot(writer.folder)) as snapshot:
        base_end = snapshot.generation.ann_end
        if is_stale(snapshot, share=STALE_SHARE):
            compact_all(writer, snapshot, progress)
        elif sum(one.first_row >= base_end for one in snapshot.segments) > MANY_SEGMENTS:
            writer.compact(
                base_end,
                living_blocks(snapshot.segments, snapshot.dead_rows, base_end),
                snapshot.living_count(base_end),
                None,
            )


def is_stale(snapshot: Snapshot, share: float) -> bool:
    """Tell whether more than *share* of the base's rows came after it or died."""
    generation = snapshot.generation
    if generation.ann is None:
        return bool(snapshot.segments)
    changed = snapshot.living_count(generation.ann_end) + snapshot.died_since_base()
    return changed > share * (generation.ann_end - generation.ann_first)


def compact_all(writer: Writer, snapshot: Snapshot, progress: Progress | None) -> None:
    """Copy all living rows into one segment and make the FAISS base over it."""
    total = snapshot.living_count()
    base = new_base(snapshot.dim)

    def blocks() -> Iterator[Halves]:
        done = 0
        for block in living_blocks(snapshot.segments, snapshot.dead_rows):
            add_rows(base, block)
            yield block
            done += len(block)
            if progress:
                progress("indexing", done, total)

    writer.compact(0, blocks(), total, lambda write: write_base(base, write), FLAT)


def _size_bytes(folder: Path) -> int:
    with closing(Snapshot(folder)) as snapshot:
        return sum(record.size_bytes for record in snapshot.files())
