"""A walk through a folder, in the order of the paths: the pictures in it, and what is left out."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import Final, NamedTuple

from vecsearch.errors import SourceError
from vecsearch.images.decoders.formats import has_picture_name, left_out_ending
from vecsearch.images.file_times import kept_ns
from vecsearch.images.sources.exclude import (
    IGNORE_FILE,
    Chain,
    PatternError,
    Patterns,
    read_ignore_file,
)
from vecsearch.images.sources.scan import (
    CHUNK,
    SEPARATOR,
    UNWANTED,
    FoundFile,
    Region,
    Scan,
    below,
)

_DOT: Final = ord(".")
_SEPARATOR: Final = SEPARATOR[0]


def walk(root: Path, exclude: Patterns | None, others: Sequence[bytes]) -> Scan:
    """Prepare to walk the folder *root*; what matches *exclude*, and *others*, are left out."""
    return Scan(
        root,
        lambda scan: _Walk(scan, root).regions(),
        apart=set(others) - {below(os.fsencode(root))},
        exclude=exclude or Patterns(),
    )


class _Link(NamedTuple):
    """A link to a folder, ordered by how deep it lies and by the parts of its path."""

    depth: int
    parts: list[bytes]
    chain: Chain | None


class _Level(NamedTuple):
    """A folder in which the walk is: what its paths begin with, its names, its files of patterns.

    The ``names`` are those of pictures and, with a slash, of folders, sorted as paths are.
    """

    prefix: bytes
    names: Iterator[bytes]
    chain: Chain | None


class _Walk:
    """One walk: the folders that it has entered, and the links to folders that it has met."""

    def __init__(self, scan: Scan, root: Path) -> None:
        self._scan = scan
        self._root = os.fsencode(root)
        self._entered: dict[int, set[int]] = {}
        self._links: list[_Link] = []
        self._start = len(below(self._root))

    def regions(self) -> Iterator[Region]:
        yield below(self._root), self._counted(self._root, None)
        # Linked folders come last, those nearer to the root first, so that a file is found under
        # its own path and not the link's.
        while self._links:
            link = heapq.heappop(self._links)
            folder = SEPARATOR.join(link.parts)
            yield below(folder), self._counted(folder, link.chain)

    def _counted(self, root: bytes, chain: Chain | None) -> Iterator[list[FoundFile]]:
        for chunk in self._chunks(root, chain):
            self._scan.count += len(chunk)
            yield chunk

    def _chunks(self, root: bytes, chain: Chain | None) -> Iterator[list[FoundFile]]:
        stack = [self._enter(root, chain)]
        chunk: list[FoundFile] = []
        stat, unreadable, apart = os.stat, self._scan.unreadable, self._scan.apart
        while stack:
            prefix, names, chain = stack[-1]
            for name in names:
                path = prefix + name
                if name[-1] == _SEPARATOR:
                    if path in apart:  # another scan's
                        continue
                    stack.append(self._enter(path[:-1], chain))
                    break
                try:
                    facts = stat(path)
                except OSError as error:
                    unreadable[path] = error.strerror or str(error)
                    continue
                if not S_ISREG(facts.st_mode):
                    unreadable[path] = "not a regular file"
                    continue
                chunk.append(FoundFile(path, facts.st_size, kept_ns(facts.st_mtime_ns)))
                if len(chunk) == CHUNK:
                    yield chunk
                    chunk = []
            else:
                stack.pop()
        yield chunk

    def _enter(self, folder: bytes, chain: Chain | None) -> _Level:
        """List the pictures and folders in *folder*.

        Of a million names in one folder, names alone are held and looked at one by one. *chain* are
        the files of patterns in the folders above.
        """
        prefix = below(folder)
        found = _Listing()
        try:
            facts = os.stat(folder)  # noqa: PTH116 - bytes
            entered = self._entered.setdefault(facts.st_dev, set())
            if facts.st_ino in entered:
                return _Level(prefix, iter(()), chain)
            entered.add(facts.st_ino)
            self._list(folder, found)
            if found.has_patterns:
                chain = self._read_patterns(prefix, chain)
        except (OSError, PatternError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            if folder == self._root:
                root = os.fsdecode(folder)
                raise SourceError(f"{root} cannot be read: {reason}", path=Path(root)) from None
            self._scan.refuse_below(folder, reason)
            return _Level(prefix, iter(()), chain)
        if chain or self._scan.exclude:
            self._leave_out(prefix, found, chain)
        for name in found.unread:
            self._scan.left_out[left_out_ending(name)] += 1
        for name, why in found.refused:
            self._scan.refuse_below(prefix + name, why)
        for name in found.links:
            self._meet_link(prefix + name[:-1], chain)
        found.names.sort()
        return _Level(prefix, iter(found.names), chain)

    def _list(self, folder: bytes, found: _Listing) -> None:
        """List *folder* into pictures, folders, links and the rest; raises OSError."""
        names = found.names
        with os.scandir(folder) as listing:
            for entry in listing:
                name = entry.name
                if name[0] == _DOT or name in UNWANTED:
                    found.has_patterns |= name == IGNORE_FILE
                    continue
                try:
                    if entry.is_dir():
                        (found.links if entry.is_symlink() else names).append(name + SEPARATOR)
                    elif has_picture_name(name):
                        names.append(name)
                    elif left_out_ending(name):
                        found.unread.append(name)
                except OSError as error:  # it may be a folder
                    found.refused.append((name, error.strerror or str(error)))

    def _read_patterns(self, prefix: bytes, chain: Chain | None) -> Chain:
        """Read the ignore file of a folder; with a PatternError the folder is not read."""
        path = prefix + IGNORE_FILE
        try:
            patterns = read_ignore_file(path)
        except (OSError, PatternError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise PatternError(f"its {os.fsdecode(IGNORE_FILE)} cannot be used: {reason}") from None
        self._scan.excluded.count_file(path)
        return Chain(prefix, patterns, chain)

    def _leave_out(self, prefix: bytes, found: _Listing, chain: Chain | None) -> None:
        """Remove from a listing what patterns leave out, and count it."""
        given = self._scan.exclude

        def stays(name: bytes, *, counted: bool = True) -> bool:
            path = prefix + name
            decided = by_given = given.decide(path[self._start :]) if given else None
            if decided is None and chain:
                decided = chain.decide(path)
            if decided and counted:
                self._scan.excluded.count(name, given=by_given is not None)
            return not decided

        found.names = [name for name in found.names if stays(name)]
        found.links = [name for name in found.links if stays(name)]
        found.unread = [name for name in found.unread if stays(name, counted=False)]
        found.refused = [one for one in found.refused if stays(one[0], counted=False)]

    def _meet_link(self, folder: bytes, chain: Chain | None) -> None:
        """Take up a linked folder later, unless it is another scan's."""
        region = folder + SEPARATOR
        if region not in self._scan.apart:
            self._scan.apart.add(region)
            parts = folder.split(SEPARATOR)
            heapq.heappush(self._links, _Link(len(parts), parts, chain))


@dataclass(slots=True)
class _Listing:
    """What is in a folder: pictures and folders, these with a slash, linked folders, and the rest.

    The rest are ``unread`` pictures, in a format that is not read here, and what was ``refused``.
    """

    names: list[bytes] = field(default_factory=list)
    links: list[bytes] = field(default_factory=list)
    unread: list[bytes] = field(default_factory=list)
    refused: list[tuple[bytes, str]] = field(default_factory=list)
    has_patterns: bool = False
