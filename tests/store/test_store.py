"""The store: one commit point, write-once files, readers on snapshots, damage noticed."""

from __future__ import annotations

import dataclasses
import hashlib
import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest
from samples import CHEAP, FRESH, draw, run_until_commit

import vecsearch
from vecsearch import (
    EncoderConfig,
    IndexDamagedError,
    IndexFolderError,
    IndexFormatError,
    IndexLockedError,
    NotFoundError,
)
from vecsearch.store import schema, sqlite, statements
from vecsearch.store import writer as writer_module
from vecsearch.store.change import Change, NewIndex
from vecsearch.store.lock import HOLDER_FILE
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.write_once import (
    CHECKED_AT_OPENING_BYTES,
    FileRecord,
    check_file,
    check_length,
)
from vecsearch.store.writer import open_writer
from vecsearch.types import ImageFile, Skipped


def paths_in(index: Path) -> list[str]:
    with vecsearch.open_index(index) as opened:
        names = sorted(image.path.name for image in opened)
        assert len(opened.query(["id:1"], k=100)[0].hits) == len(names) - 1
    return names


def test_a_reader_keeps_its_snapshot_while_a_writer_works(index: Path, photos: Path) -> None:
    with vecsearch.open_index(index) as reader:
        before = list(reader.recommend(k=50))
        slow = reader.recommend(k=50)
        begun = [next(slow)]
        iterator = iter(reader)
        (photos / "p9.png").unlink()
        for number in range(20, 40):
            draw(photos / f"p{number}.png", number)
        vecsearch.build(index=index)  # makes a new base and copies every row
        assert begun + list(slow) == before
        assert len(list(iterator)) == 12
        assert len(reader) == len(list(reader)) == len(reader.vectors()[0]) == 31
        assert len(reader.query(["id:2"], k=50)[0].hits) == 30
        with pytest.raises(NotFoundError):
            reader.query("id:12")
        assert reader.query(photos / "p20.png")[0].query.endswith("p20.png")


def test_a_reader_that_fell_too_far_behind_is_told(index: Path, photos: Path) -> None:
    with vecsearch.open_index(index) as reader:
        iterator = iter(reader)
        for number in range(20, 23):
            draw(photos / f"p{number}.png", number)
            (photos / f"p{number - 20}.png").unlink()
            vecsearch.build(index=index)
        with pytest.raises(IndexFolderError, match="has changed much since it was opened; open"):
            list(iterator)
        assert len(list(reader)) == 12


