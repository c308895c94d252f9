"""Protocol steps left out on purpose, each in all workers, to see that the trials notice."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw

from vecsearch import arguments
from vecsearch import files as vecsearch_files
from vecsearch.store import new_catalog, snapshot, sqlite, write_once
from vecsearch.store.change import Change, Compaction
from vecsearch.store.safe_paths import TEMPORARY_PREFIX
from vecsearch.store.write_once import FileRecord, check_length
from vecsearch.store.writer import Writer


class _FolderSync:
    """The module os, but for an fsync that passes over files."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def fsync(self, handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            os.fsync(handle)


def no_fsync_of_files() -> None:
    """Fsync folders only."""
    vars(write_once)["os"] = _FolderSync()


def no_fsync_of_folders() -> None:
    """Fsync files only."""
    for module in (write_once, vecsearch_files, new_catalog):
        vars(module)["sync_folder"] = lambda folder: None


def no_checksums() -> None:
    """Believe files of the right length, and do not fsync them."""

    def check_file(folder: Path, record: FileRecord, *, whole: bool = False) -> Path:
        return check_length(folder, record)

    no_fsync_of_files()
    vars(snapshot)["check_file"] = check_file


def no_synchronous() -> None:
    """Let SQLite leave its fsyncs out."""
    _tell_sqlite("PRAGMA synchronous = OFF")


def no_journal() -> None:
    """Let SQLite keep in memory what would undo half a commit."""
    _tell_sqlite("PRAGMA journal_mode = MEMORY")


def _tell_sqlite(command: str) -> None:
    connect = sqlite.connect

    def told(path: Path, flags: int) -> apsw.Connection:
        connection = connect(path, flags)
        connection.execute(command)
        return connection

    vars(sqlite)["connect"] = told


def named_before_complete() -> None:
    """Return vectors their names only after the transaction that names them in the catalog."""
    commit = Writer.commit
    waiting: list[tuple[Path, Path]] = []
    committing = False

    def rename(path: Path, target: Path) -> None:
        if not (committing and path.name.startswith(TEMPORARY_PREFIX)):
            path.replace(target)
            return
        kept = path.with_name(f"{path.name}0")  # by another name, since its own is deleted
        path.replace(kept)
        waiting.append((kept, target))

    def late(self: Writer, change: Change) -> None:
        nonlocal committing
        committing = True
        commit(self, change)
        committing = False
        while waiting:
            path, target = waiting.pop()
            path.replace(target)

    setattr(Path, "rename", rename)  # noqa: B010
    setattr(Writer, "commit", late)  # noqa: B010


def orphans_first() -> None:
    """Delete what a commit will make superfluous before it is committed."""
    commit = Writer.compact

    def compact(self: Writer, compaction: Compaction) -> None:
        compaction = replace(compaction, blocks=list(compaction.blocks))
        for path in (self.folder / "vectors").iterdir():
            if int(path.stem) <= self.generation().id:
                path.unlink()
        commit(self, compaction)

    setattr(Writer, "compact", compact)  # noqa: B010


def refusals_escape() -> None:
    """Let what the operating system refuses pass through as it is."""
    vars(write_once)["OSError"] = KeyError
    vars(arguments)["OSError"] = KeyError
