"""Which images may be hits: those of some folders, names and dates."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import reduce
from pathlib import Path
from typing import Final

import numpy as np

from vecsearch.errors import NotFoundError
from vecsearch.images.patterns import PathPattern, seen_from
from vecsearch.images.sources.scan import after, below
from vecsearch.paths import real_path
from vecsearch.search.missing_dates import dates_read
from vecsearch.search.query_options import ImageFilter
from vecsearch.spelling import spellings
from vecsearch.store.stored_images import StoredImages
from vecsearch.types import Rows, UrlPath, absolute_path, path_of

_PATHS: Final = "paths are relative to the current folder; vecsearch list shows those it has"
_DATES: Final = "vecsearch list --sort taken shows the dates that it has"

_ROOT: Final = os.fsencode(os.sep)

_Span = tuple[bytes, bytes | None]


def chosen_rows(snapshot: StoredImages, chosen: ImageFilter) -> Rows:
    """Find the rows, sorted, of the images that *chosen* leaves; it must not be empty.

    Raises NotFoundError where a path, a pattern or the dates match no image, and where no image
    matches all of them.
    """
    under, patterns = chosen.folders, chosen.patterns
    lying = [_checked(snapshot, _below(snapshot, path), f"below {path}") for path in under]
    called = [_checked(snapshot, _matching(snapshot, one), f"like {one}") for one in patterns]
    parts = {
        f"below {_either(under)}": lying,
        f"that is like {_either(patterns)}": called,
    }
    if chosen.has_dates:
        when = _written(chosen)
        parts[when] = [_checked(snapshot, _dated(snapshot, chosen), when, _DATES)]
    united = {what: np.unique(np.concatenate(rows)) for what, rows in parts.items() if rows}
    left = reduce(lambda one, other: np.intersect1d(one, other, True), united.values())
    return _checked(snapshot, left, " ".join(united), _DATES if chosen.has_dates else _PATHS)


def _checked(snapshot: StoredImages, rows: Rows, what: str, hint: str = _PATHS) -> Rows:
    if not len(rows):
        raise NotFoundError(
            f"{snapshot.folder} has no image {what}", hint=hint, path=snapshot.folder
        )
    return rows


def _written(chosen: ImageFilter) -> str:
    bounds = {"since": chosen.since, "until": chosen.until}
    told = [f"{name} {bound}" for name, bound in bounds.items() if bound is not None]
    return f"taken {' '.join(told)}"


def _dated(snapshot: StoredImages, chosen: ImageFilter) -> Rows:
    """Find the rows of the images that were taken in a time."""
    from vecsearch.search.period import period_of

    period = period_of(chosen.since, chosen.until)
    (start, end), times_ns = period.texts, period.times_ns
    read = dates_read(snapshot)
    rows = set(snapshot.rows_taken(start, end, *times_ns))
    rows.difference_update(row for row, taken in read.items() if taken)
    rows.update(row for row, taken in read.items() if taken and start <= taken < end)
    return np.unique(np.array(list(rows), np.int64))


def _either(texts: Sequence[str | Path]) -> str:
    return " or ".join(map(str, texts))


def _below(snapshot: StoredImages, given: str | Path) -> Rows:
    """Find the rows of the images below a folder, a tar or a URL, or at that very path."""
    root = absolute_path(given)
    name = os.fsencode(root)
    exact = os.fsencode(path_of(os.fspath(given)))
    rows = [*_between(snapshot, _span(name)), *_between(snapshot, (exact, exact + b"\0"))]
    rows.extend(_between(snapshot, (name, name + b"\0")))
    # Ids of an import may be relative, and are then meant from here.
    here = Path.cwd()
    if not isinstance(root, UrlPath):
        if here.is_relative_to(root):
            rows.extend(row for row, _ in _relative(snapshot))
        elif root.is_relative_to(here):
            name = os.fsencode(root.relative_to(here))
            for one in (name, b"./" + name):
                for span in (_span(one), (one, one + b"\0")):
                    rows.extend(_between(snapshot, span))
        if not rows and (real := real_path(root)) != root:  # through a link
            return _below(snapshot, real)
        if not rows:  # gone from the disk, which would have told the spelling
            for other in map(os.fsencode, spellings(str(root))):
                rows.extend(_between(snapshot, _span(other)))
                rows.extend(_between(snapshot, (other, other + b"\0")))
    return np.unique(np.array(rows, np.int64))


def _matching(snapshot: StoredImages, text: str) -> Rows:
    """Find the rows of the images whose path or name a pattern matches."""
    pattern = PathPattern.of(text)
    here = str(Path.cwd())
    start = os.fsencode(pattern.start)
    images = [snapshot.paths_between(start, after(start) if start else None)]
    if start and "://" not in pattern.start:
        images.append(_relative(snapshot))
    rows = [
        row
        for some in images
        for row, path in some
        if pattern.matches(seen_from(here, os.fsdecode(path)))
    ]
    return np.unique(np.array(rows, np.int64))


def _relative(snapshot: StoredImages) -> Iterator[tuple[int, bytes]]:
    """Return row and path of the images whose path is relative, as ids of an import may be."""
    for span in ((b"", _ROOT), (after(_ROOT), None)):
        for row, path in snapshot.paths_between(*span):
            if b"://" not in path:
                yield row, path


def _span(folder: bytes) -> _Span:
    start = below(folder)
    return start, after(start)


def _between(snapshot: StoredImages, span: _Span) -> list[int]:
    return snapshot.rows_between(*span)
