"""Searching against brute force, and the questions that an index answers."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from samples import CHEAP, draw
from synthetic import make_index

import vecsearch
from vecsearch import ImageError, NotFoundError, QueryOptions, UsageError
from vecsearch.index.base import make_base, write_base
from vecsearch.index.exact import exact_search
from vecsearch.index.mapped import as_index
from vecsearch.index.opening import open_base
from vecsearch.index.recipes import FLAT
from vecsearch.index.search import CodedRows, ExactRows, FewRows, Part, Searcher
from vecsearch.index.settings import SearchSettings
from vecsearch.index.tune import recall, tune
from vecsearch.types import Halves, Rows


def unit(n: int, d: int, seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    vectors = np.random.RandomState(seed).normal(size=(n, d)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def reopened(base: Any, recipe: str, path: Path) -> Any:
    with path.open("wb") as file:
        write_base(base, file.write)
    return open_base(path, recipe, base.ntotal, base.d)


def parts_of(kind: str, halves: Halves, first_row: int, dead: Rows, folder: Path) -> list[Part]:
    """Make of *halves* the parts that a segment of a kind is searched as."""
    match kind:
        case "few":
            return [FewRows(halves, first_row, dead)]
        case "view":
            return [ExactRows(as_index(halves), first_row, dead)]
        case "base":
            base = reopened(make_base(halves, FLAT), FLAT, folder / "base")
            return [ExactRows(base, first_row, dead)]
        case recipe:
            base = reopened(make_base(halves, recipe), recipe, folder / "base")
            settings = SearchSettings(candidates=40, nprobe=4, ef_search=40, k=12)
            return [CodedRows(base, halves, first_row, dead, settings)]


@pytest.mark.parametrize("first_row", [0, 1000])
@pytest.mark.parametrize("dead", [[], [0, 7, 149, 151, 299], list(range(298))])
@pytest.mark.parametrize(
    "kinds",
    [
        ["few", "few"],
        ["base", "few"],
        ["base", "view"],
        ["view"],
        ["IVF4,PQ16x4fs", "view"],
        ["PCA24,IVF4,SQ8", "IVF4,SQ8"],
        ["HNSW16,SQ8"],
        ["RR32,IVF4,RaBitQfs", "base"],
    ],
)
def test_parts_answer_as_brute_force_does(
    kinds: list[str], first_row: int, dead: list[int], tmp_path: Path
) -> None:
    halves = unit(300, 32, 0).astype(np.float16)
    dead_rows = np.array(dead, np.int64) + first_row
    ends = np.linspace(0, 300, len(kinds) + 1).astype(int).tolist()
    parts = []
    for kind, start, end in zip(kinds, ends, ends[1:], strict=False):
        (folder := tmp_path / f"{start}").mkdir()
        first = first_row + start
        mine = dead_rows[(dead_rows >= first) & (dead_rows < first_row + end)]
        parts += parts_of(kind, halves[start:end], first, mine, folder)
    xq = unit(9, 32, 1)
    D, I = Searcher(parts).search(xq, 12)  # noqa: N806, E741
    I = np.where(I < 0, -1, I - first_row)  # noqa: N806, E741
    scores = xq @ halves.astype(np.float32).T
    scores[:, dead] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, :12]
    live = min(12, 300 - len(dead))
    assert (I[:, live:] == -1).all()
    assert np.isneginf(D[:, live:]).all()
    exact = np.take_along_axis(scores, I[:, :live], 1)
    np.testing.assert_allclose(D[:, :live], exact, atol=1e-5)  # scores are true in any case
    found = np.mean([len(set(a) & set(b)) / live for a, b in zip(I[:, :live], order, strict=True)])
    assert found >= (1.0 if set(kinds) <= {"few", "base", "view"} else 0.85)
    if len(dead) > 290:
        assert found == 1.0  # it looks on until it has all


def test_equal_scores_come_in_the_order_of_their_rows() -> None:
    halves = np.repeat(unit(1, 8, 0), 6, axis=0).astype(np.float16)
    parts: list[Part] = [
        ExactRows(as_index(halves[:3]), 0, np.array([1])),
        FewRows(halves[3:], 3, np.array([], np.int64)),
    ]
    _, I = Searcher(parts).search(halves[:1].astype(np.float32), 5)  # noqa: N806, E741
    assert I.tolist() == [[0, 2, 3, 4, 5]]


def test_tuning_finds_settings_that_reach_the_recall() -> None:
    latent = np.random.RandomState(0).normal(size=(4200, 8)).astype(np.float32)
    mixed = np.maximum(latent @ unit(8, 32, 1), 0) + 0.05 * unit(4200, 32, 2)
    halves = (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float16)
    rows, queries = halves[:4000], halves[4000:]
    base = make_base(rows, "IVF64,PQ16x4fs")
    settings = tune(base, rows, queries[::2], 0.9)
    coded = CodedRows(base, rows, 0, np.empty(0, np.int64), settings)
    xq = queries[1::2].astype(np.float32)
    truth = np.argsort(-(xq @ rows.astype(np.float32).T), axis=1)[:, :10]
    _, found = coded.search(xq, 10)
    assert recall(found, truth) >= 0.85
    assert settings.recall >= 0.9
    less = replace(settings, nprobe=settings.nprobe // 2)  # it did not take more than it needs
    _, found = coded.candidates(queries[::2].astype(np.float32), 10, less)
    _, tuned_on = exact_search(queries[::2].astype(np.float32), rows, 10)
    assert settings.nprobe == 1 or recall(found, tuned_on) < 0.9
    _, exact = exact_search(xq, rows, 10)
    assert recall(exact, truth) >= 0.999


def test_a_base_behind_a_pca_is_opened_after_it_was_tuned(tmp_path: Path) -> None:
    """Tuning searches a base before it is written, by the metric that searching gives it."""
    folder = make_index(tmp_path / "ix", unit(4000, 16, 0), recipe="PCA8,IVF8,SQ8")
    assert vecsearch.tune(folder, recall=0.8).bases[0].recipe == "PCA8,IVF8,SQ8"
    assert vecsearch.reindex(folder, recipe="PCA12,IVF8,SQ8").bases[0].recipe == "PCA12,IVF8,SQ8"


def test_threads_that_want_other_settings_do_not_get_each_others() -> None:
    """Between any two lines of a search another thread searches with other settings."""
    halves = unit(400, 16, 0).astype(np.float16)
    xq = unit(40, 16, 1)
    narrow, wide = SearchSettings(candidates=4, nprobe=1), SearchSettings(candidates=400, nprobe=16)
    coded = CodedRows(make_base(halves, "IVF16,SQ4"), halves, 0, np.empty(0, np.int64), narrow)
    alone = coded.candidates(xq, 3, narrow)[1]
    assert (alone != coded.candidates(xq, 3, wide)[1]).any()
    between = []

    def at_a_line(frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code is not CodedRows.candidates.__code__:
            return None
        if event == "line":
            between.append(frame.f_lineno)
            with ThreadPoolExecutor(1) as pool:
                pool.submit(coded.candidates, xq[:1], 3, wide).result()
        return at_a_line

    before = sys.gettrace()
    sys.settrace(at_a_line)
    try:
        found = coded.candidates(xq, 3, narrow)[1]
    finally:
        sys.settrace(before)
    assert len(set(between)) > 4
    assert (found == alone).all()


def test_hits_are_ranked_and_carry_both_similarities(index: Path) -> None:
    with vecsearch.open_index(index) as opened:
        (result,) = opened.query(["id:3"], k=4)
        images = {image.id: image for image in opened}
        _, vectors = opened.vectors()
    assert [hit.rank for hit in result.hits] == [1, 2, 3, 4]
    assert all(a.score >= b.score for a, b in zip(result.hits, result.hits[1:], strict=False))
    for hit in result.hits:
        assert hit.id != 3
        assert hit.path == images[hit.id].path
        a, b = vectors[2], vectors[hit.id - 1]
        assert hit.score == pytest.approx(float(a @ b), abs=1e-3)
        assert hit.distance == pytest.approx(float(np.linalg.norm(a - b)), abs=2e-2)


def test_ids_follow_the_paths(index: Path, photos: Path) -> None:
    with vecsearch.open_index(index) as opened:
        images = list(opened)
    assert [image.id for image in images] == list(range(1, 13))
    assert [image.path for image in images] == sorted(photos.rglob("p*"))
    assert {(image.width, image.height) for image in images} == {(64, 48)}


def test_a_picture_is_its_own_hit_only_when_asked(index: Path, photos: Path) -> None:
    path = photos / "p4.png"
    with vecsearch.open_index(index) as opened:
        assert path not in {hit.path for hit in opened.query([path], k=50)[0].hits}
        own = opened.query([path], k=1, options=QueryOptions(include_self=True))[0].hits[0]
        assert own.path == path
        assert own.score == pytest.approx(1, abs=1e-3)
        copy = photos.parent / "copy.png"  # not a file of the index: the original may be its hit
        copy.write_bytes(path.read_bytes())
        assert opened.query([copy], k=1)[0].hits[0].path == path


def test_path_id_and_new_copy_get_the_same_answer(index: Path, photos: Path) -> None:
    copy = photos.parent / "copy.png"
    copy.write_bytes((photos / "p4.png").read_bytes())
    with vecsearch.open_index(index) as opened:
        known = opened.query([photos / "p4.png"], k=5)[0]
        number = next(image.id for image in opened if image.path.name == "p4.png")
        by_id = opened.query([f"id:{number}"], k=5)[0]
        fresh = opened.query([copy], k=6)[0]
    assert known.hits == by_id.hits
    assert [hit.id for hit in fresh.hits[1:]] == [hit.id for hit in known.hits]
    for a, b in zip(fresh.hits[1:], known.hits, strict=True):
        assert a.score == pytest.approx(b.score, abs=1e-3)


def test_a_file_changed_since_is_asked_as_it_is_now(index: Path, photos: Path) -> None:
    draw(photos / "p4.png", 77)
    with vecsearch.open_index(index) as opened:
        best = opened.query([photos / "p4.png"], k=12)[0].hits
    assert best[0].score < 0.9999  # its own old vector may be a hit, but not an equal one
    (photos / "p4.png").unlink()
    with vecsearch.open_index(index) as opened:
        assert len(opened.query([photos / "p4.png"], k=12)[0].hits) == 11


def test_threshold_and_large_k(index: Path) -> None:
    with vecsearch.open_index(index) as opened:
        everything = opened.query(["id:1"], k=1000)[0].hits
        assert len(everything) == 11
        limit = everything[4].score
        assert (
            len(opened.query(["id:1"], k=1000, options=QueryOptions(threshold=limit))[0].hits) == 5
        )
        assert opened.query(["id:1"], options=QueryOptions(threshold=1.0))[0].hits == ()
        with pytest.raises(UsageError, match="a cosine lies between"):
            opened.query(["id:1"], options=QueryOptions(threshold=1.1))


def test_several_questions_at_once_keep_their_order(index: Path, photos: Path) -> None:
    new = draw(photos.parent / "new.png", 99)
    asked: list[str | Path] = ["id:2", new, photos / "p1.png", "id:2"]
    with vecsearch.open_index(index) as opened:
        results = opened.query(asked, k=3)
        alone = [opened.query([one], k=3)[0] for one in asked]
    assert [result.query for result in results] == [str(one) for one in asked]
    for a, b in zip(results, alone, strict=True):
        assert [hit.id for hit in a.hits] == [hit.id for hit in b.hits]


def test_vectors_can_be_asked_with(index: Path) -> None:
    with vecsearch.open_index(index) as opened:
        _, vectors = opened.vectors()
        results = opened.search(vectors[:2] * 5, k=1)
        assert [result.hits[0].id for result in results] == [1, 2]
        for bad in (vectors[:, :5], np.zeros_like(vectors), np.full_like(vectors, np.nan)):
            with pytest.raises(UsageError):
                opened.search(bad)


def test_recommendations_are_the_queries_of_all(index: Path) -> None:
    with vecsearch.open_index(index) as opened:
        recommended = list(opened.recommend(k=4))
        asked = opened.query([f"id:{number}" for number in range(1, 13)], k=4)
    assert recommended == asked


def test_bad_questions(index: Path, photos: Path) -> None:
    with vecsearch.open_index(index) as opened:
        with pytest.raises(UsageError, match="at least 1 neighbour"):
            opened.query(["id:1"], k=0)
        for missing in ("id:0", "id:13", "id:x", "id:", "id:99999999999999999999"):
            with pytest.raises(NotFoundError, match="has no image id:"):
                opened.query([missing])
        (photos / "text.jpg").write_text("no picture")
        for path in (photos / "text.jpg", photos / "nope.jpg", photos):
            with pytest.raises(ImageError, match=r"query .*; give a picture file"):
                opened.query([path])


def test_an_index_of_one_image(tmp_path: Path) -> None:
    draw(tmp_path / "one" / "only.png", 1)
    folder = vecsearch.build(tmp_path / "one", index=tmp_path / "ix", encoder=CHEAP).index
    with vecsearch.open_index(folder) as opened:
        assert opened.query(["id:1"])[0].hits == ()
        assert len(opened.query([draw(tmp_path / "new.png", 2)])[0].hits) == 1


def test_a_base_that_goes_as_it_is_opened_is_done_without(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_late(path: Path, *facts: Any) -> Any:
        if path.exists():
            vecsearch.remove("id:1", index=index)
            vecsearch.compact(index)
            assert not path.exists()
        return open_base(path, *facts)

    with vecsearch.open_index(index) as opened:
        _, vectors = opened.vectors()
        monkeypatch.setattr("vecsearch.search.opened._FEW_VALUES", 0)
        monkeypatch.setattr("vecsearch.index.opening.open_base", open_late)
        results = opened.search(vectors, k=1)
    assert [result.hits[0].id for result in results] == list(range(1, 13))
