"""A folder into which picture files are moved aside, with a journal by which they come back.

A line of the journal is on the disk before its file is moved, so a line does not tell that its file
is here, but no file is here without a line.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import IO

from vecsearch.deduplication.aside_journal import (
    JOURNAL,
    JournalLine,
    JournalLines,
    folders_above,
    line_of,
    mend_journal,
    open_journal,
)
from vecsearch.deduplication.source_roots import SourceRoots
from vecsearch.errors import SourceError, UsageError, VecsearchError
from vecsearch.files import make_folder, sync_folder
from vecsearch.images.file_times import kept_ns
from vecsearch.images.move_file import move_file, partial_of, take_back_half


@dataclass(frozen=True, slots=True)
class Returned:
    """What became of a file on its way back: it is at ``path``, or ``reason`` says why not."""

    path: Path
    target: Path
    reason: str = ""


class AsideFolder:
    """The folder, open for files to be moved into it."""

    def __init__(self, folder: Path, journal: IO[bytes]) -> None:
        """Write to *journal*; see `open_aside`."""
        self._folder, self._journal = folder, journal
        self._real = folder.resolve()

    def take(self, source: Path, name: Path, sha256: str) -> Path:
        """Move a file with this SHA-256 to *name* in the folder, or a name like it that is free.

        Raises OSError for a file that cannot be moved, VecsearchError where no other can either.
        """
        facts = source.lstat()
        if not S_ISREG(facts.st_mode):
            raise OSError(errno.EINVAL, "it is no longer a file")
        with source.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise OSError(errno.EINVAL, "it keeps changing")
        for target in _like(self._folder / name):
            if os.path.lexists(target):
                continue
            self._check_inside(target.parent)
            size, time = facts.st_size, kept_ns(facts.st_mtime_ns)
            self._write(JournalLine(source, target, size, time, sha256, folders_above(source)))
            make_folder(target.parent)
            with contextlib.suppress(FileExistsError):
                move_file(source, target)
                return target
        raise AssertionError

    def _check_inside(self, folder: Path) -> None:
        """Raise OSError if a link leads elsewhere on the way to *folder*."""
        nearest = next(one for one in (folder, *folder.parents) if os.path.lexists(one))
        if nearest.resolve() != self._real / nearest.relative_to(self._folder):
            raise OSError(errno.ELOOP, f"{nearest} leads out of {self._folder}")

    def _write(self, moved: JournalLine) -> None:
        data = line_of(moved, self._folder)
        try:
            if self._journal.write(data) != len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._journal.fileno())
        except OSError as error:
            # What follows a line that was cut short could not be read.
            raise VecsearchError(
                f"cannot write {self._folder / JOURNAL}: {error.strerror or error}",
                hint="what was moved so far can be moved back with --undo",
                path=self._folder,
            ) from None


@contextmanager
def open_aside(folder: Path) -> Iterator[AsideFolder]:
    """Make *folder*, or go on in it, alone.

    Raises VecsearchError if it is in use, has a journal that is none, or cannot be written.
    """
    try:
        make_folder(folder)
        journal = open_journal(folder, writing=True)
    except OSError as error:
        raise VecsearchError(
            f"cannot write {folder}: {error.strerror or error}", path=folder
        ) from None
    with journal:
        _lock(journal, folder)
        mend_journal(journal, folder)
        sync_folder(folder)
        yield AsideFolder(folder, journal)


def put_back(folder: Path, places: SourceRoots) -> Iterator[Returned]:
    """Move everything back that may go to one of *places*; give what became of each file.

    What is gone from *folder*, and is at its old place, counts as back already and is not given.
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
        _lock(journal, folder)
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
    """Raise SourceError if no file could go back, its source not being there."""
    reason = ""
    for _, moved in lines.backwards():
        if moved is None or not (reason := places.missing(moved.source, moved.folders)):
            return
    if reason:
        raise SourceError(f"{reason}; nothing was moved back")


def _return(moved: JournalLine, folder: Path, places: SourceRoots) -> str | None:
    """Move one file back; say why not, or nothing, or None if there was nothing to do."""
    source, target = moved.source, moved.target
    if reason := places.missing(source, moved.folders) or places.obstacle(source):
        return reason
    if target.parent.resolve() != folder.resolve() / target.parent.relative_to(folder):
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


def _like(path: Path) -> Iterator[Path]:
    """Return a path, and then others with a number."""
    yield path
    number = 2
    while True:
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1


def _lock(journal: IO[bytes], folder: Path) -> None:
    """Hold *journal* against other processes as long as it is open; raises VecsearchError."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise VecsearchError(
            f"another process is moving files into or out of {folder}",
            hint="wait for it to end",
            path=folder,
        ) from None
    except OSError:
        pass  # some network file systems have no locks
    try:
        current = (folder / JOURNAL).stat()
    except OSError:
        current = None
    if current is None or not os.path.samestat(current, os.fstat(journal.fileno())):
        raise VecsearchError(
            f"another process has just moved all files out of {folder}",
            hint="run it again",
            path=folder,
        )
