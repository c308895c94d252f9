"""The map of a collection: where pictures are laid, and that they are seen there."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
from PIL import Image
from samples import Run
from synthetic import clusters, unit

from vecsearch.errors import UsageError
from vecsearch.layout.clusters import name_groups
from vecsearch.layout.collection import CollectionMap, MapOptions, map_collection
from vecsearch.layout.points import Points
from vecsearch.types import Image as Indexed
from vecsearch.types import Vectors
from vecsearch.view.colour_vision import parse
from vecsearch.view.map import GROUND, draw_map, render_map, side_for
from vecsearch.view.palette import GROUPS


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


def indexed(paths: Sequence[Path]) -> list[Indexed]:
    return [Indexed(path, 1, 1, b"", 1, 1, id=n, row=n) for n, path in enumerate(paths)]


def placed(points: Points, paths: Sequence[Path], labels: list[int] | None = None) -> CollectionMap:
    numbers = np.array(labels or [-1] * len(paths))
    groups = name_groups(numbers, paths)
    return CollectionMap(indexed(paths), points, numbers, groups, MapOptions())


def laid_out(vectors: Vectors, paths: Sequence[Path], seed: int = 0) -> CollectionMap:
    return map_collection(vectors, indexed(paths), MapOptions(seed=seed))


def paint(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (100, 100)) -> Path:
    Image.new("RGB", size, colour).save(path, "BMP")
    return path


@pytest.mark.parametrize("n", [1, 2, 3, 12])
def test_every_picture_is_seen_whole_on_the_map(tmp_path: Path, n: int) -> None:
    rng = np.random.default_rng(n)
    colours = [(20 * i, 255 - 20 * i, 100 + (50 * i) % 150) for i in range(n)]
    paths = [paint(tmp_path / f"{i}.bmp", colour, (120, 80)) for i, colour in enumerate(colours)]
    out = tmp_path / "map.png"
    draw_map(laid_out(unit(rng.normal(size=(n, 16))), paths), out)
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
    whole = np.asarray(render_map(placed(points, [good, good, good])))
    image = np.asarray(render_map(placed(points, [good, tmp_path / "gone.jpg", broken])))
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
    free = render_map(placed(points, [path] * 60))
    monkeypatch.setattr("vecsearch.view.map.LARGEST_AREA", 900_000)
    bounded = render_map(placed(points, [path] * 60))
    assert bounded.width * bounded.height < 0.7 * free.width * free.height
    red = (np.asarray(bounded) == (200, 0, 0)).all(axis=2)
    assert red.any()


def test_the_same_input_and_seed_give_the_same_file(tmp_path: Path) -> None:
    vectors, labels = clusters(3, 6)
    paths = [paint(tmp_path / f"{i}.bmp", (80 * label, 50, 90)) for i, label in enumerate(labels)]
    for name in ("a.png", "b.png"):
        draw_map(laid_out(vectors, paths, 7), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_progress_is_reported(tmp_path: Path) -> None:
    vectors, labels = clusters(1, 5)
    path = paint(tmp_path / "a.bmp", (200, 0, 0))
    calls: list[tuple[str, int, int]] = []

    def report(phase: str, done: int, total: int) -> None:
        calls.append((phase, done, total))

    images = indexed([path] * len(labels))
    draw_map(map_collection(vectors, images, progress=report), tmp_path / "a.jpg", progress=report)
    drawn = [("drawing", done, 5) for done in range(1, 6)]
    assert calls[2:] == [("t-SNE", 0, 5), ("t-SNE", 5, 5), *drawn]


def test_wrong_input_is_refused(tmp_path: Path) -> None:
    vectors, _ = clusters(1, 3)
    with pytest.raises(UsageError, match="1 and 3 given"):
        laid_out(vectors, [tmp_path / "a.bmp"])
    with pytest.raises(UsageError, match="there are no pictures"):
        laid_out(vectors[:0], [])
    with pytest.raises(UsageError, match=r"unknown colouring .mood.; known are cluster, folder"):
        map_collection(vectors, indexed([tmp_path] * 3), MapOptions(color="mood"))
    with pytest.raises(UsageError, match="usual endings"):
        draw_map(placed(np.zeros((1, 2), np.float32), [tmp_path / "a"]), tmp_path / "map.docx")
    assert list(tmp_path.iterdir()) == []


def test_groups_have_colours_and_names_of_their_own(tmp_path: Path) -> None:
    paths = [paint(tmp_path / f"{name}{n}.bmp", (9, 9, 9)) for name in "ab" for n in range(5)]
    points = np.array([[10 * (n // 5), n % 5] for n in range(10)], np.float32)
    plain = render_map(placed(points, paths))
    coloured = np.asarray(render_map(placed(points, paths, [0] * 5 + [1] * 5)))
    assert coloured.shape == np.asarray(plain).shape
    half = coloured.shape[1] // 2
    for colour, here, there in ((parse(GROUPS[0]), slice(half), slice(half, None)),
                                (parse(GROUPS[1]), slice(half, None), slice(half))):  # fmt: skip
        of_colour = (coloured == colour).all(axis=2)
        assert of_colour[:, here].sum() > 4 * 100
        assert not of_colour[:, there].any()
    named = placed(points, paths, [0] * 5 + [1] * 5)
    unnamed = np.asarray(render_map(replace(named, options=MapOptions(color="folder"))))
    black, whole = ((image == 9).all(axis=2).sum() for image in (coloured, unnamed))
    assert 0.99 * whole < black <= whole  # names hide next to nothing


def test_of_very_many_pictures_every_one_is_a_dot_and_some_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vecsearch.view.map.MOST_PICTURES", 100)
    monkeypatch.setattr("vecsearch.view.map.LARGE_CANVAS", 900)
    path = paint(tmp_path / "a.bmp", (200, 0, 0))
    crowd = np.random.default_rng(0).normal(size=(200, 2))
    points = np.concatenate([crowd, [[9, 9]]]).astype(np.float32)
    image = np.asarray(render_map(placed(points, [path] * 201)))
    assert max(image.shape) < 1400
    shown = (image == (200, 0, 0)).all(axis=2)
    assert shown[: image.shape[0] // 2, : image.shape[1] // 2].any()
    assert shown[-200:, -200:].any()  # the one that is by itself


def test_the_command_writes_picture_page_and_coordinates(
    run: Run, index: Path, tmp_path: Path
) -> None:
    run("viz", "-i", index, "-o", "m.png", "--save-coordinates", "c.csv", "--color", "folder")
    run("viz", "-i", index, "--save-coordinates", "c.parquet", "--color", "folder")
    assert not (tmp_path / "tsne.png").exists()
    with (tmp_path / "c.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["id"]) for row in rows] == list(range(1, 13))
    assert {row["group"] for row in rows} == {"photos", "more"}
    table = parquet.read_table(tmp_path / "c.parquet").to_pydict()
    assert table["path"] == [row["path"] for row in rows]
    assert table["group"] == [row["group"] for row in rows]
    places = np.array([[row["x"], row["y"]] for row in rows], np.float32)
    assert np.array_equal(places, np.array([table["x"], table["y"]], np.float32).T)
    assert np.ptp(places, axis=0).min() > 0
    run("viz", "-i", index, "--method", "pca")
    assert (tmp_path / "pca.png").stat().st_size > 10_000


def test_outputs_that_cannot_be_are_refused_before_the_work(
    run: Run, index: Path, photos: Path, tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in photos.rglob("*.png")}
    for arguments, message in (
        (("--html", "map.png"), "let it end in .html"),
        (("--save-coordinates", "c.xlsx"), "known are .csv, .parquet"),
        (("-o", "map.docx"), "usual endings"),
        (("-o", "a.html", "--html", "a.html"), "two outputs have one name"),
        (("-o", photos / "p1.png"), "would be overwritten"),
        (("--save-coordinates", "/proc/c.csv"), "cannot write /proc/c.csv"),
    ):
        failed = run("viz", "-i", index, *arguments, code=1 if "/proc" in str(arguments) else 2)
        assert message in failed.stderr
        assert "Traceback" not in failed.stderr
    assert {path: path.read_bytes() for path in photos.rglob("*.png")} == before
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".html", ".csv", ".docx")]
