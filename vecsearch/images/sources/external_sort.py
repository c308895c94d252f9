"""Sort files by path on the disk: there may be millions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apsw

from vecsearch.images.sources.scan import CHUNK, FoundFile


def sorted_chunks(files: Iterable[FoundFile]) -> Iterator[list[FoundFile]]:
    """Return all *files* sorted by path, in chunks; of two with one path, the last."""
    # Without a name, a database lies in memory until it outgrows the cache.
    db = apsw.Connection("")
    try:
        for statement in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA cache_size = -16000",
            "CREATE TABLE files (path BLOB PRIMARY KEY, size_bytes INTEGER, mtime_ns INTEGER) "
            "WITHOUT ROWID",
        ):
            db.execute(statement).fetchall()
        with db:
            db.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", files)
        last = b""
        query = f"SELECT * FROM files WHERE path > ? ORDER BY path LIMIT {CHUNK}"  # noqa: S608
        while True:
            chunk: list[Any] = db.execute(query, (last,)).fetchall()
            if not chunk:
                return
            yield [FoundFile(*row) for row in chunk]
            last = chunk[-1][0]
    finally:
        db.close()
