"""Reading an index folder: one committed generation, whatever a writer does meanwhile."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from vecsearch.errors import IndexFolderError
from vecsearch.store import schema
from vecsearch.store.files import FileRecord, check_file, check_length
from vecsearch.store.segments import Halves, map_segment
from vecsearch.types import Image, Rows, Skipped, Vectors

_IMAGES: Final = (
    "SELECT id, path, size_bytes, mtime_ns, content_hash, width, height, row "
    "FROM images JOIN rows ON rows.image = images.id "
)
_MANY: Final = 500


@dataclass(frozen=True, slots=True)
class Generation:
    """One commit: ``row_count`` rows in the segments, the first ``ann_rows`` in the FAISS file."""

    id: int
    created_ns: int
    row_count: int
    ann: FileRecord | None
    ann_rows: int
    recipe: str


@dataclass(frozen=True, slots=True)
class Segment:
    """Rows ``first_row`` to ``first_row + row_count`` and the file that holds them."""

    file: FileRecord
    first_row: int
    row_count: int


class Snapshot:
    """A committed generation of an index folder, open for reading.

    What answers depend on (generation, segments, dead rows) is read once, so a writer that commits
    meanwhile changes nothing. A row is never renumbered, so images are looked up when asked for.
    """

    def __init__(self, folder: Path) -> None:
        """Open the newest generation of *folder*; raises IndexFolderError and its kin."""
        self.folder = folder
        self._connection = schema.open_catalog(folder, writing=False)
        try:
            self._connection.execute("BEGIN")
            self.encoder_json = self._config("encoder")
            self._encoder = tuple(
                self._file(self._config(key)) for key in ("encoder_xml", "encoder_bin")
            )
            self.generation = read_generation(self._connection)
            self.segments = tuple(self._read_segments())
            self.dead_rows: Rows = self._read_rows(
                "SELECT row FROM rows WHERE died IS NOT NULL ORDER BY row"
            )
            self._connection.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise schema.catalog_error(folder / schema.CATALOG, error) from None

    def close(self) -> None:
        """Close the catalog; mapped vectors stay valid as long as they are referenced."""
        self._connection.close()

    @property
    def dim(self) -> int:
        """The length of a vector."""
        return int(self._config("dim"))

    @property
    def agreement(self) -> str:
        """What was measured of an int8 encoder, as JSON; empty for others."""
        return self._config("agreement")

    def blocks(self) -> list[tuple[int, Halves]]:
        """Map all segments, checked: (first row, (n, d) float16), in row order."""
        dim = self.dim
        return [
            (s.first_row, map_segment(check_file(self.folder, s.file), s.row_count, dim))
            for s in self.segments
        ]

    def ann_path(self) -> Path | None:
        """Give the checked FAISS file of this generation, None if it has none."""
        ann = self.generation.ann
        return check_file(self.folder, ann) if ann else None

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
        query = f"{_IMAGES} WHERE died IS NULL ORDER BY id"
        for fields in self._rows(query):
            yield _image(fields)

    def images_by_row(self, rows: Iterable[int]) -> dict[int, Image]:
        """Find the images of *rows*."""
        wanted = list(rows)
        found: dict[int, Image] = {}
        for start in range(0, len(wanted), _MANY):
            part = wanted[start : start + _MANY]
            marks = ",".join("?" * len(part))
            for fields in self._rows(f"{_IMAGES} WHERE row IN ({marks})", part):
                image = _image(fields)
                found[image.row] = image
        return found

    def image_by_id(self, image_id: int) -> Image | None:
        """Find an image by its id."""
        return self._one("images.id = ?", image_id)

    def image_by_path(self, path: Path) -> Image | None:
        """Find an image by the absolute path of its file."""
        return self._one("path = ? AND removed IS NULL", os.fsencode(path))

    def image_count(self) -> int:
        """Count the images."""
        return self.generation.row_count - len(self.dead_rows)

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

    def images_with_sizes(self, sizes: Iterable[int]) -> dict[bytes, Image]:
        """Map content hash -> image, for images whose file has one of *sizes*."""
        wanted = set(sizes)
        return {image.content_hash: image for image in self.images() if image.size_bytes in wanted}

    def _one(self, condition: str, value: object) -> Image | None:
        query = f"{_IMAGES} WHERE died IS NULL AND {condition}"
        for fields in self._rows(query, [value]):
            return _image(fields)
        return None

    def _config(self, key: str) -> str:
        for (value,) in self._rows("SELECT value FROM config WHERE key = ?", [key]):
            return str(value)
        raise IndexFolderError(f"{self.folder} is not a complete index", path=self.folder)

    def _file(self, name: str) -> FileRecord:
        return read_file(self._connection, name)

    def _read_segments(self) -> Iterator[Segment]:
        query = "SELECT file, first_row, row_count FROM segments ORDER BY first_row"
        for name, first_row, row_count in self._connection.execute(query).fetchall():
            yield Segment(self._file(name), first_row, row_count)

    def _read_rows(self, query: str) -> Rows:
        return np.fromiter((row for (row,) in self._connection.execute(query)), dtype=np.int64)

    def _rows(self, query: str, values: Iterable[object] = ()) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._connection.execute(query, tuple(values))
        except sqlite3.DatabaseError as error:
            raise schema.catalog_error(self.folder / schema.CATALOG, error) from None


def read_generation(connection: sqlite3.Connection) -> Generation:
    """Read the newest generation."""
    row = connection.execute(
        "SELECT id, created_ns, row_count, ann_file, ann_rows, recipe FROM generations "
        "ORDER BY id DESC LIMIT 1"
    ).fetchone()
    number, created_ns, row_count, ann_file, ann_rows, recipe = row
    ann = read_file(connection, ann_file) if ann_file else None
    return Generation(number, created_ns, row_count, ann, ann_rows, recipe)


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
