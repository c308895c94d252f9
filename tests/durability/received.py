"""Indexes that somebody made: catalogs, networks and FAISS files, with right checksums."""

from __future__ import annotations

import multiprocessing
import random
import re
import resource
import shutil
import struct
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Final
from unittest import mock

import apsw
from received import forge, run_sql, tree
from samples import CHEAP, draw
from synthetic import draw_vectors, make_index

import vecsearch
from durability.damage import FEW
from durability.trial import Outcome, Trial
from vecsearch import QueryOptions
from vecsearch.store import schema, sqlite
from vecsearch.view.sheet import draw_sheet

_PER_PROCESS = 50
_HANG_S = 300.0
_SLOW_S = 30.0
_MEMORY_BYTES: Final = 6 << 30
_RECIPES: Final = ("HNSW16,SQ8", "IVF8,SQ8", "PCA16,IVF8,PQ8x4fs", "IVF4,Flat", "SQfp16")
_NUMBERS: Final = (
    *(0, 1, -1, 2, 7, 255, 1 << 16, 1 << 31, (1 << 31) - 1, 1 << 32, 1 << 40, 1 << 62),
    *((1 << 63) - 1, -(1 << 63), -(1 << 31)),
)
_requests: Final[list[str]] = []
"""What was asked of other machines, which is nothing."""

_VALUES: Final = (
    *map(str, _NUMBERS),
    *("NULL", "''", "'x'", "x''", "x'00'", "x'ff'", "1.5", "9e999", "-0.0", "zeroblob(9999)"),
    *("CAST('http://127.0.0.1:9/a.png' AS BLOB)", "CAST('s3://b/a' AS BLOB)"),
    *("'../../x'", "CAST(x'ff' AS TEXT)", "char(0)", "'/etc/passwd'", "'{}'", "'[]'", "'null'"),
)


def run(times: int, seed: int, folder: Path) -> Outcome:
    """Ask *times* mutants, in processes of bounded memory whose death would be noticed."""
    make_indexes(folder)
    outcome = Outcome()
    for start in range(0, times, _PER_PROCESS):
        count = min(_PER_PROCESS, times - start)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, context, initializer=confine) as pool:
            try:
                work = pool.submit(ask_mutants, str(folder), seed + start, count)
                outcome.failures.extend(work.result(timeout=_HANG_S))
            except (BrokenProcessPool, TimeoutError) as error:
                outcome.failures.append(f"{type(error).__name__}: {_doing(folder)}")
                for process in pool._processes.values():
                    process.kill()
        outcome.tried += count
    return outcome


