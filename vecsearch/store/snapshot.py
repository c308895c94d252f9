"""Reading an index folder: one committed generation, whatever a writer does meanwhile."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw
import numpy as np

from vecsearch.errors import IndexDamagedError, IndexFolderError
from vecsearch.store import schema
from vecsearch.store.files import FileRecord, check_file, check_length
from vecsearch.store.migrate import migrate_if_older
from vecsearch.store.segments import Segment, map_segment, segment_bytes
from vecsearch.types import Image, Rows, Skipped

_IMAGES: Final = (
    "SELECT images.id, path, size_bytes, mtime_ns, content_hash, width, height, row "
    "FROM images JOIN rows ON rows.image = images.id "
)
_LIVE: Final = "row < :next_row AND (died IS NULL OR died > :generation)"
_STATE: Final = "SELECT key, value FROM config WHERE key IN ('instance', 'oldest')"
_MANY: Final = 500
_CACHE_KIB: Final = 256 << 10
"""How much of the catalog a reader keeps: as much as it has used of a million images."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Generation:
    """One commit: the next free row, and how many images there are."""

    id: int
    created_ns: int
    next_row: int
    image_count: int


@dataclass(frozen=True, slots=True)
class Base:
    """The FAISS file over the first ``row_count`` rows of the segment at ``first_row``.

    ``recipe`` is the factory string it was made by, ``search`` (JSON) how it is searched.
    """

    record: FileRecord
    first_row: int
    row_count: int
    recipe: str
    search: str


