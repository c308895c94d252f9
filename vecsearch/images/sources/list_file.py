"""Pictures that a list names, one path a line or ended by null bytes."""

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
from vecsearch.images.sources.access import stat_file
from vecsearch.images.sources.allowed_urls import LIST
from vecsearch.images.sources.byte_order_mark import without_mark
from vecsearch.images.sources.exclude import Patterns
from vecsearch.images.sources.external_sort import sorted_chunks
from vecsearch.images.sources.scan import Entry, Region, Scan, below
from vecsearch.types import absolute_path, wanted

STANDARD_INPUT: Final = Path(f"{LIST}-")

_READ_BYTES: Final = 1 << 20
_LONGEST_LINE: Final = 1 << 16
_MOST_BLANK: Final = 1 << 20
_MOST_BYTES: Final = 1 << 32
"""What is no list may have no end, nor one line of it."""


def list_source(file: str | Path) -> Path:
    """Name the source that the list in *file* is, ``-`` being standard input."""
    return STANDARD_INPUT if str(file) == "-" else Path(f"{LIST}{absolute_path(file)}")


def is_list(source: Path) -> bool:
    """Return whether a source is a list."""
    return str(source).startswith(LIST)


def list_file(source: Path) -> Path:
    """Return the file of a list."""
    return Path(str(source).removeprefix(LIST))


@dataclass(frozen=True, slots=True)
class PictureList:
    """A list, what its paths are relative to, and whether null bytes end them.

    URLs in it may be fetched if *fetch* says so: if whoever runs this has named the list.
    """

    source: Path
    base: Path
    null: bool
    fetch: bool = False

    @property
    def stamp(self) -> str:
        """What is to be remembered of it."""
        kind = "null" if self.null else "lines"
        return f"{kind} {os.fsencode(self.base).hex()}"

    @classmethod
    def of_stamp(cls, source: Path, stamp: str) -> PictureList:
        """Read `stamp`."""
        kind, _, base = stamp.partition(" ")
        return cls(source, Path(os.fsdecode(bytes.fromhex(base))), kind == "null")


def scan_lists(
    lists: Sequence[PictureList],
    is_elsewhere: Callable[[bytes], bool],
    exclude: Patterns | None = None,
) -> list[Scan]:
    """Prepare to look at the files that some lists name: the first scan has those of all.

    Those that are *is_elsewhere* are left out: another scan finds them. A file counts as a picture
    whatever its name; one that is not there is unreadable. Blank lines are passed over. What
    matches *exclude* is left out: from the folder on that the list's paths are relative to, or the
    whole path of what does not lie there. Files of patterns beside the pictures do not count.
    """
    exclude = exclude or Patterns()
    scans = [Scan(one.source, lambda _: (), stamp=one.stamp, exclude=exclude) for one in lists]

    def walk(joint: Scan) -> Iterator[Region]:
        files = (_files(*pair, joint, is_elsewhere) for pair in zip(lists, scans, strict=True))
        yield b"", sorted_chunks(chain.from_iterable(files))

    scans[0].walk = walk
    return scans


def _files(
    one: PictureList, own: Scan, joint: Scan, is_elsewhere: Callable[[bytes], bool]
) -> Iterator[Entry]:
    base = below(os.fsencode(one.base))
    for line in _lines(one.source, b"\0" if one.null else b"\n"):
        text = os.fsdecode(line)
        path = absolute_path(text if "://" in text else one.base / text)
        path = wanted(path) if one.fetch else path
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
        if not is_elsewhere(name):
            yield Entry(name, *facts)


def _seen_from(base: bytes, path: bytes) -> bytes:
    """Return what patterns are compared with: a path from a folder on, or all of it."""
    if path.startswith(base):
        return path[len(base) :]
    return path.partition(b"://")[2] or path.lstrip(b"/")


def _lines(source: Path, end: bytes) -> Iterator[bytes]:
    """Return the lines of a list that are not blank; raises SourceError."""
    with contextlib.ExitStack() as stack:
        try:
            file: BinaryIO
            if source == STANDARD_INPUT:
                file = sys.stdin.buffer
            else:
                file = stack.enter_context(list_file(source).open("rb"))
            rest = b""
            read = blank = 0
            for block in without_mark(iter(partial(file.read, _READ_BYTES), b"")):
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


def _name(source: Path) -> str:
    return "standard input" if source == STANDARD_INPUT else str(list_file(source))


def _trimmed(end: bytes) -> Callable[[bytes], bytes]:
    """Take the carriage return off lines that were written on another system."""
    return (lambda line: line.removesuffix(b"\r")) if end == b"\n" else (lambda line: line)
