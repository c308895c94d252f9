"""Import, export and merge: other people's vectors, and indexes that become one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from samples import CHEAP, Run, draw, run_until_commit

import vecsearch
from vecsearch import (
    EncoderConfig,
    EncoderMismatchError,
    ImportOptions,
    NotFoundError,
    QueryOptions,
    SourceError,
    UsageError,
    VecsearchError,
)

DIM = 32
Floats = npt.NDArray[np.floating[Any]]


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


def vectors_of(n: int, seed: int = 0, dim: int = DIM) -> npt.NDArray[np.float32]:
    return np.random.RandomState(seed).normal(size=(n, dim)).astype(np.float32)


def unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), vectors.dtype)


def save(path: Path, vectors: Floats, ids: list[str] | None = None) -> Path:
    """Save *vectors* as .npy, and *ids*, if any, beside it as .txt."""
    np.save(path, vectors)
    if ids is not None:
        path.with_suffix(".txt").write_text("".join(f"{one}\n" for one in ids))
    return path


def options_for(path: Path, **choices: Any) -> ImportOptions:
    return ImportOptions(ids=[path.with_suffix(".txt")], **choices)


@pytest.fixture
def imported(tmp_path: Path) -> Path:
    """An index of 200 vectors called a0 ... a199."""
    file = save(tmp_path / "a.npy", vectors_of(200), [f"a{n}" for n in range(200)])
    return vecsearch.import_vectors(file, index=tmp_path / "ix", options=options_for(file)).index


def content(index: Path) -> dict[str, bytes]:
    """Return the ids of an index with their vectors' bytes."""
    with vecsearch.open_index(index) as opened:
        images, vectors = opened.vectors()
    return {
        str(image.path): row.tobytes()
        for image, row in zip(images, vectors.astype(np.float16), strict=True)
    }


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f4"])
def test_vectors_of_any_length_and_type_are_normalised(dtype: str, tmp_path: Path) -> None:
    given = vectors_of(50) * np.random.RandomState(1).uniform(0.1, 50, (50, 1))
    file = save(tmp_path / "some.npy", given.astype(dtype))
    report = vecsearch.import_vectors(file, index=tmp_path / "ix")
    assert (report.added, report.skipped, report.total) == (50, 0, 50)
    with vecsearch.open_index(tmp_path / "ix") as index:
        images, vectors = index.vectors()
        assert [str(image.path) for image in images] == [f"some:{n}" for n in range(50)]
        np.testing.assert_allclose(vectors, unit(given), atol=2e-3)
        hits = index.search(given[:5].astype(np.float32), k=1)
    assert [one.hits[0].id for one in hits] == [1, 2, 3, 4, 5]


def test_values_at_the_ends_of_their_type(tmp_path: Path) -> None:
    given = np.array([[3e300, 4e300], [3e-320, 4e-320], [0, 1], [-6, 8]])
    vecsearch.import_vectors(save(tmp_path / "v.npy", given), index=tmp_path / "ix")
    with vecsearch.open_index(tmp_path / "ix") as index:
        expected = np.array([[0.6, 0.8], [0.6, 0.8], [0, 1], [-0.6, 0.8]])
        np.testing.assert_allclose(index.vectors()[1], expected, atol=1e-3)