def confine() -> None:
    """Let a process that asks for much die of it, and note what it asks of others."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    sys.addaudithook(_note_requests)


def _note_requests(event: str, arguments: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        _requests.append(f"{event} {arguments[-1]}")


def make_indexes(folder: Path) -> None:
    """Make an index of pictures, and one of vectors for each of `_RECIPES`."""
    for number in range(12):
        draw(folder / "photos" / f"{number:02}.png", number)
    draw(folder / "new.png", 99)
    vecsearch.build(folder / "photos", index=folder / "sound" / "pictures", encoder=CHEAP)
    for recipe in _RECIPES:
        make_index(folder / "sound" / recipe, draw_vectors(400, 32, 1), recipe)


def ask_mutants(folder: str, seed: int, count: int) -> list[str]:
    """Mutate and ask; describe what went wrong."""
    failures = []
    root = Path(folder)
    copy, outside = root / "copy", root / "sound"
    for number in range(seed, seed + count):
        chosen = random.Random(number)
        shutil.rmtree(copy, ignore_errors=True)
        harm = chosen.choice((mutate_rows, mutate_pages, mutate_network, mutate_base, mutate_base))
        recipes = _RECIPES if harm is mutate_base else ("pictures", *_RECIPES)
        source = "pictures" if harm is mutate_network else chosen.choice(recipes)
        shutil.copytree(outside / source, copy)
        try:
            what = f"seed {number}: {source}: {harm(copy, chosen)}"
        except (apsw.Error, OSError):
            continue  # SQLite itself refuses to make it
        (root / "doing").write_text(what)
        before = {name: tree(outside / name) for name in (source,)}
        start = time.monotonic()
        failures += [f"{what}: {one}" for one in ask_all(copy, root)]
        if _requests:
            failures.append(f"{what}: requests {_requests}")
            _requests.clear()
        if time.monotonic() - start > _SLOW_S:
            failures.append(f"{what}: {time.monotonic() - start:.0f} s")
        if before != {name: tree(outside / name) for name in (source,)}:
            failures.append(f"{what}: something outside was changed")
    return failures


def ask_all(index: Path, root: Path) -> list[str]:
    """Put an index to every use; describe what was raised that is not ours."""
    found = []
    uses = (_ask, _look, _build, _embed, _export, _verify, _merge, _remove, _compact, _repair)
    for use in uses:
        try:
            with mock.patch(FEW, 0):
                use(index, root)
        except vecsearch.VecsearchError as error:
            if "\n" in str(error):
                found.append(f"{use.__name__} says {error!r}")
        except Exception as error:  # noqa: BLE001 - any other is a failure
            found.append(f"{use.__name__} raises {error!r:.300}")
    return found


def _ask(index: Path, root: Path) -> None:
    with vecsearch.open_index(index) as opened:
        opened.info()
        opened.query(["id:1", "id:2"], k=20)


def _look(index: Path, root: Path) -> None:
    with vecsearch.open_index(index) as opened:
        for result in opened.query(["id:1", "id:2"], options=QueryOptions(box=(0, 0, 9, 9))):
            draw_sheet(result, root / "sheet.png")


def _build(index: Path, root: Path) -> None:
    vecsearch.build(index=index)


def _embed(index: Path, root: Path) -> None:
    if (root / "sound" / "pictures" / "encoder").exists() and any(index.glob("encoder/*.bin")):
        with vecsearch.open_index(index) as opened:
            opened.query([root / "new.png"], k=3)


def _export(index: Path, root: Path) -> None:
    with vecsearch.open_index(index) as opened:
        opened.vectors()
        for _ in opened:
            pass


def _verify(index: Path, root: Path) -> None:
    vecsearch.verify(index)


def _merge(index: Path, root: Path) -> None:
    shutil.rmtree(root / "merged", ignore_errors=True)
    vecsearch.merge(index, index=root / "merged")


def _remove(index: Path, root: Path) -> None:
    vecsearch.remove("id:3", index=index)


def _compact(index: Path, root: Path) -> None:
    vecsearch.compact(index)


def _repair(index: Path, root: Path) -> None:
    vecsearch.repair(index)


def mutate_rows(index: Path, chosen: random.Random) -> str:
    """Return some values of the catalog others, by SQL."""
    sqlite.load_checksum_vfs()
    statements = []
    for _ in range(chosen.choice((1, 1, 2))):
        table = chosen.choice(schema.TABLES)
        columns = re.findall(
            r"([a-z_0-9]+) (?:TEXT|BLOB|INTEGER)", schema._expected_tables(schema.FORMAT)[table]
        )
        column, value = chosen.choice(columns), chosen.choice(_VALUES)
        where = chosen.choice(("", f" ORDER BY random() LIMIT {chosen.randint(1, 3)}"))
        if where:
            key = columns[0]
            where = f" WHERE {key} IN (SELECT {key} FROM {table}{where})"
        change = f"UPDATE OR REPLACE {table} SET {column} = {value}{where}"
        statements.append(chosen.choice((change, change, f"DELETE FROM {table}{where}")))
    run_sql(index, *statements)
    return "; ".join(statements)


def mutate_pages(index: Path, chosen: random.Random) -> str:
    """Change bytes of the catalog's pages, whose checksums are then right again."""
    sqlite.load_checksum_vfs()
    path = index / schema.CATALOG
    flags = [apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READWRITE, 0]
    file = apsw.VFSFile(sqlite.VFS, str(path), flags)
    done = []
    try:
        pages = file.xFileSize() // sqlite.PAGE_BYTES
        file.xRead(sqlite.PAGE_BYTES, 0)
        for _ in range(chosen.choice((1, 1, 3))):
            page = chosen.randrange(pages)
            data = bytearray(file.xRead(sqlite.PAGE_BYTES, page * sqlite.PAGE_BYTES))
            for _ in range(chosen.choice((1, 2, 8))):
                place = chosen.choice((chosen.randrange(4088), chosen.randrange(120)))
                data[place] = chosen.choice((chosen.randrange(256), 0, 255, data[place] ^ 1))
                done.append((page, place, data[place]))
            file.xWrite(bytes(data), page * sqlite.PAGE_BYTES)
    finally:
        file.xClose()
    return f"pages {done}"


def mutate_base(index: Path, chosen: random.Random) -> str:
    """Change numbers of a FAISS file, with the checksum that it then has."""
    (path,) = index.glob("ann/*.faiss")
    data = bytearray(path.read_bytes())
    done = []
    for _ in range(chosen.choice((1, 1, 2, 6))):
        place = chosen.choice((chosen.randrange(len(data) - 8), chosen.randrange(200)))
        if chosen.random() < 0.6:
            data[place : place + 8] = struct.pack("<q", chosen.choice(_NUMBERS))
        elif chosen.random() < 0.5:
            number = chosen.choice(_NUMBERS) & 0xFFFFFFFF
            data[place : place + 4] = struct.pack("<I", number)
        else:
            data[place] = chosen.randrange(256)
        done.append(place)
    if chosen.random() < 0.1:
        del data[chosen.randrange(len(data)) :]
    forge(path, bytes(data))
    return f"FAISS file at {done}"


def mutate_network(index: Path, chosen: random.Random) -> str:
    """Change words and numbers of the network's description, or its constants."""
    xml, constants = next(index.glob("encoder/*.xml")), next(index.glob("encoder/*.bin"))
    if chosen.random() < 0.15:
        data = bytearray(constants.read_bytes())
        for _ in range(4):
            place = chosen.randrange(len(data) - 8)
            data[place : place + 8] = struct.pack("<q", chosen.choice(_NUMBERS))
        forge(constants, bytes(data[: chosen.choice((len(data), len(data) // 2))]))
        return "constants"
    text = xml.read_text()
    done = []
    for _ in range(chosen.choice((1, 1, 2, 4))):
        found = list(re.finditer(r'(?<=")[^"\n]*(?=")|(?<=<dim>)[^<]*', text))
        one, other = chosen.choice(found), chosen.choice(found)
        new = chosen.choice((str(chosen.choice(_NUMBERS)), other[0], one[0] * 2, "", "x" * 9999))
        text = text[: one.start()] + new + text[one.end() :]
        done.append(f"{one[0][:20]} -> {new[:20]}")
    if chosen.random() < 0.1:
        lines = text.split("\n")
        chosen.shuffle(lines)
        text = "\n".join(lines)
    forge(xml, text.encode())
    return f"network {done}"


def _doing(folder: Path) -> str:
    return (folder / "doing").read_text()


TRIAL = Trial(12, "indexes from somebody else", 5_000, run)
