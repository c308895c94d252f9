"""The command ``list``, and hits and listings of a time."""

from __future__ import annotations

import csv
import io
import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from samples import CHEAP, Run, draw

import vecsearch
from vecsearch import ListOptions, NotFoundError, QueryOptions, UsageError
from vecsearch.search.period import period_of

DATES = {
    "a.jpg": "2026:07:31 23:59:59",
    "b.jpg": "2026:08:01 00:00:00",
    "c.jpg": "2026:08:01 12:30:15",
    "d.jpg": "2026:08:31 23:59:59",
    "e.jpg": "2026:09:01 00:00:00",
}
"""What the EXIF of the pictures say; of ``day.jpg`` they say the day alone."""

FILES = {"old.png": "2026-08-01T08:00:00", "new.png": "2026-09-02T00:00:00"}
"""Pictures without a date, and the local time of their files."""


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


@pytest.fixture(scope="module")
def dated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The index of pictures with dates, in a folder with them; times are of a zone far from UTC."""
    folder = tmp_path_factory.mktemp("dated")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        for number, (name, text) in enumerate({**DATES, "day.jpg": "2026:08:05"}.items()):
            draw(folder / "photos" / name, number)
            exif = Image.Exif()
            exif[0x010F] = "a maker"
            exif.get_ifd(0x8769)[0x9003] = text
            with Image.open(folder / "photos" / name) as image:
                image.load()
                image.save(folder / "photos" / name, exif=exif)
            os.utime(folder / "photos" / name, (1e9, 1e9))
        for number, (name, text) in enumerate(FILES.items(), start=10):
            draw(folder / "photos/files" / name, number, (64 + number, 48))
            seconds = datetime.fromisoformat(text).timestamp()
            os.utime(folder / "photos/files" / name, (seconds, seconds))
        vecsearch.build(folder / "photos", index=folder / "ix", encoder=CHEAP)
        yield folder / "ix"
    time.tzset()


def named(index: Path, **options: Any) -> set[str]:
    """List the names, without their endings, of the images that *options* choose."""
    with vecsearch.open_index(index) as opened:
        return {image.path.stem for image in opened.list_images(ListOptions(**options))}


@pytest.mark.parametrize(
    ("since", "until", "names"),
    [
        ("2026-08", "2026-08", {"b", "c", "d", "day", "old"}),
        ("2026-08-01", "2026-08-01", {"b", "c", "old"}),
        ("2026-08-01T12:30", "2026-08-01T12:30", {"c"}),
        ("2026-08-01 12:30:15", "2026-08-01 12:30:15", {"c"}),
        ("2026-08-01T12:31", "2026-08-05", {"day"}),
        ("2026-08-05", None, {"d", "e", "day", "new"}),
        (None, "2026-07", {"a"}),
        ("2026", "2026", {"a", "b", "c", "d", "e", "day", "old", "new"}),
        (date(2026, 9, 1), None, {"e", "new"}),
        (datetime(2026, 8, 1, 12, 30, 15), datetime(2026, 8, 1, 12, 30, 15), {"c"}),
        (datetime(2026, 9, 1, 15, tzinfo=UTC), None, {"new"}),  # midnight in Tokyo
    ],
)
def test_what_was_taken_in_a_time(
    since: str | date | None, until: str | date | None, names: set[str], dated: Path
) -> None:
    assert named(dated, since=since, until=until) == names
    options = QueryOptions(since=since, until=until, include_self=True)
    with vecsearch.open_index(dated) as opened:
        hits = opened.query("id:1", options=options, k=50)[0].hits
        assert {hit.path.stem for hit in hits} == names
        everything = opened.query("id:1", options=QueryOptions(include_self=True), k=50)[0].hits
    expected = [hit for hit in everything if hit.path.stem in names]
    assert [hit.id for hit in hits] == [hit.id for hit in expected]
    assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in expected])


def test_dates_and_other_filters_hold_together(
    dated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(dated.parent)
    assert named(dated, since="2026-08", until="2026-08", under="photos/files") == {"old"}
    assert named(dated, since="2026-08", glob="*.png") == {"old", "new"}
    assert named(dated, until="2026-08-04", glob=["[ab].jpg", "new.png"]) == {"a", "b"}
    with pytest.raises(NotFoundError, match=r"like new\.png taken until 2026-08"):
        named(dated, until="2026-08", glob="new.png")
    with pytest.raises(NotFoundError, match="no image taken since 2027 until 2027-05"):
        named(dated, since="2027", until="2027-05")


@pytest.mark.parametrize(
    "text",
    [
        *("", "2026-8", "2026-02-30", "0000", "26-08-01", "2026-08-01T25:00"),
        *("2026-08-01T12:30+02:00", "99999y", "5 days", "tomorrow", "1799", "٢٠٢٦"),
    ],
)
def test_what_is_no_date_is_refused(text: str) -> None:
    bounds: list[dict[str, Any]] = [{"since": text}, {"until": text}]
    for options in bounds:
        with pytest.raises(UsageError, match="is no date; write it as one of 2026, 2026-08,"):
            QueryOptions(**options)
        with pytest.raises(UsageError, match="is no date"):
            ListOptions(**options)
    with pytest.raises(UsageError, match="nothing is both since 2026-09 and until 2026-08"):
        QueryOptions(since="2026-09", until="2026-08")
    with pytest.raises(UsageError, match="2026 is no date"):
        ListOptions(since=2026)  # type: ignore[arg-type]


def test_dates_are_said_by_today() -> None:
    today = datetime.combine(date.today(), datetime.min.time())
    day = timedelta(days=1)
    assert period_of("today", "today").start == today
    assert period_of("yesterday", "today").end == today + day
    assert period_of("30d", "2w").start == today - 30 * day
    assert period_of("30d", "2w").end == today - 13 * day
    months = period_of("6m", None).start
    assert months is not None
    assert 181 <= (today - months).days <= 184
    year = period_of("1y", None).start
    assert year is not None
    assert (year.year, year.month) == (today.year - 1, today.month)


def test_the_order(dated: Path) -> None:
    def order(**options: Any) -> list[str]:
        with vecsearch.open_index(dated) as opened:
            return [one.path.stem for one in opened.list_images(ListOptions(**options))]

    by_date = ["a", "b", "old", "c", "day", "d", "e", "new"]
    assert order(sort="taken") == by_date
    assert order(sort="taken", reverse=True, limit=2) == ["new", "e"]
    assert order() == order(sort="path") == ["a", "b", "c", "d", "day", "e", "new", "old"]
    assert order(reverse=True, limit=1) == ["old"]
    assert order(limit=3) == ["a", "b", "c"]
    with vecsearch.open_index(dated) as opened:
        sizes = [one.size_bytes for one in opened.list_images(ListOptions(sort="size"))]
    assert sizes == sorted(sizes)
    for options in ({"sort": "name"}, {"limit": 0}, {"under": ""}):
        with pytest.raises(UsageError):
            order(**options)


def test_many_images_are_listed_in_blocks(tmp_path: Path) -> None:
    import numpy as np

    np.save(tmp_path / "v.npy", np.random.RandomState(0).normal(size=(1203, 4)))
    index = vecsearch.import_vectors(tmp_path / "v.npy", index=tmp_path / "ix").index
    with vecsearch.open_index(index) as opened:
        assert [one.id for one in opened.list_images()] == list(range(1, 1204))
        backwards = opened.list_images(ListOptions(reverse=True, glob="v:*"))
        assert [one.id for one in backwards] == list(range(1203, 0, -1))
        first = next(opened.list_images())
    assert (first.taken, first.modified, first.date, first.is_gone) == ("", "", "", False)


FIELDS = ["id", "path", "width", "height", "size_bytes", "taken", "modified"]


def test_every_format_tells_the_same(dated: Path, run: Run) -> None:
    there = {"TZ": "Asia/Tokyo"}
    listed = json.loads(run("list", "-i", dated, "--json", **there).stdout)
    assert [list(one) for one in listed] == [FIELDS] * 8
    assert listed[2] == {
        "id": 3,
        "path": str(dated.parent / "photos/c.jpg"),
        "width": 64,
        "height": 48,
        "size_bytes": (dated.parent / "photos/c.jpg").stat().st_size,
        "taken": "2026-08-01T12:30:15",
        "modified": "2001-09-09T10:46:40+09:00",
    }
    assert listed[7]["taken"] is None
    assert listed[7]["modified"] == "2026-08-01T08:00:00+09:00"
    lines = run("list", "-i", dated, "--format", "jsonl", **there).stdout.splitlines()
    assert [json.loads(line) for line in lines] == listed
    table = run("list", "-i", dated, "--format", "csv", **there).stdout
    rows = list(csv.DictReader(io.StringIO(table)))
    assert [{**one, "gone": "False"} for one in rows] == rows
    assert [[row[name] for name in FIELDS] for row in rows] == [
        ["" if one[name] is None else str(one[name]) for name in FIELDS] for one in listed
    ]
    paths = run("list", "-i", dated, "--format", "paths", "-0", **there).stdout
    assert paths.split("\0") == [*(one["path"] for one in listed), ""]
    paths = run("list", "-i", dated, "--format", "paths", "--limit", "2", **there).stdout
    assert paths.splitlines() == [one["path"] for one in listed[:2]]
    printed = run("list", "-i", dated, "--since", "2026-08-31", **there).stdout.splitlines()
    assert [line.split()[:3] for line in printed] == [
        ["id", "date", "size"],
        ["4", "2026-08-31", "23:59:59"],
        ["6", "2026-09-01", "00:00:00"],
        ["7", "2026-09-02", "00:00:00"],
    ]
    assert ["(file)" in line for line in printed] == [False, False, False, True]


def test_wrong_usage_and_nothing_left(dated: Path, run: Run) -> None:
    for command in (["list"], ["query", "id:1"]):
        none = run(*command, "-i", dated, "--until", "1999", code=1).stderr
        assert none.count("\n") == 1
        assert "has no image taken until 1999" in none
        wrong = run(*command, "-i", dated, "--since", "soon", code=2).stderr
        assert wrong.startswith("vecsearch: 'soon' is no date; write it as one of 2026, 2026-08,")
        assert wrong.count("\n") == 1
    assert "--format paths" in run("list", "-0", "-i", dated, code=2).stderr
    hits = run("query", "id:3", "--since", "2026-09", "--format", "paths", "-i", dated).stdout
    assert {Path(line).name for line in hits.splitlines()} == {"e.jpg", "new.png"}
    assert run("list", "-i", dated, "--json", "--limit", "1", "--sort", "taken").stdout[0] == "["


def test_info_and_words(dated: Path, run: Run) -> None:
    (about,) = json.loads(run("info", "id:3", "-i", dated, "--json").stdout)
    assert about["taken"] == "2026-08-01T12:30:15"
    assert "taken    2026-08-01 12:30:15" in run("info", "id:3", "-i", dated).stdout
    assert "no words" in run("list", "--words", "-i", dated, code=1).stderr


def test_a_file_that_is_gone_is_marked(photos: Path, index: Path, run: Run) -> None:
    (photos / "p3.png").unlink()
    lines = run("list", "-i", index, "--format", "jsonl").stdout.splitlines()
    gone = [one["path"] for one in map(json.loads, lines) if one.get("gone")]
    assert [Path(path).name for path in gone] == ["p3.png"]
    assert run("list", "-i", index).stdout.count("(gone)") == 1
