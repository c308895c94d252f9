"""A new catalog: begun in a file of its own, filled, and put in the place of the index's."""

from __future__ import annotations

import secrets
import time
from contextlib import closing
from pathlib import Path

import apsw

from vecsearch.errors import IndexFolderError
from vecsearch.files import sync_folder
from vecsearch.store import config_keys, schema, statements
from vecsearch.store.change import NewIndex
from vecsearch.store.migrate import migrate
from vecsearch.store.own_files import NEXT, delete_begun
from vecsearch.store.records import read_generation
from vecsearch.store.transaction import transaction
from vecsearch.store.write_once import FileRecord, refusals_told, write_bytes_once


def begin_catalog(folder: Path, new: NewIndex) -> apsw.Connection:
    """Create a catalog beside the one that *folder* may have, with the encoder of *new* in it.

    Raises IndexFolderError.
    """
    # File names are generation numbers: going on from the old one's, none is used again.
    generation = (_last_generation(folder) or 0) + 1
    with refusals_told(folder / NEXT):
        delete_begun(folder)
    connection = schema.create_catalog(folder / NEXT)
    try:
        _fill(folder, connection, new, generation)
    except BaseException:
        connection.close()
        raise
    return connection


def _fill(folder: Path, connection: apsw.Connection, new: NewIndex, generation: int) -> None:
    """Write the encoder into an empty catalog; *generation* is its first one, without images."""
    files = {}
    if new.encoder_xml:
        files = write_encoder(folder, generation, new.encoder_xml, new.encoder_bin)
    if new.encoder_words:
        files["encoder_words"] = write_words(folder, generation, new.encoder_words)
    config = {
        "instance": secrets.token_hex(16),
        "encoder": new.encoder_json,
        "dim": str(new.dim),
        "agreement": new.agreement,
        "recipe": new.recipe,
        "recall": str(new.recall),
        "compacted": str(generation),
        "reduction": new.reduction,
        "oldest": str(generation),
    }
    with transaction(folder, connection) as db:
        for key, record in files.items():
            statements.name_file(db, record)
            config[key] = record.name
        db.executemany("INSERT INTO config VALUES (?, ?)", config.items())
        db.execute("INSERT INTO generations VALUES (?, ?, 0, 0)", (generation, time.time_ns()))


def take_place(folder: Path) -> apsw.Connection:
    """Make the catalog that was begun, and is closed, that of the index, and return it opened.

    The file of another one is not replaced, for readers have it open: one transaction exchanges
    all that is in it.
    """
    if _last_generation(folder) is None:
        with refusals_told(folder / schema.CATALOG):
            # The journal of a catalog that is gone or beyond use would be replayed into ours.
            (folder / f"{schema.CATALOG}-journal").unlink(missing_ok=True)
            (folder / NEXT).replace(folder / schema.CATALOG)
            sync_folder(folder)
        return schema.open_catalog(folder, writing=True)
    connection = schema.open_catalog(folder, writing=True)
    try:
        _exchange(folder, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _exchange(folder: Path, connection: apsw.Connection) -> None:
    """Put the content of the catalog that was begun in the place of that of *connection*."""
    # Read only, so that the transaction is one file's and needs no journal above two.
    connection.execute("ATTACH ? AS next", (f"{_uri(folder / NEXT)}?mode=ro",))
    with transaction(folder, connection) as db:
        db.execute("PRAGMA defer_foreign_keys = ON")
        apart = _apart_of(db)  # what was said of pictures outlives what was made of them
        for table in (*schema.TABLES, "sqlite_sequence"):
            db.execute(f"DELETE FROM main.{table}")  # noqa: S608
        for table in (*schema.TABLES, "sqlite_sequence"):
            db.execute(f"INSERT INTO main.{table} SELECT * FROM next.{table}")  # noqa: S608
        statements.set_apart(db, apart, ())
    connection.execute("DETACH next")


def write_encoder(
    folder: Path, generation: int, xml: bytes, constants: bytes
) -> dict[str, FileRecord]:
    """Write the two files of a network, and return them by their keys in ``config``."""
    stem = f"encoder/{generation:06d}"
    return {
        "encoder_xml": write_bytes_once(folder, f"{stem}.xml", xml),
        "encoder_bin": write_bytes_once(folder, f"{stem}.bin", constants),
    }


def write_words(folder: Path, generation: int, words: bytes) -> FileRecord:
    """Write the file of the words."""
    return write_bytes_once(folder, f"encoder/{generation:06d}.words", words)


def _last_generation(folder: Path) -> int | None:
    """Read the newest generation of *folder*; None if it has no catalog that can be read."""
    try:
        migrate(folder)
        with closing(schema.open_catalog(folder, writing=True)) as catalog:
            ((sound,),) = catalog.execute("PRAGMA quick_check(1)")
            return read_generation(catalog).id if sound == "ok" else None
    except (IndexFolderError, apsw.Error, ValueError):
        return None


def _apart_of(db: apsw.Connection) -> set[tuple[bytes, bytes]]:
    """Read the pairs that are no copies; none, if they are not what they must be."""
    try:
        return config_keys.read_apart(db)
    except ValueError:
        return set()


def _uri(path: Path) -> str:
    return path.absolute().as_uri()
