"""What a build has to do, on the disk: there may be millions of files to read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from threading import Lock
from typing import Any, Final

import apsw

from vecsearch.images.sources.scan import FoundFile
from vecsearch.types import Image

_PAGE: Final = 1000
_TABLES: Final = """
PRAGMA journal_mode = OFF;
PRAGMA cache_size = -16000;
CREATE TABLE files (
    number INTEGER PRIMARY KEY, path BLOB, size_bytes INTEGER, mtime_ns INTEGER, image INTEGER,
    content_hash BLOB
);
CREATE TABLE gone (image INTEGER PRIMARY KEY, content_hash BLOB);
CREATE INDEX gone_content ON gone (content_hash);
CREATE TABLE known (content_hash BLOB PRIMARY KEY, row INTEGER, width INTEGER, height INTEGER)
WITHOUT ROWID;
"""
_FILES: Final = f"SELECT * FROM files WHERE number > ? ORDER BY number LIMIT {_PAGE}"  # noqa: S608
_SIZES: Final = "SELECT DISTINCT size_bytes FROM files WHERE size_bytes > ? ORDER BY 1 LIMIT 1000"


@dataclass(frozen=True, slots=True)
class ToRead:
    """A file to read; an image that the index has under its path, and the hash of its content."""

    file: FoundFile
    image_id: int | None = None
    content_hash: bytes | None = None


@dataclass(frozen=True, slots=True)
class KnownContent:
    """Content that the index has: the row of its vector, and the picture's size in pixels."""

    row: int
    width: int
    height: int


class Worklist:
    """Files to read, in order, images whose file is gone, and content that need not be embedded.

    It is in a temporary file of SQLite, which has no path. Any thread may use it.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._lock = Lock()
        self._count = 0
        # Without a name, a database lies in memory until it outgrows the cache.
        self._db = apsw.Connection("")
        self._db.execute(_TABLES).fetchall()  # a pragma's row would keep the rest from being done

    def close(self) -> None:
        """Forget everything."""
        self._db.close()

    def add(self, files: Iterable[ToRead]) -> None:
        """Add files to read."""
        self._count += self._insert(
            "INSERT INTO files (path, size_bytes, mtime_ns, image, content_hash) "
            "VALUES (?, ?, ?, ?, ?)",
            (
                (file.path, file.size_bytes, file.mtime_ns, one.image_id, one.content_hash)
                for one in files
                for file in [one.file]
            ),
        )

    def add_gone(self, images: Iterable[tuple[int, bytes]]) -> None:
        """Add images, as ids and content hashes, whose file is gone."""
        self._insert("INSERT INTO gone VALUES (?, ?)", images)

    def add_known(self, images: Iterable[Image]) -> None:
        """Add the content of images that the index has."""
        self._insert(
            "INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?)",
            ((one.content_hash, one.row, one.width, one.height) for one in images),
        )

    def sizes(self) -> Iterator[int]:
        """Iterate over the sizes of the files to read, in bytes."""
        self._rows("CREATE INDEX IF NOT EXISTS files_size ON files (size_bytes)")
        last = -1
        while page := self._rows(_SIZES, last):
            yield from (size for (size,) in page)
            last = page[-1][0]

    def __len__(self) -> int:
        """Count the files to read."""
        return self._count

    def __iter__(self) -> Iterator[ToRead]:
        """Iterate over the files to read."""
        last = 0
        while page := self._rows(_FILES, last):
            yield from (_to_read(row) for row in page)
            last = page[-1][0]

    def __getitem__(self, place: int) -> FoundFile:
        """Return one of the files to read by its place, from 0."""
        (row,) = self._rows("SELECT * FROM files WHERE number = ?", place + 1)
        return _to_read(row).file

    def find_known(self, content_hash: bytes) -> KnownContent | None:
        """Find content that the index has."""
        query = "SELECT row, width, height FROM known WHERE content_hash = ?"
        found = self._rows(query, content_hash)
        return KnownContent(*found[0]) if found else None

    def take_gone(self, content_hash: bytes) -> int | None:
        """Return the id of an image with this content, which is no longer gone then."""
        found = self._rows(
            "DELETE FROM gone WHERE image = (SELECT max(image) FROM gone WHERE content_hash = ?) "
            "RETURNING image",
            content_hash,
        )
        return found[0][0] if found else None

    def gone(self) -> list[int]:
        """List the ids of the images that are gone."""
        return [image for (image,) in self._rows("SELECT image FROM gone ORDER BY image")]

    def _insert(self, statement: str, rows: Iterable[tuple[object, ...]]) -> int:
        """Insert *rows*, which may come out of this very database, and count them."""
        count = 0
        rows = iter(rows)
        while page := list(islice(rows, _PAGE)):
            with self._lock, self._db:
                self._db.executemany(statement, page)
            count += len(page)
        return count

    def _rows(self, query: str, *values: object) -> list[Any]:
        with self._lock:
            return self._db.execute(query, values).fetchall()


def _to_read(row: tuple[Any, ...]) -> ToRead:
    _, path, size_bytes, mtime_ns, image_id, content_hash = row
    return ToRead(FoundFile(path, size_bytes, mtime_ns), image_id, content_hash)
