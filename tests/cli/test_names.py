"""Names as people type them and other systems write them."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import unicodedata
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from samples import CHEAP, Run, draw, hits_of

import vecsearch
from vecsearch import ImageError, SourceError

Form = Literal["NFC", "NFD"]
FORMS: Final[tuple[Form, ...]] = ("NFC", "NFD")


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


@pytest.fixture
def cities(tmp_path: Path) -> Path:
    """Pictures whose folder is written composed, and whose names are written decomposed."""
    folder = tmp_path / unicodedata.normalize("NFC", "Fotos-Zürich")
    for number, name in enumerate(("Zürich", "Zürich-2", "Genève", "plain")):
        draw(folder / f"{unicodedata.normalize('NFD', name)}.png", number)
    return folder


@pytest.mark.parametrize("form", FORMS)
def test_letters_with_marks_are_one_however_they_are_typed(
    cities: Path, run: Run, form: Form
) -> None:
    def typed(text: str) -> str:
        return unicodedata.normalize(form, text)

    options = ("--layer", "block1_conv1", "--weights", "random:0", "--precision", "fp32")
    assert "4 images" in run("build", typed("Fotos-Zürich"), "-i", "index", *options).stdout
    there = ("-i", "index", "--json")

    def found(*arguments: str) -> set[str]:
        (hits,) = hits_of(run("query", *arguments, "-k", "9", *there))
        return {unicodedata.normalize("NFC", name) for name in hits}

    zurich = {unicodedata.normalize("NFC", f"Zürich{end}.png") for end in ("", "-2")}
    assert found("id:4", "--glob", typed("Zür*")) == zurich
    assert found("id:4", "--glob", typed("Fotos-Zürich/Zür*.png")) == zurich
    assert len(found("id:4", "--under", typed("Fotos-Zürich"))) == 3
    assert found("id:4", "--under", typed("Fotos-Zürich/Genève.png")) == {
        unicodedata.normalize("NFC", "Genève.png")
    }
    (first,) = hits_of(run("query", typed("Fotos-Zürich/Zürich.png"), "--include-self", *there))
    assert unicodedata.normalize("NFC", first[0]) == unicodedata.normalize("NFC", "Zürich.png")
    assert "2 would be removed" in run("remove", "-n", typed("Zür*"), "-i", "index").stdout
    assert (
        "1 would be removed"
        in run("remove", "-n", typed("Fotos-Zürich/Genève.png"), "-i", "index").stdout
    )
    for path in cities.iterdir():  # what is gone is found as well
        path.unlink()
    assert found("id:4", "--glob", typed("Zür*")) == zurich
    assert "1 removed" in run("remove", typed("Fotos-Zürich/Genève.png"), "-i", "index").stdout


def test_a_path_of_very_many_parts_is_not_there(index: Path) -> None:
    with vecsearch.open_index(index) as opened, pytest.raises(ImageError, match="é"):
        opened.query("é/" * 5000 + "x.png")


def test_two_names_that_differ_in_spelling_alone_stay_two(tmp_path: Path) -> None:
    paths = [tmp_path / "p" / unicodedata.normalize(form, "é.png") for form in FORMS]
    for number, path in enumerate(paths):
        draw(path, number)
    if len(set((tmp_path / "p").iterdir())) == 1:
        pytest.skip("this file system takes both names for one")
    index = vecsearch.build(tmp_path / "p", index=tmp_path / "index", encoder=CHEAP).index
    with vecsearch.open_index(index) as opened:
        options = vecsearch.QueryOptions(include_self=True)
        found = [opened.query(path, k=1, options=options)[0].hits[0].path for path in paths]
    assert found == paths


@pytest.mark.parametrize("coding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32", "utf-8"])
def test_lists_of_other_systems(photos: Path, tmp_path: Path, coding: str) -> None:
    mark = "\ufeff" if coding == "utf-16-be" else ""
    names = sorted(photos.glob("*.png"))
    text = mark + "".join(f"{name}\r\n" for name in names)
    listed = tmp_path / "list.txt"
    listed.write_bytes(text.encode(coding))
    report = vecsearch.build(index=tmp_path / "index", encoder=CHEAP, from_list=listed)
    assert (report.counts.added, report.counts.skipped) == (len(names), 0)
    command = [sys.executable, "-m", "vecsearch.cli.main", "query", "-", "-i", str(report.index)]
    done = subprocess.run(
        [*command, "-k", "1", "--json"], input=listed.read_bytes(), capture_output=True, check=True
    )
    assert len(hits_of(subprocess.CompletedProcess([], 0, done.stdout.decode()))) == len(names)


def test_what_is_no_source_is_said_what_it_is(photos: Path, tmp_path: Path) -> None:
    shards, listed = tmp_path / "shards", tmp_path / "sub" / "list.txt"
    shards.mkdir()
    with tarfile.open(shards / "00000.tar", "w") as tar:
        tar.add(photos, "photos")
    with pytest.raises(SourceError, match=r"1 tar; name .* build .*shards/\*\.tar"):
        vecsearch.build(shards, index=tmp_path / "index", encoder=CHEAP)
    listed.parent.mkdir()
    listed.write_text("../photos/p1.png\n../photos/p2.png\n")
    with pytest.raises(SourceError, match=r"none of 2 files .* the first: .*p1\.png: No such"):
        vecsearch.build(index=tmp_path / "index", encoder=CHEAP, from_list=listed)


def test_a_current_folder_that_is_gone_is_said(index: Path, photos: Path, tmp_path: Path) -> None:
    here = tmp_path / "here"
    code = (
        f"import os, subprocess, sys; os.rmdir({str(here)!r}); os.execv(sys.argv[1], sys.argv[1:])"
    )

    def query(picture: Path) -> subprocess.CompletedProcess[str]:
        here.mkdir()
        command = [sys.executable, "-m", "vecsearch.cli.main", "query", picture, "-i", index]
        return subprocess.run(
            [sys.executable, "-c", code, *map(str, command)],
            cwd=here, capture_output=True, text=True, check=False,
        )  # fmt: skip

    done = query(photos / "p1.png")  # all paths are absolute
    assert (done.returncode, done.stderr) == (0, "")
    assert f"  {photos}/" in done.stdout
    done = query(Path("p1.png"))
    assert done.returncode == 1
    assert "the current folder is not there any more; go to another\n" in done.stderr


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_a_compressed_tar_of_any_name_is_said_to_be_one(
    photos: Path, tmp_path: Path, mode: Any
) -> None:
    with tarfile.open(tmp_path / "all.tar", mode) as tar:
        tar.add(photos, "photos")
    with pytest.raises(SourceError, match=r"all\.tar is compressed.* uncompress it"):
        vecsearch.build(tmp_path / "all.tar", index=tmp_path / "index", encoder=CHEAP)


def test_a_file_called_like_an_id_is_pointed_at(index: Path, photos: Path, run: Run) -> None:
    done = run("query", "id:3.jpg", "-i", index, code=1)
    assert "no image id:3.jpg; a file of that name is ./id:3.jpg" in done.stderr
    draw(photos.parent / "id:3.jpg", 3)
    assert run("query", "./id:3.jpg", "-i", index, "-k", "1").returncode == 0


def test_what_systems_keep_for_themselves_is_left_out(
    photos: Path, tmp_path: Path, run: Run
) -> None:
    for place in ("@eaDir/p1.png", "more/#recycle/x.png", "$RECYCLE.BIN/a/b.png"):
        draw(photos / place, 9)
    with tarfile.open(tmp_path / "t.tar", "w") as tar:
        tar.add(photos / "p1.png", "p1.png")
        tar.add(photos / "p2.png", "__MACOSX/p2.png")
    index = vecsearch.build(photos, tmp_path / "t.tar", index=tmp_path / "index", encoder=CHEAP)
    assert (index.counts.added, index.counts.skipped) == (13, 0)
    assert "$RECYCLE.BIN, @Recently-Snapshot" in run("info", "-i", "index").stdout
    named = vecsearch.build(photos / "@eaDir", index=tmp_path / "own", encoder=CHEAP)
    assert named.counts.added == 1  # who names it wants it


def test_what_was_indexed_of_them_goes(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(photos / "@eaDir" / "x.png", 9)
    draw(tmp_path / "other" / "y.png", 10)
    with monkeypatch.context() as patch:
        patch.setattr("vecsearch.images.sources.walk.UNWANTED", frozenset())
        vecsearch.build(photos, tmp_path / "other", index=tmp_path / "index", encoder=CHEAP)
    counts = vecsearch.build(index=tmp_path / "index", encoder=CHEAP).counts
    assert (counts.removed, counts.unchanged) == (1, 13)
