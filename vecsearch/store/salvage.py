"""What can still be read of segments that are not what was written."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vecsearch.errors import IndexDamagedError
from vecsearch.store import schema
from vecsearch.store.audit import stored_segments
from vecsearch.store.files import check_file
from vecsearch.store.segments import read_damaged
from vecsearch.store.snapshot import living_images
from vecsearch.types import Image, Vectors


@dataclass(slots=True)
class Salvaged:
    """Of the damaged segments, by their first rows: the images whose row is sound, with their
    vectors (n, d), and the images whose row is lost."""

    first_rows: list[int] = field(default_factory=list)
    sound: list[Image] = field(default_factory=list)
    lost: list[Image] = field(default_factory=list)
    vectors: Vectors | None = None


def salvage(folder: Path) -> Salvaged:
    """Read what is sound in the damaged segments of *folder*, whose catalog is sound."""
    found = Salvaged()
    parts = []
    with closing(schema.open_catalog(folder, writing=False)) as catalog:
        ((dim,),) = schema.fetch(catalog, "SELECT value FROM config WHERE key = 'dim'")
        for segment in stored_segments(catalog):
            halves, damaged = read_damaged(
                folder / segment.record.name, segment.row_count, int(dim)
            )
            if not damaged:
                try:
                    check_file(folder, segment.record, whole=True)
                    continue
                except IndexDamagedError:
                    pass  # in a checksum of a row, and not in a row
            found.first_rows.append(segment.first_row)
            bad = {segment.first_row + place for place in damaged}
            end = segment.first_row + segment.row_count
            living = living_images(catalog, segment.first_row, end)
            sound = [image for image in living if image.row not in bad]
            found.sound.extend(sound)
            found.lost.extend(image for image in living if image.row in bad)
            places = np.array([image.row for image in sound], np.int64) - segment.first_row
            parts.append(halves[places].astype(np.float32))
    if found.sound:
        found.vectors = np.concatenate(parts)
    return found
