"""Ids of an import: kept letter by letter, and read from what other programs write."""

from __future__ import annotations

import codecs
import copy
import json
import unicodedata
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from samples import Run

import vecsearch
from vecsearch import ImportOptions, NotFoundError, QueryOptions, SourceError, UsageError
from vecsearch.types import UrlPath, path_of

SPELLINGS = [
    *("https://w.org/2020/https://e.com/a.jpg", "https://w.org/2020/https:/e.com/a.jpg"),
    *("https://e.com/p?u=https://x.org/1.jpg", "HTTP://E.com/x", "http://E.com/x"),
    *("http://E.com/x/", "file:///a/../b", "/b", "s3://b//k", "s3://b/k", "q?u=https://x"),
    *("ab//cd==", "ab/cd==", "cat", "cat/", "cat//", "./1", "1", "a/../b", "b", ".", "..", "/"),
    *(" x", "x", "x ", "\t", "line\nend", "end\r", "C:\\a\\..\\b", "%20a", "%2520a", "*", "[1]"),
    *("id:3", "id:999", "007", "7", "7.0", str(2**64 - 1), "-x", "~/x", "\U0001f600", "\udcff"),
    *(unicodedata.normalize("NFC", "Zürich"), unicodedata.normalize("NFD", "Zürich")),
    *("L" * 10_000, "L" * 10_000 + "/"),
]


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


def vectors_of(n: int, dim: int = 16) -> npt.NDArray[np.float32]:
    return np.random.RandomState(0).normal(size=(n, dim)).astype(np.float32)


def imported(folder: Path, ids: list[str], index: str = "ix") -> Path:
    np.save(folder / "x.npy", vectors_of(len(ids)))
    (folder / "i.json").write_text(json.dumps(ids))
    options = ImportOptions(ids=[folder / "i.json"])
    report = vecsearch.import_vectors(folder / "x.npy", index=folder / index, options=options)
    assert (report.total, report.skipped) == (len(ids), 0)
    return report.index


def ids_of(index: Path) -> list[str]:
    with vecsearch.open_index(index) as opened:
        return [str(image.path) for image in opened]


def check_each_is_itself(index: Path) -> None:
    with vecsearch.open_index(index) as opened:
        numbers = {str(image.path): image.id for image in opened}
        options = QueryOptions(include_self=True)
        for text in SPELLINGS:
            (result,) = opened.query(text, k=1, options=options)
            assert (str(result.hits[0].path), result.hits[0].id) == (text, numbers[text])


def test_ids_that_differ_are_different_ids(tmp_path: Path) -> None:
    index = imported(tmp_path, SPELLINGS)
    assert ids_of(index) == SPELLINGS
    check_each_is_itself(index)
    vecsearch.export_vectors(tmp_path / "o.npy", ids=tmp_path / "o.json", index=index)
    assert json.loads((tmp_path / "o.json").read_text()) == SPELLINGS
    options = ImportOptions(ids=[tmp_path / "o.json"])
    again = vecsearch.import_vectors(tmp_path / "o.npy", index=index, options=options)
    assert (again.unchanged, again.total) == (len(SPELLINGS), len(SPELLINGS))
    both = vecsearch.merge(index, index=tmp_path / "both").index
    assert vecsearch.merge(index, index=both).present == len(SPELLINGS)
    vecsearch.compact(both)
    vecsearch.reindex(both)
    check_each_is_itself(both)
    assert not vecsearch.verify(both).problems
    for text in SPELLINGS[:-1]:
        (removed,) = vecsearch.remove(text, index=both).removed
        assert str(removed.path) == text
    assert ids_of(both) == SPELLINGS[-1:]


def test_an_id_is_not_found_by_another_spelling(tmp_path: Path) -> None:
    index = imported(tmp_path, ["1", "cat/", "https://e.com/a", "a/b"])
    before = ids_of(index)
    for text in ("./1", "cat", "cat//", "https://e.com/a/", "HTTPS://e.com/a", "a//b", "c/../1"):
        with vecsearch.open_index(index) as opened, pytest.raises(NotFoundError):
            opened.query(text)
        with pytest.raises(NotFoundError):
            vecsearch.remove(text, index=index)
    assert ids_of(index) == before
    assert [str(one.path) for one in vecsearch.remove("./a", index=index).removed] == ["a/b"]


