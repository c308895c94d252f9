"""A scan of a source: the files found in it, in the order of their paths, in chunks."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from vecsearch.images.decoders.formats import has_picture_name, left_out_ending
from vecsearch.images.sources.exclude import Patterns
from vecsearch.images.sources.notes import Excluded
from vecsearch.types import ListName, SourceName, path_of, wanted

UNWANTED: Final = frozenset(
    [
        *(b"@eaDir", b"@Recycle", b"@Recently-Snapshot", b"#recycle", b"#snapshot"),
        *(b"$RECYCLE.BIN", b"System Volume Information", b"__MACOSX", b"lost+found"),
    ]
)
"""Folders in which systems keep thumbnails, copies and what was deleted."""

CHUNK: Final = 8192
"""How many files are handed on at a time."""

SEPARATOR: Final = os.fsencode(os.sep)


class FoundFile(NamedTuple):
    """A file in a listing: its absolute path, as bytes because names need not be text.

    Chunks of them are compared with what SQLite returns, as the tuples that they are.
    """

    path: bytes
    size_bytes: int
    mtime_ns: int

    def as_path(self) -> Path:
        """Return ``path`` as a `Path`; undecodable bytes survive.

        A URL may be fetched: it was found in a source that may be.
        """
        return wanted(path_of(self.path))


Region = tuple[bytes, Iterator[list[FoundFile]]]
"""What the paths of some files begin with, and these files, sorted by path, in chunks."""


@dataclass(slots=True)
class Scan:
    """One scan of a source, prepared or done.

    *walk* returns its files, region by region. Before it passes them, it fills in ``unreadable``
    (paths, with reasons), ``hidden`` (beginnings of paths that could not be read) and ``apart``
    (beginnings of paths whose files come in regions of their own). ``count`` is the number of files
    found; ``gone`` marks a source that may be gone. ``stamp`` is what the index remembers of the
    source; if it stands for the ``whole`` content, a source with the same stamp is not ``walked``.
    ``left_out`` counts, by ending, pictures in formats that are not read here; ``excluded`` counts
    what *exclude* and ignore files left out.
    """

    root: SourceName
    walk: Callable[[Scan], Iterable[Region]]
    unreadable: dict[bytes, str] = field(default_factory=dict)
    hidden: set[bytes] = field(default_factory=set)
    apart: set[bytes] = field(default_factory=set)
    count: int = 0
    gone: bool = False
    stamp: str = ""
    whole: bool = False
    left_out: Counter[str] = field(default_factory=Counter)
    walked: bool = False
    exclude: Patterns = field(default_factory=Patterns)
    excluded: Excluded = field(default_factory=Excluded)

    def takes(self, name: bytes) -> bool:
        """Return whether a file is a picture by its ending; count it if it is left out."""
        if has_picture_name(name):
            return True
        if ending := left_out_ending(name):
            self.left_out[ending] += 1
        return False

    def regions(self) -> Iterator[Region]:
        """Walk once."""
        self.walked = True
        yield from self.walk(self)

    def refuse_below(self, folder: bytes, reason: str) -> None:
        """Record that *folder* and all below it cannot be read."""
        self.unreadable[folder] = reason
        self.hidden.add(below(folder))

    def sees(self, region: bytes) -> Callable[[bytes], bool]:
        """Return the test whether a path in *region* would have been found if it were there.

        Not so below what could not be read, where another region begins, and of pictures in a
        format that another machine reads.
        """
        beginnings = (*self.hidden, *(one for one in self.apart if one.startswith(region)))
        hidden = tuple(one for one in beginnings if one != region or one in self.hidden)
        return lambda path: (
            not (path in self.unreadable or path.startswith(hidden) or left_out_ending(path))
        )


def below(folder: bytes) -> bytes:
    """Return the beginning of the paths of all files below *folder*."""
    return folder.rstrip(SEPARATOR) + SEPARATOR


def region_of(source: SourceName) -> bytes:
    """Return the beginning of the paths of all files in a source; empty for a list."""
    return b"" if isinstance(source, ListName) else below(os.fsencode(source))


def after(prefix: bytes) -> bytes:
    """Return the least path that is greater than all that begin with *prefix*."""
    return prefix[:-1] + bytes([prefix[-1] + 1]) if prefix else b"\xff"


def is_hidden(path: bytes) -> bool:
    """Return whether a relative path has a part that folders leave out."""
    return path.startswith(b".") or (SEPARATOR + b".") in path


def is_unwanted(path: bytes) -> bool:
    """Return whether a part of a relative path is hidden or in `UNWANTED`."""
    return is_hidden(path) or not UNWANTED.isdisjoint(path.split(SEPARATOR))


def is_ordinary(path: bytes) -> bool:
    """Return whether the scan of a folder would find a file under this relative path."""
    in_tar = (b".tar" + SEPARATOR) in path.lower()
    return has_picture_name(path) and not is_hidden(path) and not in_tar


def is_found_in(regions: Iterable[bytes], path: bytes) -> bool:
    """Return whether the scan of a folder, tar or URL with one of these *regions* finds a file."""
    return any(path.startswith(one) and is_ordinary(path[len(one) :]) for one in regions)
