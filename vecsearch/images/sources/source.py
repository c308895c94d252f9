"""The interface of the sources of pictures: folders, tars, lists, URLs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from vecsearch.types import SourceName

if TYPE_CHECKING:
    from vecsearch.images.sources.exclude import Patterns
    from vecsearch.images.sources.scan import Scan

LARGEST_BYTES: Final = 1 << 30
"""No picture file is larger; a larger one would only fill the memory."""

TOO_LARGE: Final = f"larger than {LARGEST_BYTES >> 20} MiB"
"""What is said of a larger one."""

NO_TIME: Final = -2
"""The time of a file for which only a listing has the time."""


class FileStat(NamedTuple):
    """The size of a picture file in bytes and its modification time in ns."""

    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of a picture file, and its modification time in ns, or `NO_TIME`."""

    data: bytes
    mtime_ns: int


class Source(Protocol):
    """A place with pictures: a folder, a tar, a list, or what is below a URL."""

    @property
    def root(self) -> SourceName:
        """Its name, under which the catalog has it."""

    def stamp(self, exclude: Patterns | None = None) -> str:
        """Return what the index remembers of it beside its name; raises SourceError."""

    def scan(self, exclude: Patterns | None = None, others: Sequence[bytes] = ()) -> Scan:
        """Prepare to list the pictures that do not match *exclude*.

        *others* are what the paths in the other folders, tars and URLs that are scanned begin with;
        their files are left to them. Raises SourceError.
        """

    def stat(self, path: Path) -> FileStat:
        """Return the size and time of a picture in it; raises OSError."""

    def read(self, path: Path) -> Content:
        """Read a picture in it; raises OSError, ImageError."""