def test_a_file_is_found_by_every_spelling(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos.parent)
    ids = [f"./{photos.name}/p1.png", f"{photos.name}//p2.png"]
    index = imported(tmp_path, ids)
    with vecsearch.open_index(index) as opened:
        for text in (
            ids[0],
            f"{photos.name}/p1.png",
            photos / "p1.png",
            f"./{photos.name}//p1.png",
        ):
            assert str(opened.query(text)[0].path) == ids[0]
        under = QueryOptions(under=photos.name, include_self=True)
        assert [str(hit.path) for hit in opened.query(ids[1], options=under)[0].hits] == ids[::-1]
    assert len(vecsearch.remove(photos.name, index=index).removed) == 2


def test_skipped_ids_are_kept_letter_by_letter(tmp_path: Path) -> None:
    given = vectors_of(3)
    given[1:] = 0
    np.save(tmp_path / "x.npy", given)
    (tmp_path / "i.txt").write_text("a\nb//c\nb/c\n")
    options = ImportOptions(ids=[tmp_path / "i.txt"])
    index = vecsearch.import_vectors(tmp_path / "x.npy", index=tmp_path / "ix", options=options)
    both = vecsearch.merge(index.index, index=tmp_path / "both").index
    for folder in (index.index, both):
        with vecsearch.open_index(folder) as opened:
            assert [str(one.path) for one in opened.info().skipped] == ["b//c", "b/c"]
    np.save(tmp_path / "x.npy", vectors_of(3))
    vecsearch.import_vectors(tmp_path / "x.npy", index=both, options=options)
    with vecsearch.open_index(both) as opened:
        assert not opened.info().skipped


def test_hits_print_ids_as_they_are(tmp_path: Path, run: Run) -> None:
    ids = ["https://w.org/https://e.com/a.jpg", f"{tmp_path}//a", "./a", "cat/"]
    index = imported(tmp_path, ids)
    asked = ("query", "./a", "--include-self", "-i", index, "--format")
    assert sorted(run(*asked, "paths").stdout.splitlines()) == sorted(ids)
    hits = json.loads(run(*asked, "json").stdout)[0]["hits"]
    assert sorted(hit["path"] for hit in hits) == sorted(ids)
    assert run("recommend", "-i", index, "-o", "rec").stdout.startswith("4 sheets")


def test_labels_are_of_the_very_ids(tmp_path: Path) -> None:
    index = imported(tmp_path, ["a", "a/", "./a", "b", "b/", "./b"])
    lines = ["path,label", "a,x", "a/,x", "./a,y", "b,y", "b/,y", "./b,x"]
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    report = vecsearch.evaluate_labels(index, labels=tmp_path / "labels.csv")
    assert report.queries == 6


def test_a_path_of_text_is_the_text() -> None:
    for text in SPELLINGS:
        path = path_of(text)
        assert str(path) == text
        assert copy.deepcopy(path) == path == path_of(path_of(text).__fspath__())
        assert str(copy.deepcopy(path)) == text
    assert len({path_of(text) for text in SPELLINGS}) == len(SPELLINGS)
    assert path_of("a//b") != Path("a/b") != path_of("a//b")
    assert str(UrlPath("https://e.com/a/b.jpg").parent) == "https://e.com/a"


MARKS = [
    ("utf-8", b"", "\r\n"),
    ("utf-8", codecs.BOM_UTF8, "\r\n"),
    ("utf-8", codecs.BOM_UTF8, "\n"),
    ("utf-16-le", codecs.BOM_UTF16_LE, "\r\n"),
    ("utf-16-be", codecs.BOM_UTF16_BE, "\n"),
]


