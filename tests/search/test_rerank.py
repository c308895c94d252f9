"""Better neighbours from the same vectors: alpha query expansion and k-reciprocal re-ranking."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from samples import Run
from synthetic import clusters, draw_vectors, make_index, unit
from threadpoolctl import threadpool_info, threadpool_limits

import vecsearch
from vecsearch import QueryOptions, Result, UsageError
from vecsearch.ann.blas_threads import ONE_THREAD
from vecsearch.search.centre import centred
from vecsearch.search.expand import ALPHA, expanded
from vecsearch.search.hits import HitFinder
from vecsearch.search.ranker import Apart
from vecsearch.search.rerank import k_reciprocal
from vecsearch.types import Rows, Vectors

BOTH = QueryOptions(expand=5, rerank=40)
WAYS = [QueryOptions(expand=5), QueryOptions(rerank=40), BOTH]


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of 300 vectors without clusters; no test changes it."""
    return make_index(tmp_path_factory.mktemp("rank") / "ix", draw_vectors(300, 32, 1))


@pytest.fixture(scope="module")
def stored(folder: Path) -> Vectors:
    """The vectors of `folder` as they lie on the disk: image n is at n - 1."""
    with vecsearch.open_index(folder) as index:
        return index.vectors()[1]


def numbers(result: Result) -> list[int]:
    return [hit.id for hit in result.hits]


def slowly(vectors: Vectors, centre: Vectors, k1: int, k2: int, weight: float) -> list[float]:
    """Score by the formulas of the paper, set by set; vector 0 is the query."""
    moved = vectors.astype(np.float64) - centre
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    everything = range(len(vectors))

    def distance(p: int, g: int) -> float:
        return float(np.square(moved[p] - moved[g]).sum())

    @cache
    def nearest(p: int, k: int) -> list[int]:
        others = sorted((g for g in everything if g != p), key=lambda g: distance(p, g))
        return [p, *others[:k]]

    @cache
    def reciprocal(p: int, k: int) -> set[int]:
        return {g for g in nearest(p, k) if p in nearest(g, k)}

    encoded = []
    for p in everything:
        members = set(reciprocal(p, k1))
        for q in sorted(members):
            more = reciprocal(q, round(k1 / 2))
            if len(reciprocal(p, k1) & more) >= 2 / 3 * len(more):
                members |= more
        weights = np.array([np.exp(-distance(p, g)) * (g in members) for g in everything])
        encoded.append(weights / weights.sum())
    mixed = [np.mean([encoded[g] for g in nearest(p, k2 - 1)], axis=0) for p in everything]
    scores = []
    for g in everything[1:]:
        jaccard = 1 - np.minimum(mixed[0], mixed[g]).sum() / np.maximum(mixed[0], mixed[g]).sum()
        scores.append(1 - ((1 - weight) * jaccard + weight * distance(0, g)))
    return scores


@pytest.mark.parametrize(("k1", "k2", "weight"), [(20, 6, 0.3), (8, 1, 0.0), (4, 3, 0.5)])
def test_scores_are_those_of_the_paper(k1: int, k2: int, weight: float) -> None:
    for vectors in (draw_vectors(45, 16, 3), clusters(6, 7, seed=2)[0]):
        centre = vectors.mean(axis=0)
        fast = k_reciprocal(vectors, centre, k1=k1, k2=k2, weight=weight)
        np.testing.assert_allclose(fast, slowly(vectors, centre, k1, k2, weight), atol=1e-5)


def test_the_order_of_the_candidates_does_not_matter_even_if_they_are_equal() -> None:
    vectors = draw_vectors(60, 16, 5)
    vectors[20:50] = vectors[20]  # more copies than k1
    centre = vectors.mean(axis=0)
    scores = k_reciprocal(vectors, centre)
    assert len(set(scores[19:49].tolist())) == 1
    order = np.random.default_rng(0).permutation(59)
    mixed = np.concatenate([vectors[:1], vectors[1:][order]])
    np.testing.assert_allclose(k_reciprocal(mixed, centre), scores[order], atol=2e-6)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_or_equal_vectors_have_scores(count: int) -> None:
    vectors = draw_vectors(count, 16, 5)
    for some in (vectors, np.repeat(vectors[:1], count, axis=0)):
        scores = k_reciprocal(some, some.mean(axis=0))
        assert scores.shape == (count - 1,)
        assert np.isfinite(scores).all()


