"""Dates of pictures that were indexed before an index kept dates: read from the files, once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from vecsearch.errors import ImageError, VecsearchError
from vecsearch.images.sources.access import stat_file
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.stored_images import StoredImages
from vecsearch.types import Image, Progress, UrlPath

_AT_A_TIME = 5000
"""The number of dates that are stored together: they are kept if the rest is interrupted."""


def dates_read(stored: StoredImages, progress: Progress | None = None) -> Mapping[int, str]:
    """Read all dates that the catalog lacks, and return those that it lacks still, by row.

    They are stored, where the folder can be written and nobody else is writing. Nothing is read of
    a file that is gone, cannot be read, or is not what was indexed.
    """
    found: dict[int, str] = {}
    for first, snapshot in stored.shards():
        found |= {first + row: taken for row, taken in _dates_read(snapshot, progress).items()}
    return found


def dates_of(stored: StoredImages, images: Iterable[Image]) -> dict[int, str]:
    """Return the dates of *images* by row, empty where there is none; missing ones are read."""
    left = sorted(images, key=lambda image: image.row)
    found: dict[int, str] = {}
    for first, snapshot in reversed(stored.shards()):
        own = []
        while left and left[-1].row >= first:
            image = left.pop()
            own.append(replace(image, id=image.id - first, row=image.row - first))
        found |= {first + row: taken for row, taken in _dates_of(snapshot, own).items()}
    return found


def _dates_read(snapshot: Snapshot, progress: Progress | None) -> Mapping[int, str]:
    if snapshot.dates_read is None:
        left: dict[int, str] = {}
        ids = snapshot.undated()
        for start in range(0, len(ids), _AT_A_TIME):
            part = ids[start : start + _AT_A_TIME]
            found = _read(snapshot.images_by_id(part).values(), progress, start, len(ids))
            if not _record(snapshot, found):
                left |= {image.row: taken for image, taken in found}
        snapshot.dates_read = left
    return snapshot.dates_read


def _dates_of(snapshot: Snapshot, images: Sequence[Image]) -> dict[int, str]:
    known = {image.row: image.taken or "" for image in images}
    if lacking := [image for image in images if image.taken is None]:
        read = snapshot.dates_read or {}
        found = _read([image for image in lacking if image.row not in read], None, 0, 0)
        _record(snapshot, found)
        known |= {row: taken for row, taken in read.items() if row in known}
        known |= {image.row: taken for image, taken in found}
    return known


def _read(
    images: Iterable[Image], progress: Progress | None, start: int, total: int
) -> list[tuple[Image, str]]:
    # Those that are gone, on a disk that is not mounted say, are asked for every time: what reads
    # the others is not loaded for them.
    there = [image for image in images if _is_as_indexed(image)]
    found: list[tuple[Image, str]] = []
    if not there:
        return found
    from vecsearch.images.date_taken import date_taken_in
    from vecsearch.images.reader import in_threads

    def read(image: Image) -> tuple[Image, str | None]:
        return image, date_taken_in(image.path)

    for done, (image, taken) in enumerate(in_threads(there, read), start=start + 1):
        if taken is not None:
            found.append((image, taken))
        if progress:
            progress("reading dates", done, total)
    return found


def _is_as_indexed(image: Image) -> bool:
    """Return whether the file of an image is the one that was indexed; no request is made."""
    if isinstance(image.path, UrlPath):
        return False
    try:
        return stat_file(image.path) == (image.size_bytes, image.mtime_ns)
    except (OSError, ValueError, ImageError):
        return False


def _record(snapshot: Snapshot, found: list[tuple[Image, str]]) -> bool:
    """Store dates, and return whether that was possible."""
    from vecsearch.store.writer import open_writer

    if not found:
        return True
    try:
        with open_writer(snapshot.folder) as writer:
            writer.set_dates(found)
    except VecsearchError:
        return False
    return True
