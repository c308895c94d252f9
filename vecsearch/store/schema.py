"""The tables of catalog.sqlite, and how a catalog is created and opened.

Format 4:

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

import re
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Final

import apsw

from vecsearch.errors import IndexFolderError, IndexFormatError
from vecsearch.store import sqlite
from vecsearch.store.safe_paths import has_other_names, is_file

CATALOG: Final = "catalog.sqlite"
COLLECTION: Final = "collection.json"
"""The file by which a folder is a collection of indexes, and no index itself."""

FORMAT: Final = 4
READ_FROM: Final = 3
"""The oldest format that is read as it is, where it cannot be migrated: it has no dates."""

TABLES: Final = (
    *("config", "files", "sources", "images", "rows", "segments", "bases", "generations"),
    "skipped",
)
APPLICATION_ID: Final = 0x76656373  # "vecs"

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

_WRITER_CACHE_KIB: Final = 64 << 10
"""What commits of 100,000 rows touch; with SQLite's 2 MB they take half as long again."""


def create_catalog(path: Path) -> apsw.Connection:
    """Create the tables in a new file at *path* and return the writing connection."""
    try:
        connection = sqlite.connect(path, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
        connection.reserve_bytes(None, sqlite.CHECKSUM_BYTES)
        connection.execute(
            f"PRAGMA page_size = {sqlite.PAGE_BYTES}; BEGIN IMMEDIATE; {_TABLES}"
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT}; COMMIT;"
        )
    except apsw.Error as error:
        raise sqlite.catalog_error(path, error) from None
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
            connection = sqlite.connect(
                path, apsw.SQLITE_OPEN_READONLY if reading else apsw.SQLITE_OPEN_READWRITE
            )
        except apsw.CantOpenError:
            connection = sqlite.connect(path, apsw.SQLITE_OPEN_READONLY)
        try:
            _check(connection, folder)
        except BaseException:
            connection.close()
            raise
    except apsw.Error as error:
        raise sqlite.catalog_error(path, error) from None
    connection.execute(f"PRAGMA query_only = {'OFF' if writing else 'ON'}")
    if writing:
        connection.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
    return connection


def has_dates(connection: apsw.Connection) -> bool:
    """Return whether the catalog keeps when pictures were taken."""
    return int(sqlite.pragma(connection, "user_version")) >= _WITH_DATES


def check_tables(connection: apsw.Connection, path: Path, version: int = FORMAT) -> None:
    """Raise IndexDamagedError unless the catalog has the tables and indexes of its format alone.

    A trigger, a view, a virtual table or a generated column would do what we did not write.
    """
    found = sqlite.fetch(connection, "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    expected = _expected_tables(version)
    if dict(found) != expected and not _same_tables(found, expected):
        raise sqlite.damaged_catalog(path, "its tables are not those of an index")


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


def _format_at(path: Path) -> int:
    """Return the format of a catalog, as SQLite reads it; 0 if it is none or cannot be used.

    SQLite first undoes what a killed writer left, half of a migration say. Reading the file's
    header without it would, by closing the file, take away the locks that this process has on it.
    """
    if not is_file(path):
        return 0
    for flags in (apsw.SQLITE_OPEN_READWRITE, apsw.SQLITE_OPEN_READONLY):
        try:
            with closing(sqlite.connect(path, flags)) as connection:
                if sqlite.pragma(connection, "application_id") != APPLICATION_ID:
                    return 0
                return int(sqlite.pragma(connection, "user_version"))
        except (apsw.CantOpenError, IndexFolderError):
            continue
        except apsw.Error:
            return 0  # whoever opens it next says why it cannot be used
    return 0


def _check(connection: apsw.Connection, folder: Path) -> None:
    application, version, journal = (
        sqlite.pragma(connection, name)
        for name in ("application_id", "user_version", "journal_mode")
    )
    if application != APPLICATION_ID:
        raise not_an_index(folder)
    if version > FORMAT:
        raise IndexFormatError(
            f"{folder} has format {version}, this vecsearch reads up to {FORMAT}",
            hint="update vecsearch",
            path=folder,
        )
    if connection.reserve_bytes(None) != sqlite.CHECKSUM_BYTES:
        raise sqlite.damaged_catalog(folder / CATALOG, "its pages have no checksums")
    if journal == "wal":  # the one kind that a catalog itself can ask for
        raise sqlite.damaged_catalog(folder / CATALOG, "its journal is of another kind, wal")
    if version >= READ_FROM:
        check_tables(connection, folder / CATALOG, version)
    # A page that is cut off is filled with zeros, and its checksum not compared.
    if (folder / CATALOG).stat().st_size % sqlite.PAGE_BYTES:
        raise sqlite.damaged_catalog(folder / CATALOG, "its last page is cut off")


def not_an_index(folder: Path) -> IndexFolderError:
    """Return the error for a *folder* without an index."""
    if not folder.exists():
        return IndexFolderError(
            f"no index {folder}", hint="make it with: vecsearch build SOURCE -i INDEX", path=folder
        )
    if (folder / COLLECTION).is_file():
        return IndexFolderError(
            f"{folder} is a collection, and this is done to one index at a time",
            hint=f"name a shard; vecsearch collection list {folder} shows them",
            path=folder,
        )
    return IndexFolderError(
        f"{folder} is not an index (it has no usable {CATALOG})",
        hint="give the folder that vecsearch build made",
        path=folder,
    )
