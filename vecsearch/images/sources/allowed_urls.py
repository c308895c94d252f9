"""Which URLs may be fetched: those below a source that the user has named on this machine."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from stat import S_ISREG
from typing import Final, NamedTuple
from urllib.parse import unquote

from vecsearch.errors import NotFetchedError
from vecsearch.images.sources.utf8 import as_utf8
from vecsearch.types import ListName, SourceName, UrlPath, WantedUrl, absolute_path, source_name

WAY: Final = "--fetch, or fetch=True, fetches it"
"""What to do about a URL that is not fetched."""

_RECORD: Final = "sources"
_MOST_BYTES: Final = 16 << 20

_MOST_LISTED_BYTES: Final = 64 << 20
"""A longer list is not held in memory, to know whether a picture is in it."""

_named: Final[set[str]] = set()
"""What was named in this process, should it not be possible to record it."""


def name_source(source: SourceName) -> None:
    """Record that the user has named a URL or a list, for this run and later ones.

    Folders and tars are not recorded: nothing is fetched for them. The record is the user's own,
    because the sources in an index are what its maker wrote there.
    """
    if not isinstance(source, UrlPath | ListName):
        return
    text = str(source)
    is_known = is_named(source)
    _named.add(text)
    folder = state_folder()
    if is_known or folder is None or "\n" in text:
        return
    with contextlib.suppress(OSError):  # then it has to be named again
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        handle = os.open(folder / _RECORD, flags, 0o600)
        with open(handle, "ab") as file:  # noqa: PTH123 - a descriptor
            file.write(os.fsencode(text) + b"\n")


def is_named(source: SourceName) -> bool:
    """Return whether this very source was named on this machine."""
    return str(source) in _all_named()


def may_fetch(path: Path) -> bool:
    """Return whether a URL may be fetched: asked for, below a named source, or in a named list."""
    if isinstance(path, WantedUrl):
        return True
    url, named = str(path), _all_named()
    return any(is_below(root, url) for root in named) or url in _listed(named)


def check_fetch(path: Path) -> None:
    """Raise NotFetchedError if a URL may not be fetched."""
    if not may_fetch(path):
        raise NotFetchedError(
            "not fetched: it lies below no source that was named on this machine",
            hint=WAY,
            path=path,
        )


def roots_of(url: str, as_sent: Callable[[str], str]) -> list[str]:
    """List the named sources that a URL lies below, all *as_sent* to a server."""
    roots = []
    for one in _all_named():
        if one.startswith(("http://", "https://")):
            with contextlib.suppress(ValueError):  # no URL after all
                roots.append(as_sent(one))
    return [root for root in roots if is_below(root, url)]


def is_below(root: str, url: str) -> bool:
    """Return whether a URL is *root* or lies below it, whatever servers make of dots in it."""
    start = f"{root.rstrip('/')}/"
    return url == root or (url.startswith(start) and not has_dots(url[len(start) :]))


def has_dots(path: str) -> bool:
    """Return whether a part of a path is ``.`` or ``..``, in any number of escapes."""
    while (plain := unquote(path)) != path:
        path = plain
    return not {".", ".."}.isdisjoint(path.replace("\\", "/").split("/"))


def count_not_fetched(paths: Iterable[Path]) -> int:
    """Count the pictures among *paths* that are behind URLs which may not be fetched."""
    return sum(isinstance(one, UrlPath) and not may_fetch(one) for one in set(paths))


def state_folder() -> Path | None:
    """Return the folder for the state of this user: VECSEARCH_STATE, or the default one."""
    if chosen := os.environ.get("VECSEARCH_STATE"):
        return Path(chosen)
    import platformdirs

    try:
        return platformdirs.user_state_path("vecsearch", appauthor=False)
    except RuntimeError:  # no home
        return None


def _all_named() -> frozenset[str]:
    folder = state_folder()
    if folder is None:
        return frozenset(_named)
    record = folder / _RECORD
    try:
        facts = record.stat()
    except OSError:
        return frozenset(_named)
    return _recorded(record, facts.st_mtime_ns, facts.st_size) | _named


def _listed(named: Iterable[str]) -> frozenset[str]:
    """Return the URLs in the lists among the *named* sources, as the lists are now."""
    files = [name.file for name in map(source_name, named) if isinstance(name, ListName)]
    return _urls_in(tuple(filter(None, map(_state_of, sorted(files)))))


class _ListState(NamedTuple):
    """A list with the time and size that it has now."""

    file: Path
    mtime_ns: int
    size_bytes: int


def _state_of(file: Path) -> _ListState | None:
    """Return the state of a list; None if it cannot be looked into."""
    with contextlib.suppress(OSError):
        facts = file.stat()
        if S_ISREG(facts.st_mode) and facts.st_size <= _MOST_LISTED_BYTES:
            return _ListState(file, facts.st_mtime_ns, facts.st_size)
    return None


@lru_cache(maxsize=1)
def _urls_in(lists: tuple[_ListState, ...]) -> frozenset[str]:
    urls = set()
    for file, _, size_bytes in lists:
        with contextlib.suppress(OSError), file.open("rb") as opened:
            text = b"".join(as_utf8([opened.read(size_bytes)]))
            for line in re.split(rb"\r?\n|\0", text):
                if b"://" in line:
                    urls.add(str(absolute_path(os.fsdecode(line))))
    return frozenset(urls)


@lru_cache(maxsize=1)
def _recorded(record: Path, _mtime_ns: int, _size_bytes: int) -> frozenset[str]:
    """Read the record as it was at a time."""
    try:
        with record.open("rb") as file:
            lines = file.read(_MOST_BYTES).split(b"\n")
    except OSError:
        return frozenset()
    return frozenset(os.fsdecode(line) for line in lines[:-1] if line)
