"""The journal of a folder into which files are moved aside: a JSON object a line.

``from`` is the path that a file had; ``to`` its path in the folder; ``size_bytes``, ``mtime_ns``
and ``sha256`` what it is; ``folders`` the inode and the device of each folder above it, from its
own on. A journal may come from somebody else: no line of it is believed for being there.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import IO, Any, Final

from vecsearch.errors import VecsearchError

JOURNAL: Final = "vecsearch-moved.jsonl"

_LONGEST_LINE: Final = 1 << 16
_LARGEST_NUMBER: Final = 1 << 64
_BEGINNING: Final = b'{"from": '
_SHA256: Final = re.compile(r"[0-9a-f]{64}")

Inode = tuple[int, int]
"""The number of a file or folder, and that of its device."""


@dataclass(frozen=True, slots=True)
class JournalLine:
    """A line of the journal; ``folders`` is empty in old journals, which do not have them."""

    source: Path
    target: Path
    size_bytes: int
    mtime_ns: int
    sha256: str
    folders: tuple[Inode, ...] = ()


def open_journal(folder: Path, *, writing: bool) -> IO[bytes]:
    """Open the journal of *folder*; with *writing* it is made, if it is not there.

    Raises OSError, and VecsearchError for a link, which would let another file be read or
    written, and for anything else that is not a file.
    """
    path = folder / JOURNAL
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND if writing else os.O_RDONLY
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    flags |= getattr(os, "O_BINARY", 0)
    if path.is_symlink():
        raise _no_journal(path, "is a link")
    try:
        handle = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _no_journal(path, "is a link") from None
        raise
    facts = os.fstat(handle)
    if not S_ISREG(facts.st_mode) or (writing and facts.st_nlink > 1):
        os.close(handle)
        what = "is a link" if S_ISREG(facts.st_mode) else "is not a file"
        raise _no_journal(path, what)
    return open(handle, "a+b" if writing else "rb", buffering=0 if writing else -1)  # noqa: PTH123


def mend_journal(journal: IO[bytes], folder: Path) -> None:
    """Remove a last line that was cut short: its file was not moved.

    Raises VecsearchError for a file that is not a journal, whose last line is kept.
    """
    journal.seek(0)
    whole, believed, lines = 0, False, 0
    rest = b""
    with open(os.dup(journal.fileno()), "rb") as reader:  # noqa: PTH123 - a descriptor
        while line := reader.readline(_LONGEST_LINE):
            if not line.endswith(b"\n"):
                rest = rest or line[: len(_BEGINNING)]
                continue
            whole, rest, lines = reader.tell(), b"", lines + 1
            if not believed:
                with contextlib.suppress(ValueError):
                    read_line(line, folder)
                    believed = True
    cut_short = _BEGINNING.startswith(rest) or not rest.strip(b"\0")
    if not (believed or (not lines and cut_short)):
        raise _no_journal(folder / JOURNAL, "is not a journal of files that were moved")
    if rest:
        journal.truncate(whole)


def lock_journal(journal: IO[bytes], folder: Path) -> None:
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


def line_of(moved: JournalLine, folder: Path) -> bytes:
    """Write a line."""
    fields = {
        "from": str(moved.source),
        "to": str(moved.target.relative_to(folder)),
        "size_bytes": moved.size_bytes,
        "mtime_ns": moved.mtime_ns,
        "sha256": moved.sha256,
        "folders": moved.folders,
    }
    return json.dumps(fields).encode() + b"\n"


def read_line(line: bytes, folder: Path) -> JournalLine:
    """Read a line; raises ValueError for one that no move into *folder* has written."""
    try:
        fields: dict[str, Any] = json.loads(line)
        name, source = Path(_text(fields["to"])), Path(_text(fields["from"]))
        size_bytes, mtime_ns = _number(fields["size_bytes"]), _number(fields["mtime_ns"])
        sha256 = _text(fields["sha256"])
        folders = tuple((_number(a), _number(b)) for a, b in fields.get("folders", ()))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError("not a line of a journal") from None
    if (
        name.is_absolute()
        or not name.parts
        or ".." in name.parts
        or name.parts[0] == JOURNAL
        or not source.is_absolute()
        or os.path.normpath(source) != fields["from"]
        or not _SHA256.fullmatch(sha256)
    ):
        raise ValueError("not a line of a journal")
    return JournalLine(source, folder / name, size_bytes, mtime_ns, sha256, folders)


class JournalLines:
    """The whole lines of a journal, by number from 0; only where they begin is in memory."""

    def __init__(self, journal: IO[bytes], folder: Path) -> None:
        """Look for the lines."""
        self._journal, self._folder = journal, folder
        self._starts = array("q", [0])
        journal.seek(0)
        while line := journal.readline(_LONGEST_LINE):
            if line.endswith(b"\n"):
                self._starts.append(journal.tell())

    def __len__(self) -> int:
        """Count the lines."""
        return len(self._starts) - 1

    def read(self, number: int) -> JournalLine | None:
        """Read a line; None if it cannot be read."""
        start, end = self._starts[number], self._starts[number + 1]
        if end - start > _LONGEST_LINE:
            return None
        self._journal.seek(start)
        try:
            return read_line(self._journal.read(end - start), self._folder)
        except ValueError:
            return None

    def backwards(self) -> Iterator[tuple[int, JournalLine | None]]:
        """Read all lines, the last one first, with their numbers."""
        for number in range(len(self) - 1, -1, -1):
            yield number, self.read(number)


def folders_above(path: Path) -> tuple[Inode, ...]:
    """Return inode and device of the folders above a file, from its own on; raises OSError."""
    facts = (one.stat() for one in path.parents)
    return tuple((one.st_ino, one.st_dev) for one in facts)


def _text(value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise TypeError
    os.fsencode(value)  # raises ValueError for what no path can be
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or not 0 <= abs(value) < _LARGEST_NUMBER:
        raise TypeError
    return value


def _no_journal(path: Path, what: str) -> VecsearchError:
    return VecsearchError(
        f"{path} {what}; nothing was moved", hint="give another folder", path=path
    )
