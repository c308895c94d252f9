"""The statements that commits consist of, on the tables of the catalog."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import count

import apsw

from vecsearch.store import config_keys, sqlite
from vecsearch.store.change import Compaction
from vecsearch.store.records import Base, Generation
from vecsearch.store.write_once import FileRecord
from vecsearch.types import Image, ImageFile, SourceName


def add_generation(db: apsw.Connection, before: Generation, next_row: int, image_count: int) -> int:
    """Add the generation after *before* and return its number."""
    number = before.id + 1
    db.execute(
        "INSERT INTO generations VALUES (?, ?, ?, ?)",
        (number, time.time_ns(), next_row, image_count),
    )
    return number


def add_segment(db: apsw.Connection, record: FileRecord, first_row: int, row_count: int) -> None:
    """Name a segment's file, and what rows it has."""
    name_file(db, record)
    db.execute("INSERT INTO segments VALUES (?, ?, ?)", (first_row, row_count, record.name))


def add_base(db: apsw.Connection, base: Base) -> None:
    """Name the FAISS file of a segment."""
    name_file(db, base.record)
    db.execute(
        "INSERT INTO bases VALUES (?, ?, ?, ?, ?)",
        (base.first_row, base.row_count, base.record.name, base.recipe, base.search),
    )


def drop_base(db: apsw.Connection, first_row: int) -> None:
    """Forget the FAISS file, if there is one, of the segment at *first_row*."""
    drop = "DELETE FROM bases WHERE first_row = ? RETURNING file"
    db.executemany("DELETE FROM files WHERE name = ?", sqlite.fetch(db, drop, (first_row,)))


def drop_segment(db: apsw.Connection, first_row: int) -> None:
    """Forget the segment at *first_row*, and its files."""
    drop_base(db, first_row)
    drop = "DELETE FROM segments WHERE first_row = ? RETURNING file"
    db.executemany("DELETE FROM files WHERE name = ?", sqlite.fetch(db, drop, (first_row,)))


def copy_rows(
    db: apsw.Connection,
    compaction: Compaction,
    next_row: int,
    generation: int,
) -> None:
    """Give the image of every live row in the replaced segments a new row, from *next_row* on.

    Images that are held out come after the others, as in `Compaction`.
    """
    db.execute("CREATE TEMP TABLE moving (place INTEGER PRIMARY KEY, image INTEGER)")
    for segment in compaction.replaced:
        span = segment.first_row, segment.end_row
        live = "died IS NULL AND row >= ? AND row < ?"
        db.execute(
            f"INSERT INTO moving (image) SELECT image FROM rows WHERE {live} ORDER BY row",  # noqa: S608
            span,
        )
        db.execute(f"UPDATE rows SET died = ? WHERE {live}", (generation, *span))  # noqa: S608
    ((moving,),) = db.execute("SELECT count(*) FROM moving")
    assert moving == compaction.row_count
    place, first_held = "place - 1", compaction.base_count
    if stride := compaction.held_stride:
        place = (
            f"CASE (place - 1) % {stride} WHEN 0 THEN {first_held} + (place - 1) / {stride} "
            f"ELSE place - 2 - (place - 1) / {stride} END"
        )
    db.execute(f"INSERT INTO rows (row, image) SELECT ? + {place}, image FROM moving", (next_row,))  # noqa: S608
    db.execute("DROP TABLE moving")


def forget_before(db: apsw.Connection, generation: int) -> None:
    """Delete what only readers of generations before *generation* could ask for."""
    db.execute(
        "DELETE FROM rows WHERE died <= ? AND NOT EXISTS (SELECT 1 FROM segments "
        "WHERE row >= first_row AND row < first_row + row_count)",
        (generation,),
    )
    db.execute(
        "DELETE FROM images WHERE removed <= ? "
        "AND NOT EXISTS (SELECT 1 FROM rows WHERE image = images.id)",
        (generation,),
    )
    set_config(db, "oldest", str(generation))


def set_config(db: apsw.Connection, key: str, value: str) -> None:
    """Set a value of ``config``."""
    db.execute("INSERT OR REPLACE INTO config VALUES (?, ?)", (key, value))


def add_rows(
    db: apsw.Connection,
    embedded: Sequence[tuple[int | None, ImageFile]],
    first_row: int,
    generation: int,
) -> None:
    """Add rows from *first_row* on, of new images (None), or of known ones.

    The rows that known ones had are deleted in *generation*.
    """
    # One statement for all rows: so the ids of new images are counted here, as SQLite would.
    last = sqlite.fetch(db, "SELECT seq FROM sqlite_sequence WHERE name = 'images'")
    new_ids = count(last[0][0] + 1 if last else 1)
    ids = [next(new_ids) if known_id is None else known_id for known_id, _ in embedded]
    known = [(image_id, file) for image_id, file in embedded if image_id is not None]
    update_images(db, known)
    db.executemany(
        "UPDATE rows SET died = ? WHERE image = ? AND died IS NULL",
        ((generation, image_id) for image_id, _ in known),
    )
    db.executemany(
        "INSERT INTO images (id, path, size_bytes, mtime_ns, content_hash, width, height, taken) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (image_id, *_columns(file))
            for image_id, (known_id, file) in zip(ids, embedded, strict=True)
            if known_id is None
        ),
    )
    db.executemany(
        "INSERT INTO rows (row, image) VALUES (?, ?)", zip(count(first_row), ids, strict=False)
    )


