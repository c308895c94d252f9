"""Moving copies aside and back: nothing is lost, overwritten, or put where nobody wants it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest
from samples import CHEAP, Run, draw

import vecsearch
from vecsearch import DuplicatesReport, UsageError, VecsearchError
from vecsearch.deduplication.aside_folder import open_aside
from vecsearch.deduplication.aside_journal import JOURNAL
from vecsearch.images import move_file

EXACT = {"a-copy.png": ["a.png", "a.png"]}
ALL = {**EXACT, "b-other.bmp": ["b.png", "b-small.png"], "c.tiff": ["c.png"]}
MOVED = {"a.png", "more/a.png", "b.png", "b-small.png", "c.png"}


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


def content_of(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def names_of(report: DuplicatesReport) -> dict[str, list[str]]:
    return {
        group.kept.path.name: [one.path.name for one in group.others] for group in report.groups
    }


def test_the_best_copy_is_kept_and_the_others_come_back(
    built: Path, copies: Path, run: Run
) -> None:
    before = content_of(copies)
    report = vecsearch.duplicates(built, threshold=0.999)
    assert names_of(report) == ALL
    assert names_of(vecsearch.duplicates(built, exact=True)) == EXACT
    exact = [one for group in report.groups for one in group.others if one.exact]
    assert [one.path.name for one in exact] == ["a.png", "a.png"]
    assert (report.copies, report.exact, report.movable) == (5, 2, 5)
    assert report.freed_bytes == sum(len(before[name][0]) for name in MOVED)

    told = run("duplicates", "-i", built, "--threshold", "0.999", "--dry-run")
    assert content_of(copies) == before
    assert "3 groups, 5 copies (2 with the same bytes, 3 similar) among 11 images" in told.stdout
    paths = run("duplicates", "-i", built, "--threshold", "0.999", "--format", "paths").stdout
    assert {str(Path(line).relative_to("photos")) for line in paths.splitlines()} == MOVED
    done = run("duplicates", "-i", built, "--threshold", "0.999", "--move-to", "aside")
    aside = copies.parent / "aside"
    moved = content_of(aside)
    moved.pop(JOURNAL)
    assert moved == {name: before[name] for name in MOVED}
    assert content_of(copies) == {name: before[name] for name in before.keys() - MOVED}
    assert "5 files moved to aside" in done.stdout
    assert "vecsearch build" in done.stdout
    facts = json.loads(run("duplicates", "-i", built, "--threshold", "0.999", "--json").stdout)
    assert {one["state"] for group in facts["groups"] for one in group["others"]} == {"gone"}
    assert {group["kept"]["state"] for group in facts["groups"]} == {"there"}
    assert facts["movable"] == 0
    done = run("duplicates", "-i", built, "--undo", "aside")
    places = {line.partition(" -> ")[2] for line in done.stdout.splitlines()[:-1]}
    assert places == {f"photos/{name}" for name in MOVED}
    assert done.stdout.splitlines()[-1].startswith("5 files moved back from aside; ")
    assert content_of(copies) == before
    assert not aside.exists()


def test_what_changes_before_it_is_moved_is_left_and_named(
    built: Path, copies: Path, tmp_path: Path
) -> None:
    report = vecsearch.duplicates(built, threshold=0.999)
    (copies / "c.tiff").unlink()
    facts = (copies / "a.png").stat()
    data = bytearray((copies / "a.png").read_bytes())
    data[-1] ^= 1  # same size, same time
    (copies / "a.png").write_bytes(data)
    os.utime(copies / "a.png", ns=(facts.st_mtime_ns, facts.st_mtime_ns))
    (copies / "b-small.png").write_bytes(b"other")
    done = vecsearch.move_aside(report, tmp_path / "aside")
    assert {one.path.relative_to(copies).as_posix(): one.reason for one in done.left} == {
        "a.png": "a.png has other bytes than when it was indexed",
        "b-small.png": "b-small.png has changed since it was indexed",
        "c.png": "c.tiff is gone, which would be kept",
    }
    assert done.moved == 2
    assert (copies / "c.png").exists()


def test_other_paths_to_a_file_and_members_of_tars_stay(
    copies: Path, tmp_path: Path, run: Run
) -> None:
    os.link(copies / "d.png", copies / "d-hard.png")
    (copies / "zz-link.png").symlink_to("e.png")
    (copies / "linked").symlink_to(copies / "more")
    with tarfile.open(tmp_path / "some.tar", "w") as tar:
        tar.add(copies / "f.png", "f.png")
    folder = tmp_path / "index"
    vecsearch.build(copies, tmp_path / "some.tar", index=folder, encoder=CHEAP)
    report = vecsearch.duplicates(folder, exact=True)
    states = {
        one.path.relative_to(tmp_path).as_posix(): one.state
        for group in report.groups
        for one in group.others
    }
    assert states == {
        "photos/a.png": "there",
        "photos/more/a.png": "there",
        "photos/d.png": "same file",
        "photos/zz-link.png": "link",
        "some.tar/f.png": "in a tar",
    }
    before = content_of(copies)
    run("duplicates", "-i", folder, "--exact", "--move-to", "aside")
    left = content_of(copies)
    assert before.keys() - left.keys() == {"a.png", "more/a.png"} | {
        name for name in before if name.startswith("linked/")
    }
    assert sorted(content_of(tmp_path / "aside")) == ["photos/a.png", "photos/more/a.png", JOURNAL]


def test_the_file_that_is_kept_is_never_moved_by_another_path(copies: Path, tmp_path: Path) -> None:
    (copies / "aaa-link.png").symlink_to("a-copy.png")
    folder = vecsearch.build(copies, index=tmp_path / "index", encoder=CHEAP).index
    facts = (copies / "a-copy.png").stat()
    os.utime(copies / "a.png", ns=(2 * facts.st_mtime_ns + 1, 2 * facts.st_mtime_ns + 1))
    report = vecsearch.duplicates(folder, exact=True)
    (group,) = report.groups
    names = {group.kept.path.name, *(one.path.name for one in group.others if one.state != "there")}
    assert names >= {"aaa-link.png", "a-copy.png"}
    vecsearch.move_aside(report, tmp_path / "aside")
    assert (copies / "a-copy.png").is_file()
    assert (copies / "aaa-link.png").read_bytes() == (copies / "a-copy.png").read_bytes()


class Stopped(BaseException):
    """What a kill is here: nothing in the code under trial may catch it."""


def stop_at(number: int, monkeypatch: pytest.MonkeyPatch, *, after: bool, copying: bool) -> None:
    """Stop within the *number*-th operation that changes the disk, before or after it."""
    count = 0

    def stopping(operation: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count >= number and not after:
                raise Stopped
            result = operation(*arguments, **options)
            if count >= number:
                raise Stopped
            return result

        return run

    def no_link(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, "another device")

    monkeypatch.setattr(os, "link", no_link if copying else stopping(os.link))
    monkeypatch.setattr(os, "fsync", stopping(os.fsync))
    monkeypatch.setattr(Path, "unlink", stopping(Path.unlink))
    monkeypatch.setattr(Path, "mkdir", stopping(Path.mkdir))
    monkeypatch.setattr(shutil, "copystat", stopping(shutil.copystat))


@pytest.mark.parametrize("copying", [False, True])
def test_a_kill_at_any_moment_loses_nothing(
    copying: bool, built: Path, copies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content_of(copies)
    report = vecsearch.duplicates(built, threshold=0.999)
    aside = tmp_path / "aside"
    number, stopped = 0, True
    while stopped:
        number += 1
        with monkeypatch.context() as patch:
            stop_at(number, patch, after=number % 2 == 0, copying=copying)
            try:
                vecsearch.move_aside(report, aside)
                stopped = False
            except Stopped:
                pass
        there = content_of(copies)
        here = content_of(aside) if aside.exists() else {}
        for name, what in before.items():
            assert what in (there.get(name), here.get(name)), (number, name)
        if number % 3 == 0:  # the same command goes on, whatever is left of a line
            if aside.exists():
                with (aside / JOURNAL).open("ab") as journal:
                    journal.write(b'{"from": "/cut')
            again = vecsearch.move_aside(report, aside)
            assert all(one.reason.endswith("is gone") for one in again.left)
            assert content_of(copies).keys() == before.keys() - MOVED
        if (aside / JOURNAL).exists():
            assert vecsearch.move_back(aside, index=built).left == ()
        assert content_of(copies) == before
        shutil.rmtree(aside, ignore_errors=True)
    assert number > 20


@pytest.mark.parametrize("copying", [False, True])
def test_a_kill_of_the_way_back_loses_nothing(
    copying: bool, built: Path, copies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content_of(copies)
    report = vecsearch.duplicates(built, exact=True)
    aside = tmp_path / "aside"
    number = 0
    stopped = True
    while stopped:
        number += 1
        if not aside.exists():
            vecsearch.move_aside(report, aside)
        with monkeypatch.context() as patch:
            stop_at(number, patch, after=number % 2 == 0, copying=copying)
            try:
                vecsearch.move_back(aside, index=built)
                stopped = False
            except Stopped:
                pass
        here = content_of(aside) if aside.exists() else {}
        there = content_of(copies)
        for name, what in before.items():
            assert what in (there.get(name), here.get(name)), (number, name)
        if (aside / JOURNAL).exists():
            assert vecsearch.move_back(aside, index=built).left == ()
        assert content_of(copies) == before
        shutil.rmtree(aside, ignore_errors=True)
    assert number > 10


def test_nothing_is_overwritten_there_or_on_the_way_back(
    built: Path, copies: Path, tmp_path: Path, run: Run
) -> None:
    before = content_of(copies)
    aside = tmp_path / "aside"
    (aside / "more").mkdir(parents=True)
    (aside / "b.png").write_text("mine")
    (aside / "more" / "a.png").symlink_to("nowhere")
    run("duplicates", "-i", built, "--threshold", "0.999", "--move-to", aside)
    assert (aside / "b.png").read_text() == "mine"
    assert (aside / "b-2.png").read_bytes() == before["b.png"][0]
    assert (aside / "more" / "a-2.png").read_bytes() == before["more/a.png"][0]
    (copies / "c.png").write_text("new")
    (aside / "b-small.png").write_text("changed here")
    with (aside / JOURNAL).open("ab") as journal:
        journal.write(b'{"from": "/cut')  # as a kill leaves it
    shutil.rmtree(copies / "more")
    done = run("duplicates", "-i", built, "--undo", aside, code=1)
    assert "not moved: photos/c.png (another file is there; it is " in done.stdout
    assert "b-small.png has changed since it was moved" in done.stdout
    assert "3 files moved back from aside" in done.stdout
    assert (copies / "c.png").read_text() == "new"
    assert (aside / "c.png").read_bytes() == before["c.png"][0]
    assert (copies / "more" / "a.png").read_bytes() == before["more/a.png"][0]
    (copies / "c.png").unlink()
    (aside / "b-small.png").unlink()
    done = run("duplicates", "-i", built, "--undo", aside, code=1)
    assert "1 file moved back" in done.stdout
    assert "b-small.png (is neither there nor at " in done.stdout
    assert (aside / "b.png").read_text() == "mine"


def test_the_journal_stays_as_long_as_a_file_does(
    built: Path, copies: Path, tmp_path: Path
) -> None:
    """Also if the others, which follow, go back."""
    aside = tmp_path / "aside"
    report = vecsearch.move_aside(vecsearch.duplicates(built, threshold=0.999), aside)
    last = report.files[-1]
    last.source.write_text("new")
    back = vecsearch.move_back(aside, index=built)
    assert (back.moved, [one.path for one in back.left]) == (4, [last.source])
    last.source.unlink()
    assert vecsearch.move_back(aside, index=built).moved == 1
    assert not aside.exists()


def test_a_folder_that_the_next_build_would_scan_is_refused(
    built: Path, copies: Path, tmp_path: Path, run: Run
) -> None:
    before = content_of(tmp_path)
    refused = {
        copies / "aside": "lies in the source",
        copies: "lies in the source",
        tmp_path: "has the index",
        built / "aside": "lies in the index",
        copies / "a.png": "is a file",
    }
    for folder, words in refused.items():
        done = run("duplicates", "-i", built, "--move-to", folder, code=2)
        assert words in done.stderr
        assert done.stdout == ""
    report = vecsearch.duplicates(built, exact=True)
    with pytest.raises(UsageError, match="lies in the source"):
        vecsearch.move_aside(report, copies / "aside")
    assert content_of(tmp_path) == before
    with pytest.raises(UsageError, match="nothing was moved into"):
        vecsearch.move_back(tmp_path, index=built)


def test_a_folder_in_use_and_a_damaged_line(built: Path, copies: Path, tmp_path: Path) -> None:
    report = vecsearch.duplicates(built, exact=True)
    aside = tmp_path / "aside"

    def nested(phase: str, done: int, total: int) -> None:
        with pytest.raises(VecsearchError, match="another process is moving"):
            vecsearch.move_back(aside, index=built)

    assert vecsearch.move_aside(report, aside, progress=nested).moved == 2
    journal = (aside / JOURNAL).read_text()
    outside = json.dumps({**json.loads(journal.splitlines()[0]), "to": "../photos/d.png"})
    (aside / JOURNAL).write_text(f"no line\n{outside}\n{journal}")
    back = vecsearch.move_back(aside, index=built)
    assert back.moved == 2
    assert [one.reason for one in back.left] == ["line 2 cannot be read", "line 1 cannot be read"]
    assert (copies / "d.png").exists()
    assert (copies / "a.png").exists()


def test_a_file_without_links_is_compared_before_it_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "a.png", tmp_path / "b.png"
    source.write_bytes(b"1" * 3_000_000)
    os.utime(source, ns=(7_000_000_123, 7_000_000_456))

    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "another device")

    monkeypatch.setattr(os, "link", refuse)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: os.truncate(move_file.partial_of(target), 5))
        with pytest.raises(OSError, match="copy differs from what was read"):
            move_file.move_file(source, target)
    assert source.exists()
    assert not target.exists()
    move_file.move_file(source, target)
    assert target.stat().st_mtime_ns == 7_000_000_456
    assert not source.exists()


def test_a_longer_file_is_another_file(tmp_path: Path) -> None:
    source, target = tmp_path / "a.png", tmp_path / "b.png"
    source.write_bytes(b"content")
    target.write_bytes(b"content and more")
    assert not move_file.take_back_half(source, target)
    assert target.exists()
    target.write_bytes(b"content")
    assert move_file.take_back_half(source, target)
    assert source.exists()
    assert not target.exists()


def test_the_only_name_of_a_file_stays(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real" / "a.png").write_bytes(b"content")
    assert not move_file.take_back_half(tmp_path / "real" / "a.png", tmp_path / "link" / "a.png")
    assert (tmp_path / "real" / "a.png").exists()


def test_a_copy_takes_no_name_that_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    partial, target = tmp_path / "a.partial", tmp_path / "a.png"
    partial.write_bytes(b"copy")
    target.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        move_file.take_name(partial, target)
    assert target.read_bytes() == b"mine"
    target.unlink()
    move_file.take_name(partial, target)
    assert target.read_bytes() == b"copy"


def test_undo_keeps_the_file_behind_a_link_to_it(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    draw(folder / "a.png", 1)
    (folder / "b.png").write_bytes((folder / "a.png").read_bytes())
    index = vecsearch.build(folder, index=tmp_path / "index", encoder=CHEAP).index
    assert (
        vecsearch.move_aside(vecsearch.duplicates(index, exact=True), tmp_path / "aside").moved == 1
    )
    (moved,) = (tmp_path / "aside").rglob("*.png")
    (folder / moved.name).symlink_to(moved)
    back = vecsearch.move_back(tmp_path / "aside", index=index)
    assert [one.path for one in back.left] == [folder / moved.name]
    assert moved.read_bytes() == (folder / moved.name).read_bytes()


def test_what_cannot_leave_its_place_is_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "a.png", tmp_path / "b.png"
    source.write_bytes(b"1")
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path == source:
            raise PermissionError(errno.EACCES, "no")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(PermissionError):
        move_file.move_file(source, target)
    assert source.exists()
    assert not target.exists()


def test_nothing_is_moved_under_a_journal_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if an undo had ended between opening the journal and holding it."""
    flock = fcntl.flock

    def late(handle: IO[bytes], operation: int) -> None:
        flock(handle, operation)
        (tmp_path / "aside" / JOURNAL).unlink()

    monkeypatch.setattr(fcntl, "flock", late)
    gone = pytest.raises(VecsearchError, match="run it again")
    with gone, open_aside(tmp_path / "aside"):
        raise AssertionError


