"""Questions to the catalog, answered as of one generation, whatever a writer does meanwhile."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import apsw

from vecsearch.store import config_keys, schema, sqlite
from vecsearch.store.catalog_reader import CatalogReader
from vecsearch.store.records import image_of, record_of, skipped_of, stored_source
from vecsearch.store.write_once import FileRecord
from vecsearch.types import Image, Skipped, SourceName, path_of, wanted

_IMAGES: Final = (
    "SELECT images.id, path, size_bytes, mtime_ns, content_hash, width, height, row, taken "
    "FROM images JOIN rows ON rows.image = images.id "
)
_LIVE: Final = "row < :next_row AND (died IS NULL OR died > :generation)"
_PRESENT: Final = "removed IS NULL"
_REMOVED_SINCE: Final = "removed > :generation"
_MANY: Final = 500
_PAGE: Final = 8192


SortKey = tuple[Any, int, int]
"""By what an image is sorted: a value of its own, then its id; and the row that it has.

A plain tuple, as SQLite returns it: there may be millions of them.
"""

StoredFile = tuple[bytes, int, int]
"""The path of a file, its size in bytes and its time in ns, as a listing has them.

A plain tuple for the same reason.
"""


class Lookups(CatalogReader):
    """Questions to the catalog, answered as of the generation that was read.

    Images are looked up when asked for, as they were at this generation.
    """

    def __init__(self, folder: Path, *, fetch: bool = False) -> None:
        """Connect; raises IndexFolderError or a subclass.

        Images behind URLs may be fetched if *fetch* says so, whoever made the index.
        """
        super().__init__(folder)
        self._fetch = fetch
        self._images = _IMAGES if self._has_dates else _IMAGES.replace(", taken ", ", NULL ")
        self.dates_read: dict[int, str] | None = None
        """By row, what was read of the dates that the catalog lacks; None before that is tried."""

    def images(self) -> Iterator[Image]:
        """Iterate over all images, in the order of their ids."""
        query = (
            f"{self._images} WHERE images.id > :last AND {_LIVE} ORDER BY images.id LIMIT {_MANY}"
        )
        last = seen = 0
        # Page by page: a cursor left open would keep every writer from committing.
        while page := self._rows(query, {"last": last}):
            yield from (self._image(fields) for fields in page)
            last = self._later(last, page[-1][0])
            seen += len(page)
            if seen > self.generation.image_count:
                break
        if seen != self.generation.image_count:
            raise self._damaged(
                f"it does not have the {self.generation.image_count} images that it should"
            )

    def images_by_row(self, rows: Iterable[int]) -> dict[int, Image]:
        """Find the images of *rows*, which must have one; raises IndexDamagedError."""
        wanted = list(rows)
        found = {image.row: image for image in self._images_in("row", wanted)}
        if len(found) < len(set(wanted)):
            lacking = min(set(wanted) - found.keys())
            raise self._damaged(f"row {lacking} has no image")
        return found

    def images_by_id(self, ids: Iterable[int]) -> dict[int, Image]:
        """Find the images with any of *ids*."""
        return {image.id: image for image in self._images_in("images.id", ids)}

    def images_by_path(self, paths: Sequence[str]) -> dict[str, Image]:
        """Find the images at any of *paths* that have been there since this generation."""
        # Bytes of any kind, in hexadecimal: JSON has none, and SQLite bounds the parameters.
        wanted = json.dumps([os.fsencode(path).hex() for path in paths])
        among = "IN (SELECT unhex(value) FROM json_each(:wanted))"
        query = f"{self._images} WHERE removed IS NULL AND path {among} AND {_LIVE}"
        found = self._rows(query, {"wanted": wanted})
        return {os.fsdecode(fields[1]): self._image(fields) for fields in found}

    def images_with_sizes(self, sizes: Iterable[int]) -> Iterator[Image]:
        """Find the images whose files have any of *sizes* in bytes."""
        return self._images_in("size_bytes", sizes)

    def image_by_id(self, image_id: int) -> Image | None:
        """Find an image by its id."""
        return self._one("images.id", image_id)

    def image_by_path(self, path: Path) -> Image | None:
        """Find an image by the absolute path of its file."""
        # Each by an index of its own: images that are there, and those removed since.
        for present in (_PRESENT, _REMOVED_SINCE):
            if found := self._one(f"{present} AND path", os.fsencode(path)):
                return found
        return None

    def rows_between(self, start: bytes, end: bytes | None) -> list[int]:
        """List the rows of the images from a path to before another (None: all after it)."""
        query = " UNION ALL ".join(
            _select_between("row", present, end) for present in (_PRESENT, _REMOVED_SINCE)
        )
        return [row for (row,) in self._rows(query, {"start": start, "end": end})]

    def paths_between(self, start: bytes, end: bytes | None) -> Iterator[tuple[int, bytes]]:
        """Return row and path of the images from a path to before another (None: all after it).

        One that is removed meanwhile may come twice.
        """
        bounds = {"start": start, "end": end}
        query = f"{_select_between('row, path', _PRESENT, end)} ORDER BY path LIMIT {_PAGE}"
        while page := self._rows(query, bounds):
            yield from page
            bounds["start"] = self._later(bounds["start"], page[-1][1]) + b"\0"
        query = _select_between("row, path", _REMOVED_SINCE, end)
        yield from self._rows(query, {"start": start, "end": end})

    def rows_taken(self, since: str, until: str, since_ns: int, until_ns: int) -> list[int]:
        """List the rows of the images that were taken from a time to before another.

        The first two are texts, compared with the dates in metadata; the other two are compared
        with the time of the file where there is none.
        """
        # A cross join is what SQLite does in this order: only what the index finds is looked up.
        select = "SELECT row FROM images CROSS JOIN rows ON rows.image = images.id WHERE"
        of_file = "mtime_ns >= :since_ns AND mtime_ns < :until_ns"
        among: tuple[str, ...] = (
            "taken > '' AND taken >= :since AND taken < :until",
            f"taken = '' AND {of_file}",
            f"taken IS NULL AND {of_file}",
        )
        if not self._has_dates:
            among = (of_file,)
        query = " UNION ALL ".join(f"{select} {dates} AND {_LIVE}" for dates in among)
        bounds = {"since": since, "until": until, "since_ns": since_ns, "until_ns": until_ns}
        return [row for (row,) in self._rows(query, bounds)]

    def undated(self) -> list[int]:
        """List the ids of the images whose metadata were not read for a date, removed ones too."""
        # By the index alone, so that it costs nothing where there is none.
        lacking = "taken IS NULL" if self._has_dates else "TRUE"
        found = self._rows(f"SELECT id FROM images WHERE {lacking}")  # noqa: S608
        return [number for (number,) in found]

    def sort_keys(self, column: str, rows: Sequence[int] | None) -> list[SortKey]:
        """List a *column* of ``images`` with id and row, for all images or for some *rows*."""
        if column == "taken" and not self._has_dates:
            column = "NULL"
        among, wanted = "TRUE", {}
        if rows is not None:
            among = "row IN (SELECT value FROM json_each(:wanted))"
            wanted = {"wanted": json.dumps(rows)}
        query = f"SELECT {column}, images.id, row FROM images JOIN rows ON rows.image = images.id "  # noqa: S608
        found = self._rows(f"{query} WHERE {among} AND {_LIVE}", wanted)
        if len({type(key) for key, _, _ in found} - {type(None)}) > 1:
            raise self._damaged(f"its images have a {column} of several kinds")
        return found

    def keep_pages(self, size_bytes: int) -> None:
        """Cache *size_bytes* of the catalog: images may be stored in another order than by path."""
        with self._turn:
            self._connection.execute(f"PRAGMA cache_size = {-size_bytes // 1024}")

    def files_between(self, start: bytes, end: bytes, limit: int) -> list[StoredFile]:
        """List path, size and time of the images from a path to before another, by path.

        This and the next three tell what is there now, so only the writer may ask them.
        """
        return self._between(
            "path, size_bytes, mtime_ns", start, end, f"ORDER BY path LIMIT {limit}"
        )

    def identities_between(self, start: bytes, end: bytes) -> dict[bytes, tuple[int, bytes]]:
        """Map path -> id and content hash, for the images from a path to before another."""
        rows = self._between("path, id, content_hash", start, end)
        return {path: (image_id, content_hash) for path, image_id, content_hash in rows}

    def count_between(self, start: bytes, end: bytes) -> int:
        """Count the images from a path to before another."""
        ((count,),) = self._between("count(*)", start, end)
        return int(count)

    def skipped_between(self, start: bytes, end: bytes) -> list[StoredFile]:
        """List path, size and time of the skipped files from a path to before another."""
        return self._rows(
            "SELECT path, size_bytes, mtime_ns FROM skipped "
            "WHERE path >= :start AND path < :end ORDER BY path",
            {"start": start, "end": end},
        )

    def sources(self) -> list[SourceName]:
        """List what was scanned."""
        rows = self._rows("SELECT path FROM sources ORDER BY path")
        with self._explained():
            return [stored_source(name) for (name,) in rows]

    def is_removed(self, content_hash: bytes) -> bool:
        """Return whether this content was removed and is to stay out."""
        key = {"key": config_keys.removed_key(content_hash)}
        return bool(self._rows("SELECT 1 FROM config WHERE key = :key", key))

    def removed_contents(self) -> list[bytes]:
        """List the hashes of the content that was removed and is to stay out."""
        start = config_keys.removed_key(b"")
        query = "SELECT key FROM config WHERE key >= :start AND key < :end"
        keys = self._rows(query, {"start": start, "end": f"{start}g"})  # behind all hex digits
        with self._explained():
            return [bytes.fromhex(key.removeprefix(start)) for (key,) in keys]

    def apart(self) -> set[tuple[bytes, bytes]]:
        """Read the pairs of content hashes, each sorted, that are said to be no copies."""
        with self._explained(), self._reading() as connection:
            self._check_all_there(connection)
            return config_keys.read_apart(connection)

    def images_by_content(self, hashes: Iterable[bytes]) -> dict[bytes, Image]:
        """Find an image, the one with the least id, with each of these content hashes."""
        wanted = frozenset(hashes)
        found: dict[bytes, Image] = {}
        if wanted:
            for image in self.images():
                if image.content_hash in wanted:
                    found.setdefault(image.content_hash, image)
        return found

    def stamp(self, source: SourceName) -> str:
        """Return what is remembered of a source, nothing if it has no stamp."""
        query = "SELECT value FROM config WHERE key = :key"
        rows = self._rows(query, {"key": config_keys.stamp_key(source)})
        return str(rows[0][0]) if rows else ""

    def stamps_of_rows(self) -> dict[Path, str]:
        """Return the stamps that tell whose vectors are called by file and row."""
        start = config_keys.stamp_key(Path("rows:"))
        query = "SELECT key, value FROM config WHERE key >= :start AND key < :end"
        rows = self._rows(query, {"start": start, "end": f"{start}g"})  # behind all hex digits
        try:
            return {
                path_of(bytes.fromhex(key.partition(":")[2])): str(value) for key, value in rows
            }
        except ValueError as error:
            raise sqlite.damaged_catalog(self.folder / schema.CATALOG, repr(error)) from None

    def skipped(self) -> list[Skipped]:
        """List the files that could not be used."""
        rows = self._rows("SELECT path, size_bytes, mtime_ns, reason FROM skipped ORDER BY path")
        with self._explained():
            return [skipped_of(fields) for fields in rows]

    def files(self) -> list[FileRecord]:
        """List the write-once files of the index."""
        rows = self._rows("SELECT name, size_bytes, sha256 FROM files ORDER BY name")
        with self._explained():
            return [record_of(row) for row in rows]

    def _image(self, fields: tuple[Any, ...]) -> Image:
        try:
            image = image_of(fields)
        except ValueError as error:
            raise self._damaged(str(error)) from None
        return replace(image, path=wanted(image.path)) if self._fetch else image

    def _one(self, column: str, value: object) -> Image | None:
        page = self._rows(f"{self._images} WHERE {column} = :value AND {_LIVE}", {"value": value})
        return self._image(page[0]) if page else None

    def _between(self, columns: str, start: bytes, end: bytes, rest: str = "") -> list[Any]:
        where = "removed IS NULL AND path >= :start AND path < :end"
        query = f"SELECT {columns} FROM images WHERE {where} {rest}"  # noqa: S608
        return self._rows(query, {"start": start, "end": end})

    def _images_in(self, column: str, values: Iterable[int]) -> Iterator[Image]:
        # As one JSON text: SQLite bounds the number of parameters, and compiles a text once.
        wanted = "IN (SELECT value FROM json_each(:wanted))"
        query = f"{self._images} WHERE {column} {wanted} AND {_LIVE}"
        for fields in self._rows(query, {"wanted": json.dumps(list(values))}):
            yield self._image(fields)


def _select_between(columns: str, present: str, end: bytes | None) -> str:
    """Write the query for live images whose path lies between ``:start`` and ``:end``."""
    where = f"{present} AND path >= :start" + (" AND path < :end" if end is not None else "")
    # A cross join is what SQLite does in this order: few paths are looked up, not all rows.
    return (
        f"SELECT {columns} FROM images CROSS JOIN rows ON rows.image = images.id "  # noqa: S608
        f"WHERE {where} AND {_LIVE}"
    )


def live_images(connection: apsw.Connection, first_row: int, end_row: int) -> list[Image]:
    """List the present images whose row lies in a range, by row."""
    query = f"{_IMAGES} WHERE died IS NULL AND row >= ? AND row < ? ORDER BY row"
    return [image_of(fields) for fields in sqlite.fetch(connection, query, (first_row, end_row))]
