"""Moving duplicates aside: only while they and the kept copies are what was indexed."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Final

from vecsearch.arguments import checked
from vecsearch.cluster.open_index import index_folders, open_index
from vecsearch.deduplication.aside_folder import AsideFolder, open_aside
from vecsearch.deduplication.aside_journal import Inode
from vecsearch.deduplication.file_comparison import PictureFile, are_edited, are_near
from vecsearch.deduplication.links import file_of_link, files_of_links
from vecsearch.deduplication.move_reports import AsideReport, Left, MovedFile
from vecsearch.deduplication.report import (
    DuplicateCopy,
    DuplicateGroup,
    DuplicatesReport,
    pixels_of,
)
from vecsearch.deduplication.source_roots import is_outside, leads_outside
from vecsearch.errors import UsageError, VecsearchError
from vecsearch.images.sources.access import read_content, stat_file
from vecsearch.images.sources.kinds import local_places
from vecsearch.paths import real_path
from vecsearch.types import ListName, Progress, SourceName, UrlPath, absolute_path

_STAYS: Final = errno.EPERM


@checked
def move_aside(
    report: DuplicatesReport,
    folder: str | Path,
    *,
    edited: bool = False,
    progress: Progress | None = None,
) -> AsideReport:
    """Move copies, but the kept ones, into *folder*, which `move_back` takes back.

    Where pixels were compared, only copies that are safe (`is_safe`) are moved. The others show
    something that the kept one does not show, could not be read, or have more pixels than one that
    is kept because it was preferred; they are moved only with *edited*.

    They lie there as below the source that they are from; nothing is ever overwritten. Size and
    time of each file, and of the kept one, must be those of the index, and so must their contents.
    A file that a link below the sources leads to stays. Otherwise the file, or the group, is left
    alone. A journal in *folder* is written ahead, so that after a kill each file is at one of the
    two places, and comes back all the same. The index is not written; `build` brings it up to date.

    Raises UsageError if *folder* is a file, or lies in a source of the index or above one;
    VecsearchError if it is in use or cannot be written.
    """
    folder = absolute_path(folder)
    check_aside_folder(folder, report.index, report.sources)
    total = sum(len(_chosen(group, report, edited)) for group in report.groups)
    done = moved_bytes = 0
    moved, left = [], []
    with open_aside(folder) as aside:
        mover = _Mover(aside, report, edited)
        for group in report.groups:
            movable = _chosen(group, report, edited)
            reason = mover.keep(group.kept) if movable else ""
            for copy in movable:
                why = f"{reason}, which would be kept" if reason else ""
                try:
                    target = None if why else mover.move(copy)
                except OSError as error:
                    why = error.strerror or str(error)
                if why or target is None:
                    left.append(Left(copy.path, why))
                else:
                    moved.append(MovedFile(copy.path, target))
                    moved_bytes += copy.size_bytes
                done += 1
                if progress:
                    progress("moving", done, total)
    return AsideReport(
        folder=folder,
        moved=len(moved),
        moved_bytes=moved_bytes,
        files=tuple(moved),
        left=tuple(left),
    )


def is_safe(copy: DuplicateCopy, group: DuplicateGroup, report: DuplicatesReport) -> bool:
    """Return whether *copy* shows nothing that the kept picture of its *group* does not show.

    True for the same bytes, and for pixels that agree all over, if it does not have more of them. A
    user who gives a cosine as the threshold has decided that pixels need not agree.
    """
    if copy.exact:
        return True
    if pixels_of(copy) > pixels_of(group.kept):
        return False
    return report.by == "cosine" or copy.kind == "near"


def _chosen(group: DuplicateGroup, report: DuplicatesReport, edited: bool) -> list[DuplicateCopy]:
    return [
        one
        for one in group.others
        if one.state == "there" and (edited or is_safe(one, group, report))
    ]


def check_aside_folder(folder: str | Path, index: Path, sources: tuple[SourceName, ...]) -> None:
    """Raise UsageError for a folder that duplicates of *index*, made of *sources*, cannot go to."""
    folder = absolute_path(folder)
    if isinstance(folder, UrlPath):
        raise UsageError(f"{folder} is a URL", hint="give a folder")
    if os.path.lexists(folder) and not folder.is_dir():
        raise UsageError(f"{folder} is a file", hint="give a folder")
    real = real_path(folder)
    indexes = index_folders(index)
    for place in (*indexes, *local_places(sources)):
        what = f"the index {place}" if place in indexes else f"the source {place}"
        hint = "give a folder beside it, or the next build would take the pictures in again"
        if real.is_relative_to(real_path(place)):
            raise UsageError(f"{folder} lies in {what}", hint=hint)
        if real_path(place).is_relative_to(real):
            raise UsageError(f"{folder} has {what} in it", hint=hint)


def _identities(report: DuplicatesReport) -> Iterator[Inode]:
    """Return the files that are kept, whatever group they are kept in."""
    for group in report.groups:
        try:
            facts = group.kept.path.stat()
        except (OSError, ValueError):
            continue
        yield facts.st_ino, facts.st_dev


class _Mover:
    """Moves copies, unless something speaks against it."""

    def __init__(self, aside: AsideFolder, report: DuplicatesReport, edited: bool) -> None:
        """Look for the kept files, and for the files to which links lead."""
        self._aside, self._sources, self._edited = aside, report.sources, edited
        self._kept = set(_identities(report))
        self._links = _linked_files(report)
        self._keeper = _Content()
        self._file = PictureFile(b"")

    def keep(self, kept: DuplicateCopy) -> str:
        """Begin a group with its kept picture; return why that one cannot be kept, or nothing."""
        self._keeper = _content(kept)
        self._file = PictureFile(self._keeper.data)
        if self._keeper.reason:
            return self._keeper.reason
        if kept.state == "link" and leads_outside(kept.path, self._sources):
            return f"{kept.path.name} is a link out of the sources"
        return ""

    def move(self, copy: DuplicateCopy) -> Path:
        """Move a copy and return its new path; raises OSError with the reason why it must stay.

        The decisive comparison is with the bytes that are there now.
        """
        content = _content(copy)
        if content.reason:
            raise OSError(_STAYS, content.reason)
        if content.sha256 != self._keeper.sha256:
            file = PictureFile(content.data)
            if not are_near(self._file, file) and not (
                self._edited and are_edited(self._file, file)
            ):
                raise OSError(_STAYS, "its pixels are not those of the picture that is kept")
        facts = copy.path.lstat()
        if not S_ISREG(facts.st_mode):
            raise OSError(_STAYS, "it is a link now")
        if (facts.st_ino, facts.st_dev) in self._kept:
            raise OSError(_STAYS, "it is kept by another path")
        if link := self._links.get((facts.st_ino, facts.st_dev)):
            raise OSError(_STAYS, f"the link {link} leads to it")
        if is_outside(copy.path, self._sources):
            raise OSError(_STAYS, "it lies outside of the sources, in a linked folder")
        name = _name_of(copy.path, self._sources)
        return self._aside.take(absolute_path(copy.path), name, content.sha256)


def _linked_files(report: DuplicatesReport) -> dict[Inode, Path]:
    """Find the files that links below the sources, or in lists, lead to."""
    found = files_of_links(local_places(report.sources))
    if any(isinstance(one, ListName) for one in report.sources):
        with open_index(report.index) as index:
            links = (image.path for image in index if os.path.islink(image.path))  # noqa: PTH114
            for link in links:
                if (inode := file_of_link(link)) is not None:
                    found.setdefault(inode, link)
    return found


@dataclass(frozen=True, slots=True)
class _Content:
    """The content of a file; or in ``reason`` how it differs from what was indexed."""

    data: bytes = b""
    sha256: str = ""
    reason: str = ""


def _content(copy: DuplicateCopy) -> _Content:
    """Read the file of a picture."""
    name = copy.path.name
    if copy.state == "no file":
        return _Content(reason=f"{name} has no file")
    try:
        if stat_file(copy.path) != (copy.size_bytes, copy.mtime_ns):
            return _Content(reason=f"{name} has changed since it was indexed")
        data = read_content(copy.path).data
    except FileNotFoundError:
        return _Content(reason=f"{name} is gone")
    except OSError as error:
        return _Content(reason=f"{name}: {error.strerror or error}")
    except VecsearchError as error:
        return _Content(reason=f"{name} {error}")
    digest = hashlib.sha256(data)
    if copy.content_hash and digest.digest()[:16] != copy.content_hash:
        return _Content(reason=f"{name} has other bytes than when it was indexed")
    return _Content(data, digest.hexdigest())


def _name_of(path: Path, sources: tuple[SourceName, ...]) -> Path:
    """Return the path of a file below its source, with the source's name if there are several."""
    roots = [one for one in local_places(sources) if path.is_relative_to(one)]
    path = absolute_path(path)
    if not roots:
        return path.relative_to(path.anchor)
    root = max(roots, key=lambda one: len(one.parts))
    name = path.relative_to(root)
    return name if len(sources) == 1 else root.name / name
