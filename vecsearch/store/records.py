"""What the catalog tells of commits, files and images, as values that are checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import apsw

from vecsearch.store import config_keys, sqlite
from vecsearch.store.safe_paths import is_name, is_name_of
from vecsearch.store.segments import segment_bytes
from vecsearch.store.write_once import FileRecord
from vecsearch.types import Image, Skipped, SourceName, path_of, source_name

_HASH_BYTES: Final = 32
_MOST_DIM: Final = 1 << 26
_LARGEST: Final = (1 << 62) - 1
"""What numbers are below, so that sums of two fit into 64 bits."""

_ENCODER: Final = ("encoder_xml", "encoder_bin")
_TEXTS: Final = ("instance", "encoder", "agreement", "recipe")
_TAKEN: Final = re.compile(r"|\d{4}-\d\d-\d\d[-0-9T:.+]{0,30}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Generation:
    """One commit: the next free row, and how many images there are."""

    id: int
    created_ns: int
    next_row: int
    image_count: int


@dataclass(frozen=True, slots=True)
class StoredSegment:
    """A segment as the catalog has it."""

    first_row: int
    row_count: int
    record: FileRecord


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


@dataclass(frozen=True, slots=True)
class State:
    """What the catalog tells of the newest generation, apart from images and rows.

    ``encoder`` are the files of the network, none in an index of imported vectors.
    """

    config: Mapping[str, str]
    dim: int
    recall: float
    generation: Generation
    files: Mapping[str, FileRecord]
    segments: tuple[StoredSegment, ...]
    bases: tuple[Base, ...]
    encoder: tuple[FileRecord, ...]
    words: FileRecord | None


def read_generation(connection: apsw.Connection) -> Generation:
    """Read the newest generation; raises ValueError for what is none."""
    newest = sqlite.fetch(
        connection,
        "SELECT id, created_ns, next_row, image_count FROM generations ORDER BY id DESC LIMIT 1",
    )
    if len(newest) != 1:
        raise ValueError("it has no generation")
    for value in newest[0]:
        _number(value, "a generation")
    return Generation(*newest[0])


def read_state(connection: apsw.Connection) -> State:
    """Read the newest generation and all that it names, in numbers that fit each other.

    Raises ValueError for a value that cannot be meant, apsw.Error.
    """
    config = _read_config(connection)
    dim, recall = _whole(config, "dim"), float(config["recall"])
    if not 0 < dim <= _MOST_DIM:
        raise ValueError(f"its vectors have {dim} dimensions")
    if not 0.0 <= recall <= 1.0:
        raise ValueError(f"its recall is {recall}")
    if sum(key in config for key in _ENCODER) == 1:
        raise ValueError("it has half of an encoder")
    for key in ("compacted", "oldest"):
        _number(_whole(config, key), key)
    generation = read_generation(connection)
    files = _read_files(connection)
    segments = tuple(_read_segments(connection, files, dim, generation))
    if generation.image_count > sum(one.row_count for one in segments):
        raise ValueError(f"it has {generation.image_count} images, and fewer rows")
    return State(
        config=config,
        dim=dim,
        recall=recall,
        generation=generation,
        files=files,
        segments=segments,
        bases=tuple(_read_bases(connection, files, segments)),
        encoder=tuple(_file(files, config[key], key) for key in _ENCODER if key in config),
        words=_file(files, config["encoder_words"], "encoder_words")
        if "encoder_words" in config
        else None,
    )


def read_file(connection: apsw.Connection, name: str, kind: str) -> FileRecord:
    """Read what the catalog knows of a file of a *kind* of `KINDS`; raises ValueError."""
    query = "SELECT name, size_bytes, sha256 FROM files WHERE name = ?"
    found = {row[0]: record_of(row) for row in sqlite.fetch(connection, query, (name,))}
    return _file(found, name, kind)


def _read_config(connection: apsw.Connection) -> dict[str, str]:
    config = dict(sqlite.fetch(connection, config_keys.CONFIG))
    for key, value in config.items():
        if not (isinstance(key, str) and isinstance(value, str)):
            raise ValueError(f"its {key!r} is not text")
    for key in (*_TEXTS, "dim", "recall", "compacted", "oldest"):
        if key not in config:
            raise ValueError(f"it has no {key}")
    return config


def _read_files(connection: apsw.Connection) -> dict[str, FileRecord]:
    rows = sqlite.fetch(connection, "SELECT name, size_bytes, sha256 FROM files ORDER BY name")
    return {row[0]: record_of(row) for row in rows}


def _read_segments(
    connection: apsw.Connection, files: Mapping[str, FileRecord], dim: int, present: Generation
) -> list[StoredSegment]:
    query = "SELECT first_row, row_count, file FROM segments ORDER BY first_row"
    segments: list[StoredSegment] = []
    end, seen = 0, set()
    for first, count, name in sqlite.fetch(connection, query):
        record = _file(files, name, "vectors")
        _number(first, "a segment")
        _number(count, "a segment", least=1)
        if first < end or first + count > present.next_row or name in seen:
            raise ValueError(f"its segment of {count} rows at row {first} overlaps another")
        if record.size_bytes != segment_bytes(count, dim):
            raise ValueError(f"{name} cannot hold {count} rows")
        segments.append(StoredSegment(first, count, record))
        seen.add(name)
        end = first + count
    return segments


def _read_bases(
    connection: apsw.Connection,
    files: Mapping[str, FileRecord],
    segments: tuple[StoredSegment, ...],
) -> list[Base]:
    query = "SELECT file, first_row, row_count, recipe, search FROM bases ORDER BY first_row"
    rows_at = {one.first_row: one.row_count for one in segments}
    bases = []
    for name, first, count, recipe, search in sqlite.fetch(connection, query):
        _number(count, "a FAISS file", least=1)
        if first not in rows_at or count > rows_at[first]:
            raise ValueError(f"{name!r} is of {count} rows that no segment has")
        if not (isinstance(recipe, str) and isinstance(search, str)):
            raise ValueError(f"the recipe of {name!r} is not text")
        bases.append(Base(_file(files, name, "ann"), first, count, recipe, search))
    return bases


def record_of(row: tuple[Any, ...]) -> FileRecord:
    """Make a record of a line of ``files``; raises ValueError for what is none."""
    name, size_bytes, sha256 = row
    if not is_name(name):
        raise ValueError(f"it names a file {name!r}")
    _number(size_bytes, name)
    if not (isinstance(sha256, bytes) and len(sha256) == _HASH_BYTES):
        raise ValueError(f"it has no SHA-256 of {name}")
    return FileRecord(name, size_bytes, sha256)


def image_of(fields: tuple[Any, ...]) -> Image:
    """Make an image of what a look-up returns; raises ValueError for what is none."""
    number, path, size_bytes, mtime_ns, content_hash, width, height, row, taken = fields
    numbers = (size_bytes, mtime_ns, width, height)
    if set(map(type, numbers)) != {int} or type(content_hash) is not bytes or min(numbers[::2]) < 0:
        raise ValueError(f"image {number} is not valid")
    if taken is not None and not (type(taken) is str and _TAKEN.fullmatch(taken)):
        raise ValueError(f"image {number} was taken at {taken!r:.100}")
    path = stored_path(path)
    return Image(path, size_bytes, mtime_ns, content_hash, width, height, taken, id=number, row=row)


def skipped_of(fields: tuple[Any, ...]) -> Skipped:
    """Make a record of a line of ``skipped``; raises ValueError for what is none."""
    path, size_bytes, mtime_ns, reason = fields
    if type(size_bytes) is not int or type(mtime_ns) is not int or type(reason) is not str:
        raise ValueError("a skipped file is not valid")
    return Skipped(stored_path(path), size_bytes, mtime_ns, reason)


def stored_path(value: object) -> Path:
    """Return the path that is stored as *value*; raises ValueError for what is none."""
    return path_of(_path_bytes(value))


def stored_source(value: object) -> SourceName:
    """Return the name of a source that is stored as *value*; raises ValueError for what is none."""
    return source_name(_path_bytes(value))


def _path_bytes(value: object) -> bytes:
    if type(value) is not bytes or not value or b"\0" in value:
        raise ValueError(f"{value!r:.100} is not a path")
    return value


def _file(files: Mapping[str, FileRecord], name: object, kind: str) -> FileRecord:
    if not (isinstance(name, str) and name in files and is_name_of(name, kind)):
        raise ValueError(f"it has no file {name!r} for {kind}")
    return files[name]


def _whole(config: Mapping[str, str], key: str) -> int:
    value = config[key]
    if not (value.isascii() and value.isdigit() and len(value) < 20):
        raise ValueError(f"its {key} is not a number")
    return int(value)


def _number(value: object, what: str, *, least: int = 0) -> None:
    if not (type(value) is int and least <= value <= _LARGEST):
        raise ValueError(f"{what} has a number {value!r}")
