"""Hits whose file is not there any more are marked, in every format."""

from __future__ import annotations

import csv
import io
import json
import re
import tarfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from samples import CHEAP, Run

import vecsearch
from vecsearch import ImportOptions
from vecsearch.types import Hit, UrlPath

GONE = ["p3.png", "p7.png"]


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


@pytest.fixture
def some_gone(index: Path, photos: Path) -> Path:
    """An index of twelve pictures, two of which are deleted."""
    for name in GONE:
        (photos / name).unlink()
    return index


def names(paths: Iterable[str]) -> list[str]:
    return sorted(Path(path).name for path in paths)


def test_a_hit_knows_whether_its_file_is_gone(some_gone: Path, photos: Path) -> None:
    with vecsearch.open_index(some_gone) as opened:
        (result,) = opened.query("id:1", k=99)
        assert names(str(hit.path) for hit in result.hits if hit.is_gone) == GONE
        assert len(result.hits) == 11
        (photos / "p3.png").touch()
        assert names(str(hit.path) for hit in result.hits if hit.is_gone) == ["p7.png"]
        (photos / "more").rename(photos / "elsewhere")
        (photos / "more").touch()  # no tar, so nothing is below it
        assert names(str(hit.path) for hit in result.hits if hit.is_gone) == ["p11.jpg", "p7.png"]
        photos.rename(photos.with_name("elsewhere"))
        assert all(hit.is_gone for hit in result.hits)


def test_every_text_marks_them(some_gone: Path, run: Run) -> None:
    ask = ("query", "-i", "index", "id:1", "-k", "99")
    for form in ("json", "jsonl"):
        text = run(*ask, "--format", form).stdout
        (one,) = json.loads(text if form == "json" else f"[{text}]")
        marked = [hit for hit in one["hits"] if "gone" in hit]
        assert names(hit["path"] for hit in marked) == GONE
        assert all(hit["gone"] is True for hit in marked)
    for form in ("csv", "csv-raw"):
        rows = list(csv.DictReader(io.StringIO(run(*ask, "--format", form).stdout)))
        assert {row["gone"] for row in rows} == {"True", "False"}
        assert names(row["path"] for row in rows if row["gone"] == "True") == GONE
    lines = run(*ask).stdout.splitlines()
    assert names(re.findall(r"(\S+)  \(gone\)", "\n".join(lines))) == GONE
    assert sum("photos/" in line for line in lines) == 12  # the query too


def test_bare_paths_stay_bare(some_gone: Path, photos: Path, run: Run) -> None:
    ask = ("query", "-i", "index", "id:1", "id:2", "-k", "99", "--format", "paths")
    done = run(*ask)
    assert len(done.stdout.splitlines()) == 22
    assert "gone" not in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("vecsearch: 2 of 12 files are gone: ")
    assert names(line.partition("gone: ")[2].split(", ")) == GONE
    photos.rename(photos.with_name("elsewhere"))
    (line,) = run(*ask).stderr.splitlines()
    assert line.startswith("vecsearch: 12 of 12 files are gone: ")
    assert line.endswith(", 2 more")
    assert "gone" not in run(*ask[:-2], "--html", "p.html").stderr


def test_recommendations_pages_and_sheets_mark_them(
    some_gone: Path, run: Run, tmp_path: Path
) -> None:
    printed = json.loads(run("recommend", "-i", "index", "-k", "99", "--json").stdout)
    for one in printed:
        own = {Path(one["path"]).name}
        assert names(hit["path"] for hit in one["hits"] if hit.get("gone")) == sorted({*GONE} - own)
    written = tmp_path / "output" / "rec" / "recommendations.json"
    assert json.loads(written.read_text()) == printed
    ask = ("query", "-i", "index", "id:1", "-k", "99", "--include-self")
    run(*ask, "--html", "page.html", "--sheet", "sheet.svg")
    assert (
        len(re.findall(r'"right": ?"[0-9.-]+ \(gone\)"', (tmp_path / "page.html").read_text())) == 2
    )
    assert (tmp_path / "sheet.svg").read_text().count("file is gone") == 2
    assert run(*ask, "--preview").stdout.count("file is gone") == 2


def test_copies_that_are_gone_are_marked(built: Path, copies: Path, run: Run) -> None:
    (copies / "a-copy.png").unlink()
    done = run("duplicates", "-i", built, "--exact", "--format", "paths")
    assert names(done.stdout.split()) == ["a-copy.png", "a.png"]
    assert done.stderr == "vecsearch: 1 of 2 files is gone: photos/a-copy.png\n"
    assert "photos/a-copy.png  (gone)" in run("duplicates", "-i", built, "--exact").stdout


def test_members_of_a_tar_are_gone_with_it(photos: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "shard.tar", "w") as tar:
        tar.add(photos, "in")
    index = vecsearch.build(tmp_path / "shard.tar", index=tmp_path / "ix", encoder=CHEAP).index
    with vecsearch.open_index(index) as opened:
        (result,) = opened.query("id:1", k=99)
        assert not any(hit.is_gone for hit in result.hits)
        (tmp_path / "shard.tar").unlink()
        assert all(hit.is_gone for hit in result.hits)
        (tmp_path / "shard.tar").mkdir()
        assert all(hit.is_gone for hit in result.hits)


def test_what_never_was_a_file_is_not_gone(tmp_path: Path, photos: Path, run: Run) -> None:
    """Nor is what is behind a URL: no request is made to find out."""
    ids = ["cat", "/no/such/file.jpg", "https://127.0.0.1:9/a.jpg", str(photos / "p1.png")]
    np.save(tmp_path / "x.npy", np.random.RandomState(0).normal(size=(len(ids), 8)))
    (tmp_path / "i.json").write_text(json.dumps(ids))
    vecsearch.import_vectors(
        tmp_path / "x.npy",
        index=tmp_path / "ix",
        options=ImportOptions(ids=[tmp_path / "i.json"]),
    )
    (photos / "p1.png").unlink()
    rows = run("query", "-i", "ix", "cat", "--include-self", "--format", "csv").stdout
    found = {row["path"]: row["gone"] for row in csv.DictReader(io.StringIO(rows))}
    assert [path for path in found if found[path] == "True"] == ["photos/p1.png"]
    assert len(found) == len(ids)
    run(
        "query",
        "-i",
        "ix",
        "id:1",
        "-k",
        "1",
        "--sheet",
        "s.svg",
        "--glob",
        "cat",
        "--include-self",
    )
    assert "no such file" in (tmp_path / "s.svg").read_text()
    for path in (UrlPath("https://127.0.0.1:9/a.jpg"), Path("cat"), Path("/a\0b"), tmp_path):
        assert not Hit(1, 1, path, 1.0, 0.0).is_gone
