"""Files that are written: they appear under their names whole, or not at all, and durably."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from vecsearch.errors import VecsearchError


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes the name *path* when the block ends well; folders are made.

    Raises VecsearchError for what the file system refuses; what a library calls an OSError without
    a number goes through.
    """
    temporary = path.parent / f".vecsearch-{os.getpid()}-{secrets.token_hex(4)}.tmp"
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # /dev/null would be replaced
            raise VecsearchError(f"cannot write {_printable(path)}: it is not a file", path=path)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        if error.errno is None:
            raise
        reason = os.strerror(error.errno)
        raise VecsearchError(f"cannot write {_printable(path)}: {reason}", path=path) from None


def make_folder(folder: Path) -> None:
    """Make *folder* and those above it that are missing, durably; raises OSError."""
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in made:
        sync_folder(one.parent)


def sync_folder(folder: Path) -> None:
    """Make renames and removals in *folder* durable (a no-op where folders cannot be synced)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _printable(path: Path) -> str:
    return "".join(
        c if c.isprintable() or "\udc80" <= c <= "\udcff" else "\ufffd" for c in str(path)
    )
