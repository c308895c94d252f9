"""``duplicates``: which pictures are copies of one, against brute force; moving aside and back."""

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

import numpy as np
import pytest
from PIL import Image
from samples import CHEAP, Run, draw
from synthetic import draw_vectors, make_index

import vecsearch
from vecsearch import DuplicatesReport, UsageError, VecsearchError
from vecsearch.copies import stars
from vecsearch.images import moving
from vecsearch.images.aside import JOURNAL, open_aside
from vecsearch.search import opened
from vecsearch.types import Vectors

DIM = 48
NEAR = 0.97
SLACK = 2e-5


def with_copies(n: int, seed: int) -> Vectors:
    """Give n vectors of which some are near copies, in chains too, 40 alike and 30 equal."""
    vectors = draw_vectors(n, DIM, seed)
    generator = np.random.RandomState(seed)
    for number in range(0, n // 2):
        source = generator.randint(n)
        noise = generator.normal(size=DIM) * generator.choice([0.01, 0.02, 0.035])
        vectors[number] = vectors[source] + noise
    vectors[100:140] = vectors[100] + 0.01 * generator.normal(size=(40, DIM))
    vectors[200:230] = vectors[200]
    generator.shuffle(vectors)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def greedy(folder: Path, threshold: float) -> dict[int, int]:
    """Give id -> id of the kept one, by all pairs; files of `make_index` grow with the id."""
    with vecsearch.open_index(folder) as index:
        images, vectors = index.vectors()
    order = sorted(range(len(images)), key=lambda i: (-images[i].size_bytes, images[i].id))
    wide = vectors.astype(np.float64)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    kept: dict[int, int] = {}
    for i in order:
        if images[i].id not in kept:
            for j in order:
                if images[j].id not in kept and wide[i] @ wide[j] >= threshold:
                    kept[images[j].id] = images[i].id
    return kept


def groups_of(report: DuplicatesReport) -> dict[int, int]:
    return {one.id: group.kept.id for group in report.groups for one in group.others}


def names_of(report: DuplicatesReport) -> dict[str, list[str]]:
    return {
        group.kept.path.name: [one.path.name for one in group.others] for group in report.groups
    }


@pytest.mark.parametrize("recipe", ["auto", "IVF1,SQ8"])
def test_groups_are_those_of_all_pairs(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_index(tmp_path / "index", with_copies(700, 1), recipe)
    vecsearch.remove("id:5", "id:90", "id:333", index=folder)
    monkeypatch.setattr(opened, "_FEW_VALUES", 0)
    monkeypatch.setattr(stars, "_ASKING", 37)
    monkeypatch.setattr(stars, "_ANSWERING", 50)
    monkeypatch.setattr(stars, "_BATCH", 20)
    monkeypatch.setattr(stars, "_WIDTHS", (4, 8))  # lists that are full, twice over
    before = (folder / "catalog.sqlite").read_bytes()
    report = vecsearch.duplicates(folder, threshold=NEAR)
    assert (folder / "catalog.sqlite").read_bytes() == before
    expected = {
        one: kept for one, kept in greedy(folder, NEAR - stars.TOLERANCE).items() if one != kept
    }
    assert groups_of(report) == expected
    assert max(len(group.others) for group in report.groups) >= 39
    assert 100 < len(report.groups) < 300
    assert report.approximate == (recipe != "auto")
    assert (report.images, report.copies) == (697, len(expected))
    for group in report.groups:
        assert all(NEAR - SLACK <= one.score <= 1 for one in group.others)
        assert group.kept.size_bytes == max(one.size_bytes for one in (group.kept, *group.others))
    assert vecsearch.duplicates(folder, threshold=NEAR) == report


def test_a_pair_counts_from_whichever_side_it_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = draw_vectors(300, DIM, 7)
    vectors[:150] = vectors[150:] + 0.01 * draw_vectors(150, DIM, 8)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    folder = make_index(tmp_path / "index", vectors, "IVF1,SQ8")
    monkeypatch.setattr(opened, "_FEW_VALUES", 0)
    both = vecsearch.duplicates(folder, threshold=NEAR)
    assert both.approximate
    assert groups_of(both).items() >= {n: n + 150 for n in range(1, 151)}.items()
    search = opened.Opened.search

    def only_better(self: opened.Opened, xq: Vectors, k: int) -> Any:
        D, I = search(self, xq, k)  # noqa: N806, E741
        worse = I[:, :1] > I  # the first is the image itself; those with greater rows are better
        return np.where(worse, -np.inf, D), np.where(worse, -1, I)

    monkeypatch.setattr(opened.Opened, "search", only_better)
    assert vecsearch.duplicates(folder, threshold=NEAR) == both


def test_a_chain_is_not_one_group(tmp_path: Path) -> None:
    angles = 0.1 * np.arange(30)  # each like its neighbours alone
    vectors = np.zeros((30, 4), np.float32)
    vectors[:, 0], vectors[:, 1] = np.cos(angles), np.sin(angles)
    folder = make_index(tmp_path / "index", vectors)
    report = vecsearch.duplicates(folder, threshold=np.cos(0.12))
    # The last is the best: it takes the one before, the next is kept again.
    assert groups_of(report) == {number: number + 1 for number in range(1, 30, 2)}


@pytest.mark.parametrize("recipe", ["auto", "IVF1,SQ8"])
def test_equal_vectors_are_one_group_at_a_threshold_of_one(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened, "_FEW_VALUES", 0)
    for seed in range(3):  # in float16 they are shorter than 1, or longer
        vectors = np.repeat(draw_vectors(1, DIM, seed), 600, axis=0)
        folder = make_index(tmp_path / str(seed), vectors, recipe)
        (group,) = vecsearch.duplicates(folder, threshold=1.0).groups
        assert (group.kept.id, len(group.others)) == (600, 599)
        assert min(one.score for one in group.others) == pytest.approx(1.0, abs=1e-6)
        assert not any(one.exact for one in group.others)


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    """Six pictures, of which a, b and c have copies."""
    folder = tmp_path / "photos"
    for seed, name in enumerate("abcdef"):
        draw(folder / f"{name}.png", 3 * seed, (96, 72))
    shutil.copy(folder / "a.png", folder / "a-copy.png")
    (folder / "more").mkdir()
    shutil.copy(folder / "a.png", folder / "more/a.png")
    with Image.open(folder / "b.png") as picture:
        picture.resize((48, 36)).save(folder / "b-small.png")
        picture.save(folder / "b-other.bmp")
    with Image.open(folder / "c.png") as picture:
        picture.save(folder / "c.tiff")
    for number, path in enumerate(sorted(folder.rglob("*.*"))):
        os.utime(path, ns=(1_000_000_000 * number, 1_000_000_000 * number))
    return folder


@pytest.fixture
def built(copies: Path, tmp_path: Path) -> Path:
    return vecsearch.build(copies, index=tmp_path / "index", encoder=CHEAP).index


def content_of(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


EXACT = {"a-copy.png": ["a.png", "a.png"]}
ALL = {**EXACT, "b-other.bmp": ["b.png", "b-small.png"], "c.tiff": ["c.png"]}
MOVED = {"a.png", "more/a.png", "b.png", "b-small.png", "c.png"}


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
    done = run("duplicates", "--undo", "aside")
    assert done.stdout.startswith("5 files moved back from aside; ")
    assert content_of(copies) == before
    assert not aside.exists()


def test_csv_has_a_line_for_each_picture(built: Path, run: Run) -> None:
    text = run("duplicates", "-i", built, "--exact", "--format", "csv").stdout
    lines = text.splitlines()
    assert lines[0] == (
        "group,kept,id,score,exact,kind,agreement,width,height,size_bytes,state,path"
    )
    assert [line.split(",")[:2] for line in lines[1:]] == [["1", "1"], ["1", "0"], ["1", "0"]]
    assert lines[1].endswith(",there,photos/a-copy.png")


def test_what_is_gone_or_changed_is_never_kept_while_another_is_there(
    built: Path, copies: Path, tmp_path: Path
) -> None:
    (copies / "a-copy.png").unlink()
    os.utime(copies / "a.png", ns=(5, 5))
    os.utime(copies / "b-other.bmp", ns=(5, 5))
    report = vecsearch.duplicates(built, threshold=0.999)
    found = {
        group.kept.path.name: [(one.path.name, one.state) for one in group.others]
        for group in report.groups
    }
    assert found == {
        "a.png": [("a.png", "changed"), ("a-copy.png", "gone")],
        "b.png": [("b-small.png", "there"), ("b-other.bmp", "changed")],
        "c.tiff": [("c.png", "there")],
    }
    assert copies / "more" / "a.png" in [group.kept.path for group in report.groups]
    done = vecsearch.move_aside(report, tmp_path / "aside")
    assert (done.moved, done.left) == (2, ())
    assert (copies / "a.png").exists()
    assert (copies / "b-other.bmp").exists()


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
            assert vecsearch.move_back(aside).left == ()
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
                vecsearch.move_back(aside)
                stopped = False
            except Stopped:
                pass
        here = content_of(aside) if aside.exists() else {}
        there = content_of(copies)
        for name, what in before.items():
            assert what in (there.get(name), here.get(name)), (number, name)
        if (aside / JOURNAL).exists():
            assert vecsearch.move_back(aside).left == ()
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
    done = run("duplicates", "--undo", aside, code=1)
    assert "not moved: photos/c.png (another file is there; it is " in done.stdout
    assert "b-small.png has changed since it was moved" in done.stdout
    assert "3 files moved back from aside" in done.stdout
    assert (copies / "c.png").read_text() == "new"
    assert (aside / "c.png").read_bytes() == before["c.png"][0]
    assert (copies / "more" / "a.png").read_bytes() == before["more/a.png"][0]
    (copies / "c.png").unlink()
    (aside / "b-small.png").unlink()
    done = run("duplicates", "--undo", aside, code=1)
    assert "1 file moved back" in done.stdout
    assert "b-small.png (is neither there nor at " in done.stdout
    assert (aside / "b.png").read_text() == "mine"


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
        vecsearch.move_back(tmp_path)


def test_a_folder_in_use_and_a_damaged_line(built: Path, copies: Path, tmp_path: Path) -> None:
    report = vecsearch.duplicates(built, exact=True)
    aside = tmp_path / "aside"

    def nested(phase: str, done: int, total: int) -> None:
        with pytest.raises(VecsearchError, match="another process is moving"):
            vecsearch.move_back(aside)

    assert vecsearch.move_aside(report, aside, progress=nested).moved == 2
    journal = (aside / JOURNAL).read_text()
    outside = json.dumps({**json.loads(journal.splitlines()[0]), "to": "../photos/d.png"})
    (aside / JOURNAL).write_text(f"no line\n{outside}\n{journal}")
    back = vecsearch.move_back(aside)
    assert back.moved == 2
    assert [one.reason for one in back.left] == ["line 2 cannot be read", "line 1 cannot be read"]
    assert (copies / "d.png").exists()
    assert (copies / "a.png").exists()


def test_imported_vectors_are_no_files(tmp_path: Path, run: Run) -> None:
    vectors = draw_vectors(20, DIM, 3)
    vectors[5] = vectors[4]
    np.save(tmp_path / "x.npy", vectors)
    folder = vecsearch.import_vectors(tmp_path / "x.npy", index=tmp_path / "index").index
    assert vecsearch.duplicates(folder, exact=True).groups == ()
    (group,) = vecsearch.duplicates(folder).groups
    (copy,) = group.others
    assert (group.kept.state, copy.state, copy.exact) == ("no file", "no file", False)
    assert copy.score == pytest.approx(1, abs=1e-6)
    done = run("duplicates", "-i", folder, "--move-to", "aside")
    assert "0 files moved" in done.stdout


def test_none_and_one_and_nonsense(tmp_path: Path, run: Run) -> None:
    draw(tmp_path / "photos" / "one.png", 1)
    folder = vecsearch.build(tmp_path / "photos", index=tmp_path / "index", encoder=CHEAP).index
    done = run("duplicates", "-i", folder)
    assert done.stdout == (
        "index: no copies among 1 image\n"
        "edited copies were looked for from a cosine of 0.997 on: what cosines mean for this "
        "encoder was not measured\n"
    )
    done = run("duplicates", "-i", folder, "--exact")
    assert done.stdout == "index: no files with the same bytes among 1 image\n"
    assert run("duplicates", "-i", folder, "--format", "paths").stdout == ""
    for threshold in ("1.01", "nan"):
        done = run("duplicates", "-i", folder, "--threshold", threshold, code=2)
        assert "a cosine lies between -1 and 1" in done.stderr
    vecsearch.remove("id:1", index=folder)
    assert vecsearch.duplicates(folder).groups == ()


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
        patch.setattr(os, "fsync", lambda handle: os.truncate(moving.partial_of(target), 5))
        with pytest.raises(OSError, match="not what was read"):
            moving.move_file(source, target)
    assert source.exists()
    assert not target.exists()
    moving.move_file(source, target)
    assert target.stat().st_mtime_ns == 7_000_000_456
    assert not source.exists()


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
    back = vecsearch.move_back(tmp_path / "aside")
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
        moving.move_file(source, target)
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
