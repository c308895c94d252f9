"""Hits as files in a folder: copies of them, or links to them."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISLNK, S_ISREG
from typing import Final

from vecsearch.errors import UsageError, VecsearchError
from vecsearch.files import make_folder, sync_folder
from vecsearch.images.decoders.to_rgb import is_picture
from vecsearch.images.move_file import take_name
from vecsearch.images.sources.access import read_content
from vecsearch.images.sources.kinds import local_places
from vecsearch.images.sources.source import NO_TIME
from vecsearch.paths import real_path
from vecsearch.types import Hit, Result, SourceName, UrlPath, absolute_path

_LONGEST: Final = 200
"""Bytes of a name, so that no file system finds it too long."""


@dataclass(frozen=True, slots=True)
class PlacedHit:
    """A hit, and its copy or link at ``target``, which is ``new`` or was there before."""

    hit: Hit
    target: Path
    new: bool


@dataclass(frozen=True, slots=True)
class LeftHit:
    """A hit that has no copy or link, and why not."""

    hit: Hit
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyReport:
    """What was put into ``folder``: copies of hits, or ``links`` to them; and which are ``left``.

    A hit of several queries is there once for each.
    """

    folder: Path
    links: bool
    files: tuple[PlacedHit, ...]
    left: tuple[LeftHit, ...]


def check_copies(folder: str | Path, index: Path, sources: Sequence[SourceName]) -> None:
    """Raise UsageError for a folder that hits of *index*, made of *sources*, cannot go to."""
    if not os.fspath(folder):
        raise UsageError("the folder to copy hits to is empty", hint="give a folder")
    folder = absolute_path(folder)
    if isinstance(folder, UrlPath):
        raise UsageError(f"{folder} is a URL", hint="give a folder")
    if os.path.lexists(folder) and not folder.is_dir():
        raise UsageError(f"{folder} is a file", hint="give a folder")
    real = real_path(folder)
    for place in (index, *local_places(sources)):
        if real.is_relative_to(real_path(place)):
            what = f"the index {place}" if place == index else f"the source {place}"
            raise UsageError(
                f"{folder} lies in {what}",
                hint="give a folder beside it, or the next build would take the copies in",
            )


def copy_hits(results: Sequence[Result], folder: str | Path, *, link: bool = False) -> CopyReport:
    """Copy the hits of *results* into *folder*, or *link* to them there.

    Their names begin with their ranks, so that they sort as they were found: ``01_burger.jpg``. Of
    several results each has a folder of its own, ``1_query``. Nothing is overwritten: where another
    file has a name the next free one is taken, and a copy or link that is there already stays.
    Copies appear whole, and have the times and modes of their files. Members of tars are extracted,
    and what is behind URLs is fetched, by the rules of `open_index`; neither can be linked to.

    A hit that is gone, cannot be read or is no picture is left, and told. Raises VecsearchError
    where the folder cannot be written.
    """
    folder = absolute_path(folder)
    placed: list[PlacedHit] = []
    left: list[LeftHit] = []
    digits = len(str(len(results)))
    for number, result in enumerate(results, start=1):
        own = folder
        if len(results) > 1:
            own = folder / _fitting(f"{number:0{digits}}_{_name_of(result)}", "")
        width = max(2, *(len(str(hit.rank)) for hit in result.hits)) if result.hits else 2
        for hit in result.hits:
            name = f"{hit.rank:0{width}}_{_file_name(hit)}"
            placed_hit = (_link if link else _copy)(hit, own, name)
            if isinstance(placed_hit, PlacedHit):
                placed.append(placed_hit)
            else:
                left.append(placed_hit)
    return CopyReport(folder=folder, links=link, files=tuple(placed), left=tuple(left))


def _name_of(result: Result) -> str:
    """Name the folder of a query."""
    if result.path is not None and not result.query.startswith("id:"):
        return result.path.stem
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in result.query)


def _file_name(hit: Hit) -> str:
    name = str(hit.path).rpartition("/")[2] if isinstance(hit.path, UrlPath) else hit.path.name
    return name or f"id-{hit.id}"


def _fitting(stem: str, suffix: str) -> str:
    while len(os.fsencode(stem + suffix)) > _LONGEST and len(stem) > 1:
        stem = stem[:-1]
    return stem + suffix


def _names(name: str) -> Iterator[str]:
    """Return a name, and then others with a number."""
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - of a name, which need be no path
    yield _fitting(stem, suffix)
    number = 2
    while True:
        yield _fitting(stem, f"-{number}{suffix}")
        number += 1


def _copy(hit: Hit, folder: Path, name: str) -> PlacedHit | LeftHit:
    path = _file_of(hit)
    if hit.is_gone:
        return LeftHit(hit, "is gone")
    try:
        content = read_content(path)
    except VecsearchError as error:
        return LeftHit(hit, str(error))
    # An index may come from somebody else, and name any file.
    if not is_picture(content.data):
        return LeftHit(hit, "is not a picture")
    with _refusals_told(folder / name):
        make_folder(folder)
        partial = folder / f".vecsearch-{os.getpid()}-{secrets.token_hex(4)}.tmp"
        try:
            for one in _names(name):
                target = folder / one
                if os.path.lexists(target):
                    if _holds(target, content.data):
                        return PlacedHit(hit, target, new=False)
                    continue
                if not partial.exists():
                    _write(partial, content.data)
                    _take_facts(partial, path, content.mtime_ns)
                try:
                    take_name(partial, target)
                except FileExistsError:
                    continue
                sync_folder(folder)
                return PlacedHit(hit, target, new=True)
        finally:
            partial.unlink(missing_ok=True)
    raise AssertionError


def _link(hit: Hit, folder: Path, name: str) -> PlacedHit | LeftHit:
    path = _file_of(hit)
    if isinstance(path, UrlPath):
        return LeftHit(hit, "is behind a URL, and cannot be linked to")
    if hit.is_gone:
        return LeftHit(hit, "is gone")
    try:
        path.stat()
    except NotADirectoryError:
        return LeftHit(hit, "is in a tar, and cannot be linked to")
    except (OSError, ValueError) as error:
        return LeftHit(hit, f"cannot be read: {getattr(error, 'strerror', None) or error}")
    with _refusals_told(folder / name):
        make_folder(folder)
        for one in _names(name):
            target = folder / one
            try:
                target.symlink_to(path)
            except FileExistsError:
                if _is_link_to(target, path):
                    return PlacedHit(hit, target, new=False)
                continue
            return PlacedHit(hit, target, new=True)
    raise AssertionError


def _file_of(hit: Hit) -> Path:
    """Return the absolute path of a hit's file: an id of an import may be relative."""
    return hit.path if isinstance(hit.path, UrlPath) else Path(os.path.abspath(hit.path))  # noqa: PTH100


def _write(partial: Path, data: bytes) -> None:
    with partial.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _take_facts(partial: Path, path: Path, mtime_ns: int) -> None:
    """Give a copy the times and the mode of its file; of a member of a tar, its time."""
    try:
        shutil.copystat(path, partial)
    except (OSError, ValueError):
        if mtime_ns != NO_TIME:
            os.utime(partial, ns=(mtime_ns, mtime_ns))


def _holds(target: Path, data: bytes) -> bool:
    """Return whether the file at *target* has these bytes."""
    facts = target.lstat()
    if not S_ISREG(facts.st_mode) or facts.st_size != len(data):
        return False
    try:
        return target.read_bytes() == data
    except OSError:
        return False


def _is_link_to(target: Path, path: Path) -> bool:
    return S_ISLNK(target.lstat().st_mode) and target.readlink() == path


@contextmanager
def _refusals_told(path: Path) -> Iterator[None]:
    """Raise VecsearchError, which names *path*, for what the file system refuses."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise VecsearchError(f"cannot write {path}: {reason}", path=path) from None
