"""A collection answers as one index with the same pictures does, and takes up what changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from question_kinds import jpeg
from samples import CHEAP, draw, imported

import vecsearch
from vecsearch import (
    EncoderConfig,
    ImageFilter,
    ListOptions,
    NotFoundError,
    QueryOptions,
    Result,
    UsageError,
    Word,
)
from vecsearch.search.query_image import Query

SIZES: Final = (3, 11, 1, 6, 9)
"""The pictures of each shard; that of the third is removed, so that it is empty."""

REMOVED: Final = ("p05.png", "p14.png")
ALL: Final = 1000
"""More than there are images."""


@dataclass(frozen=True, slots=True)
class Both:
    """A collection, and one index of the same pictures, whose first is at `folder`."""

    folder: Path
    collection: Path
    one: Path

    def picture(self, number: int) -> Path:
        """Return the path of a picture."""
        starts = np.cumsum([0, *SIZES])
        shard = int(np.searchsorted(starts, number, side="right")) - 1
        return self.folder / f"s{shard}" / f"p{number:02d}.png"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    """Make five shards and one index, of the same thirty pictures; two are removed."""
    root = tmp_path_factory.mktemp("collection")
    made = Both(root / "photos", root / "all", root / "one")
    for number in range(sum(SIZES)):
        draw(made.picture(number), number)
    vecsearch.build(made.folder, index=made.one, encoder=CHEAP)
    shards = []
    for number in range(len(SIZES)):
        source = made.folder / f"s{number}"
        shards.append(vecsearch.build(source, index=root / f"i{number}", encoder=CHEAP).index)
    for name in REMOVED:
        (path,) = made.folder.rglob(name)
        vecsearch.remove(path, index=made.one)
        vecsearch.remove(path, index=root / f"i{path.parent.name[1:]}")
    vecsearch.create_collection(made.collection, shards)
    (root / "new.jpg").write_bytes(jpeg(7))
    return made


def lines(results: Sequence[Result]) -> list[list[tuple[int, str]]]:
    """Return rank and path of all hits."""
    return [[(hit.rank, str(hit.path)) for hit in one.hits] for one in results]


def assert_same(one: Sequence[Result], other: Sequence[Result]) -> None:
    """Compare all but ids, scores up to the order in which products are summed."""
    assert lines(one) == lines(other)
    for a, b in zip(one, other, strict=True):
        assert (a.path, a.error, a.expand, a.rerank, a.encoder) == (
            *(b.path, b.error, b.expand, b.rerank, b.encoder),
        )
        for x, y in zip(a.hits, b.hits, strict=True):
            assert x.score == pytest.approx(y.score, abs=1e-6)
            assert (x.order or 0.0) == pytest.approx(y.order or 0.0, abs=1e-5)
            assert x.content_hash == y.content_hash


OPTIONS: Final = {
    "plain": QueryOptions(),
    "itself": QueryOptions(include_self=True),
    "threshold": QueryOptions(threshold=0.9),
    "offset": QueryOptions(offset=4),
    "glob": QueryOptions(glob=["p0*", "p2?.png"]),
    "since": QueryOptions(since="2000"),
    "expanded": QueryOptions(expand=4),
    "re-ranked": QueryOptions(rerank=12),
    "all of it": QueryOptions(expand=3, rerank=9, offset=1, threshold=-0.5, glob="p[012]*"),
}


@pytest.mark.parametrize("k", [1, 5, ALL])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_queries_are_answered_as_by_one_index(both: Both, options: QueryOptions, k: int) -> None:
    queries: list[Query] = [
        *(both.picture(0), str(both.picture(3)), both.picture(29), both.picture(14)),
        *(both.folder.parent / "new.jpg", jpeg(8), b"no picture"),
    ]
    with vecsearch.open_index(both.one) as one, vecsearch.open_index(both.collection) as many:
        expected = one.query(queries, k=k, options=options)
        assert sum(bool(result.hits) for result in expected) >= len(queries) - 1
        assert_same(many.query(queries, k=k, options=options), expected)


COMBINED: Final = {
    "mean": {"combine": "mean"},
    "max": {"combine": "max"},
    "mean, expanded": {"combine": "mean", "expand": 3, "rerank": 8},
    "max, expanded": {"combine": "max", "expand": 3},
    "box": {"combine": "mean", "box": (4, 4, 20, 20)},
}


@pytest.mark.parametrize("given", COMBINED.values(), ids=COMBINED)
@pytest.mark.parametrize("minus", [False, True])
def test_several_pictures_are_one_query_over_all_shards(
    both: Both, given: dict[str, object], minus: bool
) -> None:
    queries: list[Query] = [both.picture(1), both.picture(20), jpeg(9)]
    unlike = [both.picture(9), jpeg(3)] if minus else []
    options = QueryOptions(**given, minus=unlike)  # type: ignore[arg-type]
    with vecsearch.open_index(both.one) as one, vecsearch.open_index(both.collection) as many:
        expected = one.query(queries, k=8, options=options)
        assert len(expected[0].hits) == 8
        assert_same(many.query(queries, k=8, options=options), expected)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_recommendations_and_vectors_are_those_of_one_index(
    both: Both, options: QueryOptions
) -> None:
    with vecsearch.open_index(both.one) as one, vecsearch.open_index(both.collection) as many:
        assert_same(
            list(many.recommend(k=6, options=options)), list(one.recommend(k=6, options=options))
        )
        vectors = np.random.RandomState(1).normal(size=(9, one.encoder.dim)).astype(np.float32)
        for xq in (vectors, vectors[:1]):
            assert_same(many.search(xq, options=options), one.search(xq, options=options))


@pytest.mark.parametrize("source", ["s0", "s1", "s4", "."])
def test_a_folder_is_asked_whichever_shard_has_it(both: Both, source: str) -> None:
    options = QueryOptions(under=both.folder / source, since="1990", until="today")
    with vecsearch.open_index(both.one) as one, vecsearch.open_index(both.collection) as many:
        expected = one.query([jpeg(4)], k=ALL, options=options)
        assert len(expected[0].hits) == {"s0": 3, "s1": 10, "s4": 9, ".": 28}[source]
        assert_same(many.query([jpeg(4)], k=ALL, options=options), expected)
        with pytest.raises(NotFoundError, match="has no image below"):
            many.query([jpeg(4)], options=QueryOptions(under=both.folder / "s2"))


def test_ids_are_unique_and_lead_to_their_images(both: Both) -> None:
    with vecsearch.open_index(both.collection) as many:
        images = list(many)
        assert len({image.id for image in images}) == len(images) == len(many) == 28
        for image in images:
            assert many.image(image.id) == image == many.image_at(image.path)
            (result,) = many.query([f"id:{image.id}"], k=1)
            assert result.path == image.path
            assert [hit.id for hit in result.hits] != [image.id]
        shard = {str(image.path): image.id for image in vecsearch.open_index(_shard(both, 3))}
        own = {str(one.path): one.id for one in images if one.path.parent.name == "s3"}
        assert own == {path: 3 * 2**36 + number for path, number in shard.items()}
        for unknown in (-1, 0, 2**36, 2 * 2**36 + 1, 5 * 2**36 + 1, 2**63 - 1, 2**70):
            with pytest.raises(NotFoundError, match="has no image id:"):
                many.image(unknown)
        found = many.images_at([one.path for one in images])
        assert sorted(found, key=lambda image: image.id) == images


def _shard(both: Both, number: int) -> Path:
    return both.collection.parent / f"i{number}"


@pytest.mark.parametrize("sort", ["id", "path", "taken", "size"])
@pytest.mark.parametrize("reverse", [False, True])
def test_lists_are_those_of_one_index(both: Both, sort: str, reverse: bool) -> None:
    for given in ({}, {"limit": 7, "offset": 5}, {"glob": "p1*"}):
        options = ListOptions(sort=sort, reverse=reverse, **given)
        with vecsearch.open_index(both.one) as one, vecsearch.open_index(both.collection) as many:
            listed = [(x.path, x.size_bytes, x.date) for x in many.list_images(options)]
            assert listed == [(x.path, x.size_bytes, x.date) for x in one.list_images(options)]


def test_it_is_described_as_a_whole(both: Both) -> None:
    with vecsearch.open_index(both.one) as one, vecsearch.open_index(both.collection) as many:
        whole, single = many.info(), one.info()
        assert (whole.images, whole.encoder, whole.words) == (
            *(single.images, single.encoder, single.words),
        )
        assert set(whole.sources) == {both.folder / f"s{number}" for number in range(len(SIZES))}
        facts = ("query", "path", "width", "height", "size_bytes", "taken", "words")
        asked: list[Query] = [both.picture(0), both.picture(28), jpeg(5)]
        for a, b in zip(many.look(asked), one.look(asked), strict=True):
            assert [getattr(a, name) for name in facts] == [getattr(b, name) for name in facts]
        for place in (both.collection, _shard(both, 2), both.folder / "s4"):
            with pytest.raises(UsageError, match="lies in the"):
                many.check_copies(place / "copies")
        many.check_copies(both.folder.parent / "copies")


def test_a_map_has_the_neighbours_of_one_index(both: Both) -> None:
    with vecsearch.open_index(both.one) as one, vecsearch.open_index(both.collection) as many:
        for chosen in (None, ImageFilter(glob="p1*")):
            whole, single = many.map_vectors(chosen), one.map_vectors(chosen)
            assert [x.path for x in whole.images] == [x.path for x in single.images]
            places = np.arange(len(single))
            assert np.array_equal(whole[places], single[places])
            assert np.allclose(whole.nearest()[1], single.nearest()[1], atol=1e-6)


@pytest.fixture
def vectors(tmp_path: Path) -> Both:
    """Make two shards and one index of the same vectors, each of which is there three times."""
    made = Both(tmp_path, tmp_path / "all", tmp_path / "one")
    some = np.random.RandomState(2).normal(size=(10, 16)).astype(np.float32)
    rows = np.concatenate([some, some, some])
    shards = [imported(tmp_path / "a", rows[:17]), imported(tmp_path / "b", rows[17:], first=17)]
    imported(made.one, rows)
    vecsearch.create_collection(made.collection, shards)
    return made


@pytest.mark.parametrize("k", [1, 2, 3, 4, 7, ALL])
def test_equal_scores_come_in_the_order_of_shards(vectors: Both, k: int) -> None:
    with vecsearch.open_index(vectors.one) as one, vecsearch.open_index(vectors.collection) as many:
        for number in range(30):
            asked = [f"v{number:02d}"]
            assert_same(many.query(asked, k=k), one.query(asked, k=k))
        (result,) = many.query(["v08"], k=2)
        assert [(hit.path.name, hit.id >> 36) for hit in result.hits] == [("v18", 1), ("v28", 1)]


def test_copies_in_other_shards_are_found(vectors: Both) -> None:
    found = [
        vecsearch.duplicates(index, threshold=0.999) for index in (vectors.collection, vectors.one)
    ]
    groups = [[[x.path for x in (one.kept, *one.others)] for one in x.groups] for x in found]
    assert groups[0] == groups[1]
    assert [len(group) for group in groups[0]] == [3] * 10


def test_labels_and_recall_are_measured_over_all(both: Both) -> None:
    options = QueryOptions(rerank=10)
    qualities = [
        vecsearch.evaluate_labels(index, "folder", options=options)
        for index in (both.collection, both.one)
    ]
    assert qualities[0].at == qualities[1].at
    assert qualities[0].mean_average_precision == qualities[1].mean_average_precision
    assert qualities[0].queries == 28
    measured = vecsearch.evaluate(index=both.collection, sample=5)
    assert (measured.images, measured.recall, measured.index) == (28, 1.0, both.collection)


def test_vectors_are_exported_in_one_file(both: Both, tmp_path: Path) -> None:
    arrays = []
    for name, index in {"many": both.collection, "one": both.one}.items():
        ids = tmp_path / f"{name}.txt"
        vecsearch.export_vectors(tmp_path / f"{name}.npy", ids=ids, index=index)
        arrays.append((np.load(tmp_path / f"{name}.npy"), (tmp_path / f"{name}.txt").read_text()))
    assert np.array_equal(arrays[0][0], arrays[1][0])
    assert arrays[0][1] == arrays[1][1]


def test_words_are_those_of_one_index(tmp_path: Path) -> None:
    encoder = EncoderConfig(model="efficientnet-lite0", precision="fp32")
    for number in range(5):
        draw(tmp_path / "p" / str(number % 2) / f"{number}.png", number)
    shards = [
        vecsearch.build(tmp_path / "p" / name, index=tmp_path / f"i{name}", encoder=encoder).index
        for name in ("0", "1")
    ]
    whole = vecsearch.build(tmp_path / "p", index=tmp_path / "one", encoder=encoder).index
    vecsearch.create_collection(tmp_path / "all", shards)
    with vecsearch.open_index(whole) as one, vecsearch.open_index(tmp_path / "all") as many:
        assert many.words(count=True) == one.words(count=True)
        paths = [image.path for image in one]
        guessed, expected = many.guess_at(paths), one.guess_at(paths)
        assert set(guessed) == set(expected) == set(paths)
        for path in paths:
            assert guessed[path][0].word == expected[path][0].word
            assert guessed[path][0].share == pytest.approx(expected[path][0].share, abs=1e-2)
        query: list[Query] = [Word("pizza"), paths[0]]
        options = QueryOptions(combine="mean", minus=Word("strawberry"))
        assert_same(many.query(query, options=options), one.query(query, options=options))
        for image in many.list_images(ListOptions(words=True)):
            assert image.words[0].word == guessed[image.path][0].word


@pytest.mark.parametrize("recipe", ["auto", "IVF8,SQ8"])
def test_many_vectors_are_searched_by_the_files_of_their_shards(
    tmp_path: Path, recipe: str
) -> None:
    """Together these are too many to be multiplied without FAISS, though each shard is not."""
    rows = np.random.RandomState(4).normal(size=(4400, 1024)).astype(np.float32)
    shards = [
        imported(tmp_path / "a", rows[:2200]),
        imported(tmp_path / "b", rows[2200:], first=2200),
    ]
    for shard in shards:
        vecsearch.reindex(shard, recipe=recipe)
    vecsearch.create_collection(tmp_path / "all", shards)
    with vecsearch.open_index(tmp_path / "all") as many:
        near = [5, 2300, 4399]
        truth = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        for number, result in zip(near, many.search(rows[near], k=3), strict=True):
            assert result.hits[0].path.name == f"v{number:02d}"
            for hit in result.hits:
                score = truth[int(hit.path.name[1:])] @ truth[number]
                assert hit.score == pytest.approx(score, abs=1e-3)
        assert len(many.map_vectors().nearest(k=1)[0]) == 4400
    measured = vecsearch.evaluate(index=tmp_path / "all", sample=20)
    assert (measured.exact, measured.images) == (recipe == "auto", 4400)
    assert len(measured.bases) == 2


def test_pairs_that_are_no_copies_in_a_shard_are_none_in_the_collection(both: Both) -> None:
    pair = (both.picture(4), both.picture(6))
    vecsearch.not_copies(*pair, index=_shard(both, 1))
    try:
        (told,) = vecsearch.not_copies(index=both.collection).pairs
        assert {told[0].path, told[1].path} == set(pair)
        assert vecsearch.duplicates(both.collection, threshold=-1.0).not_copies == 1
    finally:
        vecsearch.not_copies(*pair, index=_shard(both, 1), forget=True)
