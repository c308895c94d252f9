"""What is found in a source of pictures, in the order of the paths and a chunk at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

SUFFIXES: Final = frozenset(
    b".apng .avif .bmp .dib .gif .ico .j2k .jfif .jp2 .jpe .jpeg .jpg .mpo .pbm .pcx .pgm .png "
    b".pnm .ppm .qoi .rgb .sgi .tga .tif .tiff .webp".split()
)
"""Endings, in any case, by which a file is taken for a picture."""

CHUNK: Final = 8192
"""How many files are handed on at a time."""

SEPARATOR: Final = os.fsencode(os.sep)

Entry = tuple[bytes, int, int]
"""A file: its absolute path as bytes, for names need not be text, size in bytes, mtime in ns."""

Region = tuple[bytes, Iterator[list[Entry]]]
"""What the paths of some files begin with, and these files, sorted by path, in chunks."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that should be a picture; ``path`` is absolute, as bytes."""

    path: bytes
    size_bytes: int
    mtime_ns: int

    def as_path(self) -> Path:
        """Give ``path`` as the rest of the world wants it; undecodable bytes survive."""
        return Path(os.fsdecode(self.path))


@dataclass(slots=True)
class Scan:
    """A source that is to be looked through, and what there was that could not be looked at.

    *walk* gives its files, in as many regions as it takes, and fills in ``unreadable`` (paths, and
    why) and ``apart`` (beginnings of paths whose files come in regions of their own) before it goes
    past them. ``gone`` marks a root that is meant to have gone.
    """

    root: Path
    walk: Callable[[Scan], Iterable[Region]]
    unreadable: list[tuple[bytes, str]] = field(default_factory=list)
    apart: set[bytes] = field(default_factory=set)
    gone: bool = False

    def regions(self) -> Iterator[Region]:
        """Walk once."""
        yield from self.walk(self)

    def is_hidden(self, region: bytes) -> Callable[[bytes], bool]:
        """Give the test whether *region* tells nothing about a path in it.

        That is so below what could not be read, and where another region begins.
        """
        unreadable = {path for path, _ in self.unreadable}
        hidden = tuple(below(path) for path in unreadable) + tuple(
            other for other in self.apart if other != region and other.startswith(region)
        )
        return lambda path: path in unreadable or path.startswith(hidden)


def below(folder: bytes) -> bytes:
    """Give what the paths of all files below *folder* begin with."""
    return folder.rstrip(SEPARATOR) + SEPARATOR


def after(prefix: bytes) -> bytes:
    """Give the least path that is greater than all that begin with *prefix*."""
    return prefix[:-1] + bytes([prefix[-1] + 1])


def is_picture(name: bytes) -> bool:
    """Tell by its ending whether a file is taken for a picture."""
    return name[name.rfind(b".") :].lower() in SUFFIXES
