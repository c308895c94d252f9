"""Looking for damage: the catalog in itself, and every file against the catalog."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import apsw

from vecsearch.errors import IndexDamagedError, IndexFolderError
from vecsearch.store import config_keys, schema, sqlite
from vecsearch.store.migrate import migrate_if_older
from vecsearch.store.records import StoredSegment, read_state
from vecsearch.store.safe_paths import file_path
from vecsearch.store.segments import read_damaged
from vecsearch.store.write_once import FileRecord, check_file, check_length
from vecsearch.types import DamageKind, Problem
from vecsearch.wording import counted

_CHECKED_CATALOG_BYTES: Final = 8 << 20
"""Catalogs up to this size, which takes some 50 ms, are read whole before they are written to."""

_MUST_BE_ZERO: Final = {
    "the number of images is not that of the live rows": (
        "SELECT count(*) FROM generations WHERE id = (SELECT max(id) FROM generations) "
        "AND image_count != (SELECT count(*) FROM rows WHERE died IS NULL)"
    ),
    "images without a live row, or removed with one: {}": (
        "SELECT count(*) FROM images LEFT JOIN rows ON image = images.id AND died IS NULL "
        "WHERE (removed IS NULL) != (row IS NOT NULL)"
    ),
    "live rows that are in no segment: {}": (
        "SELECT count(*) FROM rows WHERE died IS NULL AND NOT EXISTS (SELECT 1 FROM segments "
        "WHERE row >= first_row AND row < first_row + row_count)"
    ),
    "unknown rows of segments: {}": (
        "SELECT sum(row_count) - (SELECT count(*) FROM segments JOIN rows "
        "ON row >= first_row AND row < first_row + row_count) FROM segments"
    ),
    "images that are not valid: {}": (
        "SELECT count(*) FROM images WHERE typeof(path) != 'blob' OR length(path) = 0 "
        "OR instr(path, x'00') OR typeof(content_hash) != 'blob' OR typeof(size_bytes) != 'integer'"
        " OR size_bytes < 0 OR typeof(mtime_ns) != 'integer' OR typeof(width) != 'integer' "
        "OR width < 0 OR typeof(height) != 'integer' OR height < 0 OR id < 1 "
        "OR typeof(coalesce(removed, 0)) != 'integer'"
    ),
    "deleted rows without a generation: {}": (
        "SELECT count(*) FROM rows WHERE died IS NOT NULL AND typeof(died) != 'integer'"
    ),
    "sources or skipped files that are not valid: {}": (
        "SELECT (SELECT count(*) FROM sources WHERE typeof(path) != 'blob' OR length(path) = 0 "
        "OR instr(path, x'00')) + (SELECT count(*) FROM skipped WHERE typeof(path) != 'blob' "
        "OR length(path) = 0 OR instr(path, x'00') OR typeof(size_bytes) != 'integer' "
        "OR typeof(mtime_ns) != 'integer' OR typeof(reason) != 'text')"
    ),
    "rows after the last one: {}": (
        "SELECT count(*) FROM rows WHERE row >= (SELECT next_row FROM generations "
        "ORDER BY id DESC LIMIT 1)"
    ),
    "unknown files of the encoder: {}": (
        # Both are there, or neither: imported vectors have no network.
        "SELECT count(*) % 2 + (count(*) - count(name)) "
        "FROM config LEFT JOIN files ON value = name "
        "WHERE key IN ('encoder_xml', 'encoder_bin')"
    ),
    "the file of the words is unknown": (
        "SELECT count(*) FROM config LEFT JOIN files ON value = name "
        "WHERE key = 'encoder_words' AND name IS NULL"
    ),
}


_DATES_MUST_BE_ZERO: Final = {
    "images with a date that is not valid: {}": (
        "SELECT count(*) FROM images WHERE typeof(taken) NOT IN ('text', 'null') OR taken != '' "
        "AND (taken NOT GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*' OR length(taken) > 40 "
        "OR taken GLOB '*[^-0-9T:.+]*' OR instr(taken, char(0)))"
    ),
}
"""What format 3 does not have."""


def audit_catalog(folder: Path, *, quick: bool) -> list[Problem]:
    """Check the catalog: that it opens and, unless *quick*, every page and every relation.

    Raises IndexFolderError for a folder that has none, IndexFormatError for a newer one.
    """
    path = folder / schema.CATALOG
    try:
        migrate_if_older(folder)
        with closing(schema.open_catalog(folder, writing=False)) as catalog:
            if quick:
                read_state(catalog)
                return []
            catalog.execute("BEGIN")  # no writer commits while the pages are read
            sqlite.fetch(catalog, "SELECT max(id) FROM generations")
            found = _audit_pages(catalog, path) or audit_relations(catalog)
            catalog.execute("COMMIT")
    except apsw.Error as error:
        found = [_reason(sqlite.catalog_error(path, error), path)]
    except ValueError as error:
        found = [str(error)]
    except IndexDamagedError as error:
        found = [_reason(error, path)]
    return [Problem("catalog", path, what) for what in found]


def _audit_pages(catalog: apsw.Connection, path: Path) -> list[str]:
    damaged = sqlite.damaged_pages(path)
    if damaged:
        return [f"pages with wrong checksums: {len(damaged)}, the first is {damaged[0]}"]
    check = sqlite.fetch(catalog, "PRAGMA integrity_check")
    return [" ".join(str(what).split()) for (what,) in check if what != "ok"]


def audit_relations(catalog: apsw.Connection) -> list[str]:
    """List what the tables of a catalog tell that cannot be true; raises apsw.Error."""
    found = []
    queries = _MUST_BE_ZERO | (_DATES_MUST_BE_ZERO if schema.has_dates(catalog) else {})
    for what, query in queries.items():
        ((count,),) = sqlite.fetch(catalog, query)
        if count:
            found.append(what.format(count))
    if strangers := sqlite.fetch(catalog, "PRAGMA foreign_key_check"):
        found.append(f"references that lead nowhere: {len(strangers)}")
    try:
        read_state(catalog)
        config_keys.read_apart(catalog)
    except ValueError as error:
        found.append(str(error))
    return found


def check_sound(folder: Path) -> None:
    """Raise IndexDamagedError if the catalog of *folder* tells what cannot be true."""
    migrate_if_older(folder)
    path = folder / schema.CATALOG
    try:
        with closing(schema.open_catalog(folder, writing=False)) as catalog:
            refuse_damaged(folder, catalog)
    except apsw.Error as error:
        raise sqlite.catalog_error(path, error) from None


def refuse_damaged(folder: Path, catalog: apsw.Connection) -> None:
    """Raise IndexDamagedError if *catalog* tells what cannot be true, or a file is not as long.

    A small catalog is looked at whole, as small files are.
    """
    path = folder / schema.CATALOG
    found: list[str] = []
    if path.stat().st_size <= _CHECKED_CATALOG_BYTES:
        check = sqlite.fetch(catalog, "PRAGMA integrity_check(1)")
        found = [" ".join(str(what).split()) for (what,) in check if what != "ok"]
    if found := found or audit_relations(catalog):
        raise sqlite.damaged_catalog(path, found[0])
    for record in read_state(catalog).files.values():
        check_length(folder, record)


def audit_files(folder: Path, *, quick: bool) -> list[Problem]:
    """Check every file that the catalog names: its length and, unless *quick*, all of it."""
    try:
        return list(_audit_each(folder, quick))
    except apsw.Error as error:
        path = folder / schema.CATALOG
        return [Problem("catalog", path, _reason(sqlite.catalog_error(path, error), path))]


def _audit_each(folder: Path, quick: bool) -> Iterator[Problem]:
    with closing(schema.open_catalog(folder, writing=False)) as catalog:
        state = read_state(catalog)
    segments = {one.record.name: one for one in state.segments}
    for record in state.files.values():
        segment, dim = segments.get(record.name), state.dim
        path = folder / record.name
        what = ""
        rows: tuple[int, ...] = ()
        unreadable = False
        try:
            file_path(folder, record.name)
        except IndexFolderError as error:  # what is no file of ours is not read
            unreadable = not isinstance(error, IndexDamagedError)
            yield Problem(_kind(record), path, _reason(error, path), (), unreadable)
            continue
        try:
            if quick:
                what = _audit_head(check_length(folder, record))
            else:
                check_file(folder, record, whole=True)
            if segment is not None and not quick:
                rows = _damaged_rows(segment, path, dim)
                what = f"has {counted(len(rows), 'row')} with a wrong checksum" if rows else ""
        except IndexDamagedError as error:
            what = _reason(error, path)
            if segment is not None and not quick:
                rows = _damaged_rows(segment, path, dim)
        except IndexFolderError as error:
            what, unreadable = _reason(error, path), True
        except OSError as error:
            what, unreadable = f"cannot be read: {error.strerror or error}", True
        if what and _is_named(folder, record):  # else a writer has just replaced it
            yield Problem(_kind(record), path, what, rows, unreadable)


def _damaged_rows(segment: StoredSegment, path: Path, dim: int) -> tuple[int, ...]:
    _, damaged = read_damaged(path, segment.row_count, dim)
    return tuple(segment.first_row + place for place in damaged)


def _is_named(folder: Path, record: FileRecord) -> bool:
    with closing(schema.open_catalog(folder, writing=False)) as catalog:
        return bool(sqlite.fetch(catalog, "SELECT 1 FROM files WHERE name = ?", (record.name,)))


def _audit_head(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(5)
    expected = {".faiss": b"I", ".xml": b"<"}.get(path.suffix, b"")
    return "" if head.startswith(expected) else "does not begin as such a file does"


def _kind(record: FileRecord) -> DamageKind:
    kinds: dict[str, DamageKind] = {"vectors": "vectors", "ann": "ann"}
    if record.name.endswith(".words"):
        return "words"
    return kinds.get(record.name.partition("/")[0], "encoder")


def _reason(error: Exception, path: Path) -> str:
    text = str(error).removeprefix("the catalog ").removeprefix(f"{path} ")
    return text.partition("; ")[0]
