"""Lists of pictures: one path a line, or paths that null bytes end."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final

from vecsearch.errors import SourceError
from vecsearch.images.sources.access import read_content, stat_file
from vecsearch.images.sources.exclude import Patterns
from vecsearch.images.sources.external_sort import sorted_chunks
from vecsearch.images.sources.scan import FoundFile, Region, Scan, below, is_found_in
from vecsearch.images.sources.source import Content, FileStat
from vecsearch.images.sources.utf8 import as_utf8
from vecsearch.types import STANDARD_INPUT, ListName, absolute_path, wanted

_READ_BYTES: Final = 1 << 20
_LONGEST_LINE: Final = 1 << 16
_MOST_BLANK: Final = 1 << 20
_MOST_BYTES: Final = 1 << 32
"""Limits for files that are not lists, which may have no end and no line end."""


@dataclass(frozen=True, slots=True)
class ListSource:
    """A list of pictures, the folder its paths are relative to, and whether null bytes end them.

    With *fetch*, URLs in it may be fetched: the user has named the list.
    """

    root: ListName
    base: Path
    null: bool
    fetch: bool = False

    @classmethod
    def of_stamp(cls, root: ListName, stamp: str) -> ListSource:
        """Return a list that an index knows; *stamp* is what `stamp` returned."""
        kind, _, base = stamp.partition(" ")
        return cls(root, Path(os.fsdecode(bytes.fromhex(base))), kind == "null")

    def stamp(self, exclude: Patterns | None = None) -> str:
        """Return how its lines end and what its paths are relative to."""
        kind = "null" if self.null else "lines"
        return f"{kind} {os.fsencode(self.base).hex()}"

    def scan(self, exclude: Patterns | None = None, others: Sequence[bytes] = ()) -> Scan:
        """Prepare to look at the files that it names, as `scan_lists` does."""
        return scan_lists([self], exclude, others)[0]

    def stat(self, path: Path) -> FileStat:
        """Return the size and time of a picture that it names; raises OSError."""
        return stat_file(path)

    def read(self, path: Path) -> Content:
        """Read a picture that it names; raises ImageError."""
        return read_content(path)


def scan_lists(
    lists: Sequence[ListSource], exclude: Patterns | None = None, others: Sequence[bytes] = ()
) -> list[Scan]:
    """Prepare to look at the files that some lists name: the first scan has those of all.

    Files that the scans of the *others* find are left out. A file counts as a picture whatever its
    name; one that is not there is unreadable. Blank lines are passed over. What matches *exclude*
    is left out: from the folder on that the list's paths are relative to, or the whole path of what
    does not lie there. Files of patterns beside the pictures do not count.
    """
    exclude = exclude or Patterns()
    scans = [Scan(one.root, lambda _: (), stamp=one.stamp(), exclude=exclude) for one in lists]

    def walk(joint: Scan) -> Iterator[Region]:
        files = (_files(*pair, joint, others) for pair in zip(lists, scans, strict=True))
        yield b"", sorted_chunks(chain.from_iterable(files))

    scans[0].walk = walk
    return scans


def _files(
    source: ListSource, own: Scan, joint: Scan, others: Sequence[bytes]
) -> Iterator[FoundFile]:
    base = below(os.fsencode(source.base))
    for line in _lines(source.root, b"\0" if source.null else b"\n"):
        text = os.fsdecode(line)
        path = absolute_path(text if "://" in text else source.base / text)
        path = wanted(path) if source.fetch else path
        name = os.fsencode(path)
        if own.exclude and own.exclude.exclude_file(_seen_from(base, name)):
            own.excluded.count(name, given=True)
            continue
        try:
            facts = stat_file(path)
        except (OSError, ValueError) as error:  # ValueError: a null byte in a line
            joint.unreadable[name] = getattr(error, "strerror", None) or str(error)
            continue
        own.count += 1
        if not is_found_in(others, name):
            yield FoundFile(name, *facts)


def _seen_from(base: bytes, path: bytes) -> bytes:
    """Return what patterns are compared with: the path below a folder, or the whole path."""
    if path.startswith(base):
        return path[len(base) :]
    return path.partition(b"://")[2] or path.lstrip(b"/")


def _lines(source: ListName, end: bytes) -> Iterator[bytes]:
    """Return the lines of a list that are not blank; raises SourceError."""
    with contextlib.ExitStack() as stack:
        try:
            file: BinaryIO
            if source == STANDARD_INPUT:
                file = sys.stdin.buffer
            else:
                file = stack.enter_context(source.file.open("rb"))
            rest = b""
            read = blank = 0
            for block in as_utf8(iter(partial(file.read, _READ_BYTES), b"")):
                *lines, rest = (rest + block).split(end)
                told = [line for line in map(_trimmed(end), lines) if line.strip()]
                read, blank = read + len(block), 0 if told else blank + len(block)
                longest = max(map(len, [rest, *told]))
                if read > _MOST_BYTES or blank > _MOST_BLANK or longest > _LONGEST_LINE:
                    raise SourceError(
                        f"{_name(source)} is not a list of pictures: it is empty, has a line of "
                        f"more than {_LONGEST_LINE >> 10} KiB or more than {_MOST_BYTES >> 30} GiB",
                        hint="give a path a line, or with -0 null bytes between them",
                    )
                yield from told
            if rest.strip():
                yield _trimmed(end)(rest)
        except OSError as error:
            raise SourceError(
                f"the list {_name(source)} cannot be read: {error.strerror or error}",
                hint="nothing was changed",
            ) from None


def _name(source: ListName) -> str:
    return "standard input" if source == STANDARD_INPUT else str(source.file)


def _trimmed(end: bytes) -> Callable[[bytes], bytes]:
    """Take the carriage return off lines that were written on another system."""
    return (lambda line: line.removesuffix(b"\r")) if end == b"\n" else (lambda line: line)
