"""The tables of catalog.sqlite, and how a catalog is opened.

Format 1:

- ``config``: the encoder's description, and an ``instance`` that differs after every fresh build.
- ``files``: every write-once file that counts, with length and SHA-256; any other is an orphan.
- ``sources``: the folders that were scanned.
- ``images``: a path (bytes) with what was known of it; ``id`` is never reused; ``removed`` is the
  generation that took it out.
- ``rows``: row number -> image; a row that ``died`` belongs to an image removed or changed since.
- ``segments``: which file holds which rows.
- ``generations``: one line a commit: how many rows there are, and the FAISS file over the first
  ``ann_rows`` of them, made at ``ann_generation``. The last line is the present.
- ``skipped``: files that could not be used, and why.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from vecsearch.errors import IndexDamagedError, IndexFolderError, IndexFormatError

CATALOG: Final = "catalog.sqlite"
FORMAT: Final = 1
TABLES: Final = (
    *("config", "files", "sources", "images", "rows", "segments", "generations", "skipped"),
)
APPLICATION_ID: Final = 0x76656373  # "vecs"

_TABLES: Final = """
CREATE TABLE config (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE files (
    name TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL, sha256 BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE sources (path BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE images (
    id INTEGER PRIMARY KEY AUTOINCREMENT, path BLOB NOT NULL, size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, content_hash BLOB NOT NULL, width INTEGER NOT NULL,
    height INTEGER NOT NULL, removed INTEGER
);
CREATE UNIQUE INDEX images_path ON images (path) WHERE removed IS NULL;
CREATE INDEX images_size ON images (size_bytes);
CREATE TABLE rows (
    row INTEGER PRIMARY KEY, image INTEGER NOT NULL REFERENCES images (id), died INTEGER
);
CREATE UNIQUE INDEX rows_image ON rows (image) WHERE died IS NULL;
CREATE INDEX rows_died ON rows (row) WHERE died IS NOT NULL;
CREATE TABLE segments (
    first_row INTEGER PRIMARY KEY, row_count INTEGER NOT NULL,
    file TEXT NOT NULL REFERENCES files (name)
);
CREATE TABLE generations (
    id INTEGER PRIMARY KEY, created_ns INTEGER NOT NULL, row_count INTEGER NOT NULL,
    ann_file TEXT REFERENCES files (name), ann_rows INTEGER NOT NULL,
    ann_generation INTEGER NOT NULL, recipe TEXT NOT NULL
);
CREATE TABLE skipped (
    path BLOB PRIMARY KEY, size_bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    reason TEXT NOT NULL
) WITHOUT ROWID;
"""

_BUSY_S = 10.0


def create_catalog(path: Path) -> sqlite3.Connection:
    """Create the tables in a new file at *path* and return the writing connection."""
    try:
        connection = _connect(path, "rwc")
        connection.executescript(
            f"BEGIN IMMEDIATE; {_TABLES}"
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT}; COMMIT;"
        )
    except sqlite3.DatabaseError as error:
        raise catalog_error(path, error) from None
    return connection


def is_catalog(path: Path) -> bool:
    """Tell whether the file at *path* is a catalog, by the mark that SQLite keeps at byte 68."""
    try:
        with path.open("rb") as file:
            return file.read(72)[68:] == APPLICATION_ID.to_bytes(4, "big")
    except OSError:
        return False


def open_catalog(folder: Path, *, writing: bool) -> sqlite3.Connection:
    """Open the catalog of an index; raises IndexFolderError and its kin.

    A reader too may have to roll back what a killed writer left, so it opens the file for writing
    where it may, and promises by ``query_only`` not to.
    """
    path = folder / CATALOG
    if not path.is_file():
        raise _not_an_index(folder)
    try:
        try:
            connection = _connect(path, "rw")
        except sqlite3.OperationalError:
            connection = _connect(path, "ro")
        try:
            _check(connection, folder)
        except BaseException:
            connection.close()
            raise
    except sqlite3.DatabaseError as error:
        raise catalog_error(path, error) from None
    connection.execute(f"PRAGMA query_only = {'OFF' if writing else 'ON'}")
    return connection


def catalog_error(path: Path, error: sqlite3.DatabaseError) -> IndexFolderError:
    """Say what a failure of SQLite means for the user."""
    if "readonly" in str(error):
        return IndexFolderError(
            f"{path.parent} cannot be written, and a write to it was interrupted",
            hint="open it once where it can be written, so that the write is undone",
            path=path,
        )
    if isinstance(error, sqlite3.OperationalError):
        return IndexFolderError(f"the catalog {path} cannot be used: {error}", path=path)
    return IndexDamagedError(
        f"the catalog {path} is damaged ({error})",
        hint="restore it from a copy, or build with --fresh",
        path=path,
    )


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    # Autocommit: every transaction of ours is explicit.
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=_BUSY_S, isolation_level=None
    )
    connection.execute("PRAGMA foreign_keys = ON")
    # EXTRA is FULL plus an fsync of the folder after the journal is gone: files that a commit
    # made superfluous are deleted next, so the commit must not be undone by a power loss.
    connection.execute("PRAGMA synchronous = EXTRA")
    return connection


def _check(connection: sqlite3.Connection, folder: Path) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION_ID:
        raise _not_an_index(folder)
    if version > FORMAT:
        raise IndexFormatError(
            f"{folder} has format {version}, this vecsearch reads up to {FORMAT}",
            hint="update vecsearch",
            path=folder,
        )


def _not_an_index(folder: Path) -> IndexFolderError:
    if not folder.exists():
        return IndexFolderError(
            f"no index {folder}", hint="make it with: vecsearch build SOURCE -i INDEX", path=folder
        )
    return IndexFolderError(
        f"{folder} is not an index (it has no usable {CATALOG})",
        hint="give the folder that vecsearch build made",
        path=folder,
    )
