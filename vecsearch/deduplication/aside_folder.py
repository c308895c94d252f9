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
from pathlib import Path
from stat import S_ISREG
from typing import IO

from vecsearch.deduplication.aside_journal import (
    JOURNAL,
    JournalLine,
    folders_above,
    line_of,
    lock_journal,
    mend_journal,
    open_journal,
)
from vecsearch.errors import VecsearchError
from vecsearch.files import make_folder, sync_folder
from vecsearch.images.file_times import kept_ns
from vecsearch.images.move_file import move_file
from vecsearch.paths import real_path


class AsideFolder:
    """The folder, open for files to be moved into it."""

    def __init__(self, folder: Path, journal: IO[bytes]) -> None:
        """Write to *journal*; see `open_aside`."""
        self._folder, self._journal = folder, journal
        self._real = real_path(folder)

    def take(self, source: Path, name: Path, sha256: str) -> Path:
        """Move a file with this SHA-256 to *name* in the folder, or to a free name like it.

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
        if real_path(nearest) != self._real / nearest.relative_to(self._folder):
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
    """Open *folder*, which is made if needed, for this process alone.

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
        lock_journal(journal, folder)
        mend_journal(journal, folder)
        sync_folder(folder)
        yield AsideFolder(folder, journal)


def _like(path: Path) -> Iterator[Path]:
    """Return a path, and then others like it with a number."""
    yield path
    number = 2
    while True:
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
