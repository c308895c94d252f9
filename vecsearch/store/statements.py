"""The statements that commits consist of, on the tables of the catalog."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import apsw

from vecsearch.store import schema
from vecsearch.store.change import FileFacts
from vecsearch.store.files import FileRecord
from vecsearch.store.snapshot import Generation


def add_generation(db: apsw.Connection, before: Generation, next_row: int, image_count: int) -> int:
    """Add the generation after *before*, with its FAISS file, and give its number."""
    number = before.id + 1
    db.execute(
        "INSERT INTO generations SELECT ?, ?, ?, ?, ann_file, ann_first, ann_end, "
        "ann_generation, recipe FROM generations WHERE id = ?",
        (number, time.time_ns(), next_row, image_count, before.id),
    )
    return number


def add_segment(db: apsw.Connection, record: FileRecord, first_row: int, row_count: int) -> None:
    """Name a segment's file, and what rows it has."""
    name_file(db, record)
    db.execute("INSERT INTO segments VALUES (?, ?, ?)", (first_row, row_count, record.name))


def drop_segments(db: apsw.Connection, which: str, first_row: int) -> None:
    """Forget the segments, and their files, that *which* holds of, a condition on *first_row*."""
    files = schema.fetch(db, f"SELECT file FROM segments WHERE {which}", (first_row,))  # noqa: S608
    db.execute(f"DELETE FROM segments WHERE {which}", (first_row,))  # noqa: S608
    db.executemany("DELETE FROM files WHERE name = ?", files)


def copy_rows(
    db: apsw.Connection, start_row: int, next_row: int, row_count: int, generation: int
) -> None:
    """Give the image of every living row from *start_row* on a row from *next_row* on."""
    db.execute(
        "CREATE TEMP TABLE moving AS "
        "SELECT image FROM rows WHERE died IS NULL AND row >= ? ORDER BY row",
        (start_row,),
    )
    ((count,),) = db.execute("SELECT count(*) FROM moving")
    assert count == row_count
    db.execute("UPDATE rows SET died = ? WHERE died IS NULL AND row >= ?", (generation, start_row))
    db.execute("INSERT INTO rows (row, image) SELECT ? + rowid - 1, image FROM moving", (next_row,))
    db.execute("DROP TABLE moving")


def forget_before(db: apsw.Connection, generation: int) -> None:
    """Delete what only readers of generations before *generation* could ask for."""
    db.execute("DELETE FROM rows WHERE died <= ?", (generation,))
    db.execute("DELETE FROM images WHERE removed <= ?", (generation,))
    db.execute("UPDATE config SET value = ? WHERE key = 'oldest'", (str(generation),))


def add_row(
    db: apsw.Connection, image_id: int | None, facts: FileFacts, row: int, generation: int
) -> None:
    """Add *row*, of a new image, or of a known one whose row dies in *generation*."""
    if image_id is None:
        db.execute(
            "INSERT INTO images (path, size_bytes, mtime_ns, content_hash, width, height) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            _columns(facts),
        )
        image_id = db.last_insert_rowid()
    else:
        update_image(db, image_id, facts)
        db.execute(
            "UPDATE rows SET died = ? WHERE image = ? AND died IS NULL", (generation, image_id)
        )
    db.execute("INSERT INTO rows (row, image) VALUES (?, ?)", (row, image_id))


def update_image(db: apsw.Connection, image_id: int, facts: FileFacts) -> None:
    """Write down another file of an image."""
    db.execute(
        "UPDATE images SET path = ?, size_bytes = ?, mtime_ns = ?, content_hash = ?, "
        "width = ?, height = ? WHERE id = ?",
        (*_columns(facts), image_id),
    )


def remove_image(db: apsw.Connection, image_id: int, generation: int) -> None:
    """Let an image and its row end in *generation*."""
    db.execute("UPDATE images SET removed = ? WHERE id = ?", (generation, image_id))
    db.execute("UPDATE rows SET died = ? WHERE image = ? AND died IS NULL", (generation, image_id))


def set_stamps(db: apsw.Connection, stamps: Mapping[Path, str], gone: Iterable[Path]) -> None:
    """Remember the stamps of sources, and forget those of *gone* ones."""
    db.executemany(
        "INSERT OR REPLACE INTO config VALUES (?, ?)",
        ((schema.stamp_key(source), stamp) for source, stamp in stamps.items()),
    )
    db.executemany(
        "DELETE FROM config WHERE key = ?", ((schema.stamp_key(source),) for source in gone)
    )


def name_file(db: apsw.Connection, record: FileRecord) -> None:
    """Write down that a file counts."""
    db.execute(
        "INSERT OR REPLACE INTO files VALUES (?, ?, ?)",
        (record.name, record.size_bytes, record.sha256),
    )


def _columns(facts: FileFacts) -> tuple[object, ...]:
    return (
        os.fsencode(facts.path),
        facts.size_bytes,
        facts.mtime_ns,
        facts.content_hash,
        facts.width,
        facts.height,
    )
