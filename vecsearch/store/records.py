"""What the catalog tells of its commits and files, as values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import apsw

from vecsearch.store import schema
from vecsearch.store.files import FileRecord


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


def read_bases(connection: apsw.Connection) -> Iterator[Base]:
    """Read what the catalog knows of the FAISS files."""
    query = "SELECT file, first_row, row_count, recipe, search FROM bases ORDER BY first_row"
    for name, *rest in schema.fetch(connection, query):
        yield Base(read_file(connection, name), *rest)
