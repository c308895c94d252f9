"""One seam through which every change to the disk passes, Python's and SQLite's alike.

`register` puts it under SQLite, once in a process and before any catalog is opened; `watching` has
each operation below a folder counted and shown to a callback before and after it is done. The one
before may end the process, raise OSError, or let only so many bytes of a write through.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar
from unittest import mock

import apsw

T = TypeVar("T")
_REAL: Final = {
    name: getattr(os, name)
    for name in ("open", "fsync", "rename", "replace", "unlink", "mkdir", "rmdir")
}
_real_open: Final = io.open
_WRITING: Final = os.O_WRONLY | os.O_RDWR
_JOURNAL: Final = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL
_REFUSED: Final = {
    "create": apsw.SQLITE_CANTOPEN,
    "write": apsw.SQLITE_IOERR_WRITE,
    "truncate": apsw.SQLITE_IOERR_TRUNCATE,
    "fsync": apsw.SQLITE_IOERR_FSYNC,
    "unlink": apsw.SQLITE_IOERR_DELETE,
}


@dataclass(frozen=True, slots=True)
class Operation:
    """A change to the disk.

    ``kind`` is one of create, write, truncate, fsync, rename, unlink, mkdir, rmdir, sync (of a
    folder). ``size`` is a write's offset or the length to truncate to, ``target`` a new name, and
    ``syncs_folder`` tells that the folder of ``path`` is fsynced with it.
    """

    number: int
    kind: str
    path: str
    data: bytes = b""
    size: int = 0
    target: str = ""
    syncs_folder: bool = False
    by_sqlite: bool = False


Before = Callable[[Operation], int | None]
After = Callable[[Operation], None]


class _Seam:
    """What is watched, and how far the count is."""

    def __init__(self) -> None:
        self.below = ""
        self.count = 0
        self.before: Before = lambda operation: None
        self.after: After = lambda operation: None
        self.handles: dict[int, str] = {}

    def sees(self, path: str) -> bool:
        return bool(self.below) and path.startswith(self.below)

    def do(self, kind: str, path: str, action: Callable[[int | None], T], **facts: Any) -> T:
        """Do *action*, given how many bytes may pass, between the callbacks."""
        if not self.sees(path):
            return action(None)
        operation = Operation(self.count, kind, path, **facts)
        self.count += 1
        try:
            allowed = self.before(operation)
            result = action(allowed)
            self.after(operation)
        except OSError as error:
            if not operation.by_sqlite:
                raise
            raise _as_sqlite(operation, error) from None
        if allowed is not None and operation.by_sqlite:
            raise apsw.exception_for(apsw.SQLITE_FULL)
        return result


_seam: Final = _Seam()


@contextmanager
def watching(
    folder: Path, before: Before | None = None, after: After | None = None
) -> Iterator[None]:
    """Show every operation on what lies below *folder* to *before* and *after*."""
    assert register() is not None
    with ExitStack() as stack:
        for name, value in (
            *(("below", f"{folder}{os.sep}"), ("count", 0), ("handles", {})),
            *(("before", before or _seam.before), ("after", after or _seam.after)),
        ):
            stack.enter_context(mock.patch.object(_seam, name, value))
        for name in _REAL:
            stack.enter_context(mock.patch.object(os, name, globals()[f"_{name}"]))
        stack.enter_context(mock.patch.object(io, "open", _open_file))
        yield


@contextmanager
def unwatched() -> Iterator[None]:
    """Let operations pass uncounted for a while."""
    with mock.patch.object(_seam, "below", ""):
        yield


@cache
def register() -> apsw.VFS:
    """Become the VFS that SQLite's checksum VFS finds to wrap when it is loaded."""
    assert "cksmvfs" not in apsw.vfs_names()
    return _Vfs()


