"""``duplicates``: which pictures are copies of one, against brute force; moving aside and back."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import CHEAP, Run, draw
from synthetic import draw_vectors, make_index

import vecsearch
from vecsearch import DuplicatesReport
from vecsearch.deduplication import greedy_groups
from vecsearch.deduplication.ranked_vectors import TOLERANCE
from vecsearch.search import index_reader
from vecsearch.store import schema
from vecsearch.types import Vectors

DIM = 48
NEAR = 0.97
SLACK = 2e-5


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


def with_copies(n: int, seed: int) -> Vectors:
    """Return n vectors of which some are near copies, in chains too, 40 alike and 30 equal."""
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
    """Return id -> id of the kept one, by all pairs; files of `make_index` grow with the id."""
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
    monkeypatch.setattr(index_reader, "_FEW_VALUES", 0)
    monkeypatch.setattr(greedy_groups, "_ASKING", 37)
    monkeypatch.setattr(greedy_groups, "_ANSWERING", 50)
    monkeypatch.setattr(greedy_groups, "_BATCH", 20)
    monkeypatch.setattr(greedy_groups, "_WIDTHS", (4, 8))  # lists that are full, twice over
    before = (folder / "catalog.sqlite").read_bytes()
    report = vecsearch.duplicates(folder, threshold=NEAR)
    assert (folder / "catalog.sqlite").read_bytes() == before
    expected = {one: kept for one, kept in greedy(folder, NEAR - TOLERANCE).items() if one != kept}
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
    monkeypatch.setattr(index_reader, "_FEW_VALUES", 0)
    both = vecsearch.duplicates(folder, threshold=NEAR)
    assert both.approximate
    assert groups_of(both).items() >= {n: n + 150 for n in range(1, 151)}.items()
    find_only_better(monkeypatch)
    assert vecsearch.duplicates(folder, threshold=NEAR) == both


def find_only_better(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a search find an image itself first, and then better ones, which have greater rows."""
    search = index_reader.IndexReader.search

    def only_better(self: index_reader.IndexReader, xq: Vectors, k: int) -> Any:
        D, I = search(self, xq, k)  # noqa: N806, E741
        worse = I[:, :1] > I
        return np.where(worse, -np.inf, D), np.where(worse, -1, I)

    monkeypatch.setattr(index_reader.IndexReader, "search", only_better)


def test_a_copy_goes_to_the_best_of_those_that_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each three in a plane the first is like both others, which are unlike each other."""
    vectors = np.zeros((60, DIM), np.float32)
    for number, angle in enumerate([0.1, 0.2, 0.0] * 20):
        plane = 2 * (number // 3)
        vectors[number, plane : plane + 2] = np.cos(angle), np.sin(angle)
    folder = make_index(tmp_path / "index", vectors, "IVF1,SQ8")
    monkeypatch.setattr(index_reader, "_FEW_VALUES", 0)
    expected = {number: number + 2 for number in range(1, 60, 3)}
    assert groups_of(vecsearch.duplicates(folder, threshold=np.cos(0.12))) == expected
    find_only_better(monkeypatch)
    assert groups_of(vecsearch.duplicates(folder, threshold=np.cos(0.12))) == expected


@pytest.mark.parametrize("asking", [2048, 7])
@pytest.mark.parametrize("recipe", ["auto", "IVF1,SQ8"])
def test_pictures_of_one_content_are_copies_whatever_their_vectors(
    recipe: str, asking: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_index(tmp_path / "index", draw_vectors(60, DIM, 3), recipe)
    with closing(schema.open_catalog(folder, writing=True)) as catalog:
        catalog.execute(f"UPDATE images SET content_hash = x'{'ff' * 16}' WHERE id IN (3, 20, 59)")
    monkeypatch.setattr(index_reader, "_FEW_VALUES", 0)
    monkeypatch.setattr(greedy_groups, "_ASKING", asking)
    report = vecsearch.duplicates(folder, threshold=0.9999)
    assert groups_of(report) == {3: 59, 20: 59}


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
    monkeypatch.setattr(index_reader, "_FEW_VALUES", 0)
    for seed in range(3):  # in float16 they are shorter than 1, or longer
        vectors = np.repeat(draw_vectors(1, DIM, seed), 600, axis=0)
        folder = make_index(tmp_path / str(seed), vectors, recipe)
        (group,) = vecsearch.duplicates(folder, threshold=1.0).groups
        assert (group.kept.id, len(group.others)) == (600, 599)
        assert min(one.score for one in group.others) == pytest.approx(1.0, abs=1e-6)
        assert not any(one.exact for one in group.others)


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
        assert ("a cosine lies between -1 and 1" in done.stderr) or "is nan" in done.stderr
    vecsearch.remove("id:1", index=folder)
    assert vecsearch.duplicates(folder).groups == ()
