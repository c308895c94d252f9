"""The tables of catalog.sqlite, and how a catalog is opened.

Every page carries a checksum (SQLite's own checksum VFS), so that damage is an error and never an
answer. Format 4:

- ``config``: the encoder's description; the ``recipe`` that was asked for and the ``recall`` that
  bases are tuned for; an ``instance`` that differs after every fresh build; ``compacted``, the
  generation of the last compaction, and ``oldest``, the first whose rows are still all known;
  ``stamp:`` and the path of a source in hex, what is remembered of it: size and time of a tar, what
  a list is relative to. Where the path is ``rows:`` and a name, that is the file whose vectors are
  called so for want of ids; where it is ``left-out:`` and a source, how many files of which endings
  were not read there. ``removed:`` and a content hash in hex is content that was taken out, and
  stays out whatever the name of its file. ``apart:`` and two content hashes are pictures that
  somebody has said to be no copies of each other.
- ``files``: every write-once file that counts, with length and SHA-256; any other is an orphan.
- ``sources``: what was scanned: a folder, a tar, a URL, or ``list:`` and the path of a list.
- ``images``: a path (bytes) with what was known of it; ``id`` is never reused; ``removed`` is the
  generation that took it out. ``taken`` is the date in its metadata, ISO 8601, empty if there is
  none, and null if they were not read for it, as those of older formats.
- ``rows``: row number -> image; a row that ``died`` belongs to an image that was removed or changed
  since, or to one whose vector was copied to a later row. Row numbers are never reused.
- ``segments``: which file holds which rows.
- ``bases``: the FAISS file over the first ``row_count`` rows of a segment, and the parameters it is
  searched with. The rest of the segment's rows were held out to measure it.
- ``generations``: one line a commit: the next free row, and how many images there are. The last
  line is the present.
- ``skipped``: files that are not used, and why.
"""

from __future__ import annotations

import errno
import os
import re
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, Final

import apsw

from vecsearch.errors import IndexDamagedError, IndexFolderError, IndexFormatError, VecsearchError
from vecsearch.store.inside import check_own, check_plain, has_other_names, is_file
from vecsearch.store.journal import check_beside, has_journal
from vecsearch.types import SourceName, stored_name

CATALOG: Final = "catalog.sqlite"
FORMAT: Final = 4
READ_FROM: Final = 3
"""The oldest format that is read as it is, where it cannot be migrated: it has no dates."""

TABLES: Final = (
    *("config", "files", "sources", "images", "rows", "segments", "bases", "generations"),
    "skipped",
)
APPLICATION_ID: Final = 0x76656373  # "vecs"
PAGE_BYTES: Final = 4096
VFS: Final = "cksmvfs"

_WITH_DATES: Final = 4
_TAKEN: Final = ", taken TEXT"
_BY_DATE: Final = "CREATE INDEX images_taken ON images (taken, mtime_ns);"

_TABLES: Final = f"""
CREATE TABLE config (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE files (
    name TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL, sha256 BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE sources (path BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE images (
    id INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB NOT NULL, size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, content_hash BLOB NOT NULL, width INTEGER NOT NULL,
    height INTEGER NOT NULL, removed INTEGER{_TAKEN}
);
CREATE UNIQUE INDEX images_path ON images (path) WHERE removed IS NULL;
CREATE INDEX images_size ON images (size_bytes);
CREATE INDEX images_removed ON images (removed) WHERE removed IS NOT NULL;
{_BY_DATE}
CREATE TABLE rows (
    row INTEGER PRIMARY KEY, image INTEGER NOT NULL REFERENCES images (id), died INTEGER
);
CREATE INDEX rows_image ON rows (image);
CREATE UNIQUE INDEX rows_live ON rows (image) WHERE died IS NULL;
CREATE INDEX rows_died ON rows (row) WHERE died IS NOT NULL;
CREATE TABLE segments (
    first_row INTEGER PRIMARY KEY, row_count INTEGER NOT NULL,
    file TEXT NOT NULL REFERENCES files (name)
);
CREATE TABLE bases (
    first_row INTEGER PRIMARY KEY REFERENCES segments (first_row), row_count INTEGER NOT NULL,
    file TEXT NOT NULL REFERENCES files (name), recipe TEXT NOT NULL, search TEXT NOT NULL
);
CREATE TABLE generations (
    id INTEGER PRIMARY KEY, created_ns INTEGER NOT NULL, next_row INTEGER NOT NULL,
    image_count INTEGER NOT NULL
);
CREATE TABLE skipped (
    path BLOB PRIMARY KEY, size_bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    reason TEXT NOT NULL
) WITHOUT ROWID;
"""

