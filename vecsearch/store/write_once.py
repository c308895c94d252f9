"""Write-once files: complete, checked and on the disk before anything names them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vecsearch.errors import IndexDamagedError, IndexFolderError
from vecsearch.files import make_folder, sync_folder
from vecsearch.store.safe_paths import TEMPORARY_PREFIX, check_folder, file_path

CHECKED_AT_OPENING_BYTES: Final = 32 << 20
"""Files up to this size, which takes 20 ms, are hashed whole before they are believed."""

Write = Callable[[bytes | memoryview], object]


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A write-once file as the catalog names it: its place in the index folder and its content."""

    name: str
    size_bytes: int
    sha256: bytes


def write_once(folder: Path, name: str, fill: Callable[[Write], object]) -> FileRecord:
    """Write ``folder/name`` by letting *fill* call its argument with the bytes.

    The file appears under its name complete and fsynced, or not at all. Raises IndexFolderError
    for whatever the file system refuses.
    """
    path = folder / name
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}")
    digest = hashlib.sha256()
    size = 0

    try:
        with refusals_told(path):
            check_folder(folder, path.parent.name)
            make_folder(path.parent)
            with temporary.open("xb") as file:

                def write(data: bytes | memoryview) -> None:
                    nonlocal size
                    file.write(data)
                    digest.update(data)
                    size += len(data) if isinstance(data, bytes) else data.nbytes

                fill(write)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
            sync_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return FileRecord(name, size, digest.digest())


def write_bytes_once(folder: Path, name: str, data: bytes) -> FileRecord:
    """Write *data* as a write-once file."""
    return write_once(folder, name, lambda write: write(data))


@contextmanager
def refusals_told(path: Path) -> Iterator[None]:
    """Raise IndexFolderError, which names *path*, for what the file system refuses."""
    try:
        yield
    except OSError as error:
        raise IndexFolderError(
            f"cannot write {path}: {error.strerror or error}",
            hint="nothing that was committed is lost",
            path=path,
        ) from None


def check_length(folder: Path, record: FileRecord) -> Path:
    """Return the path of a file that has the length written; raises IndexDamagedError."""
    path = file_path(folder, record.name)
    try:
        size = path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from None
    if size != record.size_bytes:
        raise _damaged(path, f"has {size} bytes instead of {record.size_bytes}")
    return path


def check_file(folder: Path, record: FileRecord, *, whole: bool = False) -> Path:
    """Return the path of a file that is what was written; raises IndexDamagedError.

    Above `CHECKED_AT_OPENING_BYTES` only the length is compared, unless *whole*.
    """
    path = check_length(folder, record)
    if whole or record.size_bytes <= CHECKED_AT_OPENING_BYTES:
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").digest()
        except OSError as error:
            raise _unreadable(path, error) from None
        if found != record.sha256:
            raise _damaged(path, "is not what was written (its SHA-256 differs)")
    return path


def _unreadable(path: Path, error: OSError) -> IndexFolderError:
    if isinstance(error, FileNotFoundError):
        return _damaged(path, "is gone")
    return IndexFolderError(f"{path} cannot be read: {error.strerror}", path=path)


def _damaged(path: Path, problem: str) -> IndexDamagedError:
    return IndexDamagedError(
        f"{path} {problem}", hint="vecsearch repair mends what can be mended", path=path
    )
