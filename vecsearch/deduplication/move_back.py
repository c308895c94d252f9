"""Moving files that were moved aside back to where they were."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from vecsearch.arguments import checked
from vecsearch.cluster.open_index import open_index
from vecsearch.deduplication.aside_journal import (
    JOURNAL,
    JournalLine,
    JournalLines,
    lock_journal,
    open_journal,
)
from vecsearch.deduplication.move_reports import BackReport, Left, MovedFile
from vecsearch.deduplication.source_roots import SourceRoots
from vecsearch.errors import SourceError, UsageError, VecsearchError
from vecsearch.files import make_folder
from vecsearch.images.file_times import kept_ns
from vecsearch.images.move_file import move_file, partial_of, take_back_half
from vecsearch.paths import real_path
from vecsearch.types import Progress, absolute_path


@checked
def move_back(
    folder: str | Path, *, index: str | Path | None = None, progress: Progress | None = None
) -> BackReport:
    """Move back all that `move_aside` moved into *folder*; what would overwrite a file stays.

    Files go back only below the sources of *index*, whatever the journal says: it may come from
    somebody else.

    Raises UsageError for another folder, VecsearchError if it is in use or cannot be read,
    SourceError if the sources are not there, IndexFolderError or a subclass.
    """
    folder = absolute_path(folder)
    moved, left = [], []
    with open_index(index) as asked:
        snapshot = asked.reader().snapshot
        places = SourceRoots(
            snapshot.sources(), lambda path: snapshot.image_by_path(path) is not None
        )
        for one in put_back(folder, places):
            if one.reason:
                left.append(Left(one.path, one.reason))
                continue
            moved.append(MovedFile(one.target, one.path))
            if progress:
                progress("moving back", len(moved), 0)
    return BackReport(folder=folder, moved=len(moved), files=tuple(moved), left=tuple(left))


@dataclass(frozen=True, slots=True)
class Returned:
    """A file that is back at ``path``, or still at ``target`` for a ``reason``."""

    path: Path
    target: Path
    reason: str = ""


def put_back(folder: Path, places: SourceRoots) -> Iterator[Returned]:
    """Move every file back that may go below one of *places*; return what became of each.

    What is gone from *folder*, and is at its old place, counts as back already and is not returned.
    When nothing stays, the journal goes, and folders that are empty. Raises UsageError for a folder
    without a journal, VecsearchError if it is in use or cannot be read, SourceError, and nothing is
    moved, if the places of all files are missing.
    """
    try:
        journal = open_journal(folder, writing=False)
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            f"nothing was moved into {folder} (it has no {JOURNAL})",
            hint="give the folder that --move-to was given",
        ) from None
    except OSError as error:
        raise VecsearchError(
            f"{folder / JOURNAL} cannot be read: {error.strerror or error}", path=folder
        ) from None
    with journal:
        lock_journal(journal, folder)
        lines = JournalLines(journal, folder)
        _refuse_missing(lines, places)
        stays = False
        folders = {folder}
        for number, moved in lines.backwards():
            if moved is None:
                stays = True
                reason = f"line {number + 1} cannot be read"
                yield Returned(folder / JOURNAL, folder / JOURNAL, reason)
                continue
            folders.update(one for one in moved.target.parents if one.is_relative_to(folder))
            try:
                left = _return(moved, folder, places)
            except OSError as error:
                left = error.strerror or str(error)
            if left is not None:
                stays = stays or bool(left)
                yield Returned(moved.source, moved.target, left)
        if not stays:
            (folder / JOURNAL).unlink()
    if not stays:
        for one in sorted(folders, key=lambda path: -len(path.parts)):
            with contextlib.suppress(OSError):  # it has something that is not ours
                one.rmdir()


def _refuse_missing(lines: JournalLines, places: SourceRoots) -> None:
    """Raise SourceError if no file could go back because its source is missing."""
    reason = ""
    for _, moved in lines.backwards():
        if moved is None or not (reason := places.missing(moved.source, moved.folders)):
            return
    if reason:
        raise SourceError(f"{reason}; nothing was moved back")


def _return(moved: JournalLine, folder: Path, places: SourceRoots) -> str | None:
    """Move one file back; return an empty text, why not, or None if there was nothing to do."""
    source, target = moved.source, moved.target
    if reason := places.missing(source, moved.folders) or places.obstacle(source):
        return reason
    if real_path(target.parent) != real_path(folder) / target.parent.relative_to(folder):
        return f"{target} leads out of {folder}"
    for one in (source, target):
        with contextlib.suppress(NotADirectoryError):  # a name above it is another file's
            partial_of(one).unlink(missing_ok=True)
    here, there = os.path.lexists(target), os.path.lexists(source)
    if not here:
        return None if there else f"is neither there nor at {target}"
    if there:
        return None if take_back_half(source, target) else f"another file is there; it is {target}"
    if not S_ISREG(target.lstat().st_mode):
        return f"{target} is not a file"
    if not _is_what_was_moved(moved):
        return f"{target} has changed since it was moved"
    make_folder(source.parent)
    try:
        move_file(target, source)
    except FileExistsError:
        return f"another file is there; it is {target}"
    return ""


def _is_what_was_moved(moved: JournalLine) -> bool:
    facts = moved.target.lstat()
    if (facts.st_size, kept_ns(facts.st_mtime_ns)) == (moved.size_bytes, moved.mtime_ns):
        return True
    with moved.target.open("rb") as file:  # some file systems keep times roughly
        return hashlib.file_digest(file, "sha256").hexdigest() == moved.sha256