CONFIG: Final = (
    "SELECT key, value FROM config WHERE (key < 'removed:' OR key >= 'removed;') "
    "AND (key < 'stamp:' OR key >= 'stamp;') AND (key < 'apart:' OR key >= 'apart;')"
)
"""Asks for the config without what there may be much of."""

HASH_BYTES: Final = 16
"""The length of a content hash."""

MOST_APART: Final = 100_000
"""So many pairs of pictures may be said to be no copies."""

_APART: Final = re.compile(f"apart:([0-9a-f]{{{2 * HASH_BYTES}}}):([0-9a-f]{{{2 * HASH_BYTES}}})")

_BUSY_S = 10.0
_WRITER_CACHE_KIB: Final = 64 << 10
"""What commits of 100,000 rows touch; with SQLite's 2 MB they take half as long again."""

_CHECKSUM_BYTES: Final = 8
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


def create_catalog(path: Path) -> apsw.Connection:
    """Create the tables in a new file at *path* and return the writing connection."""
    try:
        connection = connect(path, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
        connection.reserve_bytes(None, _CHECKSUM_BYTES)
        connection.execute(
            f"PRAGMA page_size = {PAGE_BYTES}; BEGIN IMMEDIATE; {_TABLES}"
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT}; COMMIT;"
        )
    except apsw.Error as error:
        raise catalog_error(path, error) from None
    return connection


def is_catalog(path: Path) -> bool:
    """Return whether the file at *path* is a catalog, of any format."""
    return _format_at(path) > 0


def format_of(folder: Path) -> int:
    """Read the format of the index in *folder*, 0 if it has no usable catalog."""
    return _format_at(folder / CATALOG)


def open_catalog(folder: Path, *, writing: bool) -> apsw.Connection:
    """Open the catalog of an index; raises IndexFolderError or a subclass.

    A reader too may have to roll back what a killed writer left, so it opens the file for writing
    where it may, and promises by ``query_only`` not to.
    """
    path = folder / CATALOG
    if not is_file(path):
        raise not_an_index(folder)
    try:
        try:
            # Where a rollback would write to a file that others have, reading must do.
            reading = not writing and has_other_names(path)
            connection = connect(
                path, apsw.SQLITE_OPEN_READONLY if reading else apsw.SQLITE_OPEN_READWRITE
            )
        except apsw.CantOpenError:
            connection = connect(path, apsw.SQLITE_OPEN_READONLY)
        try:
            _check(connection, folder)
        except BaseException:
            connection.close()
            raise
    except apsw.Error as error:
        raise catalog_error(path, error) from None
    connection.execute(f"PRAGMA query_only = {'OFF' if writing else 'ON'}")
    if writing:
        connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
    return connection


def connect(path: Path, flags: int) -> apsw.Connection:
    """Open an SQLite file under the checksum VFS; raises apsw.Error, IndexFolderError.

    Neither the file nor what lies beside it is believed to be ours.
    """
    if flags & apsw.SQLITE_OPEN_READWRITE:
        check_own(path)
    else:
        check_plain(path)
    check_beside(path)
    _load_checksum_vfs()
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
    """Run *query* and give all its rows, as tuples; raises apsw.Error."""
    try:
        return connection.execute(query, values).fetchall()
    except UnicodeDecodeError:
        raise apsw.CorruptError("a text in it is not UTF-8") from None


def catalog_error(path: Path, error: apsw.Error) -> IndexFolderError:
    """Say what a failure of SQLite means for the user."""
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
    """Say which permission is lacking, if one is; SQLite tells no more than that it is."""
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
    """Say that the catalog is damaged, and what is left to do."""
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


def has_dates(connection: apsw.Connection) -> bool:
    """Return whether the catalog keeps when pictures were taken."""
    return int(_pragma(connection, "user_version")) >= _WITH_DATES


