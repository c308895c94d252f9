"""The one way to a picture's bytes: a file, a member of a tar, or what a URL means."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Final

from vecsearch.errors import ImageError, UnreadableError
from vecsearch.images.file_times import kept_ns
from vecsearch.types import UrlPath, absolute_path

LARGEST_BYTES: Final = 1 << 30
"""No picture file is larger; what is would only fill the memory."""

NO_TIME: Final = -2
"""The time of what only its listing tells the time of."""

_ATTEMPTS: Final = 3
_PAUSE_S: Final = 0.1
"""How often, and after what time, a file that changed while it was read is read again."""


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of a picture file, and its time in ns, or NO_TIME."""

    data: bytes
    mtime_ns: int


def read_content(path: Path) -> Content:
    """Read a picture file that stays as it is meanwhile; raises ImageError."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE_S)
        try:
            content = _read(path)
        except (OSError, ValueError, MemoryError) as error:  # ValueError: a path with a null byte
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise UnreadableError(f"cannot be read: {reason}", path=path) from None
        if content is not None:
            return content
    raise UnreadableError("cannot be read: it keeps changing", path=path)


def read_head(path: Path, most_bytes: int) -> bytes:
    """Read how a picture file here begins, or all of a member of a tar; raises OSError, ImageError.

    A URL is no file here.
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except NotADirectoryError:
        return read_content(path).data
    with open(handle, "rb") as file:  # noqa: PTH123 - a descriptor
        if not S_ISREG(os.fstat(handle).st_mode):
            raise OSError(22, "not a regular file")
        return file.read(most_bytes)


def facts_of(path: Path) -> tuple[int, int]:
    """Return size in bytes and time in ns of a picture file; raises OSError."""
    path = _local(path)
    if isinstance(path, UrlPath):
        from vecsearch.images.sources.url import facts_of_url

        return facts_of_url(path)
    try:
        facts = path.stat()
    except NotADirectoryError:
        from vecsearch.images.sources.tar import find_member

        _, member = find_member(path)
        return member.size_bytes, member.mtime_ns
    if not S_ISREG(facts.st_mode):
        raise OSError(22, "not a regular file")
    return facts.st_size, kept_ns(facts.st_mtime_ns)


def is_gone(path: Path) -> bool:
    """Return whether there is no such file; not so, if that cannot be told."""
    try:
        facts_of(path)
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    return False


def _local(path: Path) -> Path:
    """Turn a URL of a file here, as an id of an import may be, into its path."""
    local = absolute_path(path) if isinstance(path, UrlPath) else path
    return path if isinstance(local, UrlPath) else local


def _read(path: Path) -> Content | None:
    """Read a file once; None if it changed meanwhile."""
    path = _local(path)
    if isinstance(path, UrlPath):
        from vecsearch.images.sources.url import read_url

        return Content(read_url(path), NO_TIME)
    try:
        # A pipe that is called like a picture must not hold up anything.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except NotADirectoryError:
        from vecsearch.images.sources.tar import read_member

        data, member = read_member(path)
        return Content(data, member.mtime_ns)
    with open(handle, "rb") as file:  # noqa: PTH123 - a descriptor
        before = os.fstat(handle)
        if not S_ISREG(before.st_mode):
            raise UnreadableError("cannot be read: not a regular file", path=path)
        if before.st_size > LARGEST_BYTES:
            raise ImageError(f"larger than {LARGEST_BYTES >> 20} MiB", path=path)
        data, after = file.read(LARGEST_BYTES + 1), path.stat()
    unchanged = len(data) == after.st_size and before.st_mtime_ns == after.st_mtime_ns
    return Content(data, kept_ns(after.st_mtime_ns)) if unchanged else None
