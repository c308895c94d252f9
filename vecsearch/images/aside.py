"""A folder into which picture files are moved aside, with a journal by which they come back.

The journal is ``vecsearch-moved.jsonl``, a JSON object a line: ``from``, the path that a file had;
``to``, its path in the folder; ``size_bytes``, ``mtime_ns`` and ``sha256``. A line is on the disk
before its file is moved, so a line does not tell that its file is here, but no file is here
without a line.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from vecsearch.errors import UsageError, VecsearchError
from vecsearch.images.moving import move_file, partial_of, take_back_half
from vecsearch.outfile import make_folder, sync_folder

JOURNAL: Final = "vecsearch-moved.jsonl"


@dataclass(frozen=True, slots=True)
class Moved:
    """A line of the journal."""

    source: Path
    target: Path
    size_bytes: int
    mtime_ns: int
    sha256: str


class Aside:
    """The folder, open for files to be moved into it."""

    def __init__(self, folder: Path, journal: IO[bytes]) -> None:
        """Write to *journal*; see `open_aside`."""
        self._folder, self._journal = folder, journal

    def take(self, source: Path, name: Path) -> Path:
        """Move a file to *name* in the folder, or a name like it that is free.

        Raises OSError for a file that cannot be moved, VecsearchError where no other can either.
        """
        facts = source.stat()
        with source.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        for target in _like(self._folder / name):
            if os.path.lexists(target):
                continue
            self._write(source, target, facts, digest)
            make_folder(target.parent)
            with contextlib.suppress(FileExistsError):
                move_file(source, target)
                return target
        raise AssertionError

    def _write(self, source: Path, target: Path, facts: os.stat_result, digest: str) -> None:
        line = {
            "from": str(source),
            "to": str(target.relative_to(self._folder)),
            "size_bytes": facts.st_size,
            "mtime_ns": facts.st_mtime_ns,
            "sha256": digest,
        }
        data = json.dumps(line).encode() + b"\n"
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
def open_aside(folder: Path) -> Iterator[Aside]:
    """Make *folder*, or go on in it, alone.

    Raises VecsearchError if it is in use or cannot be written.
    """
    try:
        make_folder(folder)
        journal = (folder / JOURNAL).open("a+b", buffering=0)
    except OSError as error:
        raise VecsearchError(
            f"cannot write {folder}: {error.strerror or error}", path=folder
        ) from None
    with journal:
        _lock(journal, folder)
        # A line that was cut short is of a file that was not moved.
        journal.seek(0)
        content = journal.read()
        journal.truncate(content.rfind(b"\n") + 1)
        sync_folder(folder)
        yield Aside(folder, journal)


def put_back(folder: Path) -> Iterator[tuple[Path, str]]:
    """Move everything back; give for each file where it was, and why it stays here, if it does.

    What is gone from *folder*, and is at its old place, counts as back already and is not given.
    When nothing stays, the journal goes, and folders that are empty. Raises UsageError for a folder
    without a journal, VecsearchError if it is in use or cannot be read.
    """
    try:
        journal = (folder / JOURNAL).open("r+b")
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
        lines = journal.read().split(b"\n")[:-1]
        stays = False
        folders = {folder}
        for number in range(len(lines), 0, -1):
            try:
                moved = _read(lines[number - 1], folder)
            except (ValueError, KeyError, TypeError):
                stays = True
                yield folder / JOURNAL, f"line {number} cannot be read"
                continue
            folders.update(one for one in moved.target.parents if one.is_relative_to(folder))
            try:
                reason = _return(moved)
            except OSError as error:
                reason = error.strerror or str(error)
            if reason is not None:
                stays = stays or bool(reason)
                yield moved.source, reason
        if not stays:
            (folder / JOURNAL).unlink()
    if not stays:
        for one in sorted(folders, key=lambda path: -len(path.parts)):
            with contextlib.suppress(OSError):  # it has something that is not ours
                one.rmdir()


def _return(moved: Moved) -> str | None:
    """Move one file back; say why not, or nothing, or None if there was nothing to do."""
    source, target = moved.source, moved.target
    for one in (source, target):
        with contextlib.suppress(NotADirectoryError):  # a name above it is another file's
            partial_of(one).unlink(missing_ok=True)
    here, there = os.path.lexists(target), os.path.lexists(source)
    if not here:
        return None if there else f"is neither there nor at {target}"
    if there:
        return None if take_back_half(source, target) else f"another file is there; it is {target}"
    if not _is_what_was_moved(moved):
        return f"{target} has changed since it was moved"
    make_folder(source.parent)
    try:
        move_file(target, source)
    except FileExistsError:
        return f"another file is there; it is {target}"
    return ""


def _is_what_was_moved(moved: Moved) -> bool:
    facts = moved.target.lstat()
    if (facts.st_size, facts.st_mtime_ns) == (moved.size_bytes, moved.mtime_ns):
        return True
    with moved.target.open("rb") as file:  # some file systems keep times roughly
        return hashlib.file_digest(file, "sha256").hexdigest() == moved.sha256


def _read(line: bytes, folder: Path) -> Moved:
    fields: dict[str, Any] = json.loads(line)
    name = Path(fields["to"])
    if name.is_absolute() or ".." in name.parts:
        raise ValueError(line)
    return Moved(
        Path(fields["from"]),
        folder / name,
        int(fields["size_bytes"]),
        int(fields["mtime_ns"]),
        str(fields["sha256"]),
    )


def _like(path: Path) -> Iterator[Path]:
    """Give a path, and then others with a number."""
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