class Snapshot:
    """A committed generation of an index folder, open for reading.

    Generation, segments and dead rows are read once, so a writer that commits meanwhile changes
    nothing. Row numbers are never reused, so images are looked up when asked for, as they were at
    this generation. After a fresh build, or a second compaction, every look-up says that the index
    must be opened again.
    """

    def __init__(self, folder: Path, before: Snapshot | None = None) -> None:
        """Open the newest generation of *folder*; raises IndexFolderError and its kin.

        What is mapped and checked in *before*, an older snapshot, is taken over.
        """
        self.folder = folder
        migrate_if_older(folder)
        self._connection = schema.open_catalog(folder, writing=False)
        self._identity = _identity(folder)
        try:
            self._instance = ""
            self._connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}; BEGIN")
            # It changes whenever another process has committed.
            ((self._version,),) = self._connection.execute("PRAGMA data_version")
            self._intact_version = self._version
            config = dict(schema.fetch(self._connection, "SELECT key, value FROM config"))
            self._instance = config["instance"]
            self.encoder_json = str(config["encoder"])
            self.agreement = str(config["agreement"])
            self.dim = int(config["dim"])
            # An index of imported vectors has no network of its own.
            self._encoder = tuple(
                read_file(self._connection, config[key])
                for key in ("encoder_xml", "encoder_bin")
                if key in config
            )
            self.recipe = str(config["recipe"])
            self.recall = float(config["recall"])
            self.generation = read_generation(self._connection)
            mapped = before.mapped if before else {}
            segments = schema.fetch(
                self._connection,
                "SELECT first_row, row_count, file FROM segments ORDER BY first_row",
            )
            # Under the transaction no writer can commit, so none can collect these files.
            self.mapped: dict[FileRecord, Segment] = {}
            for first, count, name in segments:
                record = read_file(self._connection, name)
                self.mapped[record] = mapped.get(record) or self._map(record, first, count)
            self.segments = list(self.mapped.values())
            self.bases = {base.first_row: base for base in _bases(self._connection)}
            dead = schema.fetch(
                self._connection,
                "SELECT row FROM rows WHERE died IS NOT NULL AND row >= ? ORDER BY row",
                (self.segments[0].first_row if self.segments else 0,),
            )
            self.dead_rows: Rows = np.fromiter((row for (row,) in dead), dtype=np.int64)
            self._connection.execute("COMMIT")
        except apsw.Error as error:
            self.close()
            raise schema.catalog_error(folder / schema.CATALOG, error) from None
        except (KeyError, TypeError, ValueError) as error:
            self.close()
            raise schema.damaged_catalog(folder / schema.CATALOG, repr(error)) from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the catalog; mapped vectors stay valid as long as they are referenced."""
        self._connection.close()

    def is_newest(self) -> bool:
        """Tell whether nothing was committed since, and no other index took the folder's place."""
        if self._identity != _identity(self.folder):
            return False
        with self._reading() as connection:
            ((version,),) = connection.execute("PRAGMA data_version")
            if version == self._version:
                return True
            config = dict(schema.fetch(connection, _STATE))
            newest = schema.fetch(connection, "SELECT max(id) FROM generations")
            return config["instance"] == self._instance and newest == [(self.generation.id,)]

    def open_base(self, base: Base, opener: Callable[[Path], T]) -> T | None:
        """Give what *opener* makes of a checked FAISS file of this generation.

        None if the file is there no longer, even since it was checked, because a later generation
        has another: the segments have all the rows. Raises IndexDamagedError.
        """
        try:
            return opener(check_file(self.folder, base.record))
        except IndexDamagedError:
            name = {"name": base.record.name}
            if self._rows("SELECT 1 FROM files WHERE name = :name", name):
                raise
            return None

    def encoder_files(self) -> tuple[Path, Path, bytes]:
        """Give the files of the encoder, the OpenVINO XML and its constants, and their digest.

        The XML is checked; of the constants, which are numbers and nothing else, the length is.
        Whoever uses them calls `check_constants` before believing a result. Raises IndexFolderError
        for an index of imported vectors, which has no network.
        """
        xml, constants = self._encoder_records()
        with self._unless_built_anew():
            paths = check_file(self.folder, xml), check_length(self.folder, constants)
        return *paths, xml.sha256 + constants.sha256

    def check_constants(self) -> None:
        """Compare the checksum of the encoder's constants; raises IndexDamagedError."""
        with self._unless_built_anew():
            check_file(self.folder, self._encoder_records()[1], whole=True)

    def _encoder_records(self) -> tuple[FileRecord, FileRecord]:
        if len(self._encoder) != 2:
            raise IndexFolderError(
                f"{self.folder} has no network",
                hint="its vectors were imported; vecsearch import --encoder INDEX takes one along",
                path=self.folder,
            )
        return self._encoder[0], self._encoder[1]

    @contextmanager
    def _unless_built_anew(self) -> Iterator[None]:
        """Say of a file that is missing because of a fresh build that it is, and not damaged."""
        try:
            yield
        except IndexDamagedError:
            self._rows("SELECT 1 FROM config")
            raise

    def images(self) -> Iterator[Image]:
        """Iterate over all images, in the order of their ids."""
        query = f"{_IMAGES} WHERE images.id > :last AND {_LIVE} ORDER BY images.id LIMIT {_MANY}"
        last = 0
        # Page by page: a cursor left open would keep every writer from committing.
        while page := self._rows(query, {"last": last}):
            yield from (_image(fields) for fields in page)
            last = page[-1][0]

    def images_by_row(self, rows: Iterable[int]) -> dict[int, Image]:
        """Find the images of *rows*."""
        return {image.row: image for image in self._images_in("row", rows)}

    def images_with_sizes(self, sizes: Iterable[int]) -> dict[bytes, Image]:
        """Map content hash -> image, for images whose file has one of *sizes* (bytes)."""
        found = self._images_in("size_bytes", sizes)
        return {image.content_hash: image for image in found}

    def image_by_id(self, image_id: int) -> Image | None:
        """Find an image by its id."""
        return self._one("images.id", image_id)

    def image_by_path(self, path: Path) -> Image | None:
        """Find an image by the absolute path of its file."""
        # Each by an index of its own: images that are there, and those removed since.
        for present in ("removed IS NULL", "removed > :generation"):
            if found := self._one(f"{present} AND path", os.fsencode(path)):
                return found
        return None

    def dead_count(self, segment: Segment) -> int:
        """Count the dead rows of *segment*."""
        ends = np.searchsorted(self.dead_rows, (segment.first_row, segment.end_row))
        return int(ends[1] - ends[0])

    def images_by_path(self, paths: Sequence[str]) -> dict[str, Image]:
        """Find the images at any of *paths* that have been there since this generation."""
        # Bytes of any kind, in hexadecimal: JSON has none, and SQLite bounds the parameters.
        wanted = json.dumps([os.fsencode(path).hex() for path in paths])
        among = "IN (SELECT unhex(value) FROM json_each(:wanted))"
        query = f"{_IMAGES} WHERE removed IS NULL AND path {among} AND {_LIVE}"
        found = self._rows(query, {"wanted": wanted})
        return {os.fsdecode(fields[1]): _image(fields) for fields in found}

    def living_count(self, segment: Segment) -> int:
        """Count the rows of *segment* that are not dead."""
        return len(segment.halves) - self.dead_count(segment)

    def sources(self) -> list[Path]:
        """List the folders that were scanned."""
        return [_path(path) for (path,) in self._rows("SELECT path FROM sources ORDER BY path")]

    def skipped(self) -> list[Skipped]:
        """List the files that could not be used."""
        rows = self._rows("SELECT path, size_bytes, mtime_ns, reason FROM skipped ORDER BY path")
        return [Skipped(_path(path), size, mtime, reason) for path, size, mtime, reason in rows]

    def files(self) -> list[FileRecord]:
        """List the write-once files of the index."""
        rows = self._rows("SELECT name, size_bytes, sha256 FROM files ORDER BY name")
        return [FileRecord(*row) for row in rows]

    def _map(self, record: FileRecord, first_row: int, row_count: int) -> Segment:
        path = check_file(self.folder, record)
        if record.size_bytes != segment_bytes(row_count, self.dim):
            raise ValueError(f"{record.name} cannot hold {row_count} rows")
        return map_segment(path, first_row, row_count, self.dim, record.size_bytes)

    def _one(self, column: str, value: object) -> Image | None:
        page = self._rows(f"{_IMAGES} WHERE {column} = :value AND {_LIVE}", {"value": value})
        return _image(page[0]) if page else None

    def _images_in(self, column: str, values: Iterable[int]) -> Iterator[Image]:
        # As one JSON text: SQLite bounds the number of parameters, and compiles a text once.
        wanted = "IN (SELECT value FROM json_each(:wanted))"
        query = f"{_IMAGES} WHERE {column} {wanted} AND {_LIVE}"
        for fields in self._rows(query, {"wanted": json.dumps(list(values))}):
            yield _image(fields)

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
            raise IndexFolderError(
                f"{self.folder} has changed much since it was opened",
                hint="open it again",
                path=self.folder,
            )
        self._intact_version = version

    @contextmanager
    def _reading(self) -> Iterator[apsw.Connection]:
        """Hold one state of the catalog; raises IndexFolderError for what SQLite raises."""
        try:
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                if self._connection.in_transaction:  # some errors have ended it
                    self._connection.execute("COMMIT")
        except (apsw.ConnectionClosedError, apsw.ThreadingViolationError) as error:
            raise IndexFolderError(
                f"{self.folder} was closed, or is used by another thread ({error})",
                hint="open an index for each thread",
                path=self.folder,
            ) from None
        except apsw.Error as error:
            raise schema.catalog_error(self.folder / schema.CATALOG, error) from None