@pytest.mark.parametrize(("encoding", "mark", "end"), MARKS)
def test_lists_of_text_in_any_unicode(encoding: str, mark: bytes, end: str, tmp_path: Path) -> None:
    ids = ["ä0", " a1", "a2 "]
    texts = {
        "i.txt": "".join(one + end for one in ids),
        "j.txt": "".join(one + end for one in ids) + end + end,
        "k.txt": end.join(ids),
        "i.json": json.dumps(ids, ensure_ascii=False),
        "i.csv": f"n,path{end}" + "".join(f"1,{one}{end}" for one in ids) + end,
        "j.csv": f"name{end}" + "".join(f"{one}{end}" for one in ids),
        "i.tsv": f"n\tid{end}" + "".join(f"1\t{one}{end}" for one in ids),
    }
    np.save(tmp_path / "x.npy", vectors_of(3))
    for name, text in texts.items():
        (tmp_path / name).write_bytes(mark + text.encode(encoding))
        options = ImportOptions(ids=[tmp_path / name])
        report = vecsearch.import_vectors(
            tmp_path / "x.npy", index=tmp_path / f"ix-{name}", options=options
        )
        assert ids_of(report.index) == ids


def test_lists_that_are_none_get_one_line(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", vectors_of(2))
    cases: list[tuple[str, bytes, str]] = [
        ("i.json", b"[" * 100_000, "nested too deeply"),
        (
            "i.json",
            b'["\\ud800", "a"]',
            r"row 0 of .*i.json has the id '.ud800', which is not text",
        ),
        ("i.json", b'["\\u00e9", "\\udcc3\\udca9"]', "the id é is there twice: row 0 of .* row 1"),
        ("i.json", b'["a\\nb", "a\\nb"]', r"the id 'a\\nb' is there twice"),
        ("i.txt", "a\nb\n".encode("utf-16-le"), "save a list of them as UTF-8"),
        ("i.txt", codecs.BOM_UTF16_LE + b"a", "i.txt is not utf-16-le .*save it as UTF-8"),
        ("i.txt", b"\na\nb\n", "has 2 vectors and .* has 3 ids"),
        ("i.csv", b"", "no line with names of columns"),
        ("i.csv", b"a,b\n1,2\n", "choose with --id-column: a, b"),
        ("i.csv", b"id\n" + b"x" * 200_000, "i.csv line 2 cannot be read"),
        ("i.xml", b"", "unknown ending; known are .txt, .json, .csv"),
    ]
    for name, data, message in cases:
        (tmp_path / name).write_bytes(data)
        options = ImportOptions(ids=[tmp_path / name])
        with pytest.raises((SourceError, UsageError), match=message) as caught:
            vecsearch.import_vectors(tmp_path / "x.npy", index=tmp_path / "ix", options=options)
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "ix").exists()


def test_rows_without_an_id_are_counted(tmp_path: Path, run: Run) -> None:
    np.save(tmp_path / "x.npy", vectors_of(4))
    (tmp_path / "i.json").write_text('["a", null, "", "d"]')
    lines = run("import", "x.npy", "--ids", "i.json", "-i", "ix").stdout.splitlines()
    assert lines[0].startswith("ix: 2 images (2 added)")
    assert lines[2] == "left out without an id: 2 rows, the first is row 1 of i.json"
    report = json.loads(run("import", "x.npy", "--ids", "i.json", "-i", "ix", "--json").stdout)
    assert (report["counts"]["unchanged"], report["counts"]["nameless"]) == (2, 2)
    assert ids_of(tmp_path / "ix") == ["a", "d"]
    (tmp_path / "i.json").write_text("[null, null, null, null]")
    error = run("import", "x.npy", "--ids", "i.json", "-i", "new", code=1).stderr
    assert "none of 4 vectors can be used" in error


