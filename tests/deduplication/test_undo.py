"""``--undo`` of what somebody else sent, and with sources that are not there."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from samples import CHEAP, Run, draw

import vecsearch
from vecsearch import SourceError, VecsearchError
from vecsearch.deduplication.aside_journal import JOURNAL


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


def line_of(source: object, name: object, content: bytes, **other: Any) -> str:
    fields = {
        "from": str(source),
        "to": name,
        "size_bytes": len(content),
        "mtime_ns": 5,
        "sha256": hashlib.sha256(content).hexdigest(),
        **other,
    }
    return json.dumps(fields) + "\n"


@pytest.fixture
def received(tmp_path: Path) -> Path:
    """A folder with a file and no journal."""
    folder = tmp_path / "received"
    folder.mkdir()
    (folder / "e.png").write_bytes(b"evil")
    return folder


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


@pytest.mark.parametrize(
    "place",
    [
        "{home}/elsewhere/e.png",
        "{photos}/../elsewhere/e.png",
        "{photos}/link/e.png",
        "{photos}/link/deep/e.png",
        "{photos}/dangling/e.png",
        "{photos}/.hidden/e.png",
        "{photos}/run.desktop",
        "{photos}-other/e.png",
        "{photos}",
        "photos/e.png",
        "{photos}//e.png",
        "{photos}/p0.png/e.png",
        "{index}/e.png",
        "",
    ],
)
def test_files_go_back_only_where_a_build_would_find_them(
    place: str, index: Path, photos: Path, received: Path, tmp_path: Path, run: Run
) -> None:
    (tmp_path / "outside").mkdir()
    (photos / "link").symlink_to(tmp_path / "outside")
    (photos / "dangling").symlink_to(tmp_path / "nowhere")
    source = place.format(home=tmp_path, photos=photos, index=index)
    (received / JOURNAL).write_text(line_of(source, "e.png", b"evil"))
    before = files_below(tmp_path)
    done = run("duplicates", "-i", index, "--undo", received, code=1)
    assert files_below(tmp_path) - before <= {"cache"}
    assert not (tmp_path / "elsewhere").exists()
    assert (received / "e.png").read_bytes() == b"evil"
    assert "0 files moved back" in done.stdout
    told = json.loads(run("duplicates", "-i", index, "--undo", received, "--json", code=1).stdout)
    assert (told["moved"], told["files"], len(told["left"])) == (0, [], 1)


LINES = (
    b"\xff\xfe not text\n",
    b'{"from": NaN, "to": "e.png"}\n',
    b"[" * 50_000 + b"\n",
    b"{}\n",
    b"null\n",
    b"x" * 200_000 + b"\n",
)
NAMES = ("../photos/p0.png", "/etc/hosts", JOURNAL, ".", 7, "a\0b", "\ud800", None)


def test_lines_that_no_move_wrote_are_named_and_left(
    index: Path, photos: Path, received: Path
) -> None:
    true = line_of(photos / "new.png", "e.png", b"evil").encode()
    bad = [line_of(photos / "bad.png", name, b"evil").encode() for name in NAMES]
    huge = line_of(photos / "b.png", "e.png", b"evil", size_bytes=float("inf")).encode()
    wrong = [*LINES, *bad, huge]
    (received / JOURNAL).write_bytes(b"".join([*wrong, true, true]))
    back = vecsearch.move_back(received, index=index)
    numbers = range(len(wrong), 0, -1)
    assert [one.reason for one in back.left] == [f"line {n} cannot be read" for n in numbers]
    assert [(one.source, one.target) for one in back.files] == [
        (received / "e.png", photos / "new.png")
    ]
    assert (photos / "new.png").read_bytes() == b"evil"
    assert (photos / "p0.png").exists()


def test_a_file_behind_a_link_is_not_taken_back(
    index: Path, photos: Path, received: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"evil")
    (received / "l.png").symlink_to(secret)
    (received / "folder").symlink_to(tmp_path)
    (received / JOURNAL).write_text(
        line_of(photos / "a.png", "l.png", b"evil")
        + line_of(photos / "b.png", "folder/secret.png", b"evil")
    )
    back = vecsearch.move_back(received, index=index)
    assert back.moved == 0
    assert [one.reason.split()[-2:] for one in back.left] == [
        ["of", str(received)],
        ["a", "file"],
    ]
    assert secret.exists()


@pytest.mark.parametrize("hard", [False, True])
def test_a_journal_that_is_a_link_is_refused_and_its_file_left(
    hard: bool, index: Path, photos: Path, received: Path, tmp_path: Path, run: Run
) -> None:
    shutil.copy(photos / "p0.png", photos / "again.png")
    vecsearch.build(photos, index=index)
    notes = tmp_path / "notes.txt"
    notes.write_text(line_of(photos / "e.png", "e.png", b"evil") + "my last line")
    if hard:
        (received / JOURNAL).hardlink_to(notes)
    else:
        (received / JOURNAL).symlink_to(notes)
    before = notes.read_bytes(), files_below(photos)
    done = run("duplicates", "-i", index, "--exact", "--move-to", received, code=1)
    assert f"{JOURNAL} is a link" in done.stderr
    if not hard:  # by another name it is only read
        done = run("duplicates", "-i", index, "--undo", received, code=1)
        assert f"{JOURNAL} is a link" in done.stderr
    assert (notes.read_bytes(), files_below(photos)) == before


def test_a_file_of_the_journals_name_that_is_none_keeps_its_last_line(
    index: Path, photos: Path, received: Path
) -> None:
    shutil.copy(photos / "p0.png", photos / "again.png")
    vecsearch.build(photos, index=index)
    report = vecsearch.duplicates(index, exact=True)
    for text in ("mine\nmy last line", "my only line"):
        (received / JOURNAL).write_text(text)
        with pytest.raises(VecsearchError, match="is not a journal"):
            vecsearch.move_aside(report, received)
        assert (received / JOURNAL).read_text() == text
    assert report.movable == 1
    os.remove(received / JOURNAL)  # noqa: PTH107
    os.mkfifo(received / JOURNAL)
    with pytest.raises(VecsearchError, match="is not a file"):
        vecsearch.move_aside(report, received)
    with pytest.raises(VecsearchError, match="is not a file"):
        vecsearch.move_back(received, index=index)


@pytest.fixture
def moved(copies: Path, built: Path) -> Path:
    """The folder that two of the copies were moved into."""
    folder = copies.parent / "aside"
    assert vecsearch.move_aside(vecsearch.duplicates(built, exact=True), folder).moved == 2
    return folder


@pytest.mark.parametrize("mount_point", [False, True])
def test_a_source_that_is_not_there_is_not_made(
    mount_point: bool, moved: Path, built: Path, copies: Path, tmp_path: Path, run: Run
) -> None:
    before = files_below(moved)
    copies.rename(tmp_path / "unmounted")
    if mount_point:
        copies.mkdir()
    done = run("duplicates", "-i", built, "--undo", moved, code=1)
    assert "is a disk not mounted?" in done.stderr
    assert done.stderr.count("\n") == 1
    assert files_below(moved) == before
    assert not list(copies.rglob("*"))
    with pytest.raises(SourceError, match="nothing was moved back"):
        vecsearch.move_back(moved, index=built)
    if mount_point:
        copies.rmdir()
    (tmp_path / "unmounted").rename(copies)
    assert vecsearch.move_back(moved, index=built).moved == 2


def test_one_of_two_sources_is_not_there(tmp_path: Path) -> None:
    for name in ("one", "two"):
        draw(tmp_path / name / "a.png", 1)
        draw(tmp_path / name / f"{name}.png", len(name) + ord(name[0]))
    shutil.copy(tmp_path / "one/a.png", tmp_path / "one/b.png")
    shutil.copy(tmp_path / "one/a.png", tmp_path / "two/c.png")
    built = vecsearch.build(
        tmp_path / "one", tmp_path / "two", index=tmp_path / "ix", encoder=CHEAP
    )
    report = vecsearch.duplicates(built.index, exact=True)
    assert vecsearch.move_aside(report, tmp_path / "aside").moved == 3
    (tmp_path / "two").rename(tmp_path / "away")
    back = vecsearch.move_back(tmp_path / "aside", index=built.index)
    assert back.moved >= 1
    assert {one.path.parent.name for one in back.left} == {"two"}
    assert all("two is gone" in one.reason for one in back.left)
    assert not (tmp_path / "two").exists()
    (tmp_path / "away").rename(tmp_path / "two")
    assert vecsearch.move_back(tmp_path / "aside", index=built.index).left == ()
    assert not (tmp_path / "aside").exists()


def test_a_source_that_moving_emptied_is_filled_again(tmp_path: Path) -> None:
    draw(tmp_path / "all/a.png", 1)
    (tmp_path / "copies").mkdir()
    shutil.copy2(tmp_path / "all/a.png", tmp_path / "copies/z.png")
    ix = vecsearch.build(
        tmp_path / "all", tmp_path / "copies", index=tmp_path / "ix", encoder=CHEAP
    ).index
    vecsearch.move_aside(vecsearch.duplicates(ix, exact=True), tmp_path / "aside")
    assert not any((tmp_path / "copies").iterdir())
    assert vecsearch.move_back(tmp_path / "aside", index=ix).moved == 1
    assert (tmp_path / "copies/z.png").exists()


def test_what_a_list_named_goes_back_to_its_folder(tmp_path: Path) -> None:
    for name in ("x/a.png", "y/b.png"):
        draw(tmp_path / name, 1)
    (tmp_path / "list.txt").write_text(f"{tmp_path}/x/a.png\n{tmp_path}/y/b.png\n")
    ix = vecsearch.build(
        from_list=tmp_path / "list.txt", index=tmp_path / "ix", encoder=CHEAP
    ).index
    report = vecsearch.duplicates(ix, exact=True)
    aside = tmp_path / "aside"
    assert vecsearch.move_aside(report, aside).moved == 1
    with (aside / JOURNAL).open("a") as journal:
        journal.write(line_of(tmp_path / "x/other.png", "o.png", b"1"))
    (aside / "o.png").write_bytes(b"1")
    back = vecsearch.move_back(aside, index=ix)
    assert (back.moved, [one.path.name for one in back.left]) == (1, ["other.png"])
    assert (tmp_path / "x/a.png").exists()
    assert (tmp_path / "y/b.png").exists()


def test_undo_twice_and_half(moved: Path, built: Path, copies: Path) -> None:
    other = copies.parent / "stays"
    shutil.copytree(moved, other)
    assert vecsearch.move_back(moved, index=built).moved == 2
    # A second copy of the folder: all is there already, and nothing is overwritten.
    again = vecsearch.move_back(other, index=built)
    assert again.moved == 0
    assert (copies / "a.png").exists()
