"""Moving duplicates aside, each only while it and the copy that is kept are what was indexed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from vecsearch.copies.report import DuplicateCopy, DuplicateGroup, DuplicatesReport
from vecsearch.errors import UsageError, VecsearchError
from vecsearch.images.access import facts_of, read_content
from vecsearch.images.aside import open_aside, put_back
from vecsearch.images.listed import is_list
from vecsearch.types import Progress, UrlPath, absolute_path


@dataclass(frozen=True, slots=True)
class Left:
    """A file that was not moved, and why not."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AsideReport:
    """How many files, of how many bytes, were moved into ``folder``, and which should have been.

    Copies that the report of the duplicates calls not movable are not among the ``left``.
    """

    folder: Path
    moved: int
    moved_bytes: int
    left: tuple[Left, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackReport:
    """How many files were moved back from ``folder``, and which are still there."""

    folder: Path
    moved: int
    left: tuple[Left, ...]


def move_aside(
    report: DuplicatesReport,
    folder: str | Path,
    *,
    edited: bool = False,
    progress: Progress | None = None,
) -> AsideReport:
    """Move copies, but the kept ones, into *folder*, which `move_back` takes back.

    Where pixels were compared, those are moved that are `is_safe`; the others, which have something
    that the kept one has not, or could not be looked at, with *edited* alone.

    They lie there as below the source that they are from; nothing is ever overwritten. Size and
    time of each file, and of the kept one, must be those of the index, and so must their contents.
    Otherwise the file, or the group, is left alone. A journal in *folder* is written ahead, so that
    after a kill each file is at one of the two places, and comes back all the same. The index is
    not written; `build` brings it up to date.

    Raises UsageError if *folder* is a file, or lies in a source of the index or above one;
    VecsearchError if it is in use or cannot be written.
    """
    folder = absolute_path(folder)
    check_folder(folder, report.index, report.sources)
    kept_files = set(_identities(report))
    moved = moved_bytes = done = 0
    left = []
    total = sum(len(_chosen(group, report, edited)) for group in report.groups)
    with open_aside(folder) as aside:
        for group in report.groups:
            movable = _chosen(group, report, edited)
            reason = _difference(group.kept) if movable else ""
            for copy in movable:
                why = f"{reason}, which would be kept" if reason else ""
                try:
                    why = why or _obstacle(copy, kept_files)
                    if not why:
                        aside.take(absolute_path(copy.path), _name_of(copy.path, report.sources))
                        moved += 1
                        moved_bytes += copy.size_bytes
                except OSError as error:
                    why = error.strerror or str(error)
                if why:
                    left.append(Left(copy.path, why))
                done += 1
                if progress:
                    progress("moving", done, total)
    return AsideReport(folder=folder, moved=moved, moved_bytes=moved_bytes, left=tuple(left))


def is_safe(copy: DuplicateCopy, report: DuplicatesReport) -> bool:
    """Tell whether *copy* shows nothing that the kept picture does not show.

    So it is with the same bytes, and with pixels that agree all over. One who gives a cosine as a
    threshold has decided that.
    """
    return report.by == "cosine" or copy.kind in ("exact", "near")


def _chosen(group: DuplicateGroup, report: DuplicatesReport, edited: bool) -> list[DuplicateCopy]:
    return [
        one for one in group.others if one.state == "there" and (edited or is_safe(one, report))
    ]


def check_folder(folder: str | Path, index: Path, sources: tuple[Path, ...]) -> None:
    """Raise UsageError for a folder that duplicates of *index*, made of *sources*, cannot go to."""
    folder = absolute_path(folder)
    if isinstance(folder, UrlPath):
        raise UsageError(f"{folder} is a URL", hint="give a folder")
    if os.path.lexists(folder) and not folder.is_dir():
        raise UsageError(f"{folder} is a file", hint="give a folder")
    real = folder.resolve()
    for place in (index, *sources):
        if isinstance(place, UrlPath) or is_list(place):
            continue
        what = f"the index {place}" if place == index else f"the source {place}"
        hint = "give a folder beside it, or the next build would take the pictures in again"
        if real.is_relative_to(place.resolve()):
            raise UsageError(f"{folder} lies in {what}", hint=hint)
        if place.resolve().is_relative_to(real):
            raise UsageError(f"{folder} has {what} in it", hint=hint)


def move_back(folder: str | Path, *, progress: Progress | None = None) -> BackReport:
    """Move back all that `move_aside` moved into *folder*; what would overwrite a file stays.

    Raises UsageError for another folder, VecsearchError if it is in use or cannot be read.
    """
    folder = absolute_path(folder)
    moved = 0
    left = []
    for path, reason in put_back(folder):
        if reason:
            left.append(Left(path, reason))
        else:
            moved += 1
            if progress:
                progress("moving back", moved, 0)
    return BackReport(folder=folder, moved=moved, left=tuple(left))


def _identities(report: DuplicatesReport) -> Iterator[tuple[int, int]]:
    """Give the files that are kept, whatever group they are kept in, by device and number."""
    for group in report.groups:
        try:
            facts = group.kept.path.stat()
        except (OSError, ValueError):
            continue
        yield facts.st_dev, facts.st_ino


def _obstacle(copy: DuplicateCopy, kept_files: set[tuple[int, int]]) -> str:
    """Say why a copy must stay, or nothing."""
    if reason := _difference(copy):
        return reason
    facts = copy.path.lstat()
    if not S_ISREG(facts.st_mode):
        return "it is a link now"
    return "it is kept by another path" if (facts.st_dev, facts.st_ino) in kept_files else ""


def _difference(copy: DuplicateCopy) -> str:
    """Say in what a file is not what was indexed, or nothing; reads the file."""
    name = copy.path.name
    if copy.state == "no file":
        return f"{name} has no file"
    try:
        if facts_of(copy.path) != (copy.size_bytes, copy.mtime_ns):
            return f"{name} has changed since it was indexed"
        data = read_content(copy.path).data
    except FileNotFoundError:
        return f"{name} is gone"
    except OSError as error:
        return f"{name}: {error.strerror or error}"
    except VecsearchError as error:
        return f"{name} {error}"
    if copy.content_hash and hashlib.sha256(data).digest()[:16] != copy.content_hash:
        return f"{name} has other bytes than when it was indexed"
    return ""


def _name_of(path: Path, sources: tuple[Path, ...]) -> Path:
    """Name a file in the folder as it is below its source; of several, with the source's name."""
    roots = [one for one in sources if not isinstance(one, UrlPath) and path.is_relative_to(one)]
    path = absolute_path(path)
    if not roots:
        return path.relative_to(path.anchor)
    root = max(roots, key=lambda one: len(one.parts))
    name = path.relative_to(root)
    return name if len(sources) == 1 else root.name / name