def test_a_file_that_a_link_leads_to_stays(tmp_path: Path, run: Run) -> None:
    """Also by a chain, by a link that is hidden or no picture, and through a linked folder."""
    folder = tmp_path / "photos"
    for number, name in enumerate(("direct", "chain", "hidden", "folder", "plain", "free")):
        draw(folder / f"zz-{name}/copy.png", number)
        (folder / f"{number}-best.png").write_bytes((folder / f"zz-{name}/copy.png").read_bytes())
        os.utime(folder / f"{number}-best.png", ns=(5, 5))
    links = {
        "zz-direct/album.png": "copy.png",
        "zz-chain/b.png": "../zz-chain/copy.png",
        "a/c.png": "../zz-chain/b.png",
        "a/.cover.png": "../zz-hidden/copy.png",
        "favourites": "zz-folder",
        "a/f.png": "../favourites/copy.png",
        "a/latest": "../zz-plain/copy.png",
    }
    for name, target in links.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(target)
    index = vecsearch.build(folder, index=tmp_path / "index", encoder=CHEAP).index
    done = run("duplicates", "-i", index, "--exact", "--move-to", "aside", code=1)
    assert all((folder / name).exists() for name in links)
    assert not (folder / "zz-free/copy.png").exists()
    assert "not moved: photos/zz-plain/copy.png (the link " in done.stdout
    assert "photos/zz-free/copy.png -> aside/zz-free/copy.png" in done.stdout


