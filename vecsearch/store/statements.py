"""The statements that commits consist of, on the tables of the catalog."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from itertools import count

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
    ((moving,),) = db.execute("SELECT count(*) FROM moving")
    assert moving == row_count
    db.execute("UPDATE rows SET died = ? WHERE died IS NULL AND row >= ?", (generation, start_row))
    db.execute("INSERT INTO rows (row, image) SELECT ? + rowid - 1, image FROM moving", (next_row,))
    db.execute("DROP TABLE moving")


def forget_before(db: apsw.Connection, generation: int) -> None:
    """Delete what only readers of generations before *generation* could ask for."""
    db.execute("DELETE FROM rows WHERE died <= ?", (generation,))
    db.execute("DELETE FROM images WHERE removed <= ?", (generation,))
    db.execute("UPDATE config SET value = ? WHERE key = 'oldest'", (str(generation),))


def add_rows(
    db: apsw.Connection,
    embedded: Sequence[tuple[int | None, FileFacts]],
    first_row: int,
    generation: int,
) -> None:
    """Add rows from *first_row* on, of new images (None), or of known ones.

    The rows that known ones have had die in *generation*.
    """
    # One statement for all rows is three times as fast as some for each; so the ids of new images
    # are counted here, as SQLite would.
    last = schema.fetch(db, "SELECT seq FROM sqlite_sequence WHERE name = 'images'")
    new_ids = count(last[0][0] + 1 if last else 1)
    ids = [next(new_ids) if known_id is None else known_id for known_id, _ in embedded]
    known = [(facts, known_id) for known_id, facts in embedded if known_id is not None]
    update_images(db, known)
    db.executemany(
        "UPDATE rows SET died = ? WHERE image = ? AND died IS NULL",
        ((generation, image_id) for _, image_id in known),
    )
    db.executemany(
        "INSERT INTO images (id, path, size_bytes, mtime_ns, content_hash, width, height) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (image_id, *_columns(facts))
            for image_id, (known_id, facts) in zip(ids, embedded, strict=True)
            if known_id is None
        ),
    )
    db.executemany(
        "INSERT INTO rows (row, image) VALUES (?, ?)", zip(count(first_row), ids, strict=False)
    )


def update_images(db: apsw.Connection, images: Iterable[tuple[FileFacts, int]]) -> None:
    """Write down other files of images."""
    db.executemany(
        "UPDATE images SET path = ?, size_bytes = ?, mtime_ns = ?, content_hash = ?, "
        "width = ?, height = ? WHERE id = ?",
        ((*_columns(facts), image_id) for facts, image_id in images),
    )


def remove_image(db: apsw.Connection, image_id: int, generation: int) -> None:
    """Let an image and its row end in *generation*."""
    db.execute("UPDATE images SET removed = ? WHERE id = ?", (generation, image_id))
    db.execute("UPDATE rows SET died = ? WHERE image = ? AND died IS NULL", (generation, image_id))


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
