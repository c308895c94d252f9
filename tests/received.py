"""Indexes as somebody might make them to do harm: what is done to the folder and its catalog."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

import apsw

from vecsearch.store import schema, sqlite

_LAST: Final = "WHERE row = (SELECT max(row) FROM rows)"

Harm = Callable[[Path, Path], None]
"""Is given an index and a folder outside that holds another index, ``victim``, and ``secret``."""

_MAGIC: Final = bytes.fromhex("d9d505f920a163d7")


def run_sql(index: Path, *statements: str) -> None:
    """Change the catalog of *index* as any program can, its checksums kept right."""
    sqlite.load_checksum_vfs()
    path = index / schema.CATALOG
    catalog = apsw.Connection(path.absolute().as_uri(), flags=_FLAGS, vfs=sqlite.VFS)
    catalog.execute("PRAGMA foreign_keys = OFF; PRAGMA writable_schema = ON")
    for statement in statements:
        catalog.execute(statement)
    catalog.close()


_FLAGS: Final = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI


def forge(path: Path, data: bytes) -> None:
    """Return a file of an index another content, which the catalog then calls the right one."""
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    name = path.relative_to(path.parent.parent).as_posix()
    run_sql(
        path.parent.parent,
        f"UPDATE files SET size_bytes = {len(data)}, sha256 = x'{digest}' WHERE name = '{name}'",
    )


def tree(folder: Path) -> dict[str, bytes | str]:
    """Map what is in *folder* to its content, apart from what a lock leaves."""
    return {
        path.relative_to(folder).as_posix(): _content(path)
        for path in sorted(folder.rglob("*"))
        if path.name != "writer.lock" and (path.is_symlink() or not path.is_dir())
    }


def _content(path: Path) -> bytes | str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    return path.read_bytes() if path.is_file() else "no file"


def _sql(*statements: str) -> Harm:
    return lambda index, _: run_sql(index, *statements)


def _named(table: str, column: str, name: str) -> Harm:
    """Let the catalog name a file *name*, a piece of SQL, everywhere."""

    def harm(index: Path, outside: Path) -> None:
        value = name.replace("OUTSIDE", str(outside))
        run_sql(index, f"UPDATE OR REPLACE {table} SET {column} = {value}")

    return harm


def _renamed(kind: str, name: str) -> Harm:
    """Let the catalog call the file of a *kind* by another *name*, consistently."""

    def harm(index: Path, outside: Path) -> None:
        (path,) = (index / kind).glob("*.*")
        old, new = f"{kind}/{path.name}", name.replace("OUTSIDE", str(outside))
        run_sql(
            index,
            f"UPDATE files SET name = '{new}' WHERE name = '{old}'",
            f"UPDATE segments SET file = '{new}' WHERE file = '{old}'",
            f"UPDATE bases SET file = '{new}' WHERE file = '{old}'",
        )

    return harm


def _folder_linked(name: str) -> Harm:
    def harm(index: Path, outside: Path) -> None:
        shutil.rmtree(outside / "victim" / name)
        (index / name).rename(outside / "victim" / name)
        (index / name).symlink_to(outside / "victim" / name)

    return harm


def _file_linked(pattern: str) -> Harm:
    def harm(index: Path, outside: Path) -> None:
        (path,) = index.glob(pattern)
        path.rename(outside / path.name)
        path.symlink_to(outside / path.name)

    return harm


def _replaced_by(pattern: str, make: Callable[[Path], object]) -> Harm:
    def harm(index: Path, outside: Path) -> None:
        for path in index.glob(pattern):
            path.unlink()
            make(path)

    return harm


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


def _beside(name: str, make: Harm) -> Harm:
    return lambda index, outside: make(index / name, outside)


def _link(path: Path, outside: Path) -> None:
    path.symlink_to(outside / "secret")


def _hard_link(path: Path, outside: Path) -> None:
    path.unlink(missing_ok=True)
    path.hardlink_to(outside / "secret")


def _fifo(path: Path, outside: Path) -> None:
    os.mkfifo(path)


def _journal(path: Path, outside: Path) -> None:
    """Write a journal that names a file outside as the super-journal above it."""
    name = os.fsencode(outside / "secret")
    head = _MAGIC + (0).to_bytes(4) + bytes(4) + _pages(path) + (512).to_bytes(4)
    head += (4096).to_bytes(4)
    tail = (0x40000000 // 4096 + 1).to_bytes(4) + name + len(name).to_bytes(4)
    path.write_bytes(head.ljust(512, b"\0") + tail + (sum(name)).to_bytes(4) + _MAGIC)


def _long_journal(path: Path, outside: Path) -> None:
    head = _MAGIC + (0).to_bytes(4) + bytes(4) + b"\x7f\xff\xff\xff" + (512).to_bytes(4)
    path.write_bytes((head + (4096).to_bytes(4)).ljust(512, b"\0"))


def _journal_of_other_pages(path: Path, outside: Path) -> None:
    head = _MAGIC + (0).to_bytes(4) + bytes(4) + _pages(path) + (512).to_bytes(4)
    path.write_bytes((head + (65536).to_bytes(4)).ljust(512, b"\0"))


def _pages(journal: Path) -> bytes:
    size_bytes = journal.with_name(schema.CATALOG).stat().st_size
    return (size_bytes // sqlite.PAGE_BYTES).to_bytes(4)


def _as_wal(index: Path, outside: Path) -> None:
    run_sql(index, "PRAGMA journal_mode = WAL")


def _case_changed(index: Path, outside: Path) -> None:
    (path,) = (index / "vectors").iterdir()
    (index / "Vectors").mkdir()
    shutil.copy(path, index / "Vectors" / path.name)
    _renamed("vectors", f"Vectors/{path.name}")(index, outside)


_VIEW = "CREATE VIEW rows AS SELECT row, image, died FROM other"
_ENCODER = "UPDATE config SET value = {} WHERE key = 'encoder'"


def _encoder(change: str) -> Harm:
    return _sql(_ENCODER.format(f"json_set(value, {change})"))


def _config(key: str, value: str) -> Harm:
    return _sql(f"UPDATE config SET value = {value} WHERE key = '{key}'")


REFUSED: Final[dict[str, Harm]] = {
    "vectors is a link": _folder_linked("vectors"),
    "ann is a link": _folder_linked("ann"),
    "encoder is a link": _folder_linked("encoder"),
    "catalog is a link": _file_linked("catalog.sqlite"),
    "segment is a link": _file_linked("vectors/*"),
    "FAISS file is a link": _file_linked("ann/*"),
    "network is a link": _file_linked("encoder/*.xml"),
    "constants are a link": _file_linked("encoder/*.bin"),
    "link to nothing": _replaced_by("vectors/*", lambda path: path.symlink_to("nowhere")),
    "link to a device": _replaced_by("vectors/*", lambda path: path.symlink_to("/dev/zero")),
    "segment is a FIFO": _replaced_by("vectors/*", os.mkfifo),
    "FAISS file is a FIFO": _replaced_by("ann/*", os.mkfifo),
    "network is a FIFO": _replaced_by("encoder/*.xml", os.mkfifo),
    "catalog is a FIFO": _replaced_by("catalog.sqlite", os.mkfifo),
    "segment is a socket": _replaced_by("vectors/*", _socket),
    "segment is a folder": _replaced_by("vectors/*", Path.mkdir),
    "catalog is a folder": _replaced_by("catalog.sqlite", Path.mkdir),
    "journal is a link": _beside("catalog.sqlite-journal", _link),
    "journal is a FIFO": _beside("catalog.sqlite-journal", _fifo),
    "journal names another": _beside("catalog.sqlite-journal", _journal),
    "journal of a long catalog": _beside("catalog.sqlite-journal", _long_journal),
    "journal of other pages": _beside("catalog.sqlite-journal", _journal_of_other_pages),
    "WAL is a link": _beside("catalog.sqlite-wal", _link),
    "WAL is a FIFO": _beside("catalog.sqlite-wal", _fifo),
    "SHM is a link": _beside("catalog.sqlite-shm", _link),
    "catalog with a WAL": _as_wal,
    "name in another case": _case_changed,
    "name above": _renamed("vectors", "../outside/victim/vectors/000001.f16"),
    "name above within": _renamed("vectors", "vectors/../../outside/victim/vectors/000001.f16"),
    "absolute name": _renamed("vectors", "OUTSIDE/secret"),
    "absolute name of a base": _renamed("ann", "OUTSIDE/secret"),
    "name of a device": _renamed("vectors", "/dev/zero"),
    "name of a folder": _renamed("vectors", "vectors"),
    "name ends in a line": _renamed("vectors", "vectors/000001.f16\n"),
    "name in other digits": _renamed("vectors", "vectors/\u0660\u0660\u0660\u0660\u0660\u0661.f16"),
    "empty name": _named("segments", "file", "''"),
    "name is a dot": _named("segments", "file", "'.'"),
    "name with a null byte": _named("segments", "file", "'vectors/000001.f16' || char(0)"),
    "name is NULL": _sql(
        "UPDATE sqlite_schema SET sql = replace(sql, 'file TEXT NOT NULL', 'file TEXT')",
    ),
    "name is a number": _named("bases", "file", "7"),
    "name is a BLOB": _named("segments", "file", "x'00ff'"),
    "name is not UTF-8": _named("segments", "file", "CAST(x'c328' AS TEXT)"),
    "segment is the base's file": _sql(
        "UPDATE segments SET file = (SELECT file FROM bases)",
    ),
    "base is the segment's file": _sql("UPDATE bases SET file = (SELECT file FROM segments)"),
    "network is the segment": _config("encoder_xml", "(SELECT file FROM segments)"),
    "constants are the catalog": _config("encoder_bin", "'catalog.sqlite'"),
    "size is negative": _sql("UPDATE files SET size_bytes = -1"),
    "size is text": _sql("UPDATE files SET size_bytes = 'long'"),
    "size is huge": _sql("UPDATE files SET size_bytes = 9223372036854775807"),
    "hash is text": _sql("UPDATE files SET sha256 = 'abc'"),
    "hash is short": _sql("UPDATE files SET sha256 = x'00'"),
    "hash is huge": _sql("UPDATE files SET sha256 = zeroblob(1000000)"),
    "dim is huge": _config("dim", "'1000000000000'"),
    "dim is zero": _config("dim", "'0'"),
    "dim is negative": _config("dim", "'-64'"),
    "dim is text": _config("dim", "'many'"),
    "dim is a BLOB": _config("dim", "x'3634'"),
    "dim has too many digits": _config("dim", "printf('%.*c', 10000, '9')"),
    "rows are too many": _sql("UPDATE segments SET row_count = 1000000000000"),
    "rows are negative": _sql("UPDATE segments SET row_count = -12"),
    "rows are text": _sql("UPDATE segments SET row_count = 'twelve'"),
    "rows overflow": _sql("UPDATE segments SET row_count = 9223372036854775807"),
    "rows begin below zero": _sql("UPDATE segments SET first_row = -9223372036854775808"),
    "rows begin late": _sql("UPDATE segments SET first_row = 9223372036854775800"),
    "base has too many rows": _sql("UPDATE bases SET row_count = 1000000000000"),
    "base is of no segment": _sql("UPDATE bases SET first_row = 99"),
    "recipe is a number": _sql("UPDATE bases SET recipe = x'ff'"),
    "next row is text": _sql("UPDATE generations SET next_row = 'x'"),
    "next row is negative": _sql("UPDATE generations SET next_row = -1"),
    "images are too many": _sql("UPDATE generations SET image_count = 1000000000000"),
    "images are negative": _sql("UPDATE generations SET image_count = -3"),
    "generation is huge": _sql("UPDATE generations SET id = 9223372036854775807"),
    "no generation": _sql("DELETE FROM generations"),
    "no dim": _sql("DELETE FROM config WHERE key = 'dim'"),
    "no config": _sql("DELETE FROM config"),
    "recall is infinite": _config("recall", "'inf'"),
    "oldest is text": _config("oldest", "'x'"),
    "half of an encoder": _sql("DELETE FROM config WHERE key = 'encoder_bin'"),
    "trigger": _sql("CREATE TRIGGER t AFTER UPDATE ON rows BEGIN DELETE FROM files; END"),
    "view for a table": _sql("ALTER TABLE rows RENAME TO other", _VIEW),
    "endless view": _sql(
        "DROP TABLE skipped",
        "CREATE VIEW skipped AS WITH RECURSIVE c(path) AS (SELECT x'61' UNION ALL SELECT path "
        "FROM c) SELECT path, 0 AS size_bytes, 0 AS mtime_ns, '' AS reason FROM c",
    ),
    "virtual table": _sql("DROP TABLE skipped", "CREATE VIRTUAL TABLE skipped USING fts5(path)"),
    "generated column": _sql("ALTER TABLE rows ADD COLUMN more AS (randomblob(1000000000))"),
    "table too many": _sql("CREATE TABLE more (x)"),
    "index on an expression": _sql("CREATE INDEX more ON rows (abs(image))"),
    "check that fails": _sql(
        "UPDATE sqlite_schema SET sql = replace(sql, 'died INTEGER', "
        "'died INTEGER CHECK (zeroblob(1000000000) IS NULL)') WHERE name = 'rows'"
    ),
    "no table of rows": _sql("DROP TABLE rows"),
    "two tables on one page": _sql(
        "UPDATE sqlite_schema SET rootpage = 2 WHERE name IN ('segments', 'bases', 'config')"
    ),
}
"""Every command refuses these, with one line, before it reads or changes anything."""

ENCODERS: Final[dict[str, Harm]] = {
    "encoder is no JSON": _sql(_ENCODER.format("'{'")),
    "encoder is a list": _sql(_ENCODER.format("'[]'")),
    "encoder is nested": _sql(_ENCODER.format("printf('%.*c', 100000, '[')")),
    "encoder has a huge image": _encoder("'$.image_size', 10000000"),
    "encoder has a negative image": _encoder("'$.image_size', -1"),
    "encoder has no precision": _encoder("'$.precision', json('[]')"),
    "encoder has layers of numbers": _encoder("'$.layers', json('[1, 2]')"),
    "encoder has a layer often": _encoder(
        "'$.layers', json('[\"block1_conv1\", \"block1_conv1\"]')"
    ),
    "encoder has unknown facts": _encoder("'$.more', 1"),
    "encoder has other dimensions": _encoder("'$.dim', 1000000"),
    "encoder has two means": _encoder("'$.mean', json('[0.5, 0.5]')"),
    "encoder has an infinite mean": _encoder("'$.mean', json('[1e999, 0.5, 0.5]')"),
}
"""Every command that needs to know the encoder refuses these."""

DAMAGED: Final[dict[str, Harm]] = {
    "path is text": _sql("UPDATE images SET path = 'a' WHERE id = 1"),
    "path is a number": _sql("UPDATE images SET path = 5 WHERE id = 1"),
    "path is no UTF-8": _sql("UPDATE images SET path = CAST(x'ff' AS TEXT) WHERE id = 1"),
    "path is empty": _sql("UPDATE images SET path = x'' WHERE id = 1"),
    "path with a null byte": _sql("UPDATE images SET path = x'2f6100' WHERE id = 1"),
    "size is text": _sql("UPDATE images SET size_bytes = 'x' WHERE id = 1"),
    "size is negative": _sql("UPDATE images SET size_bytes = -1 WHERE id = 1"),
    "time is a BLOB": _sql("UPDATE images SET mtime_ns = x'00' WHERE id = 1"),
    "width is text": _sql("UPDATE images SET width = 'x' WHERE id = 1"),
    "taken is a BLOB": _sql("UPDATE images SET taken = x'1b' WHERE id = 1"),
    "taken is a number": _sql("UPDATE images SET taken = 2026 WHERE id = 1"),
    "taken would control a terminal": _sql(
        "UPDATE images SET taken = '2026-08-01' || char(27) || '[2J' WHERE id = 1"
    ),
    "hash is text": _sql("UPDATE images SET content_hash = 'x' WHERE id = 1"),
    "id below zero": _sql("UPDATE images SET id = -1 WHERE id = 1"),
    "removed is text": _sql("UPDATE images SET removed = 'x' WHERE id = 1"),
    "died is text": _sql(f"UPDATE rows SET died = 'x' {_LAST}"),
    "row of another image": _sql(
        "UPDATE rows SET image = 999 WHERE row = (SELECT max(row) FROM rows)"
    ),
    "row is gone": _sql(f"DELETE FROM rows {_LAST}"),
    "all rows are gone": _sql("DELETE FROM rows"),
    "images are gone": _sql("DELETE FROM images"),
    "row comes late": _sql(
        "UPDATE rows SET row = 4611686018427387904 WHERE row = (SELECT max(row) FROM rows)"
    ),
    "images that the count leaves out": _sql("UPDATE generations SET image_count = 3"),
    "source is text": _sql("INSERT INTO sources VALUES ('x')"),
    "source with a null byte": _sql("INSERT INTO sources VALUES (x'2f00')"),
    "skipped path is a number": _sql("INSERT INTO skipped VALUES (1, 0, 0, 'x')"),
    "skipped size is text": _sql("INSERT INTO skipped VALUES (x'2f61', 'x', 0, 'x')"),
    "skipped reason is a BLOB": _sql("INSERT INTO skipped VALUES (x'2f61', 1, 0, x'ff')"),
    "search is no JSON": _sql("UPDATE bases SET search = '{'"),
    "search has unknown facts": _sql("""UPDATE bases SET search = '{"x": 1}'"""),
    "agreement is a list": _config("agreement", "'[1]'"),
    "agreement has text": _config("agreement", """'{"pictures": "x"}'"""),
    "reduction is a number": _config("reduction", "'7'"),
}
"""`verify` finds these; no command fails over them but with one line."""