UUIDS = [uuid.UUID(int=n * 2**90 + 200) for n in range(1, 4)]


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([2**64 - 1, 2**63, 0], np.uint64), ["18446744073709551615", f"{2**63}", "0"]),
        (np.array([one.bytes for one in UUIDS], "V16"), [str(one) for one in UUIDS]),
        (np.array([one.bytes for one in UUIDS], "S16"), [str(one) for one in UUIDS]),
        (np.array([b"\xff\x00", b"\x01\x02", b"\x03\x00"], "S2"), ["ff00", "0102", "0300"]),
        (np.array([b"a", b"bb", b"007"], "S16"), ["a", "bb", "007"]),
        (np.array(["a", "é", " c"], ">U2"), ["a", "é", " c"]),
    ],
)
def test_ids_in_arrays(array: npt.NDArray[Any], expected: list[str], tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", vectors_of(3))
    np.save(tmp_path / "i.npy", array)
    options = ImportOptions(ids=[tmp_path / "i.npy"])
    index = vecsearch.import_vectors(tmp_path / "x.npy", index=tmp_path / "ix", options=options)
    assert ids_of(index.index) == expected


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (lambda pa: pa.array([2**64 - 1, 7, None], pa.uint64()), [str(2**64 - 1), "7"]),
        (lambda pa: pa.array([one.bytes for one in UUIDS], pa.binary(16)), list(map(str, UUIDS))),
        (
            lambda pa: pa.array([b"img_000000000001"] + [None] * 2, pa.binary(16)),
            ["img_000000000001"],
        ),
        (lambda pa: pa.array([b"a", b"\xff", b"c"]), ["a", "\udcff", "c"]),
        (lambda pa: pa.array(["a", "", "c"], pa.large_string()), ["a", "c"]),
        (lambda pa: pa.array(["a", None, "c"]).dictionary_encode(), ["a", "c"]),
        (lambda pa: pa.array([1.5, float("nan"), float("nan")]), ["1.5"]),
    ],
)
def test_ids_in_columns(column: Callable[[Any], Any], expected: list[str], tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pa.table({"id": column(pa), "vector": vectors_of(3).tolist()})
    parquet.write_table(table, tmp_path / "t.parquet")
    report = vecsearch.import_vectors(tmp_path / "t.parquet", index=tmp_path / "ix")
    assert ids_of(report.index) == expected
    assert report.nameless == 3 - len(expected)


def test_files_of_one_name_do_not_replace_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate(("a", "b", "c")):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "x.npy", vectors_of(4)[number : number + 2])
    monkeypatch.chdir(tmp_path)
    together = vecsearch.import_vectors("a/x.npy", "b/x.npy", index="together").index
    assert ids_of(together) == ["a/x:0", "a/x:1", "b/x:0", "b/x:1"]
    index = vecsearch.import_vectors("a/x.npy", index="ix").index
    assert vecsearch.import_vectors("b/x.npy", index=index).added == 2
    assert ids_of(index) == ["x:0", "x:1", "b/x:0", "b/x:1"]
    monkeypatch.chdir(tmp_path / "b")  # the file counts, not how it is named
    for files in (["x.npy"], ["../a/x.npy", tmp_path / "b" / "x.npy"]):
        again = vecsearch.import_vectors(*files, index=tmp_path / index)
        assert (again.added, again.replaced, again.unchanged) == (0, 0, 2 * len(files))
    assert vecsearch.import_vectors("../c/x.npy", index=tmp_path / index).total == 6
    with pytest.raises(SourceError, match=r"x.npy:0 is there twice: row 0 of .* and row 0 of"):
        vecsearch.import_vectors("x.npy", "../b/x.npy", index=tmp_path / "new")


def test_a_merge_tells_of_ids_with_other_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    np.save("a/x.npy", vectors_of(3))
    np.save("b/x.npy", -vectors_of(2))
    for name in ("a", "b"):
        vecsearch.import_vectors(
            f"{name}/x.npy", index=f"ix-{name}", options=ImportOptions(encoder_name="same")
        )
    done = run("merge", "ix-a", "ix-b", "-i", "both").stdout.splitlines()
    assert done[0].startswith("both: 3 images (3 added, 2 there already)")
    assert done[1].startswith("left out: 2 pictures whose path or id is there with another content")
    assert len(run("merge", "ix-a", "-i", "both").stdout.splitlines()) == 1
    # The merged index knows whose vectors it has.
    assert vecsearch.import_vectors("b/x.npy", index="both").added == 2
    assert ids_of(tmp_path / "both") == ["x:0", "x:1", "x:2", "b/x:0", "b/x:1"]


def test_an_export_replaces_no_picture_of_any_spelling(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos)
    before = (photos / "p1.png").read_bytes()
    (photos / "p1.png").rename(photos / "p1.npy")
    index = imported(tmp_path, ["./p1.npy", "o.npy"])
    with pytest.raises(UsageError, match=r"p1.npy is a picture of the index"):
        vecsearch.export_vectors("p1.npy", index=index)
    assert (photos / "p1.npy").read_bytes() == before
    assert vecsearch.export_vectors("o.npy", index=index).vectors == 2