def test_links_of_a_list_count_too(tmp_path: Path) -> None:
    draw(tmp_path / "a/copy.png", 1)
    (tmp_path / "b").mkdir()
    shutil.copy(tmp_path / "a/copy.png", tmp_path / "b/best.png")
    os.utime(tmp_path / "b/best.png", ns=(5, 5))
    (tmp_path / "b/link.png").symlink_to(tmp_path / "a/copy.png")
    (tmp_path / "list.txt").write_text("a/copy.png\nb/best.png\nb/link.png\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        index = vecsearch.build(
            from_list=["list.txt"], index=tmp_path / "index", encoder=CHEAP
        ).index
    done = vecsearch.move_aside(vecsearch.duplicates(index, exact=True), tmp_path / "aside")
    assert (done.moved, [one.path.name for one in done.left]) == (0, ["copy.png"])
    assert (tmp_path / "b/link.png").exists()


def test_what_lies_outside_of_the_source_stays(tmp_path: Path) -> None:
    """A linked folder is indexed, but it is not the source's own."""
    folder, outside = tmp_path / "photos", tmp_path / "outside"
    draw(folder / "best.png", 1)
    outside.mkdir()
    shutil.copy(folder / "best.png", outside / "x.png")
    os.utime(folder / "best.png", ns=(5, 5))
    (folder / "linked").symlink_to(outside)
    index = vecsearch.build(folder, index=tmp_path / "index", encoder=CHEAP).index
    report = vecsearch.duplicates(index, exact=True)
    assert [one.state for group in report.groups for one in group.others] == ["outside"]
    assert (report.movable, report.freed_bytes) == (0, 0)
    assert vecsearch.move_aside(report, tmp_path / "aside").moved == 0
    assert (outside / "x.png").exists()


