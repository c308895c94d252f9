"""A folder of pictures, walked once in the order of the paths."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from stat import S_ISREG
from typing import Final

from vecsearch.errors import SourceError
from vecsearch.images.scan import CHUNK, SEPARATOR, UNWANTED, Entry, Region, Scan, below
from vecsearch.images.times import kept_ns

_WHAT: Final = "give a folder of pictures, a .tar, a URL, or a list with --from-list"
_DOT: Final = ord(".")
_SEPARATOR: Final = SEPARATOR[0]


def scan_folder(root: Path, others: Iterable[Path] = ()) -> Scan:
    """Prepare to walk *root*; raises SourceError if it is no folder.

    Hidden files and folders, and those of `UNWANTED`, are left out, links are followed, a loop of
    links ends at its second round. What lies below *others*, roots of other scans, is left to
    these.
    """
    if not root.exists():
        raise SourceError(f"no such folder: {root}", hint=_WHAT, path=root)
    if not root.is_dir():
        raise SourceError(f"{root} is a file", hint=_WHAT, path=root)
    apart = {below(os.fsencode(other)) for other in others if other != root}
    return Scan(root, lambda scan: _Walk(scan).regions(), apart=apart)


class _Walk:
    """One walk: the folders that it has entered, and the links to folders that it has met."""

    def __init__(self, scan: Scan) -> None:
        self._scan = scan
        self._root = os.fsencode(scan.root)
        self._entered: dict[int, set[int]] = {}
        self._links: list[tuple[int, list[bytes]]] = []

    def regions(self) -> Iterator[Region]:
        yield below(self._root), self._counted(self._root)
        # Linked folders come last, those nearer to the root first, so that a file is found under
        # its own path and not the link's.
        while self._links:
            _, parts = heapq.heappop(self._links)
            folder = SEPARATOR.join(parts)
            yield below(folder), self._counted(folder)

    def _counted(self, root: bytes) -> Iterator[list[Entry]]:
        for chunk in self._chunks(root):
            self._scan.count += len(chunk)
            yield chunk

    def _chunks(self, root: bytes) -> Iterator[list[Entry]]:
        stack = [self._names(root)]
        chunk: list[Entry] = []
        stat, unreadable = os.stat, self._scan.unreadable
        while stack:
            prefix, names = stack[-1]
            for name in names:
                path = prefix + name
                if name[-1] == _SEPARATOR:
                    stack.append(self._names(path[:-1]))
                    break
                try:
                    facts = stat(path)
                except OSError as error:
                    unreadable[path] = error.strerror or str(error)
                    continue
                if not S_ISREG(facts.st_mode):
                    unreadable[path] = "not a regular file"
                    continue
                chunk.append((path, facts.st_size, kept_ns(facts.st_mtime_ns)))
                if len(chunk) == CHUNK:
                    yield chunk
                    chunk = []
            else:
                stack.pop()
        yield chunk

    def _names(self, folder: bytes) -> tuple[bytes, Iterator[bytes]]:
        """List the pictures and folders in *folder*, these with a slash, sorted as paths are.

        Of a million names in one folder, names alone are held and looked at one by one.
        """
        prefix = below(folder)
        names: list[bytes] = []
        try:
            facts = os.stat(folder)  # noqa: PTH116 - bytes
            entered = self._entered.setdefault(facts.st_dev, set())
            if facts.st_ino in entered:
                return prefix, iter(())
            entered.add(facts.st_ino)
            with os.scandir(folder) as listing:
                for entry in listing:
                    name = entry.name
                    if name[0] == _DOT or name in UNWANTED:
                        continue
                    try:
                        if entry.is_dir():
                            self._meet(names, prefix, name, entry.is_symlink())
                        elif self._scan.takes(name):
                            names.append(name)
                    except OSError as error:  # it may be a folder
                        self._scan.refuse_below(entry.path, error.strerror or str(error))
        except OSError as error:
            if folder == self._root:
                raise SourceError(
                    f"{self._scan.root} cannot be read: {error.strerror or error}",
                    path=self._scan.root,
                ) from None
            self._scan.refuse_below(folder, error.strerror or str(error))
            return prefix, iter(())
        names.sort()
        return prefix, iter(names)

    def _meet(self, names: list[bytes], prefix: bytes, name: bytes, linked: bool) -> None:
        """Take up a folder, now or later, unless it is another scan's."""
        folder = prefix + name
        region = folder + SEPARATOR
        if region in self._scan.apart:
            return
        if linked:
            self._scan.apart.add(region)
            parts = folder.split(SEPARATOR)
            heapq.heappush(self._links, (len(parts), parts))
        else:
            names.append(name + SEPARATOR)