@pytest.mark.parametrize("name", ["COMMIT", "segment", "ann"])
def test_a_failure_before_the_commit_changes_nothing(
    name: str, index: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = paths_in(index)
    draw(photos / "new.png", 50)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    if name == "COMMIT":
        monkeypatch.setattr(statements, "add_rows", fail)
    elif name == "segment":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(writer_module.Writer, "compact", fail)
        for number in range(50, 60):
            draw(photos / f"n{number}.png", number)
    with pytest.raises(vecsearch.VecsearchError):
        vecsearch.build(index=index)
    monkeypatch.undo()
    monkeypatch.setenv("VECSEARCH_CACHE", str(index.parent / "cache"))
    assert [p for p in paths_in(index) if p[0] == "p"] == before
    assert not list(index.rglob(".partial-*"))
    vecsearch.build(index=index)
    assert "new.png" in paths_in(index)
    named = {record.name for record in _files(index)}
    on_disk = {f"{path.parent.name}/{path.name}" for path in index.glob("*/*")}
    assert on_disk == named


def _files(index: Path) -> list[FileRecord]:
    snapshot = Snapshot(index)
    try:
        return snapshot.files()
    finally:
        snapshot.close()


def test_a_killed_build_leaves_a_usable_index(photos: Path, tmp_path: Path) -> None:
    """SIGKILL at any commit; the next build goes on from there, and the last one ends."""
    for number in range(30, 60):
        draw(photos / f"k{number}.png", number)
    code = f"""
from samples import CHEAP
import vecsearch
options = vecsearch.BuildOptions(commit_images=8)
vecsearch.build({str(photos)!r}, index={str(tmp_path / "ix")!r}, encoder=CHEAP, options=options)
"""
    kept = 0
    for commits, before in ((1, True), (1, False), (2, True), (2, False)):
        run_until_commit(commits, code, before=before)
        kept += 8 * (commits - before)
        assert len(paths_in(tmp_path / "ix") if kept else []) == kept
    vecsearch.build(photos, index=tmp_path / "ix", encoder=CHEAP)
    assert len(paths_in(tmp_path / "ix")) == 42


def _hold(folder: str, ready: object, leave: object) -> None:
    with open_writer(Path(folder)):
        ready.set()  # type: ignore[attr-defined]
        leave.wait(30)  # type: ignore[attr-defined]


def test_a_second_writer_is_told_who_holds_the_index(index: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, leave = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(str(index), ready, leave))
    holder.start()
    assert ready.wait(30)
    with pytest.raises(IndexLockedError, match=f"is being written by process {holder.pid}"):
        vecsearch.build(index=index)
    assert len(paths_in(index)) == 12
    leave.set()
    holder.join()
    vecsearch.build(index=index)


@pytest.mark.parametrize(
    "kind", ["catalog.sqlite", "vectors/*.f16", "ann/*.faiss", "encoder/*.bin"]
)
@pytest.mark.parametrize("damage", ["flip", "truncate", "gone"])
def test_damage_is_noticed_before_an_answer(
    kind: str, damage: str, index: Path, tmp_path: Path
) -> None:
    new = draw(tmp_path / "new.png", 90)
    (path,) = index.glob(kind)
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[0 if kind == "catalog.sqlite" else len(data) // 2] ^= 0x10
        path.write_bytes(data)
    elif damage == "truncate":
        path.write_bytes(data[: len(data) // 2])
    else:
        path.unlink()
    with pytest.raises(IndexFolderError) as caught, vecsearch.open_index(index) as opened:
        opened.query([new], k=12)
    assert path.name in str(caught.value) or str(index) in str(caught.value)
    assert "\n" not in str(caught.value)
    if kind != "catalog.sqlite":
        assert isinstance(caught.value, IndexDamagedError)


def test_a_newer_format_is_refused_untouched(index: Path) -> None:
    connection = sqlite.connect(index / "catalog.sqlite", apsw.SQLITE_OPEN_READWRITE)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = (index / "catalog.sqlite").read_bytes()
    for attempt in (lambda: vecsearch.open_index(index), lambda: vecsearch.build(index=index)):
        with pytest.raises(IndexFormatError, match="has format 99"):
            attempt()
    assert (index / "catalog.sqlite").read_bytes() == before


def test_what_is_not_an_index_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(IndexFolderError, match=r"no index .*nope; make it with"):
        vecsearch.open_index(tmp_path / "nope")
    with pytest.raises(IndexFolderError, match="is not an index"):
        vecsearch.open_index(tmp_path)
    apsw.Connection(str(tmp_path / "catalog.sqlite")).execute("CREATE TABLE t (x)")
    with pytest.raises(IndexFolderError, match="is not an index"):
        vecsearch.open_index(tmp_path)


def test_an_index_on_a_read_only_disk_answers(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = sqlite.connect

    def read_only(path: Path, flags: int) -> apsw.Connection:
        if flags & apsw.SQLITE_OPEN_READWRITE:
            raise apsw.CantOpenError("unable to open database file")
        return real(path, flags)

    monkeypatch.setattr(sqlite, "connect", read_only)
    assert len(paths_in(index)) == 12


def test_adding_to_a_large_base_does_not_rewrite_it(photos: Path, tmp_path: Path) -> None:
    for number in range(100, 130):
        draw(photos / f"p{number}.png", number)
    index = vecsearch.build(photos, index=tmp_path / "ix", encoder=CHEAP).index
    (base,) = (index / "ann").iterdir()
    draw(photos / "q1.png", 500)
    vecsearch.build(index=index)
    assert [path.name for path in (index / "ann").iterdir()] == [base.name]
    with vecsearch.open_index(index) as opened:
        shutil.copy(photos / "q1.png", tmp_path / "q.png")
        assert opened.query([tmp_path / "q.png"], k=1)[0].hits[0].path.name == "q1.png"
    for number in range(200, 206):
        draw(photos / f"p{number}.png", number)
    vecsearch.build(index=index)
    assert [path.name for path in (index / "ann").iterdir()] != [base.name]


def test_vectors_on_disk_are_the_segments_with_their_checksums(index: Path) -> None:
    import zlib

    (segment,) = (index / "vectors").iterdir()
    data = segment.read_bytes()
    dim = 64
    assert len(data) == 12 * (2 * dim + 4)
    halves = np.frombuffer(data[: 12 * 2 * dim], "<f2").reshape(12, dim)
    checksums = np.frombuffer(data[12 * 2 * dim :], "<u4")
    assert [zlib.crc32(row.tobytes()) for row in halves] == checksums.tolist()
    with vecsearch.open_index(index) as opened:
        np.testing.assert_array_equal(opened.vectors()[1], halves.astype(np.float32))


def test_a_reader_notices_that_the_index_was_built_anew(index: Path, photos: Path) -> None:
    with vecsearch.open_index(index) as reader:
        iterator = iter(reader)
        (photos / "p1.png").unlink()
        vecsearch.build(photos, index=index, encoder=CHEAP, options=FRESH)
        with pytest.raises(IndexFolderError, match="was built anew meanwhile; open it again"):
            list(iterator)
        assert len(reader.query("id:2", k=50)[0].hits) == 10
        other = EncoderConfig(layer="block1_pool", weights="random:0")
        vecsearch.build(photos, index=index, encoder=other, options=FRESH)
        with pytest.raises(IndexFolderError, match="with another encoder; open it again"):
            reader.query("id:2")
    assert len(paths_in(index)) == 11


def test_a_fresh_build_survives_what_a_killed_writer_left(index: Path, photos: Path) -> None:
    """A hot journal of the old catalog is not replayed into the new one."""
    code = f"""
import os, apsw, pathlib
from vecsearch.store.sqlite import connect
db = connect(pathlib.Path({str(index / "catalog.sqlite")!r}), apsw.SQLITE_OPEN_READWRITE)
db.execute("PRAGMA cache_size = 1")
db.execute("BEGIN IMMEDIATE")
db.execute("UPDATE images SET path = path || zeroblob(3000)")
os._exit(9)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    assert (index / "catalog.sqlite-journal").stat().st_size > 0
    (photos / "p1.png").unlink()
    vecsearch.build(photos, index=index, encoder=CHEAP, options=FRESH)
    assert len(paths_in(index)) == 11
    check = sqlite.connect(index / "catalog.sqlite", apsw.SQLITE_OPEN_READONLY)
    assert check.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    check.close()


def test_a_slow_reader_keeps_no_writer_from_committing(
    index: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_BUSY_S", 0.2)
    with vecsearch.open_index(index) as reader:
        iterator = iter(reader)
        next(iterator)
        draw(photos / "new.png", 50)
        vecsearch.build(index=index)
        assert len(list(iterator)) == 11


def test_a_damaged_catalog_can_be_built_fresh(index: Path, photos: Path) -> None:
    path = index / "catalog.sqlite"
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(IndexFolderError):
        vecsearch.open_index(index)
    vecsearch.build(photos, index=index, encoder=CHEAP, options=FRESH)
    assert len(paths_in(index)) == 12


def test_a_closed_index_says_so(index: Path) -> None:
    opened = vecsearch.open_index(index)
    opened.close()
    with pytest.raises(IndexFolderError, match="was closed"):
        opened.query("id:1")


def _build_first(photos: str, index: str, ready: object, leave: object) -> None:
    """Begin the first build of an index and wait in the middle of it."""
    with open_writer(Path(index), NewIndex("{}", 4, b"xml", b"bin")):
        ready.set()  # type: ignore[attr-defined]
        leave.wait(30)  # type: ignore[attr-defined]


def test_a_first_build_takes_nothing_from_another_that_is_at_work(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "ix"
    folder.mkdir()
    context = multiprocessing.get_context("spawn")
    ready, leave = context.Event(), context.Event()
    arguments = (str(photos), str(folder), ready, leave)
    holder = context.Process(target=_build_first, args=arguments)
    holder.start()
    assert ready.wait(30)
    before = sorted(path.name for path in folder.rglob("*"))
    assert {"catalog.sqlite", "000001.xml", "000001.bin"} <= set(before)
    # As if the folder had been free when this one looked.
    monkeypatch.setattr(writer_module, "check_free", lambda *_, **__: None)
    with (
        pytest.raises(IndexLockedError),
        open_writer(folder, NewIndex("{}", 4, b"other", b"other")),
    ):
        pass
    assert sorted(path.name for path in folder.rglob("*")) == before
    leave.set()
    holder.join()
    assert not (folder / "catalog.sqlite").exists()  # nothing was ever committed to it


FACTS = ImageFile(Path("/photos/new.png"), 7, 7, bytes(16), 4, 3)


CHANGES: dict[str, Any] = {
    "embedded": [(None, FACTS)],
    "refiled": [(1, FACTS)],
    "removed": [1],
    "skipped": [Skipped(FACTS.path, 7, 7, "broken")],
    **{name: [FACTS.path] for name in ("forgotten", "sources", "gone_sources")},
    **{name: [bytes(16)] for name in ("removed_contents", "readmitted")},
    **{name: [(bytes(16), bytes(16))] for name in ("apart", "rejoined")},
    "stamps": {FACTS.path: "as it was"},
    "dropped_segments": [0],
}


@pytest.mark.parametrize("name", CHANGES)
def test_whatever_changes_is_committed_by_itself(name: str) -> None:
    assert not Change()
    assert Change(**{name: CHANGES[name]})
    assert {one.name for one in dataclasses.fields(Change)} == {*CHANGES, "vectors"}


def test_a_commit_that_failed_leaves_the_writer_as_it_was(index: Path) -> None:
    twice = Change(embedded=[(None, FACTS), (None, FACTS)], vectors=np.eye(2, 64, dtype=np.float32))
    with open_writer(index) as writer:
        before = writer.generation()
        with pytest.raises(IndexFolderError, match="UNIQUE"):
            writer.commit(twice)
        assert writer.generation() == before
        writer.commit(Change(embedded=twice.embedded[:1], vectors=np.eye(1, 64, dtype=np.float32)))
        assert writer.generation().image_count == before.image_count + 1
    assert len(paths_in(index)) == 13


def test_large_files_are_hashed_when_that_is_asked_for(tmp_path: Path) -> None:
    name, size = "encoder/000001.bin", CHECKED_AT_OPENING_BYTES + 1
    path = tmp_path / name
    path.parent.mkdir()
    path.touch()
    os.truncate(path, size)
    record = FileRecord(name, size, hashlib.sha256(bytes(size)).digest())
    assert check_file(tmp_path, record, whole=True) == path
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"x")
    assert check_file(tmp_path, record) == path
    with pytest.raises(IndexDamagedError, match="its SHA-256 differs"):
        check_file(tmp_path, record, whole=True)
    os.truncate(path, size + 1)
    for check in (check_length, check_file):
        with pytest.raises(IndexDamagedError, match=f"has {size + 1} bytes instead of {size}"):
            check(tmp_path, record)


def test_a_large_network_is_hashed_before_it_is_believed(index: Path) -> None:
    with open_writer(index) as writer:
        writer.replace_encoder(b"<net/>", bytes(CHECKED_AT_OPENING_BYTES + 1))
    with closing(Snapshot(index)) as snapshot:
        snapshot.check_constants()
        _, constants, _ = snapshot.encoder_files()
        with constants.open("r+b") as file:
            file.write(b"x")
        snapshot.encoder_files()
        with pytest.raises(IndexDamagedError, match="its SHA-256 differs"):
            snapshot.check_constants()


def test_a_network_whose_description_was_edited_is_not_used(index: Path, tmp_path: Path) -> None:
    """It is as long as before, and leads to the same vectors."""
    new = draw(tmp_path / "new.png", 90)
    (xml,) = index.glob("encoder/*.xml")
    text = xml.read_bytes()
    xml.write_bytes(text.replace(b'<net name="vgg19', b'<net name="vgg91', 1))
    assert xml.read_bytes() != text
    with (
        pytest.raises(IndexDamagedError, match="its SHA-256 differs"),
        vecsearch.open_index(index) as opened,
    ):
        opened.query([new], k=12)


def test_a_segment_that_cannot_have_its_rows_is_refused(index: Path) -> None:
    """Its file is as long as the catalog says, and has the hash that it says."""
    with closing(Snapshot(index)) as snapshot:
        (segment,) = snapshot.segments
    with segment.path.open("ab") as file:
        file.write(bytes(100))
    data = segment.path.read_bytes()
    with closing(schema.open_catalog(index, writing=True)) as catalog:
        catalog.execute(
            "UPDATE files SET size_bytes = ?, sha256 = ? WHERE name LIKE 'vectors/%'",
            (len(data), hashlib.sha256(data).digest()),
        )
    with pytest.raises(IndexDamagedError, match="cannot hold 12 rows"):
        Snapshot(index)


def unfinished_journal(index: Path) -> bytes:
    """Return the journal of a transaction of the catalog that was not ended."""
    catalog = sqlite.connect(index / schema.CATALOG, apsw.SQLITE_OPEN_READWRITE)
    with closing(catalog):
        catalog.execute("PRAGMA cache_spill = 1; PRAGMA cache_size = 1; BEGIN IMMEDIATE")
        catalog.execute("UPDATE images SET path = path || zeroblob(9000)")
        journal = (index / f"{schema.CATALOG}-journal").read_bytes()
        catalog.execute("ROLLBACK")
    assert len(journal) > sqlite.PAGE_BYTES
    return journal


def test_the_journal_of_a_catalog_that_is_gone_is_not_that_of_the_next(
    index: Path, photos: Path
) -> None:
    """SQLite would write the old pages into the new catalog."""
    journal = unfinished_journal(index)
    (index / schema.CATALOG).unlink()
    (index / f"{schema.CATALOG}-journal").write_bytes(journal)
    draw(photos / "new.png", 50)
    with pytest.raises(IndexFolderError, match="is not an index and not empty"):
        vecsearch.build(photos, index=index, encoder=CHEAP)
    vecsearch.build(photos, index=index, encoder=CHEAP, options=FRESH)
    assert len(paths_in(index)) == 13
    assert not vecsearch.verify(index).problems


def test_a_catalog_with_lost_pages_is_replaced_and_not_filled(index: Path, photos: Path) -> None:
    """Each of its pages has the right checksum; only the count of free ones is wrong."""
    path = index / schema.CATALOG
    page = bytearray(path.read_bytes()[: sqlite.PAGE_BYTES])
    page[36:40] = (7).to_bytes(4, "big")
    sums = [0, 0]
    words = np.frombuffer(page[:-8], "<u4").tolist()
    for number, word in enumerate(words):  # https://sqlite.org/cksumvfs.html
        sums[number % 2] = (sums[number % 2] + word + sums[1 - number % 2]) % (1 << 32)
    page[-8:] = np.array(sums, "<u4").tobytes()
    with path.open("r+b") as file:
        file.write(page)
    before = path.stat().st_ino
    vecsearch.build(photos, index=index, encoder=CHEAP, options=FRESH)
    assert path.stat().st_ino != before
    assert not vecsearch.verify(index).problems


def test_what_is_mapped_is_taken_over(index: Path, photos: Path) -> None:
    with closing(Snapshot(index)) as before:
        vecsearch.remove("id:1", index=index)
        with closing(Snapshot(index, before)) as after:
            assert after.generation.id > before.generation.id
            (old,), (new,) = before.segments, after.segments
            assert new is old


def test_a_writer_that_comes_second_does_not_wait(index: Path) -> None:
    told: list[str] = []

    def write() -> None:
        try:
            with open_writer(index):
                pass
        except IndexLockedError as error:
            told.append(str(error))

    second = threading.Thread(target=write)
    with open_writer(index):
        second.start()
        second.join(10)
        assert not second.is_alive()
    assert len(told) == 1
    assert not (index / HOLDER_FILE).exists()


def names_in(index: Path) -> set[str]:
    return {path.relative_to(index).as_posix() for path in index.glob("*/*")}


def test_what_a_crash_left_goes_with_the_next_writer(index: Path) -> None:
    before = names_in(index)
    for name in ("vectors/000099.f16", "ann/000099.faiss", "vectors/.partial-0123abcd"):
        (index / name).write_bytes(b"x")
    (index / "vectors" / "mine.txt").write_bytes(b"x")
    with open_writer(index):
        assert names_in(index) == {*before, "vectors/mine.txt"}


def test_a_catalog_that_a_crash_left_half_made_goes_with_the_next_one(
    index: Path, photos: Path
) -> None:
    left = index / "next.sqlite"
    for data in ((index / "catalog.sqlite").read_bytes(), b"x" * 5000):
        left.write_bytes(data)
        vecsearch.build(photos, index=index, encoder=CHEAP, options=FRESH)
        assert not left.exists()
        assert len(paths_in(index)) == 12


def test_the_file_of_a_dropped_segment_goes_at_once(index: Path) -> None:
    with closing(Snapshot(index)) as snapshot:
        (segment,) = snapshot.segments
    with open_writer(index) as writer:
        writer.commit(Change(removed=list(range(1, 13))))
        assert segment.path.exists()
        writer.commit(Change(dropped_segments=[segment.first_row]))
        assert not segment.path.exists()


def test_a_fresh_build_takes_no_name_of_the_index_that_it_replaces(
    index: Path, photos: Path
) -> None:
    before = names_in(index)
    vecsearch.build(photos, index=index, encoder=CHEAP, options=FRESH)
    assert before.isdisjoint(names_in(index))


def test_an_index_that_was_just_built_is_not_written_over(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = paths_in(index)
    # As if the folder had been free when this one looked.
    monkeypatch.setattr(writer_module, "check_free", lambda *_, **__: None)
    with (
        pytest.raises(IndexLockedError, match="was just built by another process"),
        open_writer(index, NewIndex("{}", 4, b"other", b"other")),
    ):
        pass
    assert paths_in(index) == before


def test_a_network_that_went_with_a_fresh_build_is_not_damaged(index: Path, photos: Path) -> None:
    with closing(Snapshot(index)) as snapshot:
        vecsearch.build(photos, index=index, encoder=CHEAP, options=FRESH)
        for use in (snapshot.encoder_files, snapshot.check_constants):
            with pytest.raises(IndexFolderError) as caught:
                use()
            assert not isinstance(caught.value, IndexDamagedError)
