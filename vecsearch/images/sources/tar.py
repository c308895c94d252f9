"""A tar with pictures: it counts as a folder, and its members as files below it."""

from __future__ import annotations

import os
import posixpath
import tarfile
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, cast

from vecsearch.errors import ImageError, SourceError
from vecsearch.forks import ProcessLock
from vecsearch.images.decoders.formats import has_picture_name, installed_extras, left_out_ending
from vecsearch.images.file_times import ns_of
from vecsearch.images.sources.exclude import Patterns
from vecsearch.images.sources.scan import (
    CHUNK,
    FoundFile,
    Region,
    Scan,
    below,
    is_unwanted,
)
from vecsearch.images.sources.source import LARGEST_BYTES, TOO_LARGE, Content, FileStat

_COMPRESSED: Final = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")
"""What gzip, bzip2, xz and zstd write first; a tar begins with a name, which none of these is."""

_KEPT_MEMBERS: Final = 200_000
"""So many members of the tars used last are remembered, or those of one."""

_BLOCK: Final = tarfile.BLOCKSIZE
_LONGEST_HEADER: Final = 16 << 20
"""tarfile reads an extended header at once, whatever length it claims."""


@dataclass(frozen=True, slots=True)
class _Member:
    """Where a member's bytes lie, and its own size and time."""

    offset: int
    size_bytes: int
    mtime_ns: int


@dataclass(slots=True)
class _Contents:
    """The pictures in a tar by name, those that cannot be used, and where it is damaged."""

    members: dict[bytes, _Member] = field(default_factory=dict)
    refused: dict[bytes, str] = field(default_factory=dict)
    damage: str = ""
    left_out: Counter[str] = field(default_factory=Counter)


def is_tar(path: Path) -> bool:
    """Return by its name whether a file is a tar."""
    return path.name.lower().endswith(".tar")


def is_compressed_tar(path: Path) -> bool:
    """Return whether a file is a compressed tar, by its name or its first bytes."""
    name = path.name.lower()
    if is_tar(path):
        try:
            with path.open("rb") as file:
                return file.read(6).startswith(_COMPRESSED)
        except OSError:
            return False
    return name.endswith((".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst"))


@dataclass(frozen=True, slots=True)
class TarSource:
    """A tar, whose members are files below it."""

    root: Path

    def stamp(self, exclude: Patterns | None = None) -> str:
        """Return its size, its time, and what decides which of its members are read.

        Raises SourceError if it cannot be read.
        """
        try:
            facts = self.root.stat()
        except OSError as error:
            why = f"{self.root} cannot be read: {error.strerror}"
            raise SourceError(why, path=self.root) from None
        stamp = " ".join([str(facts.st_size), str(facts.st_mtime_ns), *installed_extras()])
        return stamp + (f" without {exclude.stamp}" if exclude else "")

    def scan(self, exclude: Patterns | None = None, others: Sequence[bytes] = ()) -> Scan:
        """Prepare to list the pictures in the tar; files of patterns in it are not read.

        Raises SourceError if it cannot be read.
        """
        stamp = self.stamp(exclude)
        walk = partial(_walk, self.root)
        return Scan(self.root, walk, stamp=stamp, whole=True, exclude=exclude or Patterns())

    def stat(self, path: Path) -> FileStat:
        """Return the size and time of the member that *path* means; raises OSError."""
        member = self._member(path)
        return FileStat(member.size_bytes, member.mtime_ns)

    def read(self, path: Path) -> Content:
        """Read the member that *path* means, and nothing else; raises OSError, ImageError."""
        member = self._member(path)
        if member.size_bytes > LARGEST_BYTES:
            raise ImageError(TOO_LARGE, path=path)
        with self.root.open("rb") as file:
            before = os.fstat(file.fileno())
            file.seek(member.offset)
            data = file.read(member.size_bytes)
            after = os.fstat(file.fileno())
        if len(data) != member.size_bytes or before.st_mtime_ns != after.st_mtime_ns:
            raise OSError(5, "the tar is cut off, or changes")
        return Content(data, member.mtime_ns)

    def _member(self, path: Path) -> _Member:
        with self.root.open("rb") as file:
            contents = _contents_of(self.root, file)
        member = contents.members.get(os.fsencode(path)[len(below(os.fsencode(self.root))) :])
        if member is None:
            raise FileNotFoundError(2, "no such member of the tar", str(path))
        return member