def test_rows_without_a_direction_are_skipped_and_named(tmp_path: Path) -> None:
    given = vectors_of(20)
    given[3], given[7, 5], given[11, 0] = 0, np.nan, np.inf
    file = save(tmp_path / "a.npy", given, [f"a{n}" for n in range(20)])
    report = vecsearch.import_vectors(file, index=tmp_path / "ix", options=options_for(file))
    assert (report.added, report.skipped, report.total) == (17, 3, 17)
    with vecsearch.open_index(tmp_path / "ix") as index:
        skipped = index.info().skipped
    assert [str(one.path) for one in skipped] == ["a11", "a3", "a7"]
    assert {one.reason for one in skipped} == {"its vector is zero or not finite"}
    save(file, vectors_of(20))
    report = vecsearch.import_vectors(file, index=tmp_path / "ix", options=options_for(file))
    assert (report.added, report.unchanged, report.skipped) == (3, 17, 0)
    with vecsearch.open_index(tmp_path / "ix") as index:
        assert not index.info().skipped
    zeros = save(tmp_path / "z.npy", np.zeros((3, 4), np.float32))
    with pytest.raises(SourceError, match="none of 3 vectors can be used"):
        vecsearch.import_vectors(zeros, index=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_an_import_again_writes_what_differs_only(imported: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.npy"
    before = sorted(imported.rglob("*"))
    report = vecsearch.import_vectors(file, index=imported, options=options_for(file))
    assert (report.added, report.replaced, report.unchanged) == (0, 0, 200)
    assert sorted(imported.rglob("*")) == before
    changed = vectors_of(205)
    changed[10] = -changed[10]
    save(file, changed, [f"a{n}" for n in range(205)])
    report = vecsearch.import_vectors(file, index=imported, options=options_for(file))
    assert (report.added, report.replaced, report.unchanged, report.total) == (5, 1, 199, 205)
    with vecsearch.open_index(imported) as index:
        assert index.query("a10", options=QueryOptions(include_self=True))[0].hits[0].id == 11
        best = index.search(changed[10], k=1)[0].hits[0]
    assert (best.id, round(best.score, 2)) == (11, 1.0)
    assert not vecsearch.verify(imported).problems


def test_ids_in_every_format(tmp_path: Path) -> None:
    file = save(tmp_path / "a.npy", vectors_of(3))
    (tmp_path / "t.txt").write_bytes(b"x\r\ny z\nhttps://h/\xff.jpg\n")
    (tmp_path / "j.json").write_text('["x", 17, "\\udcff"]')
    np.save(tmp_path / "s.npy", np.array(["x", "yy", "z"]))
    np.save(tmp_path / "n.npy", np.array([5, 6, 7]))
    expected = {
        "t.txt": ["x", "y z", "https://h/\udcff.jpg"],
        "j.json": ["x", "17", "\udcff"],
        "s.npy": ["x", "yy", "z"],
        "n.npy": ["5", "6", "7"],
    }
    for name, ids in expected.items():
        options = ImportOptions(ids=[tmp_path / name])
        report = vecsearch.import_vectors(file, index=tmp_path / f"{name}-ix", options=options)
        with vecsearch.open_index(report.index) as index:
            assert [str(image.path) for image in index] == ids


def test_addresses_keep_their_slashes_where_they_are_shown(tmp_path: Path, run: Run) -> None:
    save(tmp_path / "a.npy", vectors_of(2), ["https://h/1.jpg", "https://h/2.jpg"])
    run("import", "a.npy", "--ids", "a.txt", "-i", "ix")
    shown = run("query", "https://h/1.jpg", "--format", "paths", "-i", "ix").stdout
    assert shown == "https://h/2.jpg\n"
    run("export", "-o", "b.npy", "--ids", "b.txt", "-i", "ix")
    assert (tmp_path / "b.txt").read_bytes() == (tmp_path / "a.txt").read_bytes()


def test_ids_with_a_root_are_paths_of_pictures(tmp_path: Path, photos: Path) -> None:
    file = save(tmp_path / "a.npy", vectors_of(2), ["p1.png", "more/../p2.png"])
    options = options_for(file, root=str(photos))
    vecsearch.import_vectors(file, index=tmp_path / "ix", options=options)
    with vecsearch.open_index(tmp_path / "ix") as index:
        assert [image.path for image in index] == [photos / "p1.png", photos / "p2.png"]
        assert next(iter(index)).size_bytes == (photos / "p1.png").stat().st_size
        draw(photos / "p1.png", 99)  # there is no network that could tell the difference
        assert index.query(photos / "p1.png")[0].hits[0].path == photos / "p2.png"


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (vectors_of(3)[0], r"holds float32 of shape \(32,\); a single vector"),
        (vectors_of(3).astype(np.bool_), r"holds bool of shape \(3, 32\); vectors are"),
        (np.array([[None]]), "is not a .npy file of numbers"),
        (vectors_of(0), "there are no vectors in"),
        (np.zeros((3, 0), np.float32), r"of shape \(3, 0\)"),
    ],
)
def test_what_is_no_vectors_is_refused(array: Any, message: str, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(SourceError, match=message):
        vecsearch.import_vectors(tmp_path / "a.npy", index=tmp_path / "ix")
    assert not (tmp_path / "ix").exists()


def test_bad_inputs_change_nothing(imported: Path, tmp_path: Path) -> None:
    good = save(tmp_path / "g.npy", vectors_of(3), ["x", "y", "z"])
    other = save(tmp_path / "o.npy", vectors_of(3, dim=8), ["a", "b", "c"])
    cut = tmp_path / "cut.npy"
    cut.write_bytes(good.read_bytes()[:-9])
    before = content(imported)
    cases: list[tuple[tuple[Path, ...], list[str], str]] = [
        ((good,), ["x", "y", "x"], "the id x is there twice"),
        ((good,), ["x", "y"], "has 3 vectors and .* has 2 ids"),
        ((good,), ["x", "a\0b", "z"], r"row 1 of .*ids.json has the id 'a\\x00b', which is no"),
        ((other,), ["x", "y", "z"], "have 8 dimensions, those of .* have 32"),
        ((cut,), ["x", "y", "z"], "is not a .npy file of numbers"),
        ((tmp_path / "nope.npy",), ["x"], "cannot read .*nope.npy: No such file"),
        ((tmp_path / "a.txt",), ["x"], r"is neither .npy, .npz nor .parquet"),
        ((tmp_path,), [], "has no img_emb/img_emb_0.npy and no .parquet"),
        ((), [], "nothing to import"),
    ]
    for files, ids, message in cases:
        (tmp_path / "ids.json").write_text(json.dumps(ids))
        options = ImportOptions(ids=[tmp_path / "ids.json"] if ids else [])
        with pytest.raises(VecsearchError, match=message) as caught:
            vecsearch.import_vectors(*files, index=imported, options=options)
        assert "\n" not in str(caught.value)
    for text in ("[1", '{"a": 1}', "[1.5]"):
        (tmp_path / "ids.json").write_text(text)
        options = ImportOptions(ids=[tmp_path / "ids.json"])
        with pytest.raises(SourceError, match=r"ids.json is not "):
            vecsearch.import_vectors(good, index=imported, options=options)
    with pytest.raises(SourceError, match=r"have 32 dimensions, those in .*o.npy have 8"):
        vecsearch.import_vectors(good, other, index=imported)
    with pytest.raises(UsageError, match="2 inputs and 1 files of ids"):
        vecsearch.import_vectors(good, good, index=imported, options=options_for(good))
    assert content(imported) == before


def test_an_index_without_a_network_says_so(imported: Path, photos: Path) -> None:
    with vecsearch.open_index(imported) as index:
        assert index.encoder.is_external
        assert index.query(["id:3"])[0].hits == index.query(["a2"])[0].hits
        assert len(list(index.recommend(k=2))) == 200
        with pytest.raises(NotFoundError, match=r"no network for new ones.*--encoder INDEX"):
            index.query(photos / "p1.png")
        known, new = index.query(["id:3", photos / "p1.png"])
        assert len(known.hits) == 5
        assert "no network for new ones" in new.error
    with pytest.raises(EncoderMismatchError, match="was imported and has no network to embed"):
        vecsearch.build(photos, index=imported)
    removed = vecsearch.remove("a1", "id:9", index=imported).removed
    assert [str(image.path) for image in removed] == ["a1", "a8"]
    assert vecsearch.remove("a19?", index=imported).total == 188
    vecsearch.compact(imported)
    assert not vecsearch.verify(imported).problems
    assert not vecsearch.verify(imported, quick=True).problems
    assert set(content(imported)) == {f"a{n}" for n in range(190)} - {"a1", "a8"}


def test_damaged_rows_are_lost_and_named_until_they_are_imported_again(
    imported: Path, tmp_path: Path
) -> None:
    before = content(imported)
    (segment,) = (imported / "vectors").iterdir()
    data = bytearray(segment.read_bytes())
    for row in (5, 150):
        data[row * 2 * DIM + 7] ^= 0x40
    segment.write_bytes(data)
    assert [one.kind for one in vecsearch.verify(imported).problems] == ["vectors"]
    report = vecsearch.repair(imported)
    assert ([str(path) for path in report.lost], report.left) == (["a5", "a150"], [])
    assert not vecsearch.verify(imported).problems
    with vecsearch.open_index(imported) as index:
        assert "it was imported, without a network" in index.info().skipped[0].reason
    file = tmp_path / "a.npy"
    again = vecsearch.import_vectors(file, index=imported, options=options_for(file))
    assert (again.added, again.unchanged) == (2, 198)
    assert content(imported) == before


def test_the_name_of_an_encoder_keeps_vectors_apart(imported: Path, tmp_path: Path) -> None:
    file = save(tmp_path / "b.npy", vectors_of(5, 1))
    options = ImportOptions(encoder_name="clip")
    with pytest.raises(EncoderMismatchError, match="has vectors of a, not of clip"):
        vecsearch.import_vectors(file, index=imported, options=options)
    assert vecsearch.import_vectors(file, index=imported).total == 205  # the user's word counts
    clip = vecsearch.import_vectors(file, index=tmp_path / "clip", options=options)
    assert clip.encoder.weights == "clip"
    with pytest.raises(
        EncoderMismatchError, match=r"different encoders: imported \(a\).* \(clip\)"
    ):
        vecsearch.merge(imported, clip.index, index=tmp_path / "both")
    assert not (tmp_path / "both").exists()


@pytest.mark.parametrize("kind", ["npy", "parquet"])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_what_is_exported_is_imported_as_it_was(
    kind: str, dtype: str, index: Path, photos: Path, tmp_path: Path
) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    vecsearch.remove("id:3", index=index)
    out = tmp_path / "out" / f"v.{kind}"
    ids = tmp_path / "out" / "ids.txt" if kind == "npy" else None
    report = vecsearch.export_vectors(out, ids=ids, index=index, dtype=dtype)
    assert (report.vectors, report.dim) == (11, 64)
    assert sorted(path.name for path in out.parent.iterdir()) == sorted(
        path.name for path in (out, ids) if path
    )
    options = ImportOptions(ids=[ids] if ids else [], encoder=index)
    copy = vecsearch.import_vectors(out, index=tmp_path / "copy", options=options).index
    assert content(copy) == content(index)
    new = draw(tmp_path / "new.png", 77)
    asked: list[str | Path] = [photos / "p1.png", new]
    with vecsearch.open_index(index) as a, vecsearch.open_index(copy) as b:
        for one, other in zip(a.query(asked), b.query(asked), strict=True):
            assert [hit.path for hit in one.hits] == [hit.path for hit in other.hits]
            scores = [hit.score for hit in other.hits]  # sums of the same products, in any order
            assert [hit.score for hit in one.hits] == pytest.approx(scores, abs=1e-6)
        assert a.encoder == b.encoder
    # It goes on as an index of its own: what was imported is not embedded again.
    counts = vecsearch.build(photos, index=copy).counts
    assert (counts.added, counts.changed, counts.unchanged) == (1, 0, 11)
    again = vecsearch.import_vectors(out, index=index, options=options)
    assert (again.unchanged, again.total) == (11, 11)


def test_float16_rows_are_kept_bit_by_bit(tmp_path: Path) -> None:
    # Of few dimensions: in many, errors of rounding cancel out and lengths are almost 1.
    file = save(tmp_path / "a.npy", vectors_of(300, dim=2))
    one = vecsearch.import_vectors(file, index=tmp_path / "one").index
    vecsearch.export_vectors(tmp_path / "b.npy", ids=tmp_path / "b.txt", index=one, dtype="float32")
    options = options_for(tmp_path / "b.npy")
    two = vecsearch.import_vectors(tmp_path / "b.npy", index=tmp_path / "two", options=options)
    assert content(two.index) == content(one)


def test_a_network_is_not_given_to_strange_vectors(index: Path, tmp_path: Path) -> None:
    file = save(tmp_path / "b.npy", vectors_of(5, dim=64))
    with pytest.raises(EncoderMismatchError, match=r"does not say that .*--encoder"):
        vecsearch.import_vectors(file, index=index)
    other = save(tmp_path / "o.npy", vectors_of(5, dim=65))
    options = ImportOptions(encoder=index)
    with pytest.raises(EncoderMismatchError, match=r"have 65 dimensions, those of .* have 64"):
        vecsearch.import_vectors(other, index=tmp_path / "new", options=options)
    assert not (tmp_path / "new").exists()
    with pytest.raises(UsageError, match="--encoder and --encoder-name are both given"):
        ImportOptions(encoder=index, encoder_name="x")


def test_parquet_columns_and_what_they_claim(index: Path, imported: Path, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    given = vectors_of(7)
    listed: list[list[float] | None] = [*given[:6].tolist(), None]
    columns = {"url": [f"u{n}" for n in range(7)], "v": pa.array(listed, pa.list_(pa.float32()))}
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    with pytest.raises(UsageError, match=r"choose with --vector-column: url, v"):
        vecsearch.import_vectors(tmp_path / "t.parquet", index=tmp_path / "t")
    options = ImportOptions(vector_column="v")
    report = vecsearch.import_vectors(tmp_path / "t.parquet", index=tmp_path / "t", options=options)
    assert (report.added, report.skipped, report.encoder.weights) == (6, 1, "t")
    assert set(content(report.index)) == {f"u{n}" for n in range(6)}
    options = ImportOptions(vector_column="w")
    with pytest.raises(UsageError, match="has no column w"):
        vecsearch.import_vectors(tmp_path / "t.parquet", index=tmp_path / "t", options=options)
    # A table of ours tells what made its vectors, so it needs no word of the user's.
    vecsearch.export_vectors(tmp_path / "own.parquet", index=index)
    vecsearch.export_vectors(tmp_path / "a.parquet", index=imported)
    table = parquet.read_table(tmp_path / "own.parquet")
    assert table.column_names == [
        *("id", "path", "vector", "size_bytes", "mtime_ns", "width", "height", "content_hash"),
        "taken",
    ]
    assert vecsearch.import_vectors(tmp_path / "own.parquet", index=index).unchanged == 12
    named = vecsearch.import_vectors(tmp_path / "a.parquet", index=tmp_path / "named")
    assert named.encoder.weights == "a"
    save(tmp_path / "c.npy", vectors_of(2, dim=64))
    strange = vecsearch.import_vectors(tmp_path / "c.npy", index=tmp_path / "strange").index
    with pytest.raises(EncoderMismatchError, match=r"has vectors of VGG19 .* those of c"):
        vecsearch.import_vectors(tmp_path / "own.parquet", index=strange)


def test_a_folder_of_clip_retrieval(tmp_path: Path, run: Run) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    for name in ("img_emb", "metadata"):
        (tmp_path / "emb" / name).mkdir(parents=True)
    for number in (0, 2, 10):
        np.save(tmp_path / "emb" / "img_emb" / f"img_emb_{number}.npy", vectors_of(4, number))
        table = pa.table({"image_path": [f"{number}-{n}.jpg" for n in range(4)]})
        parquet.write_table(table, tmp_path / "emb" / "metadata" / f"metadata_{number}.parquet")
    done = json.loads(run("import", "emb", "--json").stdout)
    assert (done["index"], done["images"], done["encoder"]["weights"]) == ("indexes/emb", 12, "emb")
    with vecsearch.open_index(tmp_path / "indexes" / "emb") as index:
        expected = [f"{number}-{n}.jpg" for number in (0, 2, 10) for n in range(4)]
        assert [str(image.path) for image in index] == expected


def test_an_import_that_is_killed_goes_on(tmp_path: Path) -> None:
    file = save(tmp_path / "a.npy", vectors_of(3000), [f"a{n}" for n in range(3000)])
    code = f"""
import vecsearch
options = vecsearch.ImportOptions(
    ids=[{str(file.with_suffix(".txt"))!r}], commit_images=200, block_bytes=100 * 4 * {DIM}
)
vecsearch.import_vectors({str(file)!r}, index={str(tmp_path / "ix")!r}, options=options)
"""
    for commits in (1, 4):
        run_until_commit(commits, code)
    with vecsearch.open_index(tmp_path / "ix") as index:
        kept = len(index)
    assert kept == 1000
    report = vecsearch.import_vectors(file, index=tmp_path / "ix", options=options_for(file))
    assert (report.unchanged, report.added, report.total) == (kept, 3000 - kept, 3000)
    assert not vecsearch.verify(tmp_path / "ix").problems
    whole = vecsearch.import_vectors(file, index=tmp_path / "whole", options=options_for(file))
    assert content(tmp_path / "ix") == content(whole.index)


def test_an_export_that_fails_leaves_what_was_there(imported: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.npy"
    out.write_text("before")
    save(tmp_path / "b.npy", vectors_of(1, 9))
    (tmp_path / "n.json").write_text('["two\\nlines"]')
    options = ImportOptions(ids=[tmp_path / "n.json"])
    vecsearch.import_vectors(tmp_path / "b.npy", index=imported, options=options)
    with pytest.raises(UsageError, match="has a line end in it"):
        vecsearch.export_vectors(out, ids=tmp_path / "out.txt", index=imported)
    assert out.read_text() == "before"
    assert not (tmp_path / "out.txt").exists()
    assert not list(tmp_path.glob(".vecsearch-*"))
    vecsearch.export_vectors(out, ids=tmp_path / "out.json", index=imported)
    assert json.loads((tmp_path / "out.json").read_text())[-1] == "two\nlines"
    for bad, message in (
        (tmp_path / "x.csv", "neither .npy nor .parquet"),
        (tmp_path / "b.npy" / "x.npy", "cannot write"),
    ):
        with pytest.raises(VecsearchError, match=message):
            vecsearch.export_vectors(bad, index=imported)


def test_merging_takes_the_newest_and_unites_the_rest(photos: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    (photos / "broken.jpg").write_text("no picture")
    vecsearch.build(photos, index=one, encoder=CHEAP)
    draw(photos / "p1.png", 50)
    (photos / "p2.png").unlink()
    draw(photos / "p20.png", 20)
    other = tmp_path / "others"
    draw(other / "q.png", 60)
    vecsearch.build(photos, other, index=two, encoder=CHEAP)

    for order in ((one, two), (two, one)):
        target = tmp_path / f"into-{order[0].name}"
        report = vecsearch.merge(*order, index=target)
        assert report.total == 14
        with vecsearch.open_index(target) as index:
            assert index.info().sources == tuple(sorted((photos, other)))
            assert [skip.path.name for skip in index.info().skipped] == ["broken.jpg"]
            assert [image.id for image in index] == list(range(1, 15))
            stat = (photos / "p1.png").stat()
            found = next(image for image in index if image.path.name == "p1.png")
            assert found.mtime_ns == stat.st_mtime_ns
            assert len(index.query(draw(tmp_path / "new.png", 70), k=20)[0].hits) == 14
        assert content(target) == {**content(one), **content(two)}
        assert not vecsearch.verify(target).problems
        before = sorted(target.rglob("*"))
        again = vecsearch.merge(*order, index=target)
        assert (again.added, again.replaced) == (0, 0)
        assert sorted(target.rglob("*")) == before
    counts = vecsearch.build(index=target).counts  # an index like any other
    assert (counts.removed, counts.unchanged, counts.skipped) == (1, 13, 1)


def test_merging_into_an_index_that_is_there(imported: Path, tmp_path: Path) -> None:
    more = save(tmp_path / "more.npy", vectors_of(10, 5), [f"a{n}" for n in range(195, 205)])
    options = options_for(more, encoder_name="a")
    other = vecsearch.import_vectors(more, index=tmp_path / "more", options=options).index
    before = content(imported)
    report = vecsearch.merge(other, index=imported)
    assert (report.added, report.present, report.total) == (5, 5, 205)
    assert content(imported) == {**content(other), **before}  # of equal times the first stays
    with pytest.raises(UsageError, match="into itself"):
        vecsearch.merge(other, imported, index=imported)
    with pytest.raises(UsageError, match="nothing to merge"):
        vecsearch.merge(index=imported)
    vecsearch.remove("a*", index=other)
    with pytest.raises(SourceError, match="there are no images in"):
        vecsearch.merge(other, index=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_merging_different_encoders_is_refused(index: Path, photos: Path, tmp_path: Path) -> None:
    config = EncoderConfig(layer="block1_pool", weights="random:0", precision="fp32")
    other = vecsearch.build(photos, index=tmp_path / "other", encoder=config).index
    before = content(index)
    for arguments, target in (((index, other), tmp_path / "new"), ((other,), index)):
        with pytest.raises(EncoderMismatchError, match="have different encoders") as caught:
            vecsearch.merge(*arguments, index=target)
        assert str(index) in str(caught.value)
        assert str(other) in str(caught.value)
    assert not (tmp_path / "new").exists()
    assert content(index) == before


def test_the_commands(tmp_path: Path, run: Run) -> None:
    save(tmp_path / "a.npy", vectors_of(30), [f"a{n}" for n in range(30)])
    done = run("import", "a.npy", "--ids", "a.txt", "--encoder-name", "clip")
    assert done.stdout.startswith("indexes/a: 30 images (30 added) in ")
    assert "encoder: imported (clip), d = 32, no network" in done.stdout
    info = run("info").stdout
    assert "imported (clip), d = 32, no network" in info
    assert "weights" not in info
    np.save(tmp_path / "q.npy", vectors_of(3))
    hits = json.loads(run("query", "--vectors", "q.npy", "-k", "1", "--json").stdout)
    assert [(one["query"], one["hits"][0]["path"]) for one in hits] == [
        *(("vector:0", "a0"), ("vector:1", "a1"), ("vector:2", "a2"))
    ]
    assert "--vectors goes with" in run("query", "id:1", "--vectors", "q.npy", code=2).stderr
    error = run("query", "nope.jpg", code=1).stderr
    assert error.count("\n") == 1
    assert "no network" in error
    assert run("export", "-o", "b.npy").stdout == "b.npy: 30 x 32, float16\n"
    assert run("viz", "-o", "map.png").stdout == "map.png: 30 pictures\n"
    with Image.open(tmp_path / "map.png") as drawn:
        assert drawn.width > 500
    assert "30 images (30 added)" in run("merge", "indexes/a", "-i", "indexes/b").stdout
    report = json.loads(run("merge", "indexes/a", "-i", "indexes/b", "--json").stdout)
    assert (report["counts"]["added"], report["counts"]["present"]) == (0, 30)
    assert report["merged"] == ["indexes/a"]
    assert "a.txt" in run("query", "a.txt", "-i", "indexes/a", code=1).stderr


def test_parquet_without_pyarrow_says_what_to_install(imported: Path, tmp_path: Path) -> None:
    code = f"""
import sys; sys.modules["pyarrow"] = None
import vecsearch
for call in (
    lambda: vecsearch.export_vectors({str(tmp_path / "x.parquet")!r}, index={str(imported)!r}),
    lambda: vecsearch.import_vectors({str(tmp_path / "x.parquet")!r}, index={str(imported)!r}),
):
    try:
        call()
    except vecsearch.UsageError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    line = ".parquet files need pyarrow; install it with: pip install 'vecsearch[parquet]'\n"
    assert done.stdout == 2 * line
    assert not list(tmp_path.glob("*.parquet"))
