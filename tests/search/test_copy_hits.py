"""Hits that are copied, linked to, opened, and printed as paths that null bytes end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from samples import CHEAP, Run, draw

import vecsearch
from vecsearch import UsageError


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


def names_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


def test_copies_sort_by_rank_and_are_what_was_found(index: Path, tmp_path: Path) -> None:
    target = tmp_path / "hits"
    with vecsearch.open_index(index) as opened:
        results = opened.query("id:1", k=12)
        report = opened.copy_hits(results, target)
    hits = results[0].hits
    assert names_in(target) == [f"{hit.rank:02}_{hit.path.name}" for hit in hits]
    for one in report.files:
        assert one.target.read_bytes() == one.hit.path.read_bytes()
        assert one.target.stat().st_mtime_ns == one.hit.path.stat().st_mtime_ns
    assert (len(report.files), report.left) == (len(hits), ())


def test_nothing_is_overwritten_and_what_is_there_stays(index: Path, tmp_path: Path) -> None:
    with vecsearch.open_index(index) as opened:
        results = opened.query("id:1", k=3)
        first = opened.copy_hits(results, tmp_path / "hits").files[0].target
        first.write_bytes(b"mine")
        again = opened.copy_hits(results, tmp_path / "hits")
        third = opened.copy_hits(results, tmp_path / "hits")
    assert first.read_bytes() == b"mine"
    assert [one.new for one in again.files] == [True, False, False]
    assert again.files[0].target == first.with_stem(f"{first.stem}-2")
    assert not any(one.new for one in third.files)
    assert third.files[0].target == again.files[0].target
    assert len(names_in(tmp_path / "hits")) == 4


def test_links_lead_to_the_pictures(index: Path, tmp_path: Path, run: Run) -> None:
    for _ in range(2):  # the second time they are there
        done = run("query", "id:1", "-i", index, "-k", 2, "--link-to", "links")
    assert "0 links made in links, 2 were there before" in done.stderr
    links = sorted((tmp_path / "links").iterdir())
    assert len(links) == 2
    for link in links:
        assert link.is_symlink()
        assert link.readlink().is_absolute()
        assert link.name.endswith(f"_{link.readlink().name}")


def test_several_queries_have_a_folder_each(index: Path, photos: Path, tmp_path: Path) -> None:
    with vecsearch.open_index(index) as opened:
        results = opened.query([photos / "p1.png", "id:2"], k=2)
        opened.copy_hits(results, tmp_path / "hits")
    assert {Path(name).parent.name for name in names_in(tmp_path / "hits")} == {"1_p1", "2_id-2"}


def test_what_cannot_be_copied_is_named(photos: Path, tmp_path: Path, run: Run) -> None:
    with tarfile.open(tmp_path / "more.tar", "w") as tar:
        tar.add(draw(tmp_path / "apart/in-tar.png", 50), "in-tar.png")
    index = vecsearch.build(photos, tmp_path / "more.tar", index=tmp_path / "ix", encoder=CHEAP)
    (photos / "p3.png").unlink()
    (photos / "p4.png").write_bytes(b"root:x:0:0")
    ask = ["query", "id:2", "-i", index.index, "-k", 20, "--format", "paths"]
    done = run(*ask, "--copy-to", "hits", "--link-to", "links", code=1)
    assert "not copied: photos/p3.png (is gone)" in done.stderr
    assert "not copied: photos/p4.png (is not a picture)" in done.stderr
    assert "in-tar.png (is in a tar, and cannot be linked to)" in done.stderr
    copied = {name.partition("_")[2] for name in names_in(tmp_path / "hits")}
    assert "in-tar.png" in copied
    assert not {"p3.png", "p4.png"} & copied


def test_folders_that_will_not_do_are_refused(
    index: Path, photos: Path, tmp_path: Path, run: Run
) -> None:
    for folder in (photos / "hits", photos, index / "hits"):
        done = run("query", "id:1", "-i", index, "--copy-to", folder, code=2)
        assert "lies in the" in done.stderr
        assert not done.stdout
    assert not (photos / "hits").exists()
    (tmp_path / "file").touch()
    assert "is a file" in run("query", "id:1", "-i", index, "--link-to", "file", code=2).stderr
    with vecsearch.open_index(index) as opened, pytest.raises(UsageError, match="is a URL"):
        opened.copy_hits(opened.query("id:1"), "s3://bucket/hits")


def test_a_full_disk_leaves_no_half_of_a_file(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with vecsearch.open_index(index) as opened:
        results = opened.query("id:1", k=3)
        (tmp_path / "hits").mkdir()
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(vecsearch.VecsearchError, match="No space left"):
            opened.copy_hits(results, tmp_path / "hits")
    assert list((tmp_path / "hits").iterdir()) == []


@pytest.fixture
def opener(tmp_path: Path) -> dict[str, str]:
    """The environment of a system whose opener writes down what it is given."""
    program = tmp_path / "bin/xdg-open"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/opened\nexit ${{XDG_CODE:-0}}\n')
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:{os.environ['PATH']}", "DISPLAY": ":77"}


@pytest.mark.skipif(sys.platform != "linux", reason="xdg-open is Linux's")
def test_hits_are_opened_once_each(
    index: Path, photos: Path, tmp_path: Path, run: Run, opener: dict[str, str]
) -> None:
    (photos / "p3.png").write_text("[Desktop Entry]")
    done = run("query", "id:1", "id:2", "-i", index, "-k", 12, "--open", code=1, **opener)
    opened = (tmp_path / "opened").read_text().splitlines()
    assert len(opened) == len(set(opened)) == 11
    assert set(map(Path, opened)) < set(photos.rglob("*.*"))
    assert "not opened: photos/p3.png (is not a picture)" in done.stderr
    failed = run("query", "id:1", "-i", index, "--open", code=1, XDG_CODE="3", **opener)
    assert "failed with exit code 3" in failed.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="xdg-open is Linux's")
def test_what_cannot_be_opened_is_one_line(
    index: Path, photos: Path, tmp_path: Path, run: Run, opener: dict[str, str]
) -> None:
    none = {**opener, "DISPLAY": "", "WAYLAND_DISPLAY": ""}
    done = run("query", "id:1", "-i", index, "--open", code=1, **none)
    assert done.stderr.startswith("vecsearch: there is no display")
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout  # the hits are printed all the same
    done = run("query", "id:1", "-i", index, "--open", code=1, DISPLAY=":7", PATH=str(tmp_path))
    assert "xdg-open, which opens pictures, is not installed" in done.stderr
    for number in range(12):
        shutil.copy(photos / "p1.png", photos / f"copy{number}.png")
    vecsearch.build(photos, index=index, encoder=CHEAP)
    done = run("query", "id:1", "-i", index, "-k", 22, "--open", code=2, **opener)
    assert "22 pictures are too many to open, 20 is the limit" in done.stderr
    assert not (tmp_path / "opened").exists()


def test_null_bytes_end_the_paths_that_are_printed(
    index: Path, photos: Path, tmp_path: Path, run: Run
) -> None:
    (photos / "p2.png").rename(photos / "two\nlines.png")
    shutil.copy(photos / "two\nlines.png", photos / "again.png")
    vecsearch.build(photos, index=index, encoder=CHEAP)
    done = run("query", photos / "p1.png", "-i", index, "-k", 20, "--format", "paths", "-0")
    paths = done.stdout.split("\0")
    assert paths.pop() == ""
    assert {tmp_path / path for path in paths} == {
        path for path in photos.rglob("*.*") if path.name != "p1.png"
    }
    done = run("duplicates", "-i", index, "--exact", "--format", "paths", "--null")
    assert done.stdout in ("photos/two\nlines.png\0", "photos/again.png\0")
    assert "is about --format paths" in run("duplicates", "-i", index, "-0", code=2).stderr
    assert "--format paths" in run("query", "id:1", "-i", index, "-0", "--json", code=2).stderr
    command = [sys.executable, "-m", "vecsearch", "query", "-i", str(index), "-k", "1", "-0", "-"]
    both = subprocess.run(
        [*command, "--format", "paths"], input=b"id:1\0id:2\0", cwd=tmp_path, capture_output=True,
        check=True,
    )  # fmt: skip
    assert both.stdout.count(b"\0") == 2
