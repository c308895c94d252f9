"""Reading an index folder: one committed generation, whatever a writer does meanwhile."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from vecsearch.errors import IndexDamagedError, IndexFolderError
from vecsearch.store import schema
from vecsearch.store.files import FileRecord, check_file, check_length
from vecsearch.store.segments import Halves, map_segment
from vecsearch.types import Image, Rows, Skipped, Vectors

_IMAGES: Final = (
    "SELECT images.id, path, size_bytes, mtime_ns, content_hash, width, height, row "
    "FROM images JOIN rows ON rows.image = images.id "
)
_LIVE: Final = "row < :rows AND (died IS NULL OR died > :generation)"
_MANY: Final = 500


@dataclass(frozen=True, slots=True)
class Generation:
    """One commit: ``row_count`` rows in the segments, the first ``ann_rows`` in the FAISS file."""

    id: int
    created_ns: int
    row_count: int
    ann: FileRecord | None
    ann_rows: int
    ann_generation: int
    recipe: str


class Snapshot:
    """A committed generation of an index folder, open for reading.

    Generation, segments and dead rows are read once, so a writer that commits meanwhile changes
    nothing. Rows are never renumbered, so images are looked up when asked for, as they were at
    this generation. After a fresh build every look-up says that the index must be opened again.
    """

    def __init__(self, folder: Path) -> None:
        """Open the newest generation of *folder*; raises IndexFolderError and its kin."""
        self.folder = folder
        self._connection = schema.open_catalog(folder, writing=False)
        try:
            self._instance = ""
            self._connection.execute("BEGIN")
            config = dict(self._connection.execute("SELECT key, value FROM config"))
            self._instance = config["instance"]
            self.encoder_json = str(config["encoder"])
            self.agreement = str(config["agreement"])
            self.dim = int(config["dim"])
            self._encoder = tuple(
                read_file(self._connection, config[key]) for key in ("encoder_xml", "encoder_bin")
            )
            self.generation = read_generation(self._connection)
            segments = self._connection.execute(
                "SELECT first_row, row_count, file FROM segments ORDER BY first_row"
            ).fetchall()
            # Under the transaction no writer can commit, so none can collect these files.
            self.blocks = [
                (first, self._map(read_file(self._connection, name), count))
                for first, count, name in segments
            ]
            dead = self._connection.execute(
                "SELECT row FROM rows WHERE died IS NOT NULL ORDER BY row"
            )
            self.dead_rows: Rows = np.fromiter((row for (row,) in dead), dtype=np.int64)
            self._connection.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            self.close()
            raise schema.catalog_error(folder / schema.CATALOG, error) from None
        except (KeyError, TypeError, ValueError) as error:
            self.close()
            raise IndexDamagedError(
                f"the catalog of {folder} is damaged ({error!r})",
                hint="restore it from a copy, or build with --fresh",
                path=folder,
            ) from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the catalog; mapped vectors stay valid as long as they are referenced."""
        self._connection.close()

    def ann_path(self) -> Path | None:
        """Give the checked FAISS file of this generation.

        None if there is none, or no longer, because a later generation has another: the segments
        have all the rows.
        """
        ann = self.generation.ann
        if ann is None:
            return None
        try:
            return check_file(self.folder, ann)
        except IndexDamagedError:
            named = self._rows("SELECT 1 FROM files WHERE name = :name", {"name": ann.name})
            if named:
                raise
            return None

    def encoder_files(self) -> tuple[Path, Path, bytes]:
        """Give the files of the encoder, the OpenVINO XML and its constants, and their digest.

        The XML is checked; of the constants, which are numbers and nothing else, the length is.
        Whoever uses them calls `check_constants` before believing a result.
        """
        xml, constants = self._encoder
        paths = check_file(self.folder, xml), check_length(self.folder, constants)
        return *paths, xml.sha256 + constants.sha256

    def check_constants(self) -> None:
        """Compare the checksum of the encoder's constants; raises IndexDamagedError."""
        check_file(self.folder, self._encoder[1], whole=True)

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
        return self._one("path", os.fsencode(path))

    def image_count(self) -> int:
        """Count the images."""
        return self.generation.row_count - len(self.dead_rows)

    def died_since_base(self) -> int:
        """Count the rows of the FAISS file that died after it was made."""
        ((count,),) = self._rows(
            "SELECT count(*) FROM rows WHERE row < :ann_rows AND died > :since",
            {"ann_rows": self.generation.ann_rows, "since": self.generation.ann_generation},
        )
        return int(count)

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

    def _map(self, record: FileRecord, row_count: int) -> Halves:
        return map_segment(check_file(self.folder, record), row_count, self.dim)

    def _one(self, column: str, value: object) -> Image | None:
        page = self._rows(f"{_IMAGES} WHERE {column} = :value AND {_LIVE}", {"value": value})
        return _image(page[0]) if page else None

    def _images_in(self, column: str, values: Iterable[int]) -> Iterator[Image]:
        wanted = [int(value) for value in values]
        # Numbers of our own, written into the text: SQLite bounds the count of parameters.
        for start in range(0, len(wanted), _MANY):
            part = ",".join(map(str, wanted[start : start + _MANY]))
            for fields in self._rows(f"{_IMAGES} WHERE {column} IN ({part}) AND {_LIVE}"):
                yield _image(fields)

    def _rows(self, query: str, values: dict[str, object] | None = None) -> list[Any]:
        """Run one look-up; raises IndexFolderError if the index was built anew meanwhile."""
        present = {"rows": self.generation.row_count, "generation": self.generation.id}
        try:
            self._connection.execute("BEGIN")
            try:
                (instance,) = self._connection.execute(
                    "SELECT value FROM config WHERE key = 'instance'"
                ).fetchone()
                page = self._connection.execute(query, {**present, **(values or {})}).fetchall()
            finally:
                self._connection.execute("COMMIT")
        except sqlite3.ProgrammingError as error:
            raise IndexFolderError(
                f"{self.folder} was closed, or is used by another thread ({error})",
                hint="open an index for each thread",
                path=self.folder,
            ) from None
        except sqlite3.DatabaseError as error:
            raise schema.catalog_error(self.folder / schema.CATALOG, error) from None
        if instance != self._instance:
            raise IndexFolderError(
                f"{self.folder} was built anew meanwhile", hint="open it again", path=self.folder
            )
        return page