def test_a_source_that_is_a_link_is_the_folder_behind_it(tmp_path: Path) -> None:
    draw(tmp_path / "real/best.png", 1)
    shutil.copy(tmp_path / "real/best.png", tmp_path / "real/copy.png")
    (tmp_path / "photos").symlink_to("real")
    index = vecsearch.build(tmp_path / "photos", index=tmp_path / "index", encoder=CHEAP).index
    aside = tmp_path / "aside"
    assert vecsearch.move_aside(vecsearch.duplicates(index, exact=True), aside).moved == 1
    assert len(list((tmp_path / "real").iterdir())) == 1
    assert vecsearch.move_back(aside, index=index).moved == 1


def test_nothing_is_moved_for_a_kept_link_out_of_the_sources(tmp_path: Path) -> None:
    draw(tmp_path / "elsewhere/real.png", 1)
    os.utime(tmp_path / "elsewhere/real.png", ns=(5, 5))
    (tmp_path / "photos").mkdir()
    shutil.copy(tmp_path / "elsewhere/real.png", tmp_path / "photos/copy.png")
    (tmp_path / "photos/album.png").symlink_to(tmp_path / "elsewhere/real.png")
    index = vecsearch.build(tmp_path / "photos", index=tmp_path / "index", encoder=CHEAP).index
    report = vecsearch.duplicates(index, exact=True)
    assert report.groups[0].kept.state == "link"
    done = vecsearch.move_aside(report, tmp_path / "aside")
    assert (done.moved, len(done.left)) == (0, 1)
    assert "a link out of the sources" in done.left[0].reason


