"""Transactions of the catalog: all of what is in one is committed, or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from vecsearch.store import schema, sqlite


@contextmanager
def transaction(folder: Path, connection: apsw.Connection) -> Iterator[apsw.Connection]:
    """Commit what is done to the catalog of *folder*, or nothing; raises IndexFolderError."""
    with explained(folder):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Raise IndexFolderError, or a subclass, for what SQLite raises."""
    try:
        yield
    except apsw.Error as error:
        raise sqlite.catalog_error(folder / schema.CATALOG, error) from None
