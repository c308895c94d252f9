"""What can still be read of segments that are not what was written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from vecsearch.errors import IndexDamagedError
from vecsearch.store import schema
from vecsearch.store.lookups import live_images
from vecsearch.store.records import StoredSegment, read_state
from vecsearch.store.safe_paths import file_path
from vecsearch.store.segments import read_damaged
from vecsearch.store.write_once import check_file
from vecsearch.types import Image, Vectors

_BLOCK_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Salvaged:
    """A run of a damaged segment's rows: the images whose row is sound, with their vectors (n, d),

    and the images whose row is lost. ``first_row`` is the segment's.
    """

    first_row: int
    sound: list[Image]
    vectors: Vectors
    lost: list[Image]


def salvage(folder: Path) -> Iterator[Salvaged]:
    """Read what is sound in the damaged segments of *folder*, whose catalog is sound.

    A run at a time; what is committed of one before the next is read does not matter.
    """
    with closing(schema.open_catalog(folder, writing=False)) as catalog:
        state = read_state(catalog)
        step = max(1, _BLOCK_BYTES // (4 * state.dim))
        for segment in state.segments:
            path = file_path(folder, segment.record.name)
            halves, damaged = read_damaged(path, segment.row_count, state.dim)
            if not damaged and _is_whole(folder, segment):
                continue
            bad = set(damaged)
            for start in range(0, segment.row_count, step):
                first = segment.first_row + start
                end = min(first + step, segment.first_row + segment.row_count)
                live = live_images(catalog, first, end)
                sound = [one for one in live if one.row - segment.first_row not in bad]
                lost = [one for one in live if one.row - segment.first_row in bad]
                places = np.array([one.row for one in sound], np.int64) - segment.first_row
                vectors = halves[places].astype(np.float32)
                yield Salvaged(segment.first_row, sound, vectors, lost)


def _is_whole(folder: Path, segment: StoredSegment) -> bool:
    """Return whether a file is what was written, in the checksums of its rows too."""
    try:
        check_file(folder, segment.record, whole=True)
    except IndexDamagedError:
        return False
    return True