def tar_above(path: Path) -> TarSource:
    """Return the tar that a path below it means; raises FileNotFoundError if there is none."""
    tar = next((one for one in path.parents if is_tar(one) and one.is_file()), None)
    if tar is None:
        raise FileNotFoundError(2, os.strerror(2), str(path))
    return TarSource(tar)


def _walk(root: Path, scan: Scan) -> Iterator[Region]:
    path = os.fsencode(root)
    prefix = below(path)
    try:
        with root.open("rb") as file:
            contents = _contents_of(root, file)
    except OSError as error:
        raise SourceError(f"{root} cannot be read: {error.strerror}", path=root) from None
    if contents.damage:
        scan.refuse_below(path, contents.damage)
    for name, reason in contents.refused.items():
        if not scan.exclude.exclude_file(name):
            scan.unreadable[prefix + name] = reason
    names = [name for name in sorted(contents.members) if not scan.exclude.exclude_file(name)]
    scan.excluded.pictures = len(contents.members) - len(names)
    scan.count, scan.left_out = len(names), contents.left_out
    pages = (names[start : start + CHUNK] for start in range(0, len(names), CHUNK))
    yield (
        prefix,
        (
            [
                FoundFile(prefix + name, member.size_bytes, member.mtime_ns)
                for name in page
                for member in [contents.members[name]]
            ]
            for page in pages
        ),
    )


class _State(NamedTuple):
    """A tar as it was at a time."""

    path: Path
    size_bytes: int
    mtime_ns: int


_kept: OrderedDict[_State, _Contents] = OrderedDict()
_lock = ProcessLock()


def _contents_of(path: Path, file: BinaryIO) -> _Contents:
    """List an opened tar, or remember it; raises OSError."""
    facts = os.fstat(file.fileno())
    key = _State(path, facts.st_size, facts.st_mtime_ns)
    with _lock:  # of threads that want one tar, one lists it
        contents = _kept.get(key)
        if contents is None:
            contents = _kept[key] = _list(file)
        _kept.move_to_end(key)
        while len(_kept) > 1 and sum(len(one.members) for one in _kept.values()) > _KEPT_MEMBERS:
            _kept.popitem(last=False)
    return contents


@dataclass(slots=True)
class _Headers:
    """The headers of a tar, as tarfile wants to read them."""

    file: BinaryIO

    def read(self, size: int) -> bytes:
        """Read the next *size* bytes; raises TarError for more than headers are long."""
        if not 0 <= size <= _LONGEST_HEADER:
            raise tarfile.HeaderError(f"a header of {size} bytes")
        return self.file.read(size)

    def seek(self, place: int) -> int:
        return self.file.seek(place)

    def tell(self) -> int:
        return self.file.tell()


def _list(file: BinaryIO) -> _Contents:
    """Read all headers of a tar, but not the members."""
    contents = _Contents()
    try:
        with tarfile.open(
            fileobj=cast(BinaryIO, _Headers(file)),
            mode="r:",
            encoding="utf-8",
            errors="surrogateescape",
        ) as tar:
            while (info := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined] # it would keep them all
                _take(contents, info)
            end = tar.offset
        # Some versions of tarfile end at a header that is none; images must not be gone for that.
        file.seek(end)
        if file.read(_BLOCK) != bytes(_BLOCK):
            contents.damage = f"is cut off or damaged at byte {end}"
    # Of an odd header tarfile raises nearly anything: a KeyError, say, for half a sparse member.
    except (tarfile.TarError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        contents.damage = f"is cut off, damaged, or not a tar ({error})"
    return contents


def _take(contents: _Contents, info: tarfile.TarInfo) -> None:
    # As a file system would see it: "./a.jpg", "/a.jpg" and "x/../a.jpg" are one file.
    name = os.fsencode(posixpath.normpath(f"/{info.name}").lstrip("/"))
    if info.isdir() or is_unwanted(name):
        return
    if not has_picture_name(name):
        if ending := left_out_ending(name):
            contents.left_out[ending] += 1
        return
    contents.members.pop(name, None)
    contents.refused.pop(name, None)
    if not info.isreg() or info.issparse():
        contents.refused[name] = "is a link or no regular file in the tar"
    else:
        contents.members[name] = _Member(info.offset_data, info.size, ns_of(info.mtime))
