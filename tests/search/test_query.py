"""Questions of several pictures, of parts, of some images only, by pages, pipes and thousands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from samples import CHEAP, Run, draw, hits_of
from synthetic import add_vectors, draw_vectors, make_index

import vecsearch
from vecsearch import (
    ImageError,
    ImportOptions,
    NotFoundError,
    QueryImage,
    QueryOptions,
    UsageError,
)
from vecsearch.images.decoders.to_rgb import decode
from vecsearch.search.combine import GAMMA
from vecsearch.search.standard_input import read_piped
from vecsearch.types import Hit, Vectors
from vecsearch.unit_length import unit_length


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


def draw_photos(folder: Path) -> Path:
    """Draw twelve pictures, two of them in a subfolder."""
    for number in range(10):
        draw(folder / f"p{number}.png", number)
    for number in (10, 11):
        draw(folder / "more" / f"p{number}.jpg", number)
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures that no test changes."""
    return draw_photos(tmp_path_factory.mktemp("home") / "photos")


@pytest.fixture(scope="module")
def index(photos: Path) -> Path:
    """An index of `photos`, beside them."""
    return vecsearch.build(photos, index=photos.parent / "index", encoder=CHEAP).index


@pytest.fixture
def own_index(tmp_path: Path) -> Path:
    """An index of pictures that the test may change."""
    folder = draw_photos(tmp_path / "photos")
    return vecsearch.build(folder, index=tmp_path / "index", encoder=CHEAP).index


@pytest.fixture
def other(tmp_path: Path) -> list[Path]:
    """Three pictures that the index does not have."""
    return [draw(tmp_path / "other" / f"q{number}.png", 50 + number) for number in range(3)]


@pytest.fixture(scope="module")
def large_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of 5,500 vectors, of which an approximate base has some; some rows are deleted."""
    folder = tmp_path_factory.mktemp("large") / "ix"
    make_index(folder, draw_vectors(5000, 32, 1), "IVF64,SQ8")
    add_vectors(folder, draw_vectors(500, 32, 2), 5000)
    vecsearch.remove(*(f"id:{n}" for n in range(1, 5000, 97)), index=folder)
    return folder


@pytest.fixture
def large(large_index: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, searched by its base although it is small."""
    monkeypatch.setattr("vecsearch.search.index_reader._FEW_VALUES", 0)
    return large_index


def ids(hits: Sequence[Hit]) -> list[int]:
    return [hit.id for hit in hits]


def brute(
    vectors: Vectors, numbers: Sequence[int], xq: Vectors, k: int, out: Sequence[int] = ()
) -> list[int]:
    """Rank images by their largest cosine with any of *xq*, (q, d), without those in *out*."""
    scores = (vectors @ xq.T).max(axis=1)
    order = np.argsort(-scores, kind="stable")
    return [numbers[place] for place in order if numbers[place] not in out][:k]


def unit(vector: Vectors) -> Vectors:
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def test_the_mean_of_several_pictures_is_one_query(index: Path, other: list[Path]) -> None:
    with vecsearch.open_index(index) as opened:
        images, vectors = opened.vectors()
        numbers = [image.id for image in images]
        (result,) = opened.query(["id:3", "id:7"], options=QueryOptions(combine="mean"))
        mean = unit(vectors[2] + vectors[6])
        assert ids(result.hits) == brute(vectors, numbers, mean[None], 5, (3, 7))
        for hit in result.hits:
            assert hit.score == pytest.approx(float(vectors[hit.id - 1] @ mean), abs=1e-4)
        assert result.query == "id:3 + id:7"
        assert result.path is None
        assert [asked.path for asked in result.asked] == [images[2].path, images[6].path]
        own = QueryOptions(combine="mean", include_self=True)
        assert {3, 7} <= set(ids(opened.query(["id:3", "id:7"], k=12, options=own)[0].hits))
        (new,) = opened.query([other[0], "id:3"], k=20, options=QueryOptions(combine="mean"))
        assert len(new.hits) == 11
        with pytest.raises(NotFoundError, match="id:99"):
            opened.query(["id:3", "id:99"], options=QueryOptions(combine="mean"))