def check_tables(connection: apsw.Connection, path: Path, version: int = FORMAT) -> None:
    """Raise IndexDamagedError unless the catalog has the tables and indexes of its format alone.

    A trigger, a view, a virtual table or a generated column would do what we did not write.
    """
    found = fetch(connection, "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    expected = _expected_tables(version)
    if dict(found) != expected and not _same_tables(found, expected):
        raise damaged_catalog(path, "its tables are not those of an index")


def _same_tables(found: list[tuple[str, str]], tables: dict[str, str]) -> bool:
    # A migration leaves quotes, and other white space.
    expected = {name: _plain(sql) for name, sql in tables.items()}
    same = len(found) == len(expected) and all(isinstance(sql, str) for _, sql in found)
    return same and {name: _plain(sql) for name, sql in found} == expected


@cache
def _expected_tables(version: int) -> dict[str, str]:
    text = _TABLES if version >= _WITH_DATES else _TABLES.replace(_TAKEN, "").replace(_BY_DATE, "")
    texts = [text.strip() for text in text.split(";") if text.strip()]
    tables = {text.partition(" (")[0].split(" ON ")[0].split()[-1]: text for text in texts}
    return tables | {"sqlite_sequence": "CREATE TABLE sqlite_sequence(name,seq)"}


def _plain(sql: str) -> str:
    return " ".join(re.sub("([(),])", r" \1 ", sql.replace('"', "")).split())


def reserve_checksums(connection: apsw.Connection) -> None:
    """Rewrite a database without checksums as one that has them."""
    connection.reserve_bytes(None, _CHECKSUM_BYTES)
    connection.execute("VACUUM")


@cache
def _load_checksum_vfs() -> None:
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


def stamp_key(source: SourceName) -> str:
    """Return the key under which the stamp of a source is kept; its path need not be text."""
    return f"stamp:{stored_name(source).hex()}"


def removed_key(content_hash: bytes) -> str:
    """Return the key under which it is kept that this content was removed."""
    return f"removed:{content_hash.hex()}"


def apart_key(pair: tuple[bytes, bytes]) -> str:
    """Return the key under which it is kept that pictures with these hashes are no copies."""
    first, second = sorted(pair)
    return f"apart:{first.hex()}:{second.hex()}"


def read_apart(connection: apsw.Connection) -> set[tuple[bytes, bytes]]:
    """Read the pairs of content hashes, each sorted, of pictures that are said to be no copies.

    Raises ValueError for what is no pair, and for more than `MOST_APART`; apsw.Error.
    """
    query = "SELECT key FROM config WHERE key >= 'apart:' AND key < 'apart;' LIMIT ?"
    keys = fetch(connection, query, (MOST_APART + 1,))
    if len(keys) > MOST_APART:
        raise ValueError(f"it has more than {MOST_APART} pairs that are no copies")
    pairs = set()
    for (key,) in keys:
        found = _APART.fullmatch(key)
        if found is None or found[1] >= found[2]:
            raise ValueError(f"{key!r:.100} is not a pair of pictures")
        pairs.add((bytes.fromhex(found[1]), bytes.fromhex(found[2])))
    return pairs


def _format_at(path: Path) -> int:
    """Ask SQLite for the format of a catalog, 0 if it is none or cannot be used.

    SQLite first undoes what a killed writer left, half of a migration say. Reading the file's
    header without it would, by closing the file, take away the locks that this process has on it.
    """
    if not is_file(path):
        return 0
    for flags in (apsw.SQLITE_OPEN_READWRITE, apsw.SQLITE_OPEN_READONLY):
        try:
            with closing(connect(path, flags)) as connection:
                if _pragma(connection, "application_id") != APPLICATION_ID:
                    return 0
                return int(_pragma(connection, "user_version"))
        except (apsw.CantOpenError, IndexFolderError):
            continue
        except apsw.Error:
            return 0  # whoever opens it next says why it cannot be used
    return 0


def _check(connection: apsw.Connection, folder: Path) -> None:
    application, version, journal = (
        _pragma(connection, name) for name in ("application_id", "user_version", "journal_mode")
    )
    if application != APPLICATION_ID:
        raise not_an_index(folder)
    if version > FORMAT:
        raise IndexFormatError(
            f"{folder} has format {version}, this vecsearch reads up to {FORMAT}",
            hint="update vecsearch",
            path=folder,
        )
    if connection.reserve_bytes(None) != _CHECKSUM_BYTES:
        raise damaged_catalog(folder / CATALOG, "its pages have no checksums")
    if journal == "wal":  # the one kind that a catalog itself can ask for
        raise damaged_catalog(folder / CATALOG, "its journal is of another kind, wal")
    if version >= READ_FROM:
        check_tables(connection, folder / CATALOG, version)
    # A page that is cut off is filled with zeros, and its checksum not compared.
    if (folder / CATALOG).stat().st_size % PAGE_BYTES:
        raise damaged_catalog(folder / CATALOG, "its last page is cut off")


def _pragma(connection: apsw.Connection, name: str) -> Any:
    ((value,),) = connection.execute(f"PRAGMA {name}")
    return value


def not_an_index(folder: Path) -> IndexFolderError:
    """Say that *folder* is no index."""
    if not folder.exists():
        return IndexFolderError(
            f"no index {folder}", hint="make it with: vecsearch build SOURCE -i INDEX", path=folder
        )
    return IndexFolderError(
        f"{folder} is not an index (it has no usable {CATALOG})",
        hint="give the folder that vecsearch build made",
        path=folder,
    )
