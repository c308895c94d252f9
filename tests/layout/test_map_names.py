"""Names and colours on maps: each crowd has its own, deserved, and nothing lies under a name."""

from __future__ import annotations

import unicodedata
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image
from samples import Run

import vecsearch
from vecsearch.layout.clusters import Labels, name_groups
from vecsearch.layout.collection import CollectionMap, MapOptions
from vecsearch.layout.grid import pack
from vecsearch.layout.room import find_room
from vecsearch.layout.separate import arrange_with_names
from vecsearch.types import Guess
from vecsearch.types import Image as Indexed
from vecsearch.view.colour_vision import ciede2000, contrast, differences, parse
from vecsearch.view.map import draw_map, render_map
from vecsearch.view.palette import GROUPS, ON_DARK, colours_of, letters_on

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
RED = (200, 0, 0)


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


def paths_of(*names: str, each: int = 4) -> tuple[Labels, list[Path]]:
    labels = np.repeat(np.arange(len(names)), each)
    return labels, [Path(f"/p/{name}/img_{n:04d}.jpg") for name in names for n in range(each)]


def test_a_name_is_deserved_by_half_of_the_cluster() -> None:
    folders = ["joshua_tree"] * 4 + ["cat"] * 2 + ["dog"] * 2 + ["a1", "bird", "cow", "fish"]
    labels = np.repeat(np.arange(3), 4)
    paths = [Path(f"/p/{folder}/img_{n}.jpg") for n, folder in enumerate(folders)]
    groups = name_groups(labels, paths)
    assert [group.name for group in groups] == ["joshua tree", "cat, dog", "cluster 3"]
    assert [group.named for group in groups] == [True, True, False]


def test_a_word_that_all_have_names_none() -> None:
    labels, _ = paths_of("a", "b")
    groups = name_groups(labels, [Path(f"/p/holiday/img_{n}.jpg") for n in range(8)])
    assert not any(group.named for group in groups)
    assert len({group.name for group in groups}) == 2


def test_no_two_clusters_have_one_name() -> None:
    labels, paths = paths_of("cat", "cat", "dog", "dog", "cow", "cow")
    guesses = [
        (Guess(word, 0.6),)
        for word in ("tabby", "lynx", "pug", "pug", "cow", "cow")
        for _ in range(4)
    ]
    groups = name_groups(labels, paths, guesses=guesses)
    names = [group.name for group in groups]
    assert len(set(names)) == len(names)
    assert names[:3] == ["cat", "cat, lynx", "dog"]
    assert [group.named for group in groups] == [True, True, True, False, True, False]


def test_differences_are_those_of_the_publication() -> None:
    for one, other, expected in (
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, -1, 2), (50, 0, 0), 2.3669),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
    ):
        found = ciede2000(np.array(one, np.float64), np.array(other, np.float64))
        assert float(found) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("colours", "ground", "least"), [(GROUPS, "#f4f5f8", 13), (ON_DARK, "#14171d", 15)]
)
def test_colours_are_told_apart_by_the_colour_blind(
    colours: tuple[str, ...], ground: str, least: float
) -> None:
    apart = differences([parse(one) for one in colours])
    assert apart[~np.eye(len(colours), dtype=bool)].min() >= least
    assert min(contrast(parse(one), parse(ground)) for one in colours) > 2.5
    assert min(contrast(parse(one), parse(letters_on(one))) for one in colours) > 4.5


def test_neighbours_have_colours_of_their_own() -> None:
    middles = np.array([(x, y) for x in range(7) for y in range(6)], np.float32) * 10
    rng = np.random.default_rng(0)
    placed = np.repeat(middles, 8, axis=0) + rng.uniform(-3, 3, (8 * 42, 2)).astype(np.float32)
    labels = np.repeat(np.arange(42), 8)
    chosen = colours_of(placed, labels, 42)
    assert set(chosen) == set(range(len(GROUPS)))
    apart = differences([parse(one) for one in GROUPS])
    away = np.abs(middles[:, np.newaxis] - middles).max(axis=2)
    beside = [(a, b) for a, b in zip(*np.nonzero(away == 10), strict=True) if a < b]
    assert min(apart[chosen[a], chosen[b]] for a, b in beside) > 13
    assert colours_of(placed, labels, 5) == list(range(5))


def test_names_have_room_of_their_own_among_pictures() -> None:
    rng = np.random.default_rng(1)
    points = rng.normal(size=(400, 2)).astype(np.float32)
    labels = (np.arange(400) % 9).astype(np.int64)  # all in one crowd, which is the worst
    sizes = {number: (3.0 + number % 4, 1.0 + 0.7 * (number % 2)) for number in range(9)}
    placed, names = arrange_with_names(points, labels, sizes)
    middles = np.concatenate([placed, [names[number] for number in range(9)]])
    sides = np.concatenate([np.ones((400, 2)), [sizes[number] for number in range(9)]])
    apart = np.abs(middles[:, np.newaxis] - middles)
    over = ((sides[:, np.newaxis] + sides) / 2 - apart).min(axis=2)
    np.fill_diagonal(over, -1)
    assert over.max() < 0.05
    assert np.prod(np.ptp(placed, axis=0)) < 4 * 400