class _Vfs(apsw.VFS):
    def __init__(self) -> None:
        super().__init__("seam", "unix", makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        path = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        if os.path.exists(path) or not flags[0] & apsw.SQLITE_OPEN_CREATE:  # noqa: PTH110
            return _SqliteFile(path, name, flags)
        return _seam.do(
            "create", path, lambda _: _SqliteFile(path, name, flags, made=True), by_sqlite=True
        )

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        remove = super().xDelete
        _seam.do(
            *("unlink", filename, lambda _: remove(filename, syncdir)),
            syncs_folder=syncdir,
            by_sqlite=True,
        )


class _SqliteFile(apsw.VFSFile):
    def __init__(
        self,
        path: str,
        name: str | apsw.URIFilename | None,
        flags: list[int],
        *,
        made: bool = False,
    ) -> None:
        # SQLite's unix VFS fsyncs the folder of a journal that it made at its first xSync.
        self._syncs_folder = made and bool(flags[0] & _JOURNAL)
        self._path = path
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        write = super().xWrite
        _seam.do(
            *("write", self._path, lambda allowed: write(data[:allowed], offset)),
            data=bytes(data),
            size=offset,
            by_sqlite=True,
        )

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        truncate = super().xTruncate
        _seam.do(
            *("truncate", self._path, lambda _: truncate(newsize)), size=newsize, by_sqlite=True
        )

    def xSync(self, flags: int) -> None:  # noqa: N802
        sync = super().xSync
        _seam.do(
            *("fsync", self._path, lambda _: sync(flags)),
            syncs_folder=self._syncs_folder,
            by_sqlite=True,
        )
        self._syncs_folder = False


def _as_sqlite(operation: Operation, error: OSError) -> Exception:
    """Say what SQLite's unix VFS says of a refusal by the operating system."""
    full = operation.kind == "write" and error.errno == 28
    return apsw.exception_for(apsw.SQLITE_FULL if full else _REFUSED[operation.kind])


class _PythonFile(io.FileIO):
    """A file of Python's that is being written."""

    def __init__(self, path: str, mode: str) -> None:
        self._path = path
        super().__init__(path, mode)
        _seam.handles[self.fileno()] = path

    def write(self, data: Any) -> int:
        write = super().write
        whole = bytes(data)
        return _seam.do(
            *("write", self._path, lambda allowed: write(whole[:allowed])),
            data=whole,
            size=self.tell(),
        )


def _open_file(
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    *rest: Any,
) -> Any:
    path = "" if isinstance(file, int) else os.fsdecode(file)
    if not _seam.sees(path) or not set(mode) & set("wxa+"):
        return _real_open(file, mode, buffering, encoding, errors, newline, *rest)
    kind = "truncate" if os.path.exists(path) else "create"  # noqa: PTH110
    raw = _seam.do(kind, path, lambda _: _PythonFile(path, mode.replace("b", "")))
    buffered = io.BufferedWriter(raw)
    return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)


def _open(path: Any, flags: int, *rest: Any, **more: Any) -> int:
    name = os.fsdecode(path)

    def open_it(_: int | None = None) -> int:
        handle: int = _REAL["open"](path, flags, *rest, **more)
        _seam.handles[handle] = name
        return handle

    makes = flags & os.O_CREAT and not os.path.exists(name)  # noqa: PTH110
    return _seam.do("create", name, open_it) if makes and flags & _WRITING else open_it()


def _fsync(handle: int) -> None:
    path = _seam.handles.get(handle, "")
    kind = "sync" if os.path.isdir(path) else "fsync"  # noqa: PTH112
    # The watched folder itself counts too: what is made in it is durable once it was fsynced.
    below = path if path + os.sep != _seam.below else _seam.below
    _seam.do(kind, below, lambda _: _REAL["fsync"](handle))


def _rename(path: Any, target: Any) -> None:
    _two_names("rename", path, target)


def _replace(path: Any, target: Any) -> None:
    _two_names("replace", path, target)


def _two_names(name: str, path: Any, target: Any) -> None:
    source = os.fsdecode(path)
    _seam.do("rename", source, lambda _: _REAL[name](path, target), target=os.fsdecode(target))


def _one_name(kind: str, path: Any, *rest: Any, **more: Any) -> None:
    """Do what is refused without a change when the path is not, or is already, there."""
    name = os.fsdecode(path)
    if os.path.lexists(name) == (kind == "mkdir"):
        _REAL[kind](path, *rest, **more)
    else:
        _seam.do(kind, name, lambda _: _REAL[kind](path, *rest, **more))


def _unlink(path: Any, *rest: Any, **more: Any) -> None:
    _one_name("unlink", path, *rest, **more)


def _mkdir(path: Any, *rest: Any, **more: Any) -> None:
    _one_name("mkdir", path, *rest, **more)


def _rmdir(path: Any, *rest: Any, **more: Any) -> None:
    _one_name("rmdir", path, *rest, **more)
