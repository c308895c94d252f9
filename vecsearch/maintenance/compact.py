"""The command ``compact``: deleted rows are dropped from the files, new rows get FAISS bases."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from vecsearch.arguments import checked
from vecsearch.indexing.compaction import SEGMENT_BYTES, compact_segments, improvable
from vecsearch.store.locate import only_index
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.writer import open_writer
from vecsearch.types import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactReport:
    """What a compaction did: the sizes of all files that count, before and after."""

    index: Path
    total: int
    size_before_bytes: int
    size_bytes: int
    seconds: float


@checked
def compact(
    index: str | Path | None = None,
    *,
    segment_bytes: int = SEGMENT_BYTES,
    progress: Progress | None = None,
) -> CompactReport:
    """Drop deleted rows from the index's files, and add new rows to its FAISS bases.

    The vectors are put into files of up to *segment_bytes*. An index without such rows is left as
    it is. Raises IndexFolderError or a subclass.
    """
    start = time.monotonic()
    folder = Path(index) if index is not None else only_index()
    with open_writer(folder) as writer:
        before = _size_bytes(folder)
        with closing(Snapshot(folder)) as snapshot:
            if segments := improvable(snapshot, segment_bytes):
                compact_segments(writer, snapshot, segments, progress, segment_bytes=segment_bytes)
        total = writer.generation().image_count
    return CompactReport(
        index=folder,
        total=total,
        size_before_bytes=before,
        size_bytes=_size_bytes(folder),
        seconds=time.monotonic() - start,
    )


def _size_bytes(folder: Path) -> int:
    with closing(Snapshot(folder)) as snapshot:
        return sum(record.size_bytes for record in snapshot.files())
