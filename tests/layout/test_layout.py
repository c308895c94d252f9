"""Where pictures are laid on a map: by which method, in which clusters, and none over another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from synthetic import clusters, unit

from vecsearch.errors import UsageError
from vecsearch.layout import methods
from vecsearch.layout.clusters import find_clusters, folders, name_groups
from vecsearch.layout.methods import lay_out
from vecsearch.layout.points import Points
from vecsearch.layout.separate import arrange, spread
from vecsearch.types import Vectors

FloatArray = npt.NDArray[np.float32]


def least_distance(points: Points) -> float:
    """Return the least Chebyshev distance: squares of that side just touch."""
    apart = np.abs(points[:, np.newaxis] - points[np.newaxis]).max(axis=2)
    return float(apart[~np.eye(len(points), dtype=bool)].min())


def distances(points: Points) -> FloatArray:
    apart = np.linalg.norm(points[:, np.newaxis] - points[np.newaxis], axis=2)
    pairs: FloatArray = apart[np.triu_indices(len(points), 1)]
    return pairs


def rank_correlation(a: FloatArray, b: FloatArray) -> float:
    ranks = [np.argsort(np.argsort(values)) for values in (a, b)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def pure_neighbours(points: Points, labels: list[int]) -> float:
    """Return the share of points whose nearest neighbour has their own label."""
    apart = np.linalg.norm(points[:, np.newaxis] - points[np.newaxis], axis=2)
    np.fill_diagonal(apart, np.inf)
    nearest = apart.argmin(axis=1)
    return float(np.mean(np.array(labels)[nearest] == np.array(labels)))


@pytest.mark.parametrize("d", [1, 2, 3, 200])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 7, 40])
def test_tsne_of_any_number_of_vectors(n: int, d: int) -> None:
    rng = np.random.default_rng(n)
    points = lay_out(unit(rng.normal(size=(n, d))))
    assert points.shape == (n, 2)
    assert points.dtype == np.float32
    assert np.isfinite(points).all()


@pytest.mark.parametrize("n", [2, 3, 5, 12, 60])
def test_equal_vectors_have_one_place_and_are_arranged_around_it(n: int) -> None:
    rng = np.random.default_rng(0)
    row = unit(rng.normal(size=(1, 100)))
    for noise in (0.0, 1e-7):  # 1e-7: equal but for rounding
        vectors = (np.repeat(row, n, axis=0) + noise * rng.normal(size=(n, 100))).astype(np.float32)
        points = lay_out(vectors)
        assert not points.any()
        assert (find_clusters(points) == -1).all()
        assert least_distance(arrange(points)) >= 0.999


def test_tsne_of_two_pictures_each_many_times() -> None:
    vectors = np.repeat(unit(np.eye(2, 8)), 6, axis=0)
    points = lay_out(vectors)
    assert np.isfinite(points).all()
    placed = spread(points, 1.0)
    assert least_distance(placed) >= 0.999


def test_tsne_is_the_same_for_the_same_seed() -> None:
    vectors, _ = clusters(4, 20)
    first = lay_out(vectors, seed=3)
    assert first.tobytes() == lay_out(vectors, seed=3).tobytes()


def test_tsne_reaches_farthest_along_x_around_the_origin() -> None:
    vectors, _ = clusters(3, 15)
    for points in (lay_out(vectors), lay_out(vectors[:4])):
        assert points[:, 0].std() >= points[:, 1].std()
        assert np.abs(points.mean(axis=0)).max() < 1e-3 * np.abs(points).max()


def test_tsne_takes_a_perplexity_even_one_that_is_too_large() -> None:
    vectors, _ = clusters(2, 6)
    assert np.isfinite(lay_out(vectors, perplexity=3.0)).all()
    assert np.isfinite(lay_out(vectors, perplexity=50.0)).all()


def test_clusters_stay_together_through_the_whole_layout() -> None:
    vectors, labels = clusters(5, 24)
    points = lay_out(vectors)
    assert pure_neighbours(points, labels) > 0.98
    scaled = points * np.float32(14 / np.ptp(points))  # crowded: 120 squares on 14 x 14
    placed = spread(scaled, 1.0)
    assert least_distance(placed) >= 0.999
    assert pure_neighbours(placed, labels) > 0.9


def test_spread_removes_overlaps_and_keeps_the_arrangement() -> None:
    rng = np.random.default_rng(1)
    points = rng.normal(scale=5.0, size=(300, 2)).astype(np.float32)
    assert least_distance(points) < 0.1
    placed = spread(points, 1.0)
    assert placed.dtype == np.float32
    assert least_distance(placed) >= 0.999
    assert rank_correlation(distances(points), distances(placed)) > 0.95
    assert np.ptp(placed) < 2.0 * np.ptp(points)
    assert placed.tobytes() == spread(points, 1.0).tobytes()


@pytest.mark.parametrize("n", [2, 3, 50])
def test_spread_takes_equal_points_apart(n: int) -> None:
    placed = spread(np.zeros((n, 2), np.float32), 10.0)
    assert np.isfinite(placed).all()
    assert least_distance(placed) >= 9.99
    assert np.ptp(placed) < 10.0 * 4 * np.sqrt(n)  # a crowd, not an explosion


def test_spread_leaves_points_that_are_far_enough_apart() -> None:
    points = np.array([[0, 0], [1, 0], [0, 1.5], [40, -3]], np.float32)
    assert np.array_equal(spread(points, 1.0), points)
    for n in (0, 1):
        assert np.array_equal(spread(points[:n], 1.0), points[:n])


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_every_method_keeps_clusters_together_and_its_seed(method: str) -> None:
    vectors, labels = clusters(4, 20)
    points = lay_out(vectors, method, seed=2)
    assert points.shape == (80, 2)
    assert pure_neighbours(points, labels) > 0.9
    assert points.tobytes() == lay_out(vectors, method, seed=2).tobytes()


def test_umap_keeps_clusters_together() -> None:
    vectors, labels = clusters(3, 20)  # more take as long: most of it is compiling
    assert pure_neighbours(lay_out(vectors, "umap"), labels) > 0.9


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(UsageError, match=r"unknown layout .lsd.; known are tsne, pca, umap"):
        lay_out(clusters(2, 5)[0], "lsd")


class Fetched:
    """Vectors that cannot be had all at once."""

    def __init__(self, vectors: Vectors) -> None:
        self.vectors, self.most = vectors, 0

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitem__(self, places: npt.NDArray[np.int64]) -> Vectors:
        self.most = max(self.most, len(places))
        return self.vectors[places]


@pytest.mark.parametrize("refined", [False, True])
def test_a_large_collection_is_laid_out_by_landmarks(
    refined: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most pictures are placed by a sample; clusters, the seed and the progress are as ever."""
    monkeypatch.setattr("vecsearch.layout.landmarks.MOST_REFINED", 600 if refined else 599)
    monkeypatch.setattr(methods, "LANDMARKS", 150)
    monkeypatch.setattr("vecsearch.layout.principal._SAMPLE_VALUES", 1)
    monkeypatch.setattr("vecsearch.layout.principal._LEAST_SAMPLE", 200)
    monkeypatch.setattr("vecsearch.layout.principal._BLOCK_VALUES", 64 * 100)
    vectors, labels = clusters(5, 120)
    fetched = Fetched(vectors)
    reports: list[tuple[str, int, int]] = []
    points = lay_out(
        fetched, seed=1, progress=lambda phase, done, total: reports.append((phase, done, total))
    )
    assert fetched.most == 200
    assert np.isfinite(points).all()
    assert pure_neighbours(points, labels) > 0.97
    assert ("placing", 450, 450) in reports
    assert (("refining", 200, 200) in reports) == refined
    tsne = [done for phase, done, _ in reports if phase == "t-SNE"]
    assert tsne == sorted(tsne)
    assert len(tsne) > 20
    assert points.tobytes() == lay_out(vectors, seed=1).tobytes()
    assert points.tobytes() != lay_out(vectors, seed=2).tobytes()