def _identity(folder: Path) -> tuple[int, int]:
    """Tell a catalog from one that has taken its place under the same name."""
    try:
        facts = (folder / schema.CATALOG).stat()
    except OSError:
        return 0, 0
    return facts.st_dev, facts.st_ino


def read_generation(connection: apsw.Connection) -> Generation:
    """Read the newest generation."""
    (row,) = schema.fetch(
        connection,
        "SELECT id, created_ns, next_row, image_count FROM generations ORDER BY id DESC LIMIT 1",
    )
    return Generation(*row)


def read_file(connection: apsw.Connection, name: str) -> FileRecord:
    """Read what the catalog knows of one of its files."""
    query = "SELECT name, size_bytes, sha256 FROM files WHERE name = ?"
    (record,) = schema.fetch(connection, query, (name,))
    return FileRecord(*record)


def _bases(connection: apsw.Connection) -> Iterator[Base]:
    query = "SELECT file, first_row, row_count, recipe, search FROM bases ORDER BY first_row"
    for name, *rest in schema.fetch(connection, query):
        yield Base(read_file(connection, name), *rest)


def living_images(connection: apsw.Connection, first_row: int, end_row: int) -> list[Image]:
    """List the present images whose row lies in a range, by row."""
    query = f"{_IMAGES} WHERE died IS NULL AND row >= ? AND row < ? ORDER BY row"
    return [_image(fields) for fields in schema.fetch(connection, query, (first_row, end_row))]


def _image(fields: tuple[Any, ...]) -> Image:
    number, path, *rest = fields
    return Image(number, _path(path), *rest)


def _path(value: bytes) -> Path:
    return Path(os.fsdecode(value))
