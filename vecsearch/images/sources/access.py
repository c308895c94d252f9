"""Read the bytes of a picture, wherever it lies: a file, a member of a tar, or behind a URL."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from stat import S_ISREG
from typing import TypeVar

from vecsearch.errors import UnreadableError
from vecsearch.images.sources.folder import FolderSource
from vecsearch.images.sources.source import Content, FileStat, Source
from vecsearch.types import UrlPath, absolute_path

T = TypeVar("T")


def read_content(path: Path) -> Content:
    """Read a picture file, which must not change meanwhile; raises ImageError."""
    try:
        return _ask(path, lambda source, path: source.read(path))
    except (OSError, ValueError, MemoryError) as error:  # ValueError: a path with a null byte
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UnreadableError(f"cannot be read: {reason}", path=path) from None


def read_head(path: Path, most_bytes: int) -> bytes:
    """Read the first bytes of a file here, or a whole member of a tar; raises OSError, ImageError.

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


def stat_file(path: Path) -> FileStat:
    """Return the size and time of a picture file; raises OSError."""
    return _ask(path, lambda source, path: source.stat(path))


def is_gone(path: Path) -> bool:
    """Return whether there is no such file; False if that cannot be told."""
    try:
        stat_file(path)
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    return False


def _ask(path: Path, question: Callable[[Source, Path], T]) -> T:
    """Ask the source that a picture lies in: the URL, its folder, or the tar above it.

    Whether it is a folder is known when the file system says so.
    """
    if isinstance(path, UrlPath):
        local = absolute_path(path)  # a URL of a file here, as an id of an import may be
        if isinstance(local, UrlPath):
            from vecsearch.images.sources.url import UrlSource

            return question(UrlSource(path), path)
        path = local
    try:
        return question(FolderSource(path.parent), path)
    except NotADirectoryError:
        from vecsearch.images.sources.tar import tar_above

        return question(tar_above(path), path)
