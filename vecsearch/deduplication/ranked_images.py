"""All images of an index from the best copy to the worst, in a few dozen bytes each."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.deduplication.arrays import Ranks
from vecsearch.deduplication.exclusions import Exclusions, find_exclusions
from vecsearch.deduplication.keep_patterns import KeepPatterns
from vecsearch.images.sources.access import stat_file
from vecsearch.search.index_reader import IndexReader
from vecsearch.types import Image, Progress, Rows, UrlPath

_LOOKED_AT: Final = 4096
_DIGEST_BYTES: Final = 16

THERE, CHANGED, GONE = range(3)


@dataclass(frozen=True, slots=True)
class RankedImages:
    """Images by rank, from the best, 0, to the worst.

    ``rows`` (n,) int64 is where their vectors lie. ``contents`` (n,) int32 has one number for all
    files of one content, -1 for a file that is like no other. ``files`` (n,) int8 tells whether the
    file is `THERE` as it was indexed, `CHANGED` or `GONE`; files behind a URL, and those of
    imported vectors that were never seen, count as there. ``places`` (n,) int32 is the number of
    the first pattern of *keep* that matches, or the number of patterns. ``exclusions`` are the
    pairs that the user has said are not copies.
    """

    rows: Rows
    contents: Ranks
    files: npt.NDArray[np.int8]
    places: Ranks
    exclusions: Exclusions

    def __len__(self) -> int:
        """Count the images."""
        return len(self.rows)


def rank_images(
    opened: IndexReader, progress: Progress | None = None, *, keep: Sequence[str] = ()
) -> RankedImages:
    """Read the catalog, check every file, and order the images.

    The best copy is the one that the first pattern of *keep* matches, or the next one; of these the
    one with the most pixels, then the largest file, then the oldest, then the one with the least
    id. A file that has changed comes after all that have not, one that is gone after these. Raises
    NotFoundError for a pattern that matches none, UsageError, IndexFolderError or a subclass.
    """
    ids, rows, pixels, sizes, times, places = (array("q") for _ in range(6))
    files = array("b")
    marks = bytearray()
    total = len(opened)
    patterns = KeepPatterns(keep)
    pairs = opened.snapshot.apart()
    hashes: dict[bytes, list[int]] = {one: [] for pair in pairs for one in pair}
    for number, image in enumerate(opened.snapshot.images(), start=1):
        places.append(patterns.place_of(image))
        if image.content_hash in hashes:
            hashes[image.content_hash].append(number - 1)
        ids.append(image.id)
        rows.append(image.row)
        pixels.append(image.width * image.height)
        sizes.append(image.size_bytes)
        times.append(image.mtime_ns)
        files.append(_look_at(image))
        marks += image.content_hash[-_DIGEST_BYTES:].rjust(_DIGEST_BYTES, b"\0")
        if progress and (number % _LOOKED_AT == 0 or number == total):
            progress("looking at files", number, total)
    patterns.check_all_seen(opened.snapshot.folder)
    kept_first = _view(places), np.frombuffer(files, np.int8)
    order = np.lexsort((_view(ids), _view(times), -_view(sizes), -_view(pixels), *kept_first))
    ranked_rows = _view(rows)[order]
    ranks = np.empty(len(order), np.intp)
    ranks[order] = np.arange(len(order))
    exclusions = find_exclusions({one: some for one, some in hashes.items() if some}, ranks, pairs)
    return RankedImages(
        ranked_rows,
        _contents(opened, ranked_rows, np.frombuffer(bytes(marks), "<u8").reshape(-1, 2)[order]),
        np.frombuffer(files, np.int8)[order],
        _view(places)[order].astype(np.int32),
        exclusions,
    )


def is_of_vector(image: Image, halves: npt.NDArray[np.float16]) -> bool:
    """Return whether the image's content hash is that of its vector, as an import writes it."""
    row = np.ascontiguousarray(halves, "<f2").tobytes()
    return hashlib.sha256(row).digest()[:_DIGEST_BYTES] == image.content_hash


def _look_at(image: Image) -> int:
    if isinstance(image.path, UrlPath) or not image.has_file:
        return THERE
    try:
        facts = stat_file(image.path)
    except (OSError, ValueError):  # ValueError: a path with a null byte
        return GONE
    return THERE if facts == (image.size_bytes, image.mtime_ns) else CHANGED


def _view(numbers: array[int]) -> npt.NDArray[np.int64]:
    return np.frombuffer(numbers, np.int64)


def _contents(opened: IndexReader, rows: Rows, marks: npt.NDArray[np.uint64]) -> Ranks:
    """Number the contents that several files have."""
    contents = np.full(len(rows), -1, np.int32)
    order = np.lexsort((marks[:, 1], marks[:, 0]))
    same = (marks[order[1:]] == marks[order[:-1]]).all(axis=1)
    twins = np.zeros(len(rows), np.bool_)
    twins[1:] |= same
    twins[:-1] |= same
    numbers = np.cumsum(np.concatenate([[True], ~same])[: len(rows)])
    contents[order[twins]] = numbers[twins]
    shared = np.flatnonzero(contents >= 0)
    for start in range(0, len(shared), _LOOKED_AT):
        ranks = shared[start : start + _LOOKED_AT]
        images = opened.snapshot.images_by_row(rows[ranks].tolist())
        for rank in ranks.tolist():
            row = rows[rank : rank + 1]
            if is_of_vector(images[int(row[0])], opened.gather(row)[0].astype(np.float16)):
                contents[rank] = -1
    return contents