def test_the_maximum_over_several_pictures_is_exact(index: Path) -> None:
    asked = ["id:2", "id:5", "id:11"]
    with vecsearch.open_index(index) as opened:
        images, vectors = opened.vectors()
        numbers = [image.id for image in images]
        for k in (1, 2, 4, 9, 50):
            (result,) = opened.query(asked, k=k, options=QueryOptions(combine="max"))
            assert ids(result.hits) == brute(vectors, numbers, vectors[[1, 4, 10]], k, (2, 5, 11))
        for hit in result.hits:
            best = float((vectors[[1, 4, 10]] @ vectors[hit.id - 1]).max())
            assert hit.score == pytest.approx(best, abs=1e-4)
        (one,) = opened.query(["id:2"], options=QueryOptions(combine="max"))
        assert one.hits == opened.query(["id:2"])[0].hits


def test_the_maximum_over_more_than_a_chunk(tmp_path: Path) -> None:
    vectors = draw_vectors(900, 16, 0)
    with vecsearch.open_index(make_index(tmp_path / "ix", vectors)) as opened:
        _, stored = opened.vectors()
        plus = list(range(1, 601))
        asked = [f"id:{number}" for number in plus]
        (result,) = opened.query(asked, k=20, options=QueryOptions(combine="max"))
        expected = brute(stored, range(1, 901), stored[:600], 20, plus)
    assert ids(result.hits) == expected
    assert result.query == "id:1 + id:2 + id:3 + id:4 + 596 more"


@pytest.mark.parametrize("combine", [None, "mean", "max"])
def test_minus_pictures_lead_away(index: Path, combine: str | None) -> None:
    with vecsearch.open_index(index) as opened:
        images, vectors = opened.vectors()
        numbers = [image.id for image in images]
        options = QueryOptions(combine=combine, minus=["id:4", images[4].path])
        (result,) = opened.query(["id:3"], k=12, options=options)
        xq = unit(vectors[2] - GAMMA * (vectors[3] + vectors[4]) / 2)
        assert ids(result.hits) == brute(vectors, numbers, xq[None], 12, (3, 4, 5))
        assert result.hits[0].score == pytest.approx(
            float(vectors[result.hits[0].id - 1] @ xq), abs=1e-4
        )
        assert [asked.minus for asked in result.asked] == [False, True, True]
        assert result.query == f"id:3 - id:4 - {images[4].path}"
        own = QueryOptions(combine=combine, minus="id:4", include_self=True)
        hits = ids(opened.query("id:3", k=12, options=own)[0].hits)
        assert 3 in hits
        assert 4 not in hits
        with pytest.raises(UsageError, match="are the same"):
            opened.query("id:3", options=QueryOptions(combine=combine, minus="id:3"))
        with pytest.raises(ImageError, match=r"query nope\.jpg: cannot be read"):
            opened.query("id:3", options=QueryOptions(combine=combine, minus="nope.jpg"))


def test_of_several_the_one_that_is_its_own_minus_is_an_error(index: Path) -> None:
    with vecsearch.open_index(index) as opened:
        first, second = opened.query(["id:3", "id:4"], options=QueryOptions(minus="id:4"))
    assert len(first.hits) == 5
    assert "are the same" in second.error


def test_a_vector_of_no_length_stays_what_it_is() -> None:
    vectors = np.array([[0, 0], [3, 4]], np.float32)
    expected = np.array([[0, 0], [0.6, 0.8]], np.float32)
    np.testing.assert_allclose(unit_length(vectors), expected, rtol=1e-6)


