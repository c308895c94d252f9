"""Bringing the catalog of an older format up to the present one, on a copy of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import apsw

from vecsearch.errors import IndexDamagedError, IndexFolderError
from vecsearch.store import schema, sqlite
from vecsearch.store.lock import writer_lock

COPY: Final = "migrating.sqlite"
"""The copy on which the steps are tried; what a crash leaves of it is overwritten."""


def migrate_if_older(folder: Path) -> None:
    """Lock *folder* and migrate it if its format is an older one; raises IndexFolderError.

    What can be read as it is stays so, where the folder cannot be written or somebody else writes.
    """
    found = schema.format_of(folder)
    if not 0 < found < schema.FORMAT:
        return
    try:
        with writer_lock(folder):
            migrate(folder)
    except IndexDamagedError:
        raise
    except IndexFolderError:
        if found < schema.READ_FROM:
            raise


def migrate(folder: Path) -> None:
    """Migrate *folder*, under its lock, step by step, if its format is an older one.

    The steps run on a copy. When it is whole and sound, one transaction puts its content in the
    catalog's place: interrupted anywhere, the catalog is the old one or the new one.
    """
    path, copy = folder / schema.CATALOG, folder / COPY
    try:
        _discard(copy)  # left by a crash, perhaps after all was done
        if not 0 < schema.format_of(folder) < schema.FORMAT:
            return
        with closing(sqlite.connect(path, apsw.SQLITE_OPEN_READWRITE)) as catalog:
            flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
            with closing(sqlite.connect(copy, flags)) as trial:
                _replace(trial, catalog)
                _run_steps(trial)
                _check(trial, path)
            with closing(sqlite.connect(copy, apsw.SQLITE_OPEN_READONLY)) as trial:
                _replace(catalog, trial)
    except apsw.Error as error:
        raise sqlite.catalog_error(path, error) from None
    except OSError as error:
        raise IndexFolderError(
            f"{folder} has an older format and cannot be migrated: {error.strerror}", path=folder
        ) from None
    finally:
        with contextlib.suppress(OSError):
            _discard(copy)


def _discard(copy: Path) -> None:
    for path in (copy, copy.with_name(f"{copy.name}-journal")):
        path.unlink(missing_ok=True)


def _replace(target: apsw.Connection, source: apsw.Connection) -> None:
    """Make the content of *target* that of *source*, in one transaction."""
    backup = target.backup("main", source, "main")
    try:
        backup.step()
    finally:
        backup.finish()


def _run_steps(catalog: apsw.Connection) -> None:
    strange = catalog.execute(_STRANGE).fetchall()
    if strange:
        raise apsw.CorruptError(f"it has an unknown {strange[0][0]}")
    ((version,),) = catalog.execute("PRAGMA user_version")
    for number in range(version, schema.FORMAT):
        catalog.execute("PRAGMA foreign_keys = OFF; BEGIN")
        catalog.execute(_STEPS[number])
        catalog.execute(f"PRAGMA user_version = {number + 1}; COMMIT; PRAGMA foreign_keys = ON")
        if after := _AFTERWARDS.get(number):
            after(catalog)


def _check(catalog: apsw.Connection, path: Path) -> None:
    ((sound,),) = catalog.execute("PRAGMA integrity_check(1)")
    if sound != "ok" or catalog.execute("PRAGMA foreign_key_check").fetchall():
        raise sqlite.damaged_catalog(path, f"it cannot be migrated: {sound}")
    schema.check_tables(catalog, path)


_STRANGE: Final = (
    "SELECT type FROM sqlite_schema WHERE type NOT IN ('table', 'index') "
    "OR sql LIKE 'CREATE VIRTUAL%' OR rootpage IS NULL OR rootpage < 1"
)
"""What no step could be run on."""

_STEPS: Final = {
    1: """
CREATE TABLE new_generations (
    id INTEGER PRIMARY KEY, created_ns INTEGER NOT NULL, next_row INTEGER NOT NULL,
    image_count INTEGER NOT NULL, ann_file TEXT REFERENCES files (name),
    ann_first INTEGER NOT NULL, ann_end INTEGER NOT NULL, ann_generation INTEGER NOT NULL,
    recipe TEXT NOT NULL
);
INSERT INTO new_generations
    SELECT id, created_ns, row_count,
        (SELECT count(*) FROM rows WHERE row < row_count AND (died IS NULL OR died > g.id)),
        ann_file, 0, ann_rows, ann_generation, recipe
    FROM generations AS g WHERE id = (SELECT max(id) FROM generations);
DROP TABLE generations;
ALTER TABLE new_generations RENAME TO generations;
DROP INDEX rows_image;
CREATE INDEX rows_image ON rows (image);
CREATE UNIQUE INDEX rows_live ON rows (image) WHERE died IS NULL;
CREATE INDEX images_removed ON images (removed) WHERE removed IS NOT NULL;
INSERT INTO config SELECT 'oldest', max(id) FROM generations;
""",
    2: """
CREATE TABLE bases (
    first_row INTEGER PRIMARY KEY REFERENCES segments (first_row), row_count INTEGER NOT NULL,
    file TEXT NOT NULL REFERENCES files (name), recipe TEXT NOT NULL, search TEXT NOT NULL
);
DELETE FROM generations WHERE id < (SELECT max(id) FROM generations);
INSERT INTO bases
    SELECT first_row, row_count, ann_file, recipe, '{}' FROM generations JOIN segments
    ON first_row = ann_first AND row_count = ann_end - ann_first WHERE ann_file IS NOT NULL;
DELETE FROM files WHERE name LIKE 'ann/%' AND name NOT IN (SELECT file FROM bases);
INSERT INTO config VALUES ('recipe', 'auto'), ('recall', '0.95');
INSERT INTO config SELECT 'compacted', ann_generation FROM generations;
CREATE TABLE new_generations (
    id INTEGER PRIMARY KEY, created_ns INTEGER NOT NULL, next_row INTEGER NOT NULL,
    image_count INTEGER NOT NULL
);
INSERT INTO new_generations SELECT id, created_ns, next_row, image_count FROM generations;
DROP TABLE generations;
ALTER TABLE new_generations RENAME TO generations;
""",
    3: """
ALTER TABLE images ADD COLUMN taken TEXT;
UPDATE images SET taken = '' WHERE size_bytes = 0 AND mtime_ns = 0 OR instr(path, x'3A2F2F');
CREATE INDEX images_taken ON images (taken, mtime_ns);
""",
}
"""What leads from a format to the next; kept for as long as anyone may have an index of it.

No dates are read from what has no file, or is behind a URL."""

_AFTERWARDS: Final[dict[int, Callable[[apsw.Connection], None]]] = {1: sqlite.reserve_checksums}
"""What cannot be done within a transaction."""