def test_a_file_with_two_names_in_a_group_stays_at_both(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    draw(folder / "best.png", 1)
    shutil.copy(folder / "best.png", folder / "copy.png")
    os.utime(folder / "best.png", ns=(5, 5))
    (folder / "other.png").hardlink_to(folder / "copy.png")
    index = vecsearch.build(folder, index=tmp_path / "index", encoder=CHEAP).index
    report = vecsearch.duplicates(index, exact=True)
    assert [one.state for one in report.groups[0].others] == ["same file", "same file"]
    assert report.freed_bytes == 0


def test_a_link_in_the_folder_leads_no_file_elsewhere(built: Path, copies: Path) -> None:
    aside = copies.parent / "aside"
    aside.mkdir()
    (copies.parent / "mine").mkdir()
    (aside / "more").symlink_to(copies.parent / "mine")
    done = vecsearch.move_aside(vecsearch.duplicates(built, exact=True), aside)
    assert [one.path.name for one in done.left] == ["a.png"]
    assert "leads out of" in done.left[0].reason
    assert not any((copies.parent / "mine").iterdir())


def test_a_copy_writes_through_no_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "another device")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "a.png").write_bytes(b"1")
    (tmp_path / "notes.txt").write_text("mine")
    move_file.partial_of(tmp_path / "b.png").symlink_to("notes.txt")
    move_file.move_file(tmp_path / "a.png", tmp_path / "b.png")
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / "b.png").read_bytes() == b"1"
