"""The map of a collection: where pictures are laid, and that they are seen there."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from vecsearch.errors import UsageError
from vecsearch.types import Vectors
from vecsearch.view.layout import Points, spread, tsne
from vecsearch.view.map import GROUND, draw_map, render_map, side_for

FloatArray = npt.NDArray[np.float32]


def unit(rows: npt.NDArray[np.float64]) -> Vectors:
    normed: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return normed


def clusters(count: int, each: int, d: int = 64, seed: int = 0) -> tuple[Vectors, list[int]]:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(count, d))
    rows = np.repeat(centres, each, axis=0) + rng.normal(scale=0.2, size=(count * each, d))
    return unit(rows), np.repeat(np.arange(count), each).tolist()


def least_distance(points: Points) -> float:
    """Give the least Chebyshev distance: squares of that side just touch."""
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
    """Give the share of points whose nearest neighbour has their own label."""
    apart = np.linalg.norm(points[:, np.newaxis] - points[np.newaxis], axis=2)
    np.fill_diagonal(apart, np.inf)
    nearest = apart.argmin(axis=1)
    return float(np.mean(np.array(labels)[nearest] == np.array(labels)))


def paint(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (100, 100)) -> Path:
    Image.new("RGB", size, colour).save(path, "BMP")
    return path


@pytest.mark.parametrize("d", [1, 2, 3, 200])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 7, 40])
def test_tsne_of_any_number_of_vectors(n: int, d: int) -> None:
    rng = np.random.default_rng(n)
    points = tsne(unit(rng.normal(size=(n, d))))
    assert points.shape == (n, 2)
    assert points.dtype == np.float32
    assert np.isfinite(points).all()


@pytest.mark.parametrize("n", [2, 3, 5, 12, 60])
def test_tsne_of_equal_vectors_lays_them_apart(n: int) -> None:
    rng = np.random.default_rng(0)
    row = unit(rng.normal(size=(1, 100)))
    for noise in (0.0, 1e-7):  # 1e-7: equal but for rounding
        vectors = (np.repeat(row, n, axis=0) + noise * rng.normal(size=(n, 100))).astype(np.float32)
        points = tsne(vectors)
        assert np.isfinite(points).all()
        assert least_distance(points) > 0.01


def test_tsne_of_two_pictures_each_many_times() -> None:
    vectors = np.repeat(unit(np.eye(2, 8)), 6, axis=0)
    points = tsne(vectors)
    assert np.isfinite(points).all()
    placed = spread(points, 1.0)
    assert least_distance(placed) >= 0.999


def test_tsne_is_the_same_for_the_same_seed() -> None:
    vectors, _ = clusters(4, 20)
    first = tsne(vectors, seed=3)
    assert first.tobytes() == tsne(vectors, seed=3).tobytes()


def test_tsne_reaches_farthest_along_x_around_the_origin() -> None:
    vectors, _ = clusters(3, 15)
    for points in (tsne(vectors), tsne(vectors[:4])):
        assert points[:, 0].std() >= points[:, 1].std()
        assert np.abs(points.mean(axis=0)).max() < 1e-3 * np.abs(points).max()


def test_tsne_takes_a_perplexity_even_one_that_is_too_large() -> None:
    vectors, _ = clusters(2, 6)
    assert np.isfinite(tsne(vectors, perplexity=3.0)).all()
    assert np.isfinite(tsne(vectors, perplexity=50.0)).all()


def test_clusters_stay_together_through_the_whole_layout() -> None:
    vectors, labels = clusters(5, 24)
    points = tsne(vectors)
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


@pytest.mark.parametrize("n", [1, 2, 3, 12])
def test_every_picture_is_seen_whole_on_the_map(tmp_path: Path, n: int) -> None:
    rng = np.random.default_rng(n)
    colours = [(20 * i, 255 - 20 * i, 100 + (50 * i) % 150) for i in range(n)]
    paths = [paint(tmp_path / f"{i}.bmp", colour, (120, 80)) for i, colour in enumerate(colours)]
    out = tmp_path / "map.png"
    draw_map(unit(rng.normal(size=(n, 16))), paths, out)
    with Image.open(out) as image:
        pixels = np.asarray(image.convert("RGB"))
    assert tuple(pixels[0, 0]) == GROUND
    for colour in colours:
        ys, xs = np.nonzero((pixels == colour).all(axis=2))
        height, width = np.ptp(ys) + 1, np.ptp(xs) + 1
        assert len(ys) == height * width  # one full rectangle: nothing lies over it
        assert width > 0.8 * side_for(n)[0]
        assert width / height == pytest.approx(120 / 80, rel=0.03)


def test_lost_pictures_do_not_shift_the_others(tmp_path: Path) -> None:
    points = np.array([[-1, 0], [0, 0], [1, 0]], np.float32)
    good = paint(tmp_path / "good.bmp", (200, 0, 0))
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not a picture")
    whole = np.asarray(render_map(points, [good, good, good]))
    image = np.asarray(render_map(points, [good, tmp_path / "gone.jpg", broken]))
    assert image.shape == whole.shape
    red = (200, 0, 0)
    where = np.nonzero((image == red).all(axis=2))[1]
    everywhere = np.nonzero((whole == red).all(axis=2))[1]
    assert len(where) * 3 == len(everywhere)
    assert where.min() == everywhere.min()


def test_the_canvas_grows_with_the_collection_and_thumbnails_shrink() -> None:
    sides = [side_for(n)[0] for n in (1, 2, 39, 300, 2000)]
    assert all(a > b for a, b in pairwise(sides))
    assert 120 <= sides[2] <= 140
    assert 80 <= sides[4] <= 100


def test_a_canvas_beyond_the_limit_gets_smaller_thumbnails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = paint(tmp_path / "a.bmp", (200, 0, 0))
    points = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    free = render_map(points, [path] * 60)
    monkeypatch.setattr("vecsearch.view.map.LARGEST_AREA", 900_000)
    bounded = render_map(points, [path] * 60)
    assert bounded.width * bounded.height < 0.7 * free.width * free.height
    red = (np.asarray(bounded) == (200, 0, 0)).all(axis=2)
    assert red.any()


def test_the_same_input_and_seed_give_the_same_file(tmp_path: Path) -> None:
    vectors, labels = clusters(3, 6)
    paths = [paint(tmp_path / f"{i}.bmp", (80 * label, 50, 90)) for i, label in enumerate(labels)]
    for name in ("a.png", "b.png"):
        draw_map(vectors, paths, tmp_path / name, seed=7)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_progress_is_reported(tmp_path: Path) -> None:
    vectors, labels = clusters(1, 5)
    path = paint(tmp_path / "a.bmp", (200, 0, 0))
    calls: list[tuple[str, int, int]] = []
    draw_map(
        vectors,
        [path] * len(labels),
        tmp_path / "map.jpg",
        progress=lambda phase, done, total: calls.append((phase, done, total)),
    )
    drawn = [("drawing", done, 5) for done in range(1, 6)]
    assert calls == [("t-SNE", 0, 5), ("t-SNE", 5, 5), *drawn]


def test_wrong_input_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("vecsearch.view.map.tsne")
    vectors, _ = clusters(1, 3)
    out = tmp_path / "map.png"
    with pytest.raises(UsageError, match="3 given"):
        draw_map(vectors, [tmp_path / "a.bmp"], out)
    with pytest.raises(UsageError, match="0 given"):
        draw_map(vectors[:0], [], out)
    with pytest.raises(UsageError, match="usual endings"):
        draw_map(vectors, [tmp_path / "a.bmp"] * 3, tmp_path / "map.docx")
    assert list(tmp_path.iterdir()) == []
