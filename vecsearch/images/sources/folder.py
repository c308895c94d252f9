"""A folder of pictures: its files are read here, and listed by a walk."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Final

from vecsearch.errors import ImageError, SourceError, UnreadableError
from vecsearch.images.file_times import kept_ns
from vecsearch.images.sources.source import LARGEST_BYTES, TOO_LARGE, Content, FileStat

if TYPE_CHECKING:  # a query reads a file without what a scan needs
    from vecsearch.images.sources.exclude import Patterns
    from vecsearch.images.sources.scan import Scan

_WHAT: Final = "give a folder of pictures, a .tar, a URL, or a list with --from-list"

_ATTEMPTS: Final = 3
_PAUSE_S: Final = 0.1
"""How often, and after what time, a file that changed while it was read is read again."""


@dataclass(frozen=True, slots=True)
class FolderSource:
    """A folder of picture files."""

    root: Path

    def stamp(self, exclude: Patterns | None = None) -> str:
        """Return an empty stamp: a folder is walked every time."""
        return ""

    def scan(self, exclude: Patterns | None = None, others: Sequence[bytes] = ()) -> Scan:
        """Prepare to walk the folder; raises SourceError if it is not a folder.

        Hidden files and folders, and those of `UNWANTED`, are left out, links are followed, a loop
        of links ends at its second round. What matches *exclude*, from the folder on, or a
        `.vecsearchignore`, is left out; *exclude* decides where both match.
        """
        if not self.root.exists():
            raise SourceError(f"no such folder: {self.root}", hint=_WHAT, path=self.root)
        if not self.root.is_dir():
            raise SourceError(f"{self.root} is a file", hint=_WHAT, path=self.root)
        from vecsearch.images.sources.walk import walk

        return walk(self.root, exclude, others)

    def stat(self, path: Path) -> FileStat:
        """Return the size and time of a file; raises OSError."""
        facts = path.stat()
        if not S_ISREG(facts.st_mode):
            raise OSError(22, "not a regular file")
        return FileStat(facts.st_size, kept_ns(facts.st_mtime_ns))

    def read(self, path: Path) -> Content:
        """Read a file, again if it changes meanwhile; raises OSError, ImageError."""
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(_PAUSE_S)
            content = _read(path)
            if content is not None:
                return content
        raise UnreadableError("cannot be read: it keeps changing", path=path)


def _read(path: Path) -> Content | None:
    """Read a file once; None if it changed meanwhile."""
    # A pipe that is called like a picture must not hold up anything.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with open(handle, "rb") as file:  # noqa: PTH123 - a descriptor
        before = os.fstat(handle)
        if not S_ISREG(before.st_mode):
            raise UnreadableError("cannot be read: not a regular file", path=path)
        if before.st_size > LARGEST_BYTES:
            raise ImageError(TOO_LARGE, path=path)
        data, after = file.read(LARGEST_BYTES + 1), path.stat()
    unchanged = len(data) == after.st_size and before.st_mtime_ns == after.st_mtime_ns
    return Content(data, kept_ns(after.st_mtime_ns)) if unchanged else None
