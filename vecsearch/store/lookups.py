"""Questions to the catalog, answered as of one generation, whatever a writer does meanwhile."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import Any, Final, TypeVar

import apsw

from vecsearch.errors import IndexDamagedError, IndexFolderError, IndexOutdatedError
from vecsearch.locks import free_at_fork
from vecsearch.store import schema
from vecsearch.store.records import Generation, record_of
from vecsearch.store.write_once import FileRecord
from vecsearch.types import Image, Skipped, SourceName, path_of, source_name, wanted

T = TypeVar("T", int, bytes)

_IMAGES: Final = (
    "SELECT images.id, path, size_bytes, mtime_ns, content_hash, width, height, row, taken "
    "FROM images JOIN rows ON rows.image = images.id "
)
_LIVE: Final = "row < :next_row AND (died IS NULL OR died > :generation)"
_STATE: Final = "SELECT key, value FROM config WHERE key IN ('instance', 'oldest')"
_PRESENT: Final = "removed IS NULL"
_REMOVED_SINCE: Final = "removed > :generation"
_TAKEN: Final = re.compile(r"|\d{4}-\d\d-\d\d[-0-9T:.+]{0,30}", re.ASCII)
_MANY: Final = 500
_PAGE: Final = 8192
_CACHE_KIB: Final = 256 << 10
"""How much of the catalog a reader keeps: as much as it has used of a million images."""


class Lookups:
    """A connection to the catalog, and the generation as of which it is asked.

    Row numbers are never reused, so images are looked up when asked for, as they were at this
    generation. After a fresh build, or a second compaction, every look-up says that the index must
    be opened again. Which generation it is, whoever derives from this reads in a transaction.

    Any number of threads may ask; they have the one connection by turns.
    """

    def __init__(self, folder: Path, *, fetch: bool = False) -> None:
        """Connect; raises IndexFolderError or a subclass.

        Images behind URLs may be fetched if *fetch* says so, whoever made the index.
        """
        self.folder = folder
        self._fetch = fetch
        self._turn = free_at_fork(RLock())
        self._connection = schema.open_catalog(folder, writing=False)
        self._identity = _identity(folder)
        try:
            self._has_dates = schema.has_dates(self._connection)
        except apsw.Error as error:
            self._connection.close()
            raise schema.catalog_error(folder / schema.CATALOG, error) from None
        self._images = _IMAGES if self._has_dates else _IMAGES.replace(", taken ", ", NULL ")
        self._instance = ""
        self.generation = Generation(0, 0, 0, 0)
        self._version = self._intact_version = -1
        self.dates_read: dict[int, str] | None = None
        """By row, what was read of the dates that the catalog lacks; None before that is tried."""

    def _begin(self) -> None:
        """Begin the transaction in which the generation is read; raises apsw.Error."""
        self._connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}; BEGIN")
        # It changes whenever another process has committed.
        ((self._version,),) = self._connection.execute("PRAGMA data_version")
        self._intact_version = self._version

    def close(self) -> None:
        """Close the catalog; mapped vectors stay valid as long as they are referenced."""
        with self._turn:
            self._connection.close()

    def is_newest(self) -> bool:
        """Return whether nothing was committed since, and the folder has the same index."""
        if self._identity != _identity(self.folder):
            return False
        with self._reading() as connection:
            ((version,),) = connection.execute("PRAGMA data_version")
            if version == self._version:
                return True
            config = dict(schema.fetch(connection, _STATE))
            newest = schema.fetch(connection, "SELECT max(id) FROM generations")
            return config["instance"] == self._instance and newest == [(self.generation.id,)]

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

    def contents_with_sizes(self, sizes: Iterable[int]) -> Iterator[tuple[bytes, int, int, int]]:
        """Return content hash, row, width, height of images whose files have *sizes* (bytes)."""
        for image in self._images_in("size_bytes", sizes):
            yield image.content_hash, image.row, image.width, image.height

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

    def sort_keys(self, column: str, rows: Sequence[int] | None) -> list[tuple[Any, int, int]]:
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
        """Hold so much of the catalog in memory: images may not lie in the order of their paths."""
        with self._turn:
            self._connection.execute(f"PRAGMA cache_size = {-size_bytes // 1024}")

    def files_between(self, start: bytes, end: bytes, limit: int) -> list[tuple[bytes, int, int]]:
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

    def skipped_between(self, start: bytes, end: bytes) -> list[tuple[bytes, int, int]]:
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
            return [source_name(_checked_path(path)) for (path,) in rows]

    def is_removed(self, content_hash: bytes) -> bool:
        """Return whether this content was removed and is to stay out."""
        key = {"key": schema.removed_key(content_hash)}
        return bool(self._rows("SELECT 1 FROM config WHERE key = :key", key))

    def removed_contents(self) -> list[bytes]:
        """List the hashes of the content that was removed and is to stay out."""
        start = schema.removed_key(b"")
        query = "SELECT key FROM config WHERE key >= :start AND key < :end"
        keys = self._rows(query, {"start": start, "end": f"{start}g"})  # behind all hex digits
        with self._explained():
            return [bytes.fromhex(key.removeprefix(start)) for (key,) in keys]

    def apart(self) -> set[tuple[bytes, bytes]]:
        """Read the pairs of content hashes, each sorted, that are said to be no copies."""
        with self._explained(), self._reading() as connection:
            self._check_all_there(connection)
            return schema.read_apart(connection)

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
        rows = self._rows(query, {"key": schema.stamp_key(source)})
        return str(rows[0][0]) if rows else ""

    def stamps_of_rows(self) -> dict[Path, str]:
        """Return the stamps that tell whose vectors are called by file and row."""
        start = schema.stamp_key(Path("rows:"))
        query = "SELECT key, value FROM config WHERE key >= :start AND key < :end"
        rows = self._rows(query, {"start": start, "end": f"{start}g"})  # behind all hex digits
        try:
            return {
                path_of(bytes.fromhex(key.partition(":")[2])): str(value) for key, value in rows
            }
        except ValueError as error:
            raise schema.damaged_catalog(self.folder / schema.CATALOG, repr(error)) from None

    def skipped(self) -> list[Skipped]:
        """List the files that could not be used."""
        rows = self._rows("SELECT path, size_bytes, mtime_ns, reason FROM skipped ORDER BY path")
        with self._explained():
            return [_skipped_of(fields) for fields in rows]

    def files(self) -> list[FileRecord]:
        """List the write-once files of the index."""
        rows = self._rows("SELECT name, size_bytes, sha256 FROM files ORDER BY name")
        with self._explained():
            return [record_of(row) for row in rows]

    def _image(self, fields: tuple[Any, ...]) -> Image:
        try:
            image = _image_of(fields)
        except ValueError as error:
            raise self._damaged(str(error)) from None
        return replace(image, path=wanted(image.path)) if self._fetch else image

    def _later(self, before: T, last: T) -> T:
        """Return *last*, the end of a page; pages that do not advance would never end."""
        if last <= before:
            raise self._damaged("its pages lead in a circle")
        return last

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            raise self._damaged(str(error)) from None

    def _damaged(self, why: str) -> IndexDamagedError:
        return schema.damaged_catalog(self.folder / schema.CATALOG, why)

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

    def _rows(self, query: str, values: dict[str, Any] | None = None) -> list[Any]:
        """Run one look-up; raises IndexFolderError if this generation is no longer all there."""
        present = {"next_row": self.generation.next_row, "generation": self.generation.id}
        with self._reading() as connection:
            self._check_all_there(connection)
            return schema.fetch(connection, query, present | (values or {}))

    def _check_all_there(self, connection: apsw.Connection) -> None:
        """Raise IndexFolderError if what was committed since took this generation apart."""
        ((version,),) = connection.execute("PRAGMA data_version")
        if version == self._intact_version:
            return
        config = dict(schema.fetch(connection, _STATE))
        if config["instance"] != self._instance:
            raise IndexFolderError(
                f"{self.folder} was built anew meanwhile", hint="open it again", path=self.folder
            )
        if int(config["oldest"]) > self.generation.id:
            raise IndexOutdatedError(
                f"{self.folder} has changed much since it was opened",
                hint="open it again",
                path=self.folder,
            )
        self._intact_version = version

    @contextmanager
    def _reading(self) -> Iterator[apsw.Connection]:
        """Hold one state of the catalog; raises IndexFolderError for what SQLite raises."""
        try:
            with self._turn:
                self._connection.execute("BEGIN")
                try:
                    yield self._connection
                finally:
                    if self._connection.in_transaction:  # some errors have ended it
                        self._connection.execute("COMMIT")
        except apsw.ConnectionClosedError:
            raise IndexFolderError(
                f"{self.folder} was closed", hint="open it again", path=self.folder
            ) from None
        except apsw.Error as error:
            raise schema.catalog_error(self.folder / schema.CATALOG, error) from None


def _select_between(columns: str, present: str, end: bytes | None) -> str:
    """Write the query for live images whose path lies between ``:start`` and ``:end``."""
    where = f"{present} AND path >= :start" + (" AND path < :end" if end is not None else "")
    # A cross join is what SQLite does in this order: few paths are looked up, not all rows.
    return (
        f"SELECT {columns} FROM images CROSS JOIN rows ON rows.image = images.id "  # noqa: S608
        f"WHERE {where} AND {_LIVE}"
    )


def _identity(folder: Path) -> tuple[int, int]:
    """Tell a catalog from one that has taken its place under the same name."""
    try:
        facts = (folder / schema.CATALOG).stat()
    except OSError:
        return 0, 0
    return facts.st_dev, facts.st_ino


def live_images(connection: apsw.Connection, first_row: int, end_row: int) -> list[Image]:
    """List the present images whose row lies in a range, by row."""
    query = f"{_IMAGES} WHERE died IS NULL AND row >= ? AND row < ? ORDER BY row"
    return [_image_of(fields) for fields in schema.fetch(connection, query, (first_row, end_row))]


def _image_of(fields: tuple[Any, ...]) -> Image:
    number, path, size_bytes, mtime_ns, content_hash, width, height, row, taken = fields
    numbers = (size_bytes, mtime_ns, width, height)
    if set(map(type, numbers)) != {int} or type(content_hash) is not bytes or min(numbers[::2]) < 0:
        raise ValueError(f"image {number} is not valid")
    if taken is not None and not (type(taken) is str and _TAKEN.fullmatch(taken)):
        raise ValueError(f"image {number} was taken at {taken!r:.100}")
    path = _path(path)
    return Image(number, path, size_bytes, mtime_ns, content_hash, width, height, row, taken)


def _skipped_of(fields: tuple[Any, ...]) -> Skipped:
    path, size_bytes, mtime_ns, reason = fields
    if type(size_bytes) is not int or type(mtime_ns) is not int or type(reason) is not str:
        raise ValueError("a skipped file is not valid")
    return Skipped(_path(path), size_bytes, mtime_ns, reason)


def _path(value: object) -> Path:
    return path_of(_checked_path(value))


def _checked_path(value: object) -> bytes:
    if type(value) is not bytes or not value or b"\0" in value:
        raise ValueError(f"{value!r:.100} is not a path")
    return value