def test_pictures_that_cancel_out(tmp_path: Path) -> None:
    vector = draw_vectors(1, 8, 0)
    np.save(tmp_path / "v.npy", np.concatenate([vector, -vector, draw_vectors(5, 8, 1)]))
    vecsearch.import_vectors(tmp_path / "v.npy", index=tmp_path / "ix")
    with vecsearch.open_index(tmp_path / "ix") as opened:
        with pytest.raises(UsageError, match="cancel out"):
            opened.query(["id:1", "id:2"], options=QueryOptions(combine="mean"))
        assert len(opened.query(["id:1", "id:2"], options=QueryOptions(combine="max"))[0].hits) == 5


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_a_box_is_the_crop_of_the_upright_picture(
    index: Path, tmp_path: Path, orientation: int, kind: str
) -> None:
    whole = Image.open(draw(tmp_path / "whole.png", 5, (120, 80)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned.{kind}"
    whole.save(path, exif=exif, quality=95)
    upright, size = decode(path.read_bytes())
    assert size == ((80, 120) if orientation >= 5 else (120, 80))
    box = (10, 20, 40, 50)
    crop = tmp_path / "crop.png"
    upright.crop((10, 20, 50, 70)).save(crop)
    with vecsearch.open_index(index) as opened:
        (part,) = opened.query(path, k=12, options=QueryOptions(box=box))
        (expected,) = opened.query(crop, k=12)
        (all_of_it,) = opened.query(path, k=12)
    assert part.hits == expected.hits
    assert part.hits != all_of_it.hits
    assert part.asked == (QueryImage(str(path), path, None, box),)


def test_a_box_in_a_large_jpeg_means_pixels_at_full_size_and_is_decoded_fine_enough(
    tmp_path: Path,
) -> None:
    drawn = np.zeros((2400, 3200, 3), np.uint8)
    drawn[800:1600, 1600:2400] = 255
    drawn[800:1600:2, 1600:2400] = 0  # lines that only full size shows
    Image.fromarray(drawn).save(tmp_path / "large.jpg", quality=95)
    data = (tmp_path / "large.jpg").read_bytes()
    small, _ = decode(data, at_least=896, box=(1600, 800, 800, 800))
    assert small.size == (800, 800)  # at full size, for a half leaves 400
    rows = np.asarray(small.convert("L")).mean(axis=1)
    assert rows[::2].mean() < 40
    assert rows[1::2].mean() > 215
    half, size = decode(data, at_least=896, box=(100, 200, 3000, 2000))
    assert (half.size, size) == ((1500, 1000), (3200, 2400))
    inside = np.asarray(half.convert("L"))[300:700, 750:1150]
    assert inside.mean() > 100  # where the square lies, halved and moved by the box
    assert np.asarray(half.convert("L"))[:290].max() < 40


def test_a_box_of_an_indexed_picture(own_index: Path) -> None:
    part = QueryOptions(box=(0, 0, 30, 30))
    with vecsearch.open_index(own_index) as opened:
        image = next(iter(opened))
        (by_id,) = opened.query(f"id:{image.id}", k=12, options=part)
        (by_path,) = opened.query(image.path, k=12, options=part)
        assert by_id.hits == by_path.hits
        assert image.id not in ids(by_id.hits)
        own = QueryOptions(box=(0, 0, 30, 30), include_self=True)
        assert image.id in ids(opened.query(f"id:{image.id}", k=12, options=own)[0].hits)
        image.path.unlink()
        assert len(opened.query(image.path)[0].hits) == 5  # the stored vector is still there
        with pytest.raises(ImageError, match=r"id:1: .*p10.jpg: cannot be read.*without a box"):
            opened.query("id:1", options=part)


@pytest.mark.parametrize(
    "box", [(0, 0, 65, 10), (-1, 0, 5, 5), (60, 40, 5, 9), (0, 0, 0, 5), (5, 5, 5, -1)]
)
def test_a_box_that_is_not_in_the_picture(index: Path, box: tuple[int, int, int, int]) -> None:
    with vecsearch.open_index(index) as opened:
        with pytest.raises(UsageError, match="not within the picture; its size is 64 x 48"):
            opened.query("id:5", options=QueryOptions(box=box))
        with pytest.raises(UsageError, match="64 x 48"):
            opened.query(["id:5", "id:6"], options=QueryOptions(box=box, combine="mean"))
        for result in opened.query(["id:5", "id:6"], options=QueryOptions(box=box)):
            assert "64 x 48" in result.error


def test_filters_are_exact_however_few_they_leave(
    large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vecsearch.store.lookups._PAGE", 1000)
    names = [f"/photos/2026/{n:08d}.jpg" for n in (3, 4711, 5400)]
    with vecsearch.open_index(large) as opened:
        images, vectors = opened.vectors()
        numbers = [image.id for image in images]
        xq = draw_vectors(5, 32, 3)
        for name in names:
            for result in opened.search(xq, options=QueryOptions(under=name)):
                assert [str(hit.path) for hit in result.hits] == [name]
        for pattern in ("*7.jpg", "0000[0-4]*", "/photos/*/000053*"):
            chosen = [n for n, image in enumerate(images) if _like(image.path, pattern)]
            assert 50 < len(chosen) < 5000
            found = opened.search(xq, k=40, options=QueryOptions(glob=pattern))
            for one, result in zip(xq, found, strict=True):
                expected = brute(vectors[chosen], [numbers[n] for n in chosen], one[None], 40)
                assert ids(result.hits) == expected
        (everything,) = opened.search(xq[:1], k=10_000, options=QueryOptions(under="/photos"))
        assert ids(everything.hits) == brute(vectors, numbers, xq[:1], 10_000)


def test_many_chosen_rows_are_searched_where_they_lie(
    large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    xq = draw_vectors(7, 32, 4)
    options = QueryOptions(glob="*[3-8].jpg")
    with vecsearch.open_index(large) as opened:
        copied = opened.search(xq, k=30, options=options)
        monkeypatch.setattr("vecsearch.ann.row_subset._FEW_VALUES", 0)
        for a, b in zip(copied, opened.search(xq, k=30, options=options), strict=True):
            assert ids(a.hits) == ids(b.hits)
            assert [x.score for x in a.hits] == pytest.approx([x.score for x in b.hits], abs=1e-4)


def _like(path: Path, pattern: str) -> bool:
    name = path.name
    return {
        "*7.jpg": name.endswith("7.jpg"),
        "0000[0-4]*": name.startswith("0000") and name[4] in "01234",
        "/photos/*/000053*": name.startswith("000053"),
    }[pattern]


def test_filters_by_folder_pattern_and_both(index: Path, photos: Path) -> None:
    with vecsearch.open_index(index) as opened:

        def names(**chosen: str | list[str]) -> set[str]:
            options = QueryOptions(include_self=True, **chosen)  # type: ignore[arg-type]
            return {hit.path.name for hit in opened.query("id:1", k=50, options=options)[0].hits}

        assert names(under=str(photos / "more")) == {"p10.jpg", "p11.jpg"}
        assert names(under=[str(photos / "more"), str(photos / "p3.png")]) == {
            *("p10.jpg", "p11.jpg", "p3.png")
        }
        assert len(names(under=str(photos))) == 12
        assert names(glob=["p1?.*", "p[45].png"]) == {"p10.jpg", "p11.jpg", "p4.png", "p5.png"}
        assert names(glob=f"{photos}/more/*") == {"p10.jpg", "p11.jpg"}
        assert names(under=str(photos / "more"), glob="*1.*") == {"p11.jpg"}
        assert names(glob="p3.png") == {"p3.png"}
        # A folder whose name the other begins with is another one.
        for nothing in (
            {"under": str(photos / "mor")},
            {"under": [str(photos), str(photos / "nope")]},
            {"glob": "q*"},
            {"under": str(photos / "more"), "glob": "p1.png"},
        ):
            with pytest.raises(NotFoundError, match="has no image"):
                names(**nothing)
        with pytest.raises(UsageError, match="is empty"):
            names(under="")
        alone = QueryOptions(under=photos / "more" / "p10.jpg")
        assert opened.query("id:1", options=alone)[0].hits == ()


def test_filters_know_tars_urls_and_relative_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [
        *("/data/a.tar/x/1.jpg", "/data/a.tar/2.jpg", "/data/a.tart/3.jpg"),
        *("s3://bucket/photos/4.jpg", "s3://bucket/photos2/5.jpg", "rel/6.jpg", "7.jpg"),
        "rel/sub/8.jpg",
    ]
    vectors = draw_vectors(len(names), 8, 0)
    np.save(tmp_path / "v.npy", vectors)
    (tmp_path / "ids.txt").write_text("\n".join(names))
    monkeypatch.chdir(tmp_path)
    given = ImportOptions(ids=[tmp_path / "ids.txt"])
    vecsearch.import_vectors(tmp_path / "v.npy", index=tmp_path / "ix", options=given)
    with vecsearch.open_index(tmp_path / "ix") as opened:

        def numbers(**chosen: str) -> set[str]:
            options = QueryOptions(**chosen)  # type: ignore[arg-type]
            (result,) = opened.search(vectors[:1], k=50, options=options)
            return {hit.path.stem for hit in result.hits}

        assert numbers(under="/data/a.tar") == {"1", "2"}
        assert numbers(under="/data") == {"1", "2", "3"}
        assert numbers(under="s3://bucket/photos/") == {"4"}
        assert numbers(under="rel") == numbers(under=str(tmp_path / "rel")) == {"6", "8"}
        assert numbers(under=".") == numbers(under=str(tmp_path)) == {"6", "7", "8"}
        assert numbers(under="/") == {"1", "2", "3", "6", "7", "8"}
        assert numbers(glob="s3://*/photos2/*") == {"5"}
        assert numbers(glob="rel/*.jpg") == {"6", "8"}
        assert numbers(glob=f"{tmp_path}/*") == {"6", "7", "8"}
        assert numbers(glob="[1-4].jpg") == {"1", "2", "3", "4"}


def test_pages_put_together_are_the_whole(index: Path, large: Path) -> None:
    for folder, question in ((index, "id:2"), (large, "id:2500")):
        with vecsearch.open_index(folder) as opened:
            whole = opened.query(question, k=9)[0].hits
            pages = [
                opened.query(question, k=3, options=QueryOptions(offset=start))[0].hits
                for start in (0, 3, 6)
            ]
            assert sum(pages, ()) == whole
            assert [hit.rank for hit in pages[2]] == [7, 8, 9]
            beyond = QueryOptions(offset=10_000)
            assert opened.query(question, options=beyond)[0].hits == ()
            _, vectors = opened.vectors()
            second = QueryOptions(offset=1)
            assert opened.search(vectors[:1], k=2, options=second)[0].hits[0].rank == 2
    with pytest.raises(UsageError, match="offset is -1"):
        QueryOptions(offset=-1)


def test_equal_vectors_come_by_their_rows_on_every_page(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.repeat(draw_vectors(1, 8, 0), 6, axis=0))
    vecsearch.import_vectors(tmp_path / "v.npy", index=tmp_path / "ix")
    with vecsearch.open_index(tmp_path / "ix") as opened:
        pages = [opened.query("id:3", k=2, options=QueryOptions(offset=n))[0] for n in (0, 2, 4)]
        assert [ids(page.hits) for page in pages] == [[1, 2], [4, 5], [6]]
        for combine in ("mean", "max"):
            options = QueryOptions(combine=combine)
            assert ids(opened.query(["id:3", "id:5"], options=options)[0].hits) == [1, 2, 4, 6]


def test_an_index_of_one_image_has_its_answers(tmp_path: Path) -> None:
    draw(tmp_path / "one" / "only.png", 1)
    folder = vecsearch.build(tmp_path / "one", index=tmp_path / "ix", encoder=CHEAP).index
    with vecsearch.open_index(folder) as opened:
        for options in (
            QueryOptions(combine="max"),
            QueryOptions(combine="mean", offset=3),
            QueryOptions(under=tmp_path),
            QueryOptions(box=(0, 0, 9, 9)),
        ):
            assert opened.query(["id:1"], options=options)[0].hits == ()


def test_bytes_are_a_picture(index: Path, photos: Path) -> None:
    data = (photos / "p4.png").read_bytes()
    with vecsearch.open_index(index) as opened:
        (result,) = opened.query(data)
        assert result.hits[0].path == photos / "p4.png"
        assert (result.query, result.path) == ("bytes:0", None)
        assert result.asked == (QueryImage("bytes:0", None, data),)
        (part,) = opened.query(QueryImage("mine", None, data, (0, 0, 20, 20)))
        assert (part.query, part.asked[0].box) == ("mine", (0, 0, 20, 20))
        with pytest.raises(ImageError, match="query bytes:0: not a picture"):
            opened.query(b"no picture")
        with pytest.raises(UsageError, match="a query is a int"):
            opened.query([17])  # type: ignore[list-item]


def test_a_batch_keeps_its_order_and_names_what_it_cannot_answer(
    index: Path, photos: Path, other: list[Path]
) -> None:
    (text := other[0].with_name("text.jpg")).write_text("no picture")
    asked: list[str | Path] = []
    for number in range(300):
        good = "id:2", other[number // 6 % 3], photos / "p1.png"
        several: tuple[str | Path, ...] = (*good, text, photos / "nope.jpg", "id:99")
        asked.append(several[number % 6])
    reports: list[tuple[str, int, int]] = []
    with vecsearch.open_index(index) as opened:
        results = opened.query(
            asked, k=3, progress=lambda phase, done, total: reports.append((phase, done, total))
        )
        alone = {str(one): opened.query(one, k=3)[0] for one in asked[:3]}
        alone |= {str(one): opened.query(one, k=3)[0] for one in other}
    assert [result.query for result in results] == [str(one) for one in asked]
    for number, result in enumerate(results):
        if number % 6 < 3:
            expected = alone[result.query].hits
            assert ids(result.hits) == ids(expected)
            for a, b in zip(result.hits, expected, strict=True):
                assert a.score == pytest.approx(b.score, abs=1e-4)
            assert not result.error
        else:
            assert result.hits == ()
            reason = ("not a picture", "No such file", "has no image id:99")[number % 6 - 3]
            assert reason in result.error
    assert {phase for phase, _, _ in reports} == {"embedding"}
    assert [done for _, done, _ in reports] == sorted(done for _, done, _ in reports)
    assert reports[-1] == ("embedding", 300, 300)


def test_results_come_before_all_is_asked(own_index: Path, tmp_path: Path) -> None:
    asked = ["id:1"] * 256 + [str(tmp_path / "photos" / "p1.png")]
    with vecsearch.open_index(own_index) as opened:
        results = opened.query_each(asked, k=1)
        assert len(next(results).hits) == 1
        (tmp_path / "photos" / "p1.png").write_text("no picture any more")
        assert "not a picture" in list(results)[-1].error


def test_what_cannot_be_meant(index: Path) -> None:
    with vecsearch.open_index(index) as opened:
        _, vectors = opened.vectors()
        for options in (
            QueryOptions(combine="max"),
            QueryOptions(minus="id:1"),
            QueryOptions(box=(0, 0, 1, 1)),
        ):
            with pytest.raises(UsageError, match="about query pictures"):
                opened.search(vectors, options=options)
            with pytest.raises(UsageError, match="about query pictures"):
                list(opened.recommend(options=options))
        assert opened.query([]) == []
    with pytest.raises(UsageError, match="unknown combination 'median'"):
        QueryOptions(combine="median")


def test_recommendations_among_some(index: Path, photos: Path) -> None:
    with vecsearch.open_index(index) as opened:
        options = QueryOptions(under=photos / "more")
        for result in opened.recommend(options=options):
            assert set(ids(result.hits)) == {1, 2} - {int(result.query[3:])}


def ask(
    index: Path, *arguments: str, data: bytes = b"", code: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run the command beside the index, with *data* on standard input."""
    done = subprocess.run(
        [sys.executable, "-m", "vecsearch.cli.main", "query", "-i", "index", *arguments],
        cwd=index.parent, input=data, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    out, err = (os.fsdecode(text) for text in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def test_standard_input_is_a_picture_or_a_list(index: Path, photos: Path, tmp_path: Path) -> None:
    done = ask(index, "-", "--json", data=(photos / "p4.png").read_bytes())
    (one,) = json.loads(done.stdout)
    assert (one["query"], one["hits"][0]["path"]) == ("-", "photos/p4.png")
    lines = b"photos/p4.png\r\n\nid:3\nphotos/nope.png\n"
    done = ask(index, "id:1", "-", "id:2", "--format", "jsonl", data=lines, code=1)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    expected = ["id:1", "photos/p4.png", "id:3", "photos/nope.png", "id:2"]
    assert [one["query"] for one in answers] == expected
    assert [len(one["hits"]) for one in answers] == [5, 5, 5, 0, 5]
    assert answers[3]["error"] == "cannot be read: No such file or directory"
    assert done.stderr == (
        "vecsearch: query photos/nope.png: cannot be read: No such file or directory\n"
    )
    odd = draw(tmp_path / "two\nlines.png", 77)
    done = ask(index, "-0", "-", "--json", data=bytes(odd) + b"\0id:2\0")
    assert [one["query"] for one in json.loads(done.stdout)] == [str(odd), "id:2"]


@pytest.mark.parametrize(
    ("data", "arguments", "message"),
    [
        (b"", ("-",), "standard input is empty"),
        (b"\n \n", ("-",), "standard input is empty"),
        (b"a\0b", ("-",), "neither a known picture nor a list"),
        (b"id:1", ("-", "-"), "can be read once"),
        (b"id:1", ("id:1", "--not", "-"), "--not does not read"),
        (b"id:1", ("id:1", "-0"), "--null is about a list"),
    ],
)
def test_bad_input_gets_one_clear_line(
    index: Path, data: bytes, arguments: tuple[str, ...], message: str
) -> None:
    done = ask(index, *arguments, data=data, code=2)
    assert message in done.stderr
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)


@pytest.mark.parametrize("name", ["BMW.png", "P5 6.png", "GIF89a.png", "/x.png", "\u00e9.png"])
def test_a_list_may_begin_like_a_picture(name: str) -> None:
    assert read_piped(f"{name}\nid:2".encode(), null=False) == [name, "id:2"]


def test_the_options_from_the_command_line(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with vecsearch.open_index(index) as opened:

        def expected(*queries: str, options: QueryOptions) -> list[list[str]]:
            results = opened.query(queries, options=options)
            return [[hit.path.name for hit in result.hits] for result in results]

        for given, options in (
            (("--combine", "max"), QueryOptions(combine="max")),
            (("--combine", "mean"), QueryOptions(combine="mean")),
            (("--not", "id:5", "--not", "id:6"), QueryOptions(minus=["id:5", "id:6"])),
            (("--box", "5,6,20,30"), QueryOptions(box=(5, 6, 20, 30))),
            (("--offset", "4"), QueryOptions(offset=4)),
            (("--glob", "p1*", "--glob", "p3*"), QueryOptions(glob=["p1*", "p3*"])),
        ):
            done = ask(index, "id:1", "id:9", *given, "--json")
            assert hits_of(done) == expected("id:1", "id:9", options=options), given
    answer = json.loads(ask(index, "id:1", "id:9", "--combine", "max", "--json").stdout)
    assert [one["query"] for one in answer] == ["id:1 + id:9"]
    assert answer[0]["asked"][1] == {"query": "id:9", "path": "photos/p6.png"}
    two = [["p10.jpg", "p11.jpg"]]
    assert hits_of(ask(index, "id:5", "--under", "photos/more", "--json")) in (two, [two[0][::-1]])
    assert hits_of(ask(index, "id:1", "--offset", "50", "--json")) == [[]]
    monkeypatch.setenv("VECSEARCH_QUERY_UNDER", "photos/more")
    monkeypatch.setenv("VECSEARCH_QUERY_OFFSET", "1")
    assert len(hits_of(ask(index, "id:5", "--json"))[0]) == 1
    monkeypatch.delenv("VECSEARCH_QUERY_UNDER")
    monkeypatch.delenv("VECSEARCH_QUERY_OFFSET")
    np.save(tmp_path / "v.npy", np.ones((2, 64), np.float32))
    by_name = ("--vectors", str(tmp_path / "v.npy"), "--glob", "p1.png", "--under", "photos")
    assert hits_of(ask(index, *by_name, "--json")) == [["p1.png"], ["p1.png"]]
    ask(index, "id:1", "id:2", "--combine", "max", "--sheet", str(tmp_path / "sheet.png"))
    assert (tmp_path / "sheet.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("id:1", "--under", "nope"), 1, "has no image below nope"),
        (("id:1", "--glob", "*.xyz"), 1, "has no image like *.xyz"),
        (("id:1", "--box", "1,2,3"), 2, "--box is '1,2,3'; give x,y,width,height"),
        (("id:1", "--box", "1,2,300,4"), 2, "its size is 64 x 48"),
        (("id:1", "--offset", "-1"), 2, "the offset is -1"),
        (("id:1", "--not", "id:1"), 2, "are the same"),
        (("id:1", "nope.jpg", "--combine", "max"), 1, "query nope.jpg: cannot be read"),
        (("--vectors", "v.npy", "--combine", "max"), 2, "--vectors goes with"),
    ],
)
def test_bad_options_get_one_clear_line(
    index: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = ask(index, *arguments, code=code)
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert message in done.stderr


def test_the_table_shows_errors_and_boxes(index: Path) -> None:
    done = ask(index, "id:5", "id:1", "id:77", "--box", "0,0,9,9", code=1)
    assert done.stdout.startswith("id:5  photos/p2.png  box 0,0,9,9\n  rank")
    assert "id:77  box 0,0,9,9\n  " in done.stdout
    assert "has no image id:77" in done.stderr


def test_nothing_but_a_list_is_read_without_pillow(index: Path, photos: Path) -> None:
    code = f"""
import sys
from vecsearch.search.standard_input import read_piped
import vecsearch
from vecsearch import QueryOptions
asked = read_piped(b"{photos}/p1.png\\nid:3\\n", null=False)
with vecsearch.open_index("{index}") as opened:
    opened.query(asked, options=QueryOptions(combine="max", minus="id:5", glob="*.png"))
assert not {{"PIL", "openvino", "faiss"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_picture_is_overwritten_by_whatever_path(
    run: Run, index: Path, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(photos)
    asked = draw(tmp_path / "other" / "q.png", 50)
    before = {path: path.read_bytes() for path in (photos / "p1.png", asked)}
    for arguments in (
        ("query", "id:1", "--sheet", "link/p1.png"),
        ("viz", "-o", "link/p1.png"),
        ("query", "other/../other/q.png", "--sheet", "other/q.png"),
        ("query", "id:1", "--not", asked, "--sheet", "other/q.png"),
    ):
        refused = run(*arguments, "-i", index, code=2)
        assert "would be overwritten" in refused.stderr
    assert {path: path.read_bytes() for path in before} == before


def test_links_lead_to_what_is_indexed(run: Run, index: Path, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(photos)
    names = hits_of(run("query", "link/p1.png", "-i", index, "-k", "12", "--json"))[0]
    assert len(names) == 11
    assert "p1.png" not in names
    below = hits_of(run("query", "id:12", "--under", "link/more", "-i", index, "--json"))[0]
    assert sorted(below) == ["p10.jpg", "p11.jpg"]
