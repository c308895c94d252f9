"""An index whose pictures were prepared in a way that is no longer known."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import apsw
import numpy as np
import pytest
from samples import CHEAP, FRESH, Run, draw

import vecsearch
from vecsearch import (
    EncoderMismatchError,
    ImportOptions,
    IndexFormatError,
    QueryOptions,
)
from vecsearch.images import PREPROCESSING_VERSION
from vecsearch.store import sqlite

FORMATS = Path(__file__).parent.parent / "formats"
OLD = FORMATS / "3"


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


@pytest.fixture
def old(index: Path) -> Path:
    """An index as if it had been built before pictures were prepared as they are now."""
    change_preprocessing(index, PREPROCESSING_VERSION - 1)
    return index


def change_preprocessing(index: Path, version: int) -> None:
    now, then = (f'"preprocessing": {one}' for one in (PREPROCESSING_VERSION, version))
    catalog = sqlite.connect(index / "catalog.sqlite", apsw.SQLITE_OPEN_READWRITE)
    catalog.execute(
        "UPDATE config SET value = replace(value, ?, ?) WHERE key = 'encoder'", (now, then)
    )
    assert catalog.changes() == 1
    catalog.close()


def test_it_answers_about_the_pictures_that_it_has(old: Path, photos: Path) -> None:
    with vecsearch.open_index(old) as opened:
        assert f"preprocessing {PREPROCESSING_VERSION - 1}" in opened.encoder.title
        (by_file,) = opened.query(photos / "p3.png", k=3)
        (by_id,) = opened.query("id:6", k=3)
        assert len(list(opened.recommend(k=2))) == len(opened) == 12
    assert (by_file.query, len(by_id.hits)) == (str(photos / "p3.png"), 3)


@pytest.mark.parametrize("kind", ["a file", "bytes", "a box", "one of several combined", "minus"])
def test_it_takes_no_new_picture_for_a_question(kind: str, old: Path, tmp_path: Path) -> None:
    new = draw(tmp_path / "new.png", 90)
    questions: dict[str, tuple[list[str | Path | bytes], QueryOptions]] = {
        "a file": ([new], QueryOptions()),
        "bytes": ([new.read_bytes()], QueryOptions()),
        "a box": (["id:3"], QueryOptions(box=(0, 0, 20, 20))),
        "one of several combined": (["id:3", new], QueryOptions(combine="mean")),
        "minus": (["id:3"], QueryOptions(minus=[new])),
    }
    asked, options = questions[kind]
    with (
        vecsearch.open_index(old) as opened,
        pytest.raises(EncoderMismatchError, match=r"prepared in another way .* --fresh --layer"),
    ):
        opened.query(asked, options=options)


def test_of_several_questions_the_others_are_answered(old: Path, tmp_path: Path) -> None:
    with vecsearch.open_index(old) as opened:
        new, known = opened.query([draw(tmp_path / "new.png", 90), "id:3"], k=2)
    assert "prepared in another way" in new.error
    assert len(known.hits) == 2


def test_it_is_compacted_exported_and_merged(old: Path, tmp_path: Path) -> None:
    vecsearch.remove("id:2", index=old)
    vecsearch.compact(old)
    assert vecsearch.verify(old).problems == ()
    vecsearch.export_vectors(tmp_path / "x.parquet", index=old)
    options = ImportOptions(encoder=old)
    report = vecsearch.import_vectors(tmp_path / "x.parquet", index=tmp_path / "b", options=options)
    assert report.total == 11
    assert vecsearch.merge(old, tmp_path / "b", index=tmp_path / "c").total == 11
    with vecsearch.open_index(old) as one, vecsearch.open_index(tmp_path / "c") as other:
        np.testing.assert_array_equal(one.vectors()[1], other.vectors()[1])


def test_a_build_drops_what_is_gone_and_takes_what_has_another_name(
    old: Path, photos: Path
) -> None:
    (photos / "p1.png").unlink()
    (photos / "p2.png").rename(photos / "other.png")
    report = vecsearch.build(photos, index=old)
    assert report.total == 11
    draw(photos / "new.png", 90)
    with pytest.raises(EncoderMismatchError, match="not about new ones"):
        vecsearch.build(photos, index=old)
    assert vecsearch.verify(old).problems == ()
    with vecsearch.open_index(old) as opened:
        assert {"other.png"} == {one.path.name for one in opened} & {"new.png", "other.png"}


def test_the_way_out_needs_no_sources(old: Path, photos: Path) -> None:
    draw(photos / "new.png", 90)
    assert vecsearch.build(index=old, encoder=CHEAP, options=FRESH).total == 13
    with vecsearch.open_index(old) as opened:
        assert opened.encoder.is_current
        assert opened.query(draw(photos.parent / "q.png", 91), k=2)[0].hits


def test_indexes_of_two_ways_are_not_merged(old: Path, photos: Path, tmp_path: Path) -> None:
    new = vecsearch.build(photos, index=tmp_path / "new", encoder=CHEAP).index
    with pytest.raises(EncoderMismatchError, match=r"different encoders.*preprocessing \d"):
        vecsearch.merge(old, new, index=tmp_path / "both")


def test_damaged_vectors_are_not_made_in_the_new_way(old: Path) -> None:
    (path,) = (old / "vectors").iterdir()
    data = bytearray(path.read_bytes())
    data[10] ^= 0x40
    path.write_bytes(data)
    report = vecsearch.repair(old)
    assert not report.re_embedded
    assert report.lost
    assert not report.left


def test_a_damaged_network_is_made_again(old: Path) -> None:
    with vecsearch.open_index(old) as opened:
        before = opened.vectors()[1]
    path = next((old / "encoder").glob("*.bin"))
    path.write_bytes(bytes(path.stat().st_size))
    report = vecsearch.repair(old)
    assert [one.kind for one in report.problems] == ["encoder"]
    assert not report.left
    with vecsearch.open_index(old) as opened:
        np.testing.assert_array_equal(opened.vectors()[1], before)


def test_an_index_of_a_later_way_is_for_a_later_version(index: Path) -> None:
    change_preprocessing(index, PREPROCESSING_VERSION + 1)
    with pytest.raises(IndexFormatError, match="update vecsearch"):
        vecsearch.open_index(index)


def test_the_commands_say_it_in_a_line(tmp_path: Path, run: Run) -> None:
    """A released index: its pictures were prepared in the first way."""
    index = shutil.copytree(OLD, tmp_path / "ix")
    assert len(json.loads(run("query", "id:1", "-i", index, "--json").stdout)[0]["hits"]) == 5
    assert "none; build it anew" in run("info", "-i", index).stdout
    new = draw(tmp_path / "new.png", 90)
    error = run("query", new, "-i", index, code=1).stderr
    assert error.count("\n") == 1
    assert "--fresh" in error
    run("compact", "-i", index)
    run("export", "-o", tmp_path / "x.npy", "-i", index)
    error = run("build", draw(tmp_path / "p" / "a.png", 91).parent, "-i", index, code=1).stderr
    assert error.count("\n") == 1
    assert "not about new ones" in error


def test_a_fresh_build_of_unreadable_sources_asks_for_them(index: Path, photos: Path) -> None:
    (index / "catalog.sqlite").write_bytes(b"damaged" * 1000)
    with pytest.raises(vecsearch.SourceError, match="name the folders of its pictures"):
        vecsearch.build(index=index, encoder=CHEAP, options=FRESH)
    assert vecsearch.build(photos, index=index, encoder=CHEAP, options=FRESH).total == 12
