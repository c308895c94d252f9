"""Searching against brute force, and the questions that an index answers."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import faiss
import numpy as np
import pytest
from samples import CHEAP, draw
from synthetic import make_index

import vecsearch
from vecsearch import ImageError, NotFoundError, QueryOptions, UsageError
from vecsearch.ann.base import make_base, write_base
from vecsearch.ann.exact import exact_search
from vecsearch.ann.memory_map import as_index
from vecsearch.ann.read_base import open_base
from vecsearch.ann.recall import recall
from vecsearch.ann.recipes import AUTO, BYTES_PER_MS, FLAT, LATENCY_MS, choose_recipe
from vecsearch.ann.searcher import CodedRows, ExactRows, FewRows, Part, Searcher, best_of
from vecsearch.ann.settings import SearchSettings, widened
from vecsearch.ann.tuning import Trial, tune
from vecsearch.types import Float16Vectors, Rows


def unit(n: int, d: int, seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    vectors = np.random.RandomState(seed).normal(size=(n, d)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def reopened(base: Any, recipe: str, path: Path) -> Any:
    with path.open("wb") as file:
        write_base(base, file.write)
    return open_base(path, recipe, base.ntotal, base.d)


def parts_of(
    kind: str, halves: Float16Vectors, first_row: int, deleted: Rows, folder: Path
) -> list[Part]:
    """Make of *halves* the parts that a segment of a kind is searched as."""
    match kind:
        case "few":
            return [FewRows(halves, first_row, deleted)]
        case "view":
            return [ExactRows(as_index(halves), halves, first_row, deleted)]
        case "base":
            base = reopened(make_base(halves, FLAT), FLAT, folder / "base")
            return [ExactRows(base, halves, first_row, deleted)]
        case recipe:
            base = reopened(make_base(halves, recipe), recipe, folder / "base")
            settings = SearchSettings(candidates=40, nprobe=4, ef_search=40, k=12)
            return [CodedRows(base, halves, first_row, deleted, settings)]


@pytest.mark.parametrize("first_row", [0, 1000])
@pytest.mark.parametrize("deleted", [[], [0, 7, 149, 151, 299], list(range(298))])
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
    kinds: list[str], first_row: int, deleted: list[int], tmp_path: Path
) -> None:
    halves = unit(300, 32, 0).astype(np.float16)
    deleted_rows = np.array(deleted, np.int64) + first_row
    ends = np.linspace(0, 300, len(kinds) + 1).astype(int).tolist()
    parts = []
    for kind, start, end in zip(kinds, ends, ends[1:], strict=False):
        (folder := tmp_path / f"{start}").mkdir()
        first = first_row + start
        mine = deleted_rows[(deleted_rows >= first) & (deleted_rows < first_row + end)]
        parts += parts_of(kind, halves[start:end], first, mine, folder)
    xq = unit(9, 32, 1)
    D, I = Searcher(parts).search(xq, 12)  # noqa: N806, E741
    I = np.where(I < 0, -1, I - first_row)  # noqa: N806, E741
    scores = xq @ halves.astype(np.float32).T
    scores[:, deleted] = -np.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, :12]
    live = min(12, 300 - len(deleted))
    assert (I[:, live:] == -1).all()
    assert np.isneginf(D[:, live:]).all()
    exact = np.take_along_axis(scores, I[:, :live], 1)
    np.testing.assert_allclose(D[:, :live], exact, atol=1e-5)  # scores are true in any case
    found = np.mean([len(set(a) & set(b)) / live for a, b in zip(I[:, :live], order, strict=True)])
    assert found >= (1.0 if set(kinds) <= {"few", "base", "view"} else 0.85)
    if len(deleted) > 290:
        assert found == 1.0  # it looks on until it has all


@pytest.mark.parametrize("kind", ["view", "base"])
def test_many_queries_find_what_each_finds_alone(kind: str, tmp_path: Path) -> None:
    """One is answered by FAISS, several by multiplying; so many that it takes two blocks."""
    halves = unit(70_000, 8, 3).astype(np.float16)
    queries = unit(300, 8, 4)
    deleted = np.arange(50, 70_050, 7)
    (part,) = parts_of(kind, halves, 50, deleted, tmp_path)
    D, I = part.search(queries, 5)  # noqa: N806, E741
    assert I.shape == (300, 5)
    for place in (0, 150, 238, 239, 240, 299):
        scores, rows = part.search(queries[place : place + 1], 5)
        assert I[place].tolist() == rows[0].tolist()
        assert np.allclose(D[place], scores[0], atol=1e-5)
        assert not np.isin(rows, deleted).any()
    assert [found.shape for found in part.search(queries[:0], 5)] == [(0, 5), (0, 5)]


def test_equal_scores_come_in_the_order_of_their_rows() -> None:
    halves = np.repeat(unit(1, 8, 0), 6, axis=0).astype(np.float16)
    parts: list[Part] = [
        ExactRows(as_index(halves[:3]), halves[:3], 0, np.array([1])),
        FewRows(halves[3:], 3, np.array([], np.int64)),
    ]
    _, I = Searcher(parts).search(halves[:1].astype(np.float32), 5)  # noqa: N806, E741
    assert I.tolist() == [[0, 2, 3, 4, 5]]
    scores = np.random.RandomState(0).randint(3, size=(2, 500)).astype(np.float32)
    expected = [sorted(range(500), key=lambda place: (-line[place], place)) for line in scores]
    for k in (400, 500):
        assert best_of(scores, k)[1].tolist() == [line[:k] for line in expected]


def test_tuning_finds_settings_that_reach_the_recall() -> None:
    latent = np.random.RandomState(0).normal(size=(4200, 8)).astype(np.float32)
    mixed = np.maximum(latent @ unit(8, 32, 1), 0) + 0.05 * unit(4200, 32, 2)
    halves = (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float16)
    rows, queries = halves[:4000], halves[4000:]
    base = make_base(rows, "IVF64,PQ16x4fs")
    settings = tune(base, rows, queries[::2], 0.95)
    coded = CodedRows(base, rows, 0, np.empty(0, np.int64), settings)
    xq = queries[1::2].astype(np.float32)
    truth = np.argsort(-(xq @ rows.astype(np.float32).T), axis=1)[:, :10]
    _, found = coded.search(xq, 10)
    assert recall(found, truth) >= 0.85
    assert settings.recall >= 0.95
    less = replace(settings, nprobe=settings.nprobe - 1)  # it did not take more than it needs
    _, found = coded.candidates(queries[::2].astype(np.float32), 10, less)
    _, tuned_on = exact_search(queries[::2].astype(np.float32), rows, 10)
    assert settings.nprobe == 1 or recall(found, tuned_on) < 0.95
    _, exact = exact_search(xq, rows, 10)
    assert recall(exact, truth) >= 0.999


def test_each_query_of_a_batch_gets_its_rows_where_many_are_deleted() -> None:
    """The first finds nothing but deleted rows at first, the second finds all it needs."""
    halves = np.repeat(np.eye(2, 8, dtype=np.float16), 200, axis=0)
    halves[150:200, 2:] += 0.3 * unit(50, 6, 0).astype(np.float16)  # the deleted are nearer
    base = make_base(halves, "IVF1,SQ8")
    settings = SearchSettings(candidates=20, nprobe=1, k=5)
    coded = CodedRows(base, halves, 0, np.arange(150), settings)
    D, I = Searcher([coded]).search(np.eye(2, 8, dtype=np.float32), 5)  # noqa: N806, E741
    assert (I >= 0).all()
    assert ((I[0] >= 150) & (I[0] < 200)).all()
    assert (D > 0.9).all()


@pytest.mark.parametrize("kind", ["view", "IVF1,SQ8"])
def test_a_small_search_leaves_faiss_its_threads(kind: str, tmp_path: Path) -> None:
    (part,) = parts_of(kind, unit(60, 8, 0).astype(np.float16), 0, np.empty(0, np.int64), tmp_path)
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(3)
    try:
        part.search(unit(1, 8, 1), 5)
        assert faiss.omp_get_max_threads() == 3
    finally:
        faiss.omp_set_num_threads(before)


def test_settings_are_widened_for_more_hits_than_were_measured() -> None:
    settings = SearchSettings(candidates=40, nprobe=6, ef_search=50, recall=0.9, k=10, queries=5)
    wide = replace(settings, candidates=160, nprobe=12, ef_search=200)
    assert widened(settings, 40) == wide
    assert widened(settings, 10) == widened(settings, 3) == settings


@pytest.mark.parametrize("target", [0.5, 1.1])
def test_tuning_takes_the_fastest_or_else_the_best(
    target: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seconds(_: Trial, settings: SearchSettings) -> float:
        return 1.0 + settings.candidates / 10_000

    monkeypatch.setattr(Trial, "seconds", seconds)
    halves = unit(1600, 16, 0).astype(np.float16)
    rows, queries = halves[:1500], halves[1500:]
    base = make_base(rows, "IVF1,PQ4x4fs")
    reached = {}
    trial_recall = Trial.recall

    def noting(self: Trial, settings: SearchSettings) -> float:
        found = trial_recall(self, settings)
        reached[settings.candidates] = found
        return found

    monkeypatch.setattr(Trial, "recall", noting)
    settings = tune(base, rows, queries, target)
    assert reached[20] < 0.9 < reached[1280]
    enough = [candidates for candidates, found in reached.items() if found >= target]
    assert settings.candidates == (min(enough) if enough else max(reached, key=reached.__getitem__))
    assert bool(enough) == (target < 1)


def test_what_is_not_there_is_not_found() -> None:
    truth = np.array([[3, -1], [5, 6]])
    assert recall(np.array([[-1, -1], [6, 5]]), truth) == 0.5
    assert recall(np.array([[3, -1], [-1, 5]]), truth) == 0.75


def test_a_graph_is_searched_as_widely_as_it_has_candidates() -> None:
    halves = unit(700, 16, 0).astype(np.float16)
    base = make_base(halves[:600], "HNSW8,SQ8")
    settings = tune(base, halves[:600], halves[600:], 0.01)
    assert settings.ef_search >= settings.candidates == 20


def test_recipes_go_by_rows_and_dimensions() -> None:
    def factory(rows: float, dim: int) -> str:
        return choose_recipe(AUTO, int(rows), dim).factory

    exact = LATENCY_MS * BYTES_PER_MS / (2 * 512)  # so many rows of 512 dimensions
    assert factory(exact, 512) == FLAT
    assert factory(1.5 * exact, 512).startswith("PCA256,IVF")
    assert factory(1e8, 4096).startswith("PCA256,IVF")
    assert factory(1e8, 4097) == FLAT
    assert factory(1e8, 128).startswith("PCA64,IVF")
    assert factory(1e8, 126).endswith(",PQ63x4fs")
    assert factory(1e8, 127).endswith(",PQ127x4fs")


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
        monkeypatch.setattr("vecsearch.search.index_reader._FEW_VALUES", 0)
        monkeypatch.setattr("vecsearch.ann.read_base.open_base", open_late)
        results = opened.search(vectors, k=1)
    assert [result.hits[0].id for result in results] == list(range(1, 13))
