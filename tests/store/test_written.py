"""What is written is on the disk before anything tells of it; and a write that failed is told."""

from __future__ import annotations

import hashlib
import io
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from vecsearch import VecsearchError
from vecsearch.deduplication.aside_folder import AsideFolder, open_aside
from vecsearch.deduplication.aside_journal import JOURNAL
from vecsearch.files import make_folder, whole_file
from vecsearch.images.move_file import move_file
from vecsearch.store import schema
from vecsearch.store.change import NewIndex
from vecsearch.store.write_once import Write, write_once
from vecsearch.store.writer import open_writer

Event = tuple[str, int]


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """What is synced, renamed, linked and deleted, with the inode of the file or folder."""
    found: list[Event] = []
    fsync, replace, rename, link, unlink = os.fsync, os.replace, os.rename, os.link, os.unlink

    def noting_sync(handle: int) -> None:
        facts = os.fstat(handle)
        found.append(("synced" if facts.st_size else "synced while empty", facts.st_ino))
        fsync(handle)

    def noting_replace(source: Any, target: Any, **options: Any) -> None:
        found.append(("renamed", os.stat(source).st_ino))  # noqa: PTH116
        replace(source, target, **options)

    def noting_rename(source: Any, target: Any, **options: Any) -> None:
        found.append(("renamed", os.stat(source).st_ino))  # noqa: PTH116
        rename(source, target, **options)

    def noting_link(source: Any, target: Any, **options: Any) -> None:
        found.append(("linked", os.stat(source).st_ino))  # noqa: PTH116
        link(source, target, **options)

    def noting_unlink(path: Any, **options: Any) -> None:
        if os.path.lexists(path):
            found.append(("deleted", os.lstat(path).st_ino))
        unlink(path, **options)

    monkeypatch.setattr(os, "fsync", noting_sync)
    monkeypatch.setattr(os, "replace", noting_replace)
    monkeypatch.setattr(os, "rename", noting_rename)
    monkeypatch.setattr(os, "link", noting_link)
    monkeypatch.setattr(os, "unlink", noting_unlink)
    return found


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, events: list[Event]) -> None:
    with whole_file(tmp_path / "out.csv") as file:
        file.write(b"content")
    inode = (tmp_path / "out.csv").stat().st_ino
    assert events[:2] == [("synced", inode), ("renamed", inode)]


def test_a_file_of_an_index_is_on_the_disk_and_so_is_its_name(
    tmp_path: Path, events: list[Event]
) -> None:
    def fill(write: Write) -> None:
        write(b"content")

    make_folder(tmp_path / "vectors")
    events.clear()
    write_once(tmp_path, "vectors/000001.f16", fill)
    file, folder = tmp_path / "vectors" / "000001.f16", tmp_path / "vectors"
    inode = file.stat().st_ino
    assert events == [("synced", inode), ("renamed", inode), ("synced", folder.stat().st_ino)]


def test_a_catalog_is_synced_and_keeps_its_references(tmp_path: Path) -> None:
    with closing(schema.create_catalog(tmp_path / schema.CATALOG)) as catalog:
        assert catalog.pragma("synchronous") == 3  # EXTRA
        with pytest.raises(apsw.ConstraintError):
            catalog.execute("INSERT INTO rows VALUES (1, 77, NULL)")


def test_the_name_of_a_new_catalog_is_on_the_disk(tmp_path: Path, events: list[Event]) -> None:
    index = tmp_path / "index"
    with open_writer(index, NewIndex("{}", 4, b"<net/>", b"constants")):
        file, folder = (one.stat().st_ino for one in (index / schema.CATALOG, index))
        assert events[events.index(("renamed", file)) + 1] == ("synced", folder)


def test_every_folder_that_is_made_is_on_the_disk(tmp_path: Path, events: list[Event]) -> None:
    make_folder(tmp_path / "a" / "b" / "c")
    parents = (tmp_path, tmp_path / "a", tmp_path / "a" / "b")
    assert {inode for _, inode in events} == {one.stat().st_ino for one in parents}
    events.clear()
    make_folder(tmp_path / "a" / "b" / "c")
    assert events == []


def test_a_line_of_the_journal_is_on_the_disk_before_its_file_is_moved(
    tmp_path: Path, events: list[Event]
) -> None:
    source = tmp_path / "a.png"
    source.write_bytes(b"content")
    inode = source.stat().st_ino
    with open_aside(tmp_path / "aside") as aside:
        journal = (tmp_path / "aside" / JOURNAL).stat().st_ino
        events.clear()
        aside.take(source, Path("a.png"), hashlib.sha256(b"content").hexdigest())
    assert events.index(("synced", journal)) < events.index(("linked", inode))


def test_the_new_name_of_a_file_is_on_the_disk_before_the_old_one_goes(
    tmp_path: Path, events: list[Event]
) -> None:
    source, folder = tmp_path / "a.png", tmp_path / "there"
    source.write_bytes(b"content")
    folder.mkdir()
    file = source.stat().st_ino
    move_file(source, folder / "a.png")
    there, here = folder.stat().st_ino, tmp_path.stat().st_ino
    assert events == [("linked", file), ("synced", there), ("deleted", file), ("synced", here)]


def test_nothing_is_moved_behind_a_line_that_was_written_in_part(tmp_path: Path) -> None:
    class Full(io.FileIO):
        def write(self, data: Any) -> int:
            return super().write(data[:-1])

    source = tmp_path / "a.png"
    source.write_bytes(b"content")
    aside = tmp_path / "aside"
    aside.mkdir()
    with (
        Full(aside / JOURNAL, "w") as journal,
        pytest.raises(VecsearchError, match=r"cannot write .*: No space left on device"),
    ):
        AsideFolder(aside, journal).take(
            source, Path("a.png"), hashlib.sha256(b"content").hexdigest()
        )
    assert source.exists()
    assert [path.name for path in aside.iterdir()] == [JOURNAL]
