"""What is kept of copies by choice, what is said to be no copy, and which groups come first."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from received import run_sql
from samples import CHEAP, FRESH, Run, draw

import vecsearch
from vecsearch import (
    DuplicatesReport,
    IndexDamagedError,
    IndexLockedError,
    NotFoundError,
    UsageError,
)
from vecsearch.search import index_reader
from vecsearch.store import config_keys
from vecsearch.store.writer import open_writer

COSINE = 0.999


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


def names_of(report: DuplicatesReport) -> dict[str, list[str]]:
    return {
        group.kept.path.name: [one.path.name for one in group.others] for group in report.groups
    }


def found(index: Path, *keep: str) -> dict[str, list[str]]:
    return names_of(vecsearch.duplicates(index, threshold=COSINE, keep=keep))


def test_what_is_preferred_is_kept_and_what_is_better_is_told(built: Path, copies: Path) -> None:
    report = vecsearch.duplicates(built, threshold=COSINE, keep=["*-small.png"])
    group = next(one for one in report.groups if one.kept.path.name == "b-small.png")
    assert (group.why, {one.path.name for one in group.better}) == (
        "preferred",
        {"b.png", "b-other.bmp"},
    )
    others = [one for one in report.groups if one is not group]
    assert {one.why for one in others} <= {"pixels", "bytes", "oldest"}
    assert not any(one.better for one in others)
    # The same bytes lose nothing, so nothing is better.
    (exact,) = vecsearch.duplicates(built, exact=True, keep=str(copies / "more")).groups
    assert exact.kept.path == copies / "more/a.png"
    assert (exact.why, exact.better) == ("preferred", ())


def test_the_first_pattern_is_preferred_most(
    built: Path, copies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(copies)
    assert "b.png" in found(built, "b.png", "b-small.png")
    assert "b-small.png" in found(built, "b-small.png", "b.png")
    assert "b-small.png" in found(built, "./b-small*")
    assert vecsearch.duplicates(built, exact=True, keep="more/**").groups[0].kept.path == (
        copies / "more/a.png"
    )
    small = next(one for one in vecsearch.open_index(built) if one.path.name == "b-small.png")
    assert "b-small.png" in found(built, f"id:{small.id}")
    for keep in ("nothing*", "id:999", "nowhere/"):
        with pytest.raises(NotFoundError, match="to be kept"):
            found(built, keep)
    with pytest.raises(UsageError, match="empty"):
        found(built, "")


def test_a_name_with_a_slash_is_any_folder_so_called(built: Path, copies: Path) -> None:
    for pattern in ("more/", "mo*/"):
        (exact,) = vecsearch.duplicates(built, exact=True, keep=pattern).groups
        assert (exact.kept.path, exact.why) == (copies / "more/a.png", "preferred")
    with pytest.raises(NotFoundError, match="no image like ore/"):
        vecsearch.duplicates(built, exact=True, keep="ore/")


def test_what_is_gone_is_not_kept_for_being_preferred(built: Path, copies: Path) -> None:
    (copies / "b-small.png").unlink()
    report = vecsearch.duplicates(built, threshold=COSINE, keep="b-small.png")
    group = next(one for one in report.groups if one.kept.path.name == "b-other.bmp")
    assert {one.path.name: one.state for one in group.others}["b-small.png"] == "gone"
    assert group.why != "preferred"


def test_a_larger_picture_than_the_preferred_one_stays_until_it_is_asked_for(
    built: Path, copies: Path, tmp_path: Path, run: Run
) -> None:
    options = ["duplicates", "-i", built, "--threshold", COSINE, "--keep", "b-small.png"]
    told = run(*options).stdout
    assert "kept because it is preferred, but id:" in told
    assert "have more pixels" in told
    report = vecsearch.duplicates(built, threshold=COSINE, keep="b-small.png")
    told = run(*options, "--move-to", "aside").stdout
    assert "2 pictures larger than a preferred one stay" in told
    assert (copies / "b.png").exists()
    assert (copies / "b-other.bmp").exists()
    assert not (copies / "a.png").exists()
    vecsearch.move_aside(report, tmp_path / "aside", edited=True)
    assert (copies / "b-small.png").exists()
    assert not (copies / "b-other.bmp").exists()
    vecsearch.move_back(tmp_path / "aside", index=built)
    assert (copies / "b-other.bmp").exists()


def photograph(seed: int) -> Image.Image:
    """Draw something smooth, which keeps its looks at another size."""
    coarse = np.random.RandomState(seed).randint(0, 255, (12, 16, 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize((320, 240), Image.Resampling.BICUBIC)


def test_the_surest_groups_come_first_and_a_preferred_crop_takes_its_own_copies_alone(
    tmp_path: Path, run: Run
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed, name in enumerate(("exact", "near", "edited")):
        photograph(seed).save(folder / f"{name}.png")
    shutil.copy(folder / "exact.png", folder / "exact-2.png")
    photograph(1).save(folder / "near-2.jpg", quality=92)
    photograph(1).crop((0, 0, 150, 110)).save(folder / "corner.png")
    photograph(2).crop((20, 15, 300, 225)).save(folder / "edited-2.png")
    index = vecsearch.build(folder, index=tmp_path / "ix", encoder=CHEAP).index
    report = vecsearch.duplicates(index, keep="corner.png")
    assert [group.others[0].kind for group in report.groups] == ["exact", "near", "edited"]
    assert names_of(report)["near.png"] == ["near-2.jpg"]
    rows = run("duplicates", "-i", index, "--format", "csv").stdout.splitlines()[1:]
    kinds = [row.split(",")[5] for row in rows if row.split(",")[1] == "0"]
    assert kinds == ["exact", "near", "edited"]


def test_pairs_that_are_no_copies_are_left_out(built: Path, copies: Path) -> None:
    said = vecsearch.not_copies(copies / "c.png", copies / "c.tiff", index=built)
    assert [tuple(one.path.name for one in pair) for pair in said.pairs] == [("c.png", "c.tiff")]
    for report in (
        vecsearch.duplicates(built, threshold=COSINE),
        vecsearch.duplicates(built),  # by pixels
    ):
        members = [{one.path.name for one in (g.kept, *g.others)} for g in report.groups]
        assert not any({"c.png", "c.tiff"} <= group for group in members)
        assert any("b.png" in group for group in members)
        assert report.not_copies == 1
    # Of three, that two are apart parts neither from the third.
    vecsearch.not_copies(copies / "b-other.bmp", copies / "b.png", index=built)
    groups = found(built)
    assert groups["b-other.bmp"] == ["b-small.png"]
    assert "b.png" not in {name for others in groups.values() for name in others}


def test_they_hold_by_content_in_an_approximate_index_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_reader, "_FEW_VALUES", 0)
    vectors = np.random.RandomState(0).normal(size=(400, 16)).astype(np.float32)
    vectors[1] = vectors[0] + 1e-3
    vectors[2] = vectors[0] - 1e-3
    np.save(tmp_path / "v.npy", vectors)
    index = vecsearch.import_vectors(tmp_path / "v.npy", index=tmp_path / "ix").index
    vecsearch.reindex(index, recipe="IVF1,SQ8")
    assert vecsearch.duplicates(index, threshold=COSINE).approximate
    assert len(found(index)["v:0"]) == 2
    vecsearch.not_copies("v:0", "v:1", index=index)
    assert found(index) == {"v:0": ["v:2"]}


def test_they_survive_what_is_done_to_the_index(built: Path, copies: Path, tmp_path: Path) -> None:
    vecsearch.not_copies(copies / "c.png", copies / "c.tiff", index=built)
    before = len(found(built))
    (copies / "c.tiff").rename(copies / "more/renamed.tiff")
    shutil.copy(copies / "c.png", copies / "more/c-again.png")
    draw(copies / "new.png", 99)
    vecsearch.build(copies, index=built, encoder=CHEAP)
    assert found(built)["c.png"] == ["c-again.png"]
    vecsearch.compact(built)
    vecsearch.reindex(built, recipe="Flat")
    vecsearch.repair(built)
    moved = copies.rename(tmp_path / "moved")
    vecsearch.relocate(copies, moved, index=built)
    merged = vecsearch.merge(built, index=tmp_path / "merged").index
    vecsearch.build(moved, index=built, encoder=CHEAP, options=FRESH)
    for index in (built, merged):
        groups = found(index)
        assert groups["c.png"] == ["c-again.png"]
        assert len(groups) == before + 1
        assert vecsearch.not_copies(index=index).total == 1
        assert not vecsearch.verify(index).problems


def test_another_content_is_another_picture(built: Path, copies: Path) -> None:
    vecsearch.not_copies(copies / "c.png", copies / "c.tiff", index=built)
    with Image.open(copies / "c.png") as picture:
        picture.save(copies / "c.tiff", compression="tiff_lzw")
    os.utime(copies / "c.tiff", ns=(10**12, 10**12))
    vecsearch.build(copies, index=built, encoder=CHEAP)
    assert {"c.png", "c.tiff"} == {"c.tiff", *found(built)["c.tiff"]} or "c.png" in found(built)
    said = vecsearch.not_copies(index=built)
    assert (said.pairs, said.total, said.unknown) == ((), 1, 1)


def test_it_can_be_taken_back(built: Path, copies: Path, run: Run) -> None:
    told = run("duplicates", "-i", built, "--not-copies", *copies.glob("[bc].*"), "id:1").stdout
    assert "6 pairs added" in told
    told = run("duplicates", "-i", built, "--threshold", COSINE).stdout
    assert "6 pairs were said to be no copies" in told
    listed = run("duplicates", "-i", built, "--not-copies").stdout.splitlines()
    assert len(listed) == 7
    document = json.loads(run("duplicates", "-i", built, "--not-copies", "--json").stdout)
    assert document["total"] == len(document["pairs"]) == 6
    forgotten = vecsearch.not_copies(copies / "c.png", copies / "c.tiff", index=built, forget=True)
    assert (len(forgotten.pairs), forgotten.total) == (1, 5)
    assert "c.tiff" in found(built)
    forgotten = vecsearch.not_copies("id:1", index=built, forget=True)
    assert (len(forgotten.pairs), forgotten.total) == (3, 2)


def test_what_cannot_be_meant_is_refused(built: Path, copies: Path, run: Run) -> None:
    twins = copies / "a.png", copies / "a-copy.png"
    for pictures, error, reason in (
        (twins, UsageError, "same bytes"),
        (("id:1",), UsageError, "not a pair"),
        (("id:1", "id:99"), NotFoundError, "has no image id:99"),
        (("id:1", "id:x"), NotFoundError, "has no image id:x"),
    ):
        with pytest.raises(error, match=reason):
            vecsearch.not_copies(*pictures, index=built)
    with pytest.raises(UsageError, match="no pictures"):
        vecsearch.not_copies(index=built, forget=True)
    command = ["duplicates", "-i", built, "id:1"]
    assert "--not-copies alone" in run(*command, code=2).stderr
    done = run(*command, "id:2", "--not-copies", "--html", "x.html", code=2)
    assert "does not go with" in done.stderr
    assert vecsearch.not_copies(index=built).total == 0
    with open_writer(built), pytest.raises(IndexLockedError):
        vecsearch.not_copies("id:1", "id:2", index=built)


def test_pairs_of_somebody_else_are_read_with_care(built: Path) -> None:
    pair = config_keys.apart_key((b"\1" * 16, b"\2" * 16))
    for bad in ("apart:", "apart:zz:ff", pair[:-2], pair.replace("01", "03"), f"{pair}:"):
        run_sql(built, f"INSERT INTO config VALUES ('{bad}', '')")
        with pytest.raises(IndexDamagedError, match="not a pair"):
            vecsearch.duplicates(built)
        assert vecsearch.verify(built).problems
        assert vecsearch.open_index(built).query("id:1")[0].hits
        run_sql(built, f"DELETE FROM config WHERE key = '{bad}'")
    run_sql(
        built,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <= 100000) "
        "INSERT INTO config SELECT printf('apart:%032x:%032x', 0, i), '' FROM n",
    )
    with pytest.raises(IndexDamagedError, match="more than"):
        vecsearch.duplicates(built)
