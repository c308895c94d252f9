"""The command ``list``: the images of an index, chosen and sorted."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from vecsearch.arguments import check_fields
from vecsearch.embed.words import Words
from vecsearch.errors import UsageError
from vecsearch.search.index_reader import IndexReader
from vecsearch.search.missing_dates import dates_of, dates_read
from vecsearch.search.period import Moment
from vecsearch.search.query_options import ImageFilter
from vecsearch.store.lookups import SortKey
from vecsearch.types import Image, ListedImage, local_time

SORTS: Final = ("id", "path", "taken", "size")

_COLUMNS: Final = {"id": "images.id", "path": "path", "size": "size_bytes", "taken": "taken"}
_BLOCK: Final = 500
"""The number of images that are looked up together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """Which images to list, and in which order.

    ``under``, ``glob``, ``since`` and ``until`` choose as in `ImageFilter`. ``sort`` is by ``id``,
    ``path`` (byte by byte), ``taken`` (the date in the metadata, else that of the file) or ``size``
    in bytes; what is equal is by id. At most ``limit`` are listed, the first of the order, which
    may be ``reverse``, after ``offset`` others. ``words`` adds the likeliest words. Without
    ``dates`` none are read from files for an index that lacks them, unless they choose or sort.
    """

    under: str | Path | Sequence[str | Path] = ()
    glob: str | Sequence[str] = ()
    since: Moment | None = None
    until: Moment | None = None
    sort: str = "id"
    reverse: bool = False
    limit: int | None = None
    offset: int = 0
    words: bool = False
    dates: bool = True

    def __post_init__(self) -> None:
        """Raise UsageError for values that make no sense."""
        check_fields(self)
        if self.sort not in SORTS:
            raise UsageError(f"unknown order {self.sort!r}", hint=f"known are {', '.join(SORTS)}")
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"the limit is {self.limit}", hint="list at least 1 image")
        if self.limit is not None and self.limit > sys.maxsize:
            raise UsageError(f"the limit is {self.limit}", hint="leave it out to list all")
        if not 0 <= self.offset <= sys.maxsize:
            raise UsageError(f"the offset is {self.offset}", hint="give how many to pass over")
        self.filter.check()

    @property
    def filter(self) -> ImageFilter:
        """Which images are listed."""
        return ImageFilter(under=self.under, glob=self.glob, since=self.since, until=self.until)


def list_images(
    reader: IndexReader, words: Words | None, options: ListOptions
) -> Iterator[ListedImage]:
    """List images, a block at a time, so that those of a large index are not all in memory.

    Raises NotFoundError if none is chosen.
    """
    for block in _blocks(reader, options):
        rows = np.array([image.row for image in block], np.int64)
        if options.dates:
            dates = dates_of(reader.snapshot, block)
        else:
            dates = {image.row: image.taken or "" for image in block}
        guesses = words.guess(reader.gather(rows)) if words else [()] * len(block)
        for image, own in zip(block, guesses, strict=True):
            yield ListedImage(
                id=image.id,
                path=image.path,
                width=image.width,
                height=image.height,
                size_bytes=image.size_bytes,
                mtime_ns=image.mtime_ns,
                taken=dates[image.row],
                words=own,
                has_file=image.has_file,
                content_hash=image.content_hash,
            )


def _blocks(reader: IndexReader, options: ListOptions) -> Iterator[list[Image]]:
    snapshot = reader.snapshot
    if options.sort == "id" and not (options.filter or options.reverse or options.offset):
        images = islice(snapshot.images(), options.limit)
        while block := list(islice(images, _BLOCK)):
            yield block
        return
    rows = _sorted_rows(reader, options)
    for start in range(0, len(rows), _BLOCK):
        part = rows[start : start + _BLOCK]
        found = snapshot.images_by_row(part)
        yield [found[row] for row in part]


def _sorted_rows(reader: IndexReader, options: ListOptions) -> list[int]:
    snapshot = reader.snapshot
    chosen = None
    if options.filter:
        from vecsearch.search.filters import chosen_rows

        chosen = chosen_rows(snapshot, options.filter).tolist()
    keys: list[SortKey]
    if options.sort == "taken":
        read = dates_read(snapshot)
        times = {row: time_ns for time_ns, _, row in snapshot.sort_keys("mtime_ns", chosen)}
        keys = [
            (read.get(row) or taken or local_time(times[row]), number, row)
            for taken, number, row in snapshot.sort_keys("taken", chosen)
        ]
    else:
        keys = snapshot.sort_keys(_COLUMNS[options.sort], chosen)
    keys.sort(reverse=options.reverse)
    stop = None if options.limit is None else options.offset + options.limit
    return [row for _, _, row in keys[options.offset : stop]]