def test_a_name_without_room_is_left_out() -> None:
    middles = np.array([(x, y) for x in range(10, 400, 10) for y in range(10, 400, 10)])
    reach = np.full_like(middles, 6)
    labels = np.zeros(len(middles), np.int64)
    assert find_room(middles, reach, labels, {0: (90, 20)}, (400, 400)) == {}
    found = find_room(middles, reach, labels, {0: (90, 20), 1: (60, 20)}, (400, 500))
    assert list(found) == [0]
    assert found[0][1] >= 400


def test_names_on_the_map_hide_no_picture(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    paths, points = [], []
    for number, name in enumerate(("alps", "beach", "city", "delta", "lake")):
        for one in range(9):
            path = tmp_path / f"{name}{one}.bmp"
            Image.new("RGB", (100, 100), RED).save(path)
            paths.append(path)
            points.append(rng.normal((2.5 * number, 0), 1.0, 2))
    labels = np.repeat(np.arange(5), 9)
    images = [Indexed(path, 1, 1, b"", 1, 1, id=n, row=n) for n, path in enumerate(paths)]
    placed = np.array(points, np.float32)
    groups = name_groups(labels, paths)
    collection = CollectionMap(images, placed, labels, groups, MapOptions())
    pixels = np.asarray(render_map(collection))
    red = (pixels == RED).all(axis=2)
    side = round(np.sqrt(red.sum() / 45))
    assert red.sum() == 45 * side**2  # each is whole
    for number in range(5):
        assert (pixels == parse(GROUPS[number])).all(axis=2).sum() > 9 * 4 * side
    draw_map(collection, tmp_path / "map.svg")
    root = ET.parse(tmp_path / "map.svg").getroot()
    texts = [one.text for one in root.iter(f"{SVG}text")]
    assert texts == ["45 pictures", "t-SNE", "alps", "beach", "city", "delta", "lake"]
    assert (root.get("width"), root.get("height")) == (str(pixels.shape[1]), str(pixels.shape[0]))
    pictures = list(root.iter(f"{SVG}image"))
    assert len(pictures) == 45
    assert all(one.get(LINK, "").startswith("data:image/") for one in pictures)
    places = {(float(one.get("x", "")), float(one.get("y", ""))) for one in pictures}
    assert all(tuple(pixels[int(y), int(x)]) == RED for x, y in places)
    assert len(places) == 45


def test_the_command_writes_svg_marked_as_a_drawing(run: Run, index: Path, tmp_path: Path) -> None:
    told = run("viz", "-i", index, "-o", "map.svg").stdout
    assert told == "map.svg: 12 pictures\n"
    data = (tmp_path / "map.svg").read_bytes()
    assert b"vecsearch drawing, no picture of a collection" in data[: 64 << 10]
    pictures = list(ET.fromstring(data).iter(f"{SVG}image"))
    assert len(pictures) == 12
    run("viz", "-i", index, "-o", "again.svg")
    assert (tmp_path / "again.svg").read_bytes() == data


def test_a_map_of_some_pictures(run: Run, index: Path, tmp_path: Path) -> None:
    with vecsearch.open_index(index) as opened:
        some = {str(image.path) for image in opened if image.path.name.startswith("p1")}
    files = ["-o", "some.svg", "--html", "some.html", "--save-coordinates", "some.csv"]
    told = run("viz", "-i", index, "--glob", "p1*", *files).stdout
    assert told.splitlines()[0] == f"some.svg: {len(some)} pictures"
    assert 2 < len(some) < 12
    rows = (tmp_path / "some.csv").read_text().splitlines()[1:]
    assert len(rows) == len(some)
    assert all("p1" in row for row in rows)
    assert "taken since" in run("viz", "-i", index, "--since", "2190", code=1).stderr


def test_names_are_whole_words_however_letters_are_composed() -> None:
    labels, paths = paths_of(unicodedata.normalize("NFD", "Z\u00fcrich"), "resized", "berlin")
    names = [group.name for group in name_groups(labels, paths) if group.named]
    assert names == ["z\u00fcrich", "berlin"]


def test_a_grid_has_every_picture_once_and_neighbours_near() -> None:
    rng = np.random.default_rng(3)
    points = (rng.normal(size=(203, 2)) * (9, 4)).astype(np.float32)
    packed = pack(points)
    steps = packed - packed.min(axis=0)
    assert np.abs(steps - np.rint(steps)).max() < 1e-3
    cells = {tuple(cell) for cell in np.rint(steps).astype(int).tolist()}
    assert len(cells) == 203
    assert (np.ptp(packed, axis=0) + 1).prod() < 1.15 * 203
    rows = np.rint(steps[:, 1])
    for row in set(rows.tolist()):
        line = np.nonzero(rows == row)[0]
        line = line[np.argsort(steps[line, 0])]
        assert all(points[a, 0] < points[b, 0] + 8 for a, b in pairwise(line))
    for few in (0, 1, 2, 3):
        assert len({tuple(one) for one in pack(points[:few]).tolist()}) == few