def test_hubs_are_put_behind_what_belongs_to_the_query(tmp_path: Path) -> None:
    """Hubs are near to everything, and yet nearest to each other."""
    generator = np.random.default_rng(4)
    common = np.eye(40)[0]
    kinds = np.repeat(np.eye(40)[1:9], 12, axis=0) + generator.normal(scale=0.2, size=(96, 40))
    hubs = common + generator.normal(scale=0.05, size=(24, 40))
    folder = make_index(tmp_path / "ix", unit(np.concatenate([1.2 * common + kinds, hubs])))
    shares = []
    with vecsearch.open_index(folder) as index:
        for options in (QueryOptions(), QueryOptions(rerank=100)):
            results = list(index.recommend(k=11, options=options))[:96]
            own = [
                np.mean([(number - 1) // 12 == place // 12 for number in numbers(result)])
                for place, result in enumerate(results)
            ]
            shares.append(float(np.mean(own)))
    assert shares[0] < 0.6
    assert shares[1] > 0.95


def test_an_expanded_query_is_the_weighted_sum() -> None:
    vectors = draw_vectors(6, 16, 1)
    query, neighbours = vectors[0], np.concatenate([vectors[1:], -vectors[:1]])
    cosines = neighbours @ query
    total = query.astype(np.float64)
    for vector, cosine in zip(neighbours[:-1], cosines, strict=False):
        total = total + vector * float(cosine) ** ALPHA  # the last leads away, and is left out
    np.testing.assert_allclose(
        expanded(query, neighbours), total / np.linalg.norm(total), atol=1e-6
    )


def brute(
    stored: Vectors, query: Vectors, options: QueryOptions, out: Sequence[int] = ()
) -> tuple[list[int], Vectors]:
    """Rank places of *stored* as the options say, without *out*; and the query as it was asked."""

    def nearest() -> Rows:
        cosines = stored @ query
        return np.array([n for n in np.argsort(-cosines, kind="stable") if n not in out], np.int64)

    mean = stored.mean(axis=0, dtype=np.float64).astype(np.float32)
    seen = query
    if options.expand:
        query = centred(query[None], mean)[0]
        query = expanded(query, centred(stored[nearest()[: options.expand]], mean))
        seen = query + mean
    order = nearest()
    first = np.sort(order[: options.rerank])
    if options.rerank:
        with ONE_THREAD:  # with more, sums differ, and so may who is a neighbour
            scores = k_reciprocal(np.concatenate([seen[None], stored[first]]), mean)
        first = first[np.lexsort((first, -(stored[first] @ query), -scores))]
    return [*first.tolist(), *order[options.rerank :].tolist()], query


def check(
    result: Result,
    stored: Vectors,
    query: Vectors,
    options: QueryOptions,
    out: Sequence[int] = (),
) -> None:
    """Compare a whole order with `brute`; beside rounding, where it is by cosine."""
    order, asked = brute(stored, query, options, out)
    found = [number - 1 for number in numbers(result)]
    assert found[: options.rerank] == order[: options.rerank]
    assert sorted(found) == sorted(order)
    np.testing.assert_allclose(stored[found] @ asked, stored[order] @ asked, atol=1e-6)
    scores = [hit.score for hit in result.hits]
    np.testing.assert_allclose(scores, stored[found] @ asked, atol=1e-6)


@pytest.mark.parametrize("options", WAYS, ids=["expand", "rerank", "both"])
def test_answers_are_those_of_the_formulas(
    folder: Path, stored: Vectors, options: QueryOptions
) -> None:
    new = draw_vectors(4, 32, 77)
    with vecsearch.open_index(folder) as index:
        for query, result in zip(new, index.search(new, k=300, options=options), strict=True):
            check(result, stored, query, options)
            for hit in result.hits:
                assert hit.distance == pytest.approx((2 - 2 * hit.score) ** 0.5)
            assert (result.expand, result.rerank) == (options.expand, options.rerank)
        for number, result in enumerate(index.recommend(k=300, options=options)):
            check(result, stored, stored[number], options, [number])


def test_re_ranked_hits_have_an_order_and_the_others_follow_by_cosine(folder: Path) -> None:
    with vecsearch.open_index(folder) as index:
        (result,) = index.query("id:3", k=60, options=QueryOptions(rerank=40))
        (plain,) = index.query("id:3", k=60)
    assert sorted(numbers(result)[:40]) == sorted(numbers(plain)[:40])
    assert numbers(result)[:40] != numbers(plain)[:40]
    assert numbers(result)[40:] == numbers(plain)[40:]
    orders = [hit.order for hit in result.hits]
    first = [order for order in orders[:40] if order is not None]
    assert (len(first), orders[40:]) == (40, [None] * 20)
    assert first == sorted(first, reverse=True)
    assert all(hit.order is None for hit in plain.hits)


@pytest.mark.parametrize("few", [True, False])
def test_one_alone_and_in_a_batch_is_answered_alike(
    tmp_path: Path, few: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = draw_vectors(300, 32, 1)
    vectors[[50, 150, 250]] = vectors[10]
    folder = make_index(tmp_path / "ix", vectors)
    if not few:
        monkeypatch.setattr("vecsearch.search.index_reader._FEW_VALUES", 0)  # by FAISS
    with vecsearch.open_index(folder) as index:
        names = [f"id:{number}" for number in range(1, 301)]
        together = index.query(names, k=50, options=BOTH)
        for number in range(0, 300, 7):
            (alone,) = index.query(names[number], k=50, options=BOTH)
            assert alone.hits[:40] == together[number].hits[:40]
        recommended = list(index.recommend(k=40, options=BOTH))
    assert [numbers(one) for one in recommended] == [numbers(one)[:40] for one in together]


@pytest.mark.parametrize("without", WAYS, ids=["expand", "rerank", "both"])
def test_an_indexed_picture_is_none_of_its_own_neighbours(
    folder: Path, without: QueryOptions
) -> None:
    within = replace(without, include_self=True)
    with vecsearch.open_index(folder) as index:
        for number in (3, 11, 200):
            (other,) = index.query(f"id:{number}", k=299, options=without)
            (own,) = index.query(f"id:{number}", k=300, options=within)
            assert number not in numbers(other)
            left = [hit for hit in own.hits if hit.id != number]
            assert [(hit.id, hit.score, hit.order) for hit in left] == [
                (hit.id, hit.score, hit.order) for hit in other.hits
            ]
            if within.rerank:
                assert (own.hits[0].id, own.hits[0].order) == (number, 1.0)


def test_what_was_removed_is_as_if_it_had_never_been_there(tmp_path: Path) -> None:
    vectors = draw_vectors(120, 32, 9)
    whole = make_index(tmp_path / "whole", vectors)
    gone = [2, 5, 40, 41, 100]
    vecsearch.remove(*(f"id:{place + 1}" for place in gone), index=whole)
    left = np.delete(np.arange(120), gone)
    rest = make_index(tmp_path / "rest", vectors[left])
    new = draw_vectors(3, 32, 10)
    with vecsearch.open_index(whole) as one, vecsearch.open_index(rest) as other:
        found = one.search(new, k=30, options=BOTH)
        expected = other.search(new, k=30, options=BOTH)
    for a, b in zip(found, expected, strict=True):
        assert [number - 1 for number in numbers(a)] == [left[number - 1] for number in numbers(b)]


def test_pages_and_thresholds_are_cut_from_the_new_order(folder: Path) -> None:
    with vecsearch.open_index(folder) as index:
        (whole,) = index.query("id:3", k=300, options=BOTH)
        pages = [
            index.query("id:3", k=15, options=replace(BOTH, offset=start))[0]
            for start in range(0, 60, 15)
        ]
        assert [hit for page in pages for hit in page.hits] == list(whole.hits[:60])
        least = sorted(hit.score for hit in whole.hits[:40])[20]
        (near,) = index.query("id:3", k=300, options=replace(BOTH, threshold=least))
        assert numbers(near) == [hit.id for hit in whole.hits if hit.score >= least]
        assert len(near.hits) == 20


def test_a_filter_restricts_hits_and_not_what_expands(folder: Path, stored: Vectors) -> None:
    with vecsearch.open_index(folder) as index:
        (whole,) = index.query("id:3", k=300, options=QueryOptions(expand=5))
        (some,) = index.query("id:3", k=300, options=QueryOptions(expand=5, glob="*[02468].jpg"))
        expected = [hit for hit in whole.hits if hit.id % 2 == 1]  # file names count from 0
        assert numbers(some) == [hit.id for hit in expected]
        for a, b in zip(some.hits, expected, strict=True):
            assert a.score == pytest.approx(b.score, abs=1e-6)
        filtered = QueryOptions(rerank=40, glob="*[02468].jpg")
        (ranked,) = index.query("id:3", k=150, options=filtered)
        odd = [place for place in range(300) if place % 2 == 1]
        check(ranked, stored, stored[2], filtered, [2, *odd])


def test_pictures_of_minus_are_no_neighbours(folder: Path, stored: Vectors) -> None:
    with vecsearch.open_index(folder) as index:
        (plain,) = index.query("id:3", k=10)
        unlike = plain.hits[8].id
        for options in (QueryOptions(expand=20), QueryOptions(rerank=40)):
            asked = replace(options, minus=f"id:{unlike}")
            (result,) = index.query("id:3", k=300, options=asked)
            led = stored[2] - 0.25 * stored[unlike - 1]
            led = np.asarray(led / np.linalg.norm(led), np.float32)
            check(result, stored, led, options, [2, unlike - 1])


def test_pictures_combined_are_one_query_or_each_by_itself(folder: Path, stored: Vectors) -> None:
    with vecsearch.open_index(folder) as index:
        (mean,) = index.query(["id:3", "id:7"], k=300, options=replace(BOTH, combine="mean"))
        middle = stored[2] + stored[6]
        middle /= np.linalg.norm(middle)
        check(mean, stored, middle, BOTH, [2, 6])
        options = QueryOptions(expand=5, combine="max")
        (largest,) = index.query(["id:3", "id:7"], k=20, options=options)
        asked = [brute(stored, stored[n], QueryOptions(expand=5), [2, 6])[1] for n in (2, 6)]
        cosines = (stored @ np.stack(asked).T).max(axis=1)
        cosines[[2, 6]] = -1
        expected = np.argsort(-cosines, kind="stable")[:20] + 1
        assert numbers(largest) == expected.tolist()


def test_whole_orders_come_as_arrays(folder: Path) -> None:
    with vecsearch.open_index(folder) as index:
        reader = index.reader()
        images = list(index)[::60]
        rows = np.array([image.row for image in images])
        places = {image.row: image.id for image in index}
        apart = [Apart(frozenset({row}), frozenset({row})) for row in rows.tolist()]
        rankings = HitFinder(reader, len(reader), BOTH).rank(reader.gather(rows), apart)
        for image, ranking in zip(images, rankings, strict=True):
            (result,) = index.query(f"id:{image.id}", k=300, options=BOTH)
            assert [places[row] for row in ranking.rows.tolist()] == numbers(result)
            scores = [hit.score for hit in result.hits]
            np.testing.assert_allclose(ranking.scores, scores, atol=1e-6)
            assert len(ranking.orders) == 40


def test_many_at_once_leave_the_threads_of_others_alone(folder: Path) -> None:
    def ask(number: int) -> list[int]:
        with vecsearch.open_index(folder) as index:
            return numbers(index.query(f"id:{number}", options=BOTH)[0])

    with threadpool_limits(3, user_api="blas"), ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(1, 20))) == list(map(ask, range(1, 20)))
        counts = [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]
        assert counts
        assert set(counts) == {3}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"expand": -1}, "cannot be expanded by -1 neighbours"),
        ({"expand": 101}, "cannot be expanded by 101 neighbours"),
        ({"rerank": 1001}, "1001 candidates cannot be re-ranked"),
        ({"rerank": 200, "combine": "max"}, "no single query"),
    ],
)
def test_what_cannot_be_meant(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        QueryOptions(**wrong)  # type: ignore[arg-type]


def test_the_command_says_how_it_answered(run: Run, index: Path, tmp_path: Path) -> None:
    table = run("query", "id:1", "-i", index, "--expand", "--rerank").stdout
    assert "  expanded by 5 neighbours, re-ranked among the first 200\n" in table
    assert table.splitlines()[1].split() == ["rank", "order", "score", "distance", "id", "path"]
    (plain,) = json.loads(run("query", "id:1", "-i", index, "--json").stdout)
    assert "rerank" not in plain
    assert "order" not in plain["hits"][0]
    options = ("-i", index, "--rerank=3", "--expand", "2", "--sheet", "s.svg", "--html", "p.html")
    (made,) = json.loads(run("query", "id:1", *options, "--json").stdout)
    assert (made["expand"], made["rerank"]) == (2, 3)
    assert ["order" in hit for hit in made["hits"]] == [True, True, True, False, False]
    said = "expanded by 2 neighbours, re-ranked among the first 3"
    assert said in (tmp_path / "s.svg").read_text()
    assert said in (tmp_path / "p.html").read_text()
    text = run("query", "id:1", "-i", index, "--rerank=3", "--format", "csv").stdout
    lines = list(csv.DictReader(text.splitlines()))
    assert [bool(line["order"]) for line in lines] == [True, True, True, False, False]
    recommended = run("recommend", "-i", index, "--no-sheets", "--json", "--rerank").stdout
    assert all(one["rerank"] == 200 for one in json.loads(recommended))


def test_a_picture_is_not_taken_for_a_number(run: Run, index: Path) -> None:
    asked = ("query", "-i", index, "--json")
    (made,) = json.loads(run(*asked, "--expand", "--rerank", "id:1").stdout)
    assert (made["query"], made["expand"], made["rerank"]) == ("id:1", 5, 200)
    (made,) = json.loads(run(*asked, "--rerank", "7", "id:1").stdout)
    assert (made["query"], made["rerank"]) == ("id:1", 7)
    assert "'some' is not a valid integer" in run(*asked, "id:1", "--rerank=some", code=2).stderr