def read_generation(connection: sqlite3.Connection) -> Generation:
    """Read the newest generation."""
    number, created_ns, row_count, ann_file, *rest = connection.execute(
        "SELECT id, created_ns, row_count, ann_file, ann_rows, ann_generation, recipe "
        "FROM generations ORDER BY id DESC LIMIT 1"
    ).fetchone()
    ann = read_file(connection, ann_file) if ann_file else None
    return Generation(number, created_ns, row_count, ann, *rest)


def read_file(connection: sqlite3.Connection, name: str) -> FileRecord:
    """Read what the catalog knows of one of its files."""
    query = "SELECT name, size_bytes, sha256 FROM files WHERE name = ?"
    return FileRecord(*connection.execute(query, (name,)).fetchone())


def gather(blocks: list[tuple[int, Halves]], rows: Rows, dim: int) -> Vectors:
    """Copy the vectors of *rows* out of mapped *blocks*: (len(rows), d) float32."""
    vectors = np.empty((len(rows), dim), np.float32)
    starts = np.array([first for first, _ in blocks], dtype=np.int64)
    which = np.searchsorted(starts, rows, side="right") - 1
    for number in np.unique(which):
        mask = which == number
        first, block = blocks[int(number)]
        vectors[mask] = block[rows[mask] - first]
    return vectors


def _image(fields: tuple[Any, ...]) -> Image:
    number, path, *rest = fields
    return Image(number, _path(path), *rest)


def _path(value: bytes) -> Path:
    return Path(os.fsdecode(value))
