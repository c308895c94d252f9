"""SQLite as the catalog needs it: connections to files that may be hostile, and its errors.

Every page carries a checksum (SQLite's own checksum VFS), so that damage is an error and never an
answer.
"""

from __future__ import annotations

import errno
import os
from functools import cache
from pathlib import Path
from typing import Any, Final

import apsw

from vecsearch.errors import IndexDamagedError, IndexFolderError, VecsearchError
from vecsearch.store.journal import check_beside, has_journal
from vecsearch.store.safe_paths import check_own, check_plain

PAGE_BYTES: Final = 4096
CHECKSUM_BYTES: Final = 8
"""How much of a page is its checksum."""

VFS: Final = "cksmvfs"

_BUSY_S: Final = 10.0
_DAMAGE: Final = (apsw.CorruptError, apsw.NotADBError, apsw.FormatError, apsw.TooBigError)

_MOST_BYTES: Final = 256 << 20
"""The longest value, statement or row that SQLite is to take; a parameter may list all rows."""

_HARDENED: Final = (
    (apsw.SQLITE_DBCONFIG_DEFENSIVE, 1),
    (apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
    (apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0),
    (apsw.SQLITE_DBCONFIG_ENABLE_VIEW, 0),
)
"""A catalog may come from somebody else: https://sqlite.org/security.html"""


def connect(path: Path, flags: int) -> apsw.Connection:
    """Open an SQLite file under the checksum VFS; raises apsw.Error, IndexFolderError.

    Neither the file nor what lies beside it is believed to be ours.
    """
    if flags & apsw.SQLITE_OPEN_READWRITE:
        check_own(path)
    else:
        check_plain(path)
    check_beside(path)
    load_checksum_vfs()
    uri = path.absolute().as_uri()  # any bytes may be in a path
    connection = apsw.Connection(uri, flags=flags | apsw.SQLITE_OPEN_URI, vfs=VFS)
    connection.set_busy_timeout(round(1000 * _BUSY_S))
    for option, value in _HARDENED:
        connection.config(option, value)
    connection.limit(apsw.SQLITE_LIMIT_LENGTH, _MOST_BYTES)
    # EXTRA is FULL plus an fsync of the folder after the journal is gone: files that a commit
    # made superfluous are deleted next, so the commit must not be undone by a power loss.
    connection.execute(
        "PRAGMA foreign_keys = ON; PRAGMA synchronous = EXTRA; PRAGMA temp_store = MEMORY; "
        "PRAGMA cell_size_check = ON"
    )
    return connection


def fetch(connection: apsw.Connection, query: str, values: Any = ()) -> list[Any]:
    """Run *query* and return all its rows, as tuples; raises apsw.Error."""
    try:
        return connection.execute(query, values).fetchall()
    except UnicodeDecodeError:
        raise apsw.CorruptError("a text in it is not UTF-8") from None


def pragma(connection: apsw.Connection, name: str) -> Any:
    """Read a setting of the database; raises apsw.Error."""
    ((value,),) = connection.execute(f"PRAGMA {name}")
    return value


def catalog_error(path: Path, error: apsw.Error) -> IndexFolderError:
    """Return the error that tells a user what a failure of SQLite means."""
    reason = " ".join(str(error).split())
    interrupted = isinstance(error, apsw.ReadOnlyError) and has_journal(path)
    refused = isinstance(error, apsw.CantOpenError | apsw.PermissionsError | apsw.ReadOnlyError)
    if refused and not interrupted and (refusal := _refusal(path)):
        return refusal
    if isinstance(error, apsw.ReadOnlyError):
        return IndexFolderError(
            f"{path.parent} cannot be written, and a write to it was interrupted",
            hint="open it once where it can be written, so that the write is undone",
            path=path,
        )
    code = getattr(error, "extendedresult", None)
    if isinstance(error, _DAMAGE):
        return damaged_catalog(path, reason)
    if code == apsw.SQLITE_IOERR_DATA:
        return damaged_catalog(path, "the checksum of a page is wrong")
    return IndexFolderError(
        f"the catalog {path} cannot be used: {reason}",
        hint="nothing that was committed is lost",
        path=path,
    )


def _refusal(path: Path) -> IndexFolderError | None:
    """Return the error that names the missing permission; None if none is missing."""
    # Looked at and not tried: what Python opened and closed would take away SQLite's locks.
    for place, mode, verb in (
        (path.parent, os.X_OK, "read"),
        (path, os.R_OK, "read"),
        (path, os.W_OK, "written"),
        (path.parent, os.W_OK, "written"),
    ):
        if os.path.lexists(place) and not os.access(place, mode):
            reason = os.strerror(errno.EROFS if _is_read_only(place) else errno.EACCES)
            return IndexFolderError(f"{place} cannot be {verb}: {reason}", path=place)
    return None


def _is_read_only(place: Path) -> bool:
    try:
        return bool(os.statvfs(place).f_flag & os.ST_RDONLY)
    except (AttributeError, OSError):  # Windows has no such call
        return False


def damaged_catalog(path: Path, reason: str) -> IndexDamagedError:
    """Return the error for a damaged catalog, with what is left to do."""
    return IndexDamagedError(
        f"the catalog {path} is damaged ({reason})",
        hint="restore it from a copy, or build with --fresh",
        path=path,
    )


def damaged_pages(path: Path) -> list[int]:
    """List the pages of the file (from 1), used or not, whose checksum is wrong."""
    # Through SQLite's own layer: a file that Python opened and closed would take away the locks
    # that this process has on it.
    flags = [apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READONLY, 0]
    check_plain(path)
    file = apsw.VFSFile(VFS, str(path), flags)
    damaged = []
    try:
        for offset in range(0, file.xFileSize(), PAGE_BYTES):
            try:
                file.xRead(PAGE_BYTES, offset)
            except apsw.IOError:
                damaged.append(offset // PAGE_BYTES + 1)
    finally:
        file.xClose()
    return damaged


def reserve_checksums(connection: apsw.Connection) -> None:
    """Rewrite a database without checksums as one that has them."""
    connection.reserve_bytes(None, CHECKSUM_BYTES)
    connection.execute("VACUUM")


@cache
def load_checksum_vfs() -> None:
    """Register the checksum VFS; raises VecsearchError if this apsw has none."""
    # apsw.sqlite_extra finds the same file, but what it imports takes 30 ms of every query.
    folder = Path(apsw.__file__).with_name("sqlite_extra_binaries")
    library = next(folder.glob("cksumvfs.*"), None)
    if library is None:
        raise VecsearchError(
            "this apsw comes without SQLite's checksum VFS",
            hint="install a wheel of it: pip install --only-binary apsw --force-reinstall apsw",
        )
    connection = apsw.Connection(":memory:")
    try:
        connection.enable_load_extension(True)
        connection.load_extension(str(library))
    finally:
        connection.close()