def test_refining_brings_neighbours_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twins of which neither is a landmark are nearer to each other than to anything else."""
    monkeypatch.setattr(methods, "LANDMARKS", 60)
    rng = np.random.default_rng(0)
    originals = rng.normal(size=(300, 24))
    twins = originals + rng.normal(scale=0.02, size=originals.shape)
    vectors = unit(np.concatenate([originals, twins]))
    found = []
    for most in (0, 600):
        monkeypatch.setattr("vecsearch.layout.landmarks.MOST_REFINED", most)
        points = lay_out(vectors)
        found.append(pure_neighbours(points, [*range(300), *range(300)]))
    assert found[1] > found[0] + 0.1


def test_landmarks_with_copies_of_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "LANDMARKS", 100)
    vectors = np.repeat(unit(np.random.default_rng(0).normal(size=(3, 32))), 100, axis=0)
    points = lay_out(vectors)
    assert np.isfinite(points).all()
    labels = np.repeat(np.arange(3), 100).tolist()
    assert pure_neighbours(points, labels) > 0.97


def test_arranged_points_have_squares_of_their_own_and_some_air() -> None:
    rng = np.random.default_rng(3)
    points = np.concatenate([rng.normal(size=(300, 2)), rng.normal(8, 0.01, size=(100, 2))])
    placed = arrange(points.astype(np.float32))
    assert least_distance(placed) >= 0.999
    area = float(np.prod(np.ptp(placed, axis=0)))
    assert 400 < area < 10 * 400
    crowd = placed[300:]
    assert np.linalg.norm(crowd.mean(axis=0) - placed[:300].mean(axis=0)) > 5  # still apart


def test_clusters_are_found_named_and_numbered_by_size() -> None:
    rng = np.random.default_rng(0)
    sizes = {"alps": 20, "beach": 30, "city": 60}
    points = np.concatenate(
        [rng.normal((20 * i, 0), 1.0, (n, 2)) for i, n in enumerate(sizes.values())]
    ).astype(np.float32)
    # One word is in all names, and one in all of the alps and in half of the city.
    paths = [
        Path(f"/p/holiday_{name}{'_snow' if name == 'alps' or n > 30 else ''}{n}.jpg")
        for name, size in sizes.items()
        for n in range(size)
    ]
    labels = find_clusters(points)
    truth = np.repeat(np.arange(3), list(sizes.values()))
    found = labels >= 0
    assert found.mean() > 0.8
    groups = name_groups(labels, paths)
    named = np.array([group.name for group in groups])[labels[found]]
    assert np.mean(named == np.array(list(sizes))[truth[found]]) > 0.99
    assert [group.size for group in groups] == sorted((g.size for g in groups), reverse=True)
    assert {group.name for group in groups} == set(sizes)


def test_a_large_map_is_clustered_by_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal((30 * i, 0), 1.0, (400, 2)) for i in range(3)])
    monkeypatch.setattr("vecsearch.layout.clusters._SAMPLE", 150)
    labels = find_clusters(points.astype(np.float32))
    commonest = [np.bincount(part[part >= 0]).argmax() for part in np.split(labels, 3)]
    shares = [
        np.mean(part == one) for part, one in zip(np.split(labels, 3), commonest, strict=True)
    ]
    assert len(set(commonest)) == 3
    assert min(shares) > 0.7


def test_there_are_no_clusters_among_few_or_equal_points() -> None:
    assert (find_clusters(np.zeros((50, 2), np.float32)) == -1).all()
    assert (find_clusters(np.eye(3, 2, dtype=np.float32)) == -1).all()


def test_folders_are_named_below_what_they_share() -> None:
    paths = [Path(f"/p/{name}/{n}.jpg") for name in ("a", "b/c") for n in range(2)]
    labels, names = folders([*paths, Path("/p/b/c/x.jpg")])
    assert names == ["b/c", "a"]
    assert labels.tolist() == [1, 1, 0, 0, 0]
    labels, names = folders([Path("/p/a/1.jpg"), Path("/p/a/2.jpg")])
    assert (labels.tolist(), names) == ([0, 0], ["a"])
    many, _ = folders([Path(f"/p/{n:02d}/1.jpg") for n in range(20)])
    assert many.tolist() == [*range(12), *[-1] * 8]