def update_images(db: apsw.Connection, images: Iterable[tuple[int, ImageFile]]) -> None:
    """Update the files of images; the same content keeps its date if *images* have none."""
    db.executemany(
        "UPDATE images SET path = ?, size_bytes = ?, mtime_ns = ?, content_hash = ?, "
        "width = ?, height = ?, taken = coalesce(?, CASE content_hash WHEN ? THEN taken END) "
        "WHERE id = ?",
        ((*_columns(file), file.content_hash, image_id) for image_id, file in images),
    )


def set_dates(db: apsw.Connection, dates: Iterable[tuple[Image, str]]) -> None:
    """Write down when images were taken, if it is not known yet and their content is the same."""
    db.executemany(
        "UPDATE images SET taken = ? WHERE id = ? AND content_hash = ? AND taken IS NULL",
        ((taken, image.id, image.content_hash) for image, taken in dates),
    )


def remove_image(db: apsw.Connection, image_id: int, generation: int) -> None:
    """Remove an image, and delete its row, in *generation*."""
    db.execute("UPDATE images SET removed = ? WHERE id = ?", (generation, image_id))
    db.execute("UPDATE rows SET died = ? WHERE image = ? AND died IS NULL", (generation, image_id))


def set_stamps(
    db: apsw.Connection, stamps: Mapping[SourceName, str], gone: Iterable[SourceName]
) -> None:
    """Remember the stamps of sources, and forget those of *gone* ones."""
    db.executemany(
        "INSERT OR REPLACE INTO config VALUES (?, ?)",
        ((config_keys.stamp_key(source), stamp) for source, stamp in stamps.items()),
    )
    db.executemany(
        "DELETE FROM config WHERE key = ?", ((config_keys.stamp_key(source),) for source in gone)
    )


def set_removed(
    db: apsw.Connection, contents: Iterable[bytes], readmitted: Iterable[bytes]
) -> None:
    """Remember which content was removed, and forget that of what was *readmitted*."""
    keys = ((config_keys.removed_key(one),) for one in contents)
    db.executemany("INSERT OR REPLACE INTO config VALUES (?, '')", keys)
    keys = ((config_keys.removed_key(one),) for one in readmitted)
    db.executemany("DELETE FROM config WHERE key = ?", keys)


def set_apart(
    db: apsw.Connection,
    pairs: Iterable[tuple[bytes, bytes]],
    rejoined: Iterable[tuple[bytes, bytes]],
) -> None:
    """Remember which contents are no copies of each other, and forget it of *rejoined* ones."""
    keys = ((config_keys.apart_key(one),) for one in rejoined)
    db.executemany("DELETE FROM config WHERE key = ?", keys)
    keys = ((config_keys.apart_key(one),) for one in pairs)
    db.executemany("INSERT OR REPLACE INTO config VALUES (?, '')", keys)


def move_paths(db: apsw.Connection, old: bytes, new: bytes, generation: int) -> tuple[int, int]:
    """Move paths at or below *old* to *new*; return how many images moved and how many went.

    Of two images that would have one path, that from *old* stays if their content is the same, for
    its id is older; else it goes, for the file is not its own. What goes ends in *generation*.
    """
    separator = os.fsencode(os.sep)
    bare = old.rstrip(separator)
    values = {
        "old": bare,
        "start": bare + separator,
        "end": bare + bytes([separator[0] + 1]),
        "new": new.rstrip(separator),
        "rest": len(bare) + 1,
    }
    moves = "({0}.path = :old OR {0}.path >= :start AND {0}.path < :end)"
    twins = sqlite.fetch(
        db,
        "SELECT one.id, twin.id, one.content_hash = twin.content_hash FROM images one "  # noqa: S608
        "JOIN images twin ON twin.path = CAST(:new || substr(one.path, :rest) AS BLOB) "
        f"WHERE one.removed IS NULL AND twin.removed IS NULL AND {moves.format('one')} "
        f"AND NOT {moves.format('twin')}",
        values,
    )
    for image_id, twin, same in twins:
        remove_image(db, twin if same else image_id, generation)
    count = 0
    for table, verb, present in (
        ("skipped", "UPDATE OR REPLACE", ""),
        ("images", "UPDATE", "removed IS NULL AND"),
    ):
        # In two steps: a path may be that of another which is still to move.
        db.execute(
            f"{verb} {table} SET path = CAST(x'00' || :new || substr(path, :rest) AS BLOB) "
            f"WHERE {present} {moves.format(table)}",
            values,
        )
        count = db.changes()
        db.execute(
            f"{verb} {table} SET path = substr(path, 2) "
            f"WHERE {present} path >= x'00' AND path < x'01'"
        )
    return count, len(twins)


def name_file(db: apsw.Connection, record: FileRecord) -> None:
    """Record a file that the catalog names."""
    db.execute(
        "INSERT OR REPLACE INTO files VALUES (?, ?, ?)",
        (record.name, record.size_bytes, record.sha256),
    )


def _columns(file: ImageFile) -> tuple[object, ...]:
    return (
        os.fsencode(file.path),
        file.size_bytes,
        file.mtime_ns,
        file.content_hash,
        file.width,
        file.height,
        file.taken,
    )
