"""Vectors in the forms that other programs write: types, orders, empty parts, hostile files."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from samples import Run

import vecsearch
from vecsearch import ImportOptions, SourceError, UsageError
from vecsearch.transfer.formats import npy

DIM = 8
X = np.random.RandomState(0).normal(size=(20, DIM)).astype(np.float32)
UNIT = X / np.linalg.norm(X, axis=1, keepdims=True)
WHOLE = (X * 40).round().astype(np.int8)
WHOLE_UNIT = WHOLE / np.linalg.norm(WHOLE.astype(np.float32), axis=1, keepdims=True)


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


def brain(values: npt.NDArray[np.float32]) -> npt.NDArray[np.void]:
    """Round to bfloat16, as ml_dtypes saves it: two bytes of no type."""
    return ((values.copy().view(np.uint32) + 0x8000) >> 16).astype("<u2").view("V2")


def vectors_in(index: Path) -> tuple[list[str], npt.NDArray[np.float32]]:
    with vecsearch.open_index(index) as opened:
        images, vectors = opened.vectors()
        return [str(image.path) for image in images], vectors


def reasons_in(index: Path) -> dict[str, str]:
    with vecsearch.open_index(index) as opened:
        return {str(one.path): one.reason for one in opened.info().skipped}


def check(file: Path, expected: npt.NDArray[Any], atol: float = 1e-3, **options: Any) -> None:
    chosen = ImportOptions(**options)
    report = vecsearch.import_vectors(file, index=file.with_suffix(".ix"), options=chosen)
    assert (report.added, report.skipped) == (len(expected), 0)
    np.testing.assert_allclose(vectors_in(report.index)[1], expected, atol=atol)


@pytest.mark.parametrize("in_columns", [False, True])
@pytest.mark.parametrize(
    ("array", "expected", "atol"),
    [
        (X, UNIT, 1e-3),
        (X.astype(">f8"), UNIT, 1e-3),
        (X.astype(np.float16), UNIT, 2e-3),
        (brain(X), UNIT, 1e-2),
        (WHOLE, WHOLE_UNIT, 1e-3),
        (np.abs(WHOLE).astype(np.uint8), np.abs(WHOLE_UNIT), 1e-3),
        (WHOLE.astype(">i8"), WHOLE_UNIT, 1e-3),
    ],
)
def test_numbers_of_every_type_and_order(
    array: npt.NDArray[Any],
    expected: npt.NDArray[Any],
    atol: float,
    in_columns: bool,
    tmp_path: Path,
) -> None:
    np.save(tmp_path / "a.npy", np.asfortranarray(array) if in_columns else array)
    check(tmp_path / "a.npy", expected, atol)


def test_columns_are_read_a_part_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.setattr(npy, "_COLUMNS_BYTES", 7 * 4 * DIM)
    np.save(tmp_path / "rows.npy", X)
    np.save(tmp_path / "columns.npy", np.asfortranarray(X))
    blocks = [block.values for block in npy.NpyVectors(tmp_path / "columns.npy").blocks(3)]
    assert max(map(len, blocks)) == 3
    np.testing.assert_array_equal(np.concatenate(blocks), X)
    run("import", "rows.npy", "-i", "ix")
    asked = [
        run("query", "--vectors", name, "-i", "ix", "--json").stdout
        for name in ("rows.npy", "columns.npy")
    ]
    assert asked[0] == asked[1]


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_npy(version: tuple[int, int], tmp_path: Path) -> None:
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array(file, np.asfortranarray(X), version=version)
    check(tmp_path / "a.npy", UNIT)


def header(text: str, *, version: bytes = b"\1\0", data: bytes = X.tobytes()) -> bytes:
    length = struct.pack("<H" if version == b"\1\0" else "<I", len(text))
    return b"\x93NUMPY" + version + length + text.encode() + data


def described(descr: str, order: str = "False", shape: str = "(20, 8)") -> bytes:
    return header(f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n")


HOSTILE = [
    *(b"", b"\x93NUMPY", b"\x93NUMPY\1\0\xff\xff", b"\x93NUMPY\2\0\xff\xff\xff\xff"),
    *(header(text) for text in ("(" * 5000, "-" * 9000 + "1", "{" * 500, "", "1/0", "'''", "\\")),
    *(header(text) for text in ("a" * 60_000, "{1: 2}", "lambda: 1", "0xfor x in y", "1" * 9000)),
    header("{}", version=b"\4\0"),
    *(described("'<f4'", shape=shape) for shape in ("(-2, 8)", "(-20, -8)", "(True, 8)", "(20, 8")),
    *(described("'<f4'", shape=f"({shape}, 8)") for shape in (10**12, 10**30, "2**62", "20.0")),
    *(described("'<f4'", order=order) for order in ("1", "'x'", "None")),
    *(described(descr) for descr in ("'|O'", "'<V4'", "'|V0'", "'<U0'", "[('a', '<f4')]", "12")),
    *(described(descr) for descr in ("'\\d'", "'f9999999999'", "('<f4', (2,))", "float", "{}")),
    described("'<f4'")[:-1],
    described("'<f4'") + described("'<f4'"),
]


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_npy_files_get_one_line(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(data)
    with pytest.raises(SourceError, match=r"a\.npy (is not a \.npy file|holds) ") as caught:
        vecsearch.import_vectors(tmp_path / "a.npy", index=tmp_path / "ix")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ix").exists()


def test_headers_of_python_2_and_bytes_behind_an_array(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(described("'<f4'", shape="(20L, 8L)") + bytes(100))
    check(tmp_path / "a.npy", UNIT)


@pytest.mark.parametrize("name", ["p.npy", "p.npz", "p.parquet", "i.txt", "i.json", "i.npy"])
def test_a_pipe_is_refused_rather_than_waited_for(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    np.save(tmp_path / "x.npy", X)
    file, ids = (name, []) if name[0] == "p" else ("x.npy", [tmp_path / name])
    with pytest.raises(SourceError, match="not a regular file"):
        vecsearch.import_vectors(
            tmp_path / file, index=tmp_path / "ix", options=ImportOptions(ids=ids)
        )


@pytest.mark.parametrize("shape", [(0, DIM), (0, 3), (0, 0), (0,)])
@pytest.mark.parametrize("order", ["eg", "ge"])
def test_empty_arrays_are_parts_like_others(
    shape: tuple[int, ...], order: str, tmp_path: Path
) -> None:
    np.save(tmp_path / "g.npy", X)
    np.save(tmp_path / "e.npy", np.zeros(shape))
    index = vecsearch.import_vectors(
        *(tmp_path / f"{name}.npy" for name in order), index=tmp_path / "ix"
    )
    assert (index.added, index.skipped) == (20, 0)
    with pytest.raises(SourceError, match="there are no vectors in"):
        vecsearch.import_vectors(tmp_path / "e.npy", index=tmp_path / "none")


def test_zips_of_arrays(tmp_path: Path, run: Run) -> None:
    ids = np.array([f"a//{n}" for n in range(20)])
    file = tmp_path / "a.npz"
    for save in (np.savez, np.savez_compressed):
        for array in (X, np.asfortranarray(X)):
            save(file, array)
            check(file, UNIT)
            (tmp_path / "a.ix").rename(tmp_path / f"{save.__name__}{array.flags.c_contiguous}")
    np.savez(file, emb=X, other=X, ids=ids)
    done = json.loads(run("import", "a.npz", "-i", "named", "--json").stdout)
    assert (done["images"], vectors_in(tmp_path / "named")[0]) == (20, ids.tolist())
    np.savez(file, one=X, two=-X, names=ids)
    with pytest.raises(UsageError, match="choose with --vector-column: one, two, names"):
        vecsearch.import_vectors(file, index=tmp_path / "ix")
    check(file, -UNIT, vector_column="two", id_column="names")
    np.savez(file, emb=X, ids=ids.astype(object))
    with pytest.raises(SourceError, match=r"ids in .* holds Python objects, which are not loaded"):
        vecsearch.import_vectors(file, index=tmp_path / "ix")
    np.savez_compressed(file, emb=X)
    data = bytearray(file.read_bytes())
    data[120] ^= 0xFF
    for bad in (b"PK", b"", bytes(data), bytes(data[:-20])):
        file.write_bytes(bad)
        with pytest.raises(SourceError, match=r"cannot read .*a\.npz") as caught:
            vecsearch.import_vectors(file, index=tmp_path / "ix")
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "ix").exists()


def write_table(path: Path, ids: list[str] | None, vectors: Any) -> Path:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {"vector": vectors} if ids is None else {"id": ids, "vector": vectors}
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns), path)
    return path


IDS = [f"i{n}" for n in range(20)]
COLUMNS: dict[str, tuple[Callable[[Any], Any], npt.NDArray[Any], str | None]] = {
    "lists": (lambda pa: pa.array(X.tolist(), pa.list_(pa.float32())), UNIT, None),
    "large lists": (lambda pa: pa.array(X.tolist(), pa.large_list(pa.float64())), UNIT, None),
    "fixed lists": (lambda pa: pa.array(X.tolist(), pa.list_(pa.float16(), DIM)), UNIT, None),
    "whole numbers": (lambda pa: pa.array(WHOLE.tolist(), pa.list_(pa.int8())), WHOLE_UNIT, None),
    "tensors": (lambda pa: pa.FixedShapeTensorArray.from_numpy_ndarray(X), UNIT, None),
    "decimals": (
        lambda pa: pa.array(
            [[Decimal(f"{value:.6f}") for value in row] for row in X], pa.list_(pa.decimal128(9, 6))
        ),
        UNIT,
        None,
    ),
    "texts": (lambda pa: pa.array([json.dumps(row) for row in X.tolist()]), UNIT, None),
    "bytes": (lambda pa: pa.array([row.tobytes() for row in X]), UNIT, "float32"),
    "fixed bytes": (
        lambda pa: pa.array([brain(row).tobytes() for row in X], pa.binary(2 * DIM)),
        UNIT,
        "bfloat16",
    ),
    "bytes of whole numbers": (
        lambda pa: pa.array([row.tobytes() for row in WHOLE]),
        WHOLE_UNIT,
        "int8",
    ),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_of_vectors(name: str, tmp_path: Path) -> None:
    column, expected, dtype = COLUMNS[name]
    file = write_table(tmp_path / "t.parquet", IDS, column(pytest.importorskip("pyarrow")))
    check(file, expected, 1e-2, dtype=dtype)


def test_columns_that_are_no_vectors_say_what_to_do(tmp_path: Path, run: Run) -> None:
    pa = pytest.importorskip("pyarrow")
    rows = X.tolist()
    struct_column = pa.array([{"v": row, "n": 1} for row in rows])
    for column, message in (
        (pa.array([row.tobytes() for row in X]), "holds binary; say what they are with --dtype"),
        (struct_column, "choose a field with --vector-column: vector.v, vector.n"),
        (pa.array([[row] for row in rows]), "holds list<.*; vectors are lists of floats or whole"),
        (pa.array([1.0] * 20), "holds double; vectors are lists"),
        (pa.array((X > 0).tolist()), "holds list<.*bool>; vectors are lists"),
    ):
        file = write_table(tmp_path / "t.parquet", IDS, column)
        with pytest.raises(SourceError, match=message):
            vecsearch.import_vectors(file, index=tmp_path / "ix")
    with pytest.raises(UsageError, match="unknown dtype 'f5'; known are float32"):
        vecsearch.import_vectors(file, index=tmp_path / "ix", options=ImportOptions(dtype="f5"))
    write_table(tmp_path / "t.parquet", IDS, struct_column)
    done = run("import", "t.parquet", "--vector-column", "vector.v", "-i", "ix").stdout
    assert done.startswith("ix: 20 images (20 added)")


BAD_ROWS: list[tuple[Any, str]] = [
    (None, "it has no vector"),
    ([], "it has no vector"),
    ([1.0], "its vector has 1 values, not 8"),
    ([1.0] * 9, "its vector has 9 values, not 8"),
    ([float("nan")] * DIM, "its vector is zero or not finite"),
    ([1.0] * 7 + [None], "its vector is zero or not finite"),
    ([0.0] * DIM, "its vector is zero or not finite"),
]


@pytest.mark.parametrize("place", [0, 7, 19])
def test_rows_without_a_vector_are_counted_and_named(place: int, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    for number, (row, reason) in enumerate(BAD_ROWS):
        rows = X.tolist()
        rows[place] = row
        column = pa.array(rows, pa.list_(pa.float32()))
        file = write_table(tmp_path / f"{number}.parquet", IDS, column)
        report = vecsearch.import_vectors(file, index=tmp_path / f"ix{number}")
        assert (report.added, report.skipped) == (19, 1)
        assert reasons_in(report.index) == {f"i{place}": reason}
        ids, vectors = vectors_in(report.index)
        assert ids == [one for one in IDS if one != f"i{place}"]
        np.testing.assert_allclose(vectors, np.delete(UNIT, place, 0), atol=1e-3)


def test_texts_and_bytes_that_are_no_vectors_are_counted(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    texts = ["[" * 100_000, "x", "[1,", '{"a": 1}', "[true]", *map(json.dumps, X[5:].tolist())]
    report = vecsearch.import_vectors(
        write_table(tmp_path / "t.parquet", IDS, pa.array(texts)), index=tmp_path / "texts"
    )
    assert (report.added, set(reasons_in(report.index).values())) == (
        15,
        {"its vector is not a list of numbers"},
    )
    cut = pa.array([b"abc", b"", *(row.tobytes() for row in X[2:])])
    report = vecsearch.import_vectors(
        write_table(tmp_path / "b.parquet", IDS, cut),
        index=tmp_path / "bytes",
        options=ImportOptions(dtype="float32"),
    )
    assert reasons_in(report.index) == {
        "i0": "its vector is not a list of numbers",
        "i1": "it has no vector",
    }


@pytest.mark.parametrize("order", ["eg", "ge", "ng", "gn", "eng", "gen"])
def test_parts_without_vectors_do_not_end_an_import(order: str, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    kind = pa.list_(pa.float32())
    write_table(tmp_path / "g.parquet", IDS, pa.array(X.tolist(), kind))
    write_table(tmp_path / "e.parquet", pa.array([], pa.string()), pa.array([], kind))
    write_table(tmp_path / "n.parquet", ["n1", "n2"], pa.array([None, None]))
    files = [tmp_path / f"{name}.parquet" for name in order]
    report = vecsearch.import_vectors(*files, index=tmp_path / "ix")
    assert (report.added, report.skipped) == (20, 2 * ("n" in order))
    with pytest.raises(SourceError, match="there are no vectors in"):
        vecsearch.import_vectors(
            *(file for file in files if file.stem != "g"), index=tmp_path / "none"
        )


def test_a_folder_of_parts_is_a_table(tmp_path: Path, run: Run) -> None:
    pa = pytest.importorskip("pyarrow")
    for part in range(3):
        name = tmp_path / "table" / f"part={part}" / "part-00000.snappy.parquet"
        write_table(name, None, pa.array((X + part).tolist(), pa.list_(pa.float32())))
    empty = pa.array([], pa.list_(pa.float32()))
    write_table(tmp_path / "table" / "part=1" / "part-00001.parquet", None, empty)
    for junk in ("_SUCCESS", "._SUCCESS.crc", "_metadata.parquet", "part=0/.x.parquet.crc"):
        (tmp_path / "table" / junk).write_bytes(b"no table")
    (tmp_path / "table" / "_temporary").mkdir()
    (tmp_path / "table" / "_temporary" / "part-00000.parquet").write_bytes(b"no table")
    assert run("import", "table", "-i", "ix").stdout.startswith("ix: 60 images (60 added)")
    ids, _ = vectors_in(tmp_path / "ix")
    assert ids[::20] == [f"part={part}/part-00000.snappy:0" for part in range(3)]
    (tmp_path / "table" / "part=2" / "part-00001.parquet").write_bytes(b"PAR1 no table PAR1")
    error = run("import", "table", "-i", "ix", code=1).stderr
    assert error.startswith("vecsearch: cannot read table/part=2/part-00001.parquet (")
    assert error.count("\n") == 1


def test_questions_of_every_form(tmp_path: Path, run: Run) -> None:
    np.save(tmp_path / "a.npy", X)
    run("import", "a.npy", "-i", "ix")
    best = [f"a:{n}" for n in range(20)]
    for array in (X.astype(np.float64) * 1e300, WHOLE, brain(X), np.asfortranarray(X, ">f4")):
        np.save(tmp_path / "q.npy", array)
        out = json.loads(run("query", "--vectors", "q.npy", "-i", "ix", "-k", "1", "--json").stdout)
        assert [one["hits"][0]["path"] for one in out] == best
    np.save(tmp_path / "q.npy", X[:0])
    assert "q.npy has no vectors" in run("query", "--vectors", "q.npy", "-i", "ix", code=2).stderr
    rows = [*X[:3].tolist(), [1.0]]
    pa = pytest.importorskip("pyarrow")
    write_table(tmp_path / "q.parquet", None, pa.array(rows))
    error = run("query", "--vectors", "q.parquet", "-i", "ix", code=2).stderr
    assert "row 3 of q.parquet: its vector has 1 values, not 8; leave it out" in error
