"""The pages, in a real browser: clicks, keys, and nothing in the console or on the network."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, sync_playwright
from samples import CHEAP, Run, draw

import vecsearch
from vecsearch.cli.viz import MapFiles
from vecsearch.cli.viz import draw as draw_collection
from vecsearch.layout.clusters import name_groups
from vecsearch.layout.collection import CollectionMap, MapOptions
from vecsearch.types import Image as Indexed
from vecsearch.view.page import write_page

_CLIPBOARD = ["clipboard-read", "clipboard-write"]


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium: the system's, or the one that playwright has installed."""
    with sync_playwright() as playwright:
        names = ("chromium", "chromium-browser", "google-chrome")
        found = next(filter(None, map(shutil.which, names)), None)
        program = found or playwright.chromium.executable_path
        if not Path(program).exists():
            assert not os.environ.get("VECSEARCH_TEST_BROWSER"), "there is no Chromium"
            pytest.skip("needs Chromium (apt install chromium, or playwright install chromium)")
        # Chromium refuses to sandbox what root runs, as in containers.
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


def until(page: Page, condition: str) -> None:
    """Wait for a condition; playwright's own way needs eval, which the pages forbid."""
    for _ in range(100):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"never came: {condition}")


@pytest.fixture
def visit(browser: Browser) -> Iterator[Any]:
    """Open a page; at the end, nothing may have been said in the console or fetched."""
    context = browser.new_context(
        viewport={"width": 1000, "height": 700}, permissions=_CLIPBOARD, reduced_motion="reduce"
    )
    said: list[str] = []
    fetched: list[str] = []

    def watch(route: Route) -> None:
        fetched.append(route.request.url)
        route.continue_()

    def visit(path: Path) -> Page:
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.route("**/*", watch)
        page.goto(path.as_uri())
        until(page, "Sprites.sheets.length > 0 && Sprites.sheets[0]")
        return page

    yield visit
    context.close()
    assert said == []
    assert {url.partition(":")[0] for url in fetched} <= {"file", "blob", "data"}


def place_of(page: Page, number: int) -> tuple[float, float]:
    """Return where in the window a picture of the map is."""
    code = """(i) => { const box = stage.getBoundingClientRect();
        const [x, y] = toScreen(points.x[i], points.y[i]); return [x + box.left, y + box.top]; }"""
    x, y = page.evaluate(code, number)
    return x, y


def darkness(page: Page) -> float:
    with Image.open(io.BytesIO(page.screenshot())) as image:
        return 255 - float(np.asarray(image.convert("L")).mean())


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of twelve pictures in two folders, and the page of its map."""
    folder = tmp_path_factory.mktemp("collection")
    for number in range(12):
        below = "photos/more" if number > 9 else "photos"
        draw(folder / below / f"p{number}.png", number)
    index = vecsearch.build(folder / "photos", index=folder / "index", encoder=CHEAP).index
    with vecsearch.open_index(index) as opened:
        options = MapOptions(color="folder")
        draw_collection(opened, MapFiles(page=folder / "map.html"), options, None)
    return folder


@pytest.fixture
def index(collection: Path) -> Path:
    return collection / "index"


@pytest.fixture
def map_page(collection: Path, visit: Any) -> Page:
    page: Page = visit(collection / "map.html")
    return page


def test_a_click_shows_a_picture_and_its_nearest(map_page: Page, index: Path) -> None:
    with vecsearch.open_index(index) as opened:
        images = list(opened)
        nearest = [hit.path.name for hit in opened.query("id:4", k=8)[0].hits]
    map_page.mouse.move(*place_of(map_page, 3))
    assert images[3].path.name in map_page.locator("#tip").inner_text()
    assert str(images[3].path.parent) in map_page.locator("#tip").inner_text()
    map_page.mouse.click(*place_of(map_page, 3))
    assert map_page.locator("#panel h2").inner_text() == images[3].path.name
    listed = map_page.locator("#neighbours button span").all_inner_texts()
    assert [text.split()[-1].split("/")[-1] for text in listed] == nearest
    map_page.locator("#neighbours button").nth(1).click()
    assert map_page.locator("#panel h2").inner_text() == nearest[1]
    map_page.get_by_role("button", name="Copy path").click()
    copied = map_page.evaluate("navigator.clipboard.readText()")
    assert copied in [str(image.path) for image in images if image.path.name == nearest[1]]
    link = map_page.get_by_role("link", name="Open").get_attribute("href")
    assert link == Path(copied).as_uri()


def test_the_map_is_moved_and_zoomed(map_page: Page) -> None:
    before = np.array([place_of(map_page, number) for number in range(12)])
    map_page.mouse.move(300, 300)
    map_page.mouse.down()
    map_page.mouse.move(360, 320, steps=4)
    map_page.mouse.up()
    moved = np.array([place_of(map_page, number) for number in range(12)])
    assert np.abs(moved - before - (60, 20)).max() < 1
    assert map_page.locator("#panel").is_hidden()  # a drag is no click
    map_page.mouse.wheel(0, -200)
    map_page.wait_for_timeout(100)
    zoomed = np.array([place_of(map_page, number) for number in range(12)])
    assert np.ptp(zoomed) > 1.3 * np.ptp(moved)
    map_page.keyboard.press("0")
    until(map_page, "!flight")
    assert np.abs(np.array([place_of(map_page, n) for n in range(12)]) - before).max() < 1


def test_a_lasso_selects_what_is_in_it(map_page: Page, index: Path) -> None:
    with vecsearch.open_index(index) as opened:
        paths = [str(image.path) for image in opened]
    x, y = place_of(map_page, 5)
    map_page.get_by_role("button", name="Lasso").click()
    map_page.mouse.move(x - 15, y - 15)
    map_page.mouse.down()
    for corner in ((x + 15, y - 15), (x + 15, y + 15), (x - 15, y + 15)):
        map_page.mouse.move(*corner, steps=3)
    map_page.mouse.up()
    assert map_page.locator("#selected").inner_text() == "1 picture selected"
    map_page.get_by_role("button", name="Copy paths").click()
    assert map_page.evaluate("navigator.clipboard.readText()") == paths[5]
    map_page.locator("#legend button").first.click()  # of the larger folder
    map_page.keyboard.press("c")
    copied = map_page.evaluate("navigator.clipboard.readText()")
    assert copied.splitlines() == [path for path in paths if "more" not in path]


def test_a_lasso_is_not_the_box_around_it(map_page: Page, index: Path) -> None:
    with vecsearch.open_index(index) as opened:
        paths = [str(image.path) for image in opened]
    places = [place_of(map_page, number) for number in range(12)]
    x0, y0 = np.min(places, axis=0) - 25
    x1, y1 = np.max(places, axis=0) + 25
    above = [(x - x0) / (x1 - x0) + (y - y0) / (y1 - y0) < 1 for x, y in places]
    assert 0 < sum(above) < 12
    map_page.keyboard.down("Shift")
    map_page.mouse.move(x0, y0)
    map_page.mouse.down()
    for corner in ((x1, y0), (x0, y1)):
        map_page.mouse.move(*corner, steps=3)
    map_page.mouse.up()
    map_page.keyboard.up("Shift")
    map_page.keyboard.press("c")
    copied = map_page.evaluate("navigator.clipboard.readText()")
    assert copied.splitlines() == [path for path, one in zip(paths, above, strict=True) if one]


def test_search_finds_by_all_words(map_page: Page) -> None:
    map_page.keyboard.press("/")
    map_page.keyboard.type("p1 MORE")
    assert map_page.locator("#found").inner_text() == "2 found"
    map_page.keyboard.press("Enter")
    assert map_page.locator("#panel h2").inner_text() == "p10.png"
    map_page.keyboard.press("Enter")
    assert map_page.locator("#panel h2").inner_text() == "p11.png"
    map_page.keyboard.press("Escape")
    assert map_page.locator("#found").inner_text() == ""


def test_the_map_works_by_keyboard_alone(map_page: Page) -> None:
    map_page.keyboard.press("ArrowRight")
    first = map_page.locator("#map").get_attribute("data-chosen")
    assert first is not None
    seen = {first}
    for key in 3 * ["ArrowRight"] + 3 * ["ArrowDown"] + 3 * ["ArrowLeft"] + 3 * ["ArrowUp"]:
        map_page.keyboard.press(key)
        seen.add(map_page.locator("#map").get_attribute("data-chosen") or "")
    assert len(seen) >= 3
    nearest = map_page.locator("#neighbours button span").first.inner_text().split("/")[-1]
    map_page.keyboard.press("1")
    assert map_page.locator("#panel h2").inner_text() == nearest
    assert nearest in map_page.locator("#status").inner_text()
    map_page.keyboard.press("Space")
    assert map_page.locator("#selected").inner_text() == "1 picture selected"
    map_page.keyboard.press("?")
    assert map_page.locator("#keys").is_visible()
    map_page.keyboard.press("Escape")
    for _ in range(2):
        map_page.keyboard.press("Escape")
    assert map_page.locator("#panel").is_hidden()
    for _ in range(12):
        map_page.keyboard.press("Tab")
        if map_page.evaluate("document.activeElement.id") == "lasso":
            break
    map_page.keyboard.press("Enter")
    assert map_page.locator("#lasso").get_attribute("aria-pressed") == "true"


def test_the_map_is_dark_when_the_system_is_or_one_wants(map_page: Page) -> None:
    light = darkness(map_page)
    map_page.emulate_media(color_scheme="dark")
    map_page.wait_for_timeout(150)
    dark = darkness(map_page)
    assert dark > light + 100
    map_page.get_by_role("button", name="Dark").click()
    map_page.wait_for_timeout(150)
    assert darkness(map_page) == pytest.approx(light, abs=3)


@pytest.fixture(scope="module")
def crowds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a map of three crowds with names, and of a few pictures that are in none."""
    folder = tmp_path_factory.mktemp("crowds")
    rng = np.random.default_rng(0)
    paths, points, labels = [], [], []
    for label, name in enumerate(("alps", "beach", "city")):
        for one in range(12):
            paths.append(draw(folder / name / f"{name}{one}.png", 100 * label + one))
            points.append(rng.normal((14 * label, 7 * (label % 2)), 1.0, 2))
            labels.append(label)
    images = [Indexed(path, 1, 1, b"", 1, 1, id=n, row=n) for n, path in enumerate(paths)]
    numbers = np.array(labels)
    groups = name_groups(numbers, paths)
    placed = np.array(points, np.float32)
    collection = CollectionMap(images, placed, numbers, groups, MapOptions())
    near = np.zeros((36, 1), np.uint32), np.zeros((36, 1), np.float32)
    write_page(collection, near, folder / "map.html")
    return folder / "map.html"


def test_names_hide_neither_pictures_nor_each_other(crowds: Path, visit: Any) -> None:
    page = visit(crowds)
    for step in range(4):
        page.wait_for_timeout(150)
        names = page.evaluate("drawn")
        if not step:
            assert {one["name"] for one in names} == {"alps", "beach", "city"}
        boxes = [(one["left"], one["top"], one["right"], one["bottom"]) for one in names]
        boxes += page.evaluate(
            """[...points.x.keys()].map((i) => {
                const [x, y] = toScreen(points.x[i], points.y[i]);
                const half = (lengths) => (lengths[i] * squareNow()) / Sprites.side / 2;
                const [w, h] = [half(Sprites.widths), half(Sprites.heights)];
                return [x - w, y - h, x + w, y + h]; })"""
        )
        for number, one in enumerate(boxes[: len(names)]):
            for other in boxes[number + 1 :]:
                apart = max(other[0] - one[2], one[0] - other[2], other[1] - one[3],
                            one[1] - other[3])  # fmt: skip
                assert apart >= 0
        page.keyboard.press("+")


def test_gaps_close_while_one_zooms_in(crowds: Path, visit: Any) -> None:
    page = visit(crowds)
    reach = "[points.right - points.left, points.bottom - points.top]"
    whole = page.evaluate(reach)
    x, y = place_of(page, 5)
    page.mouse.move(x, y)
    for _ in range(6):
        page.mouse.wheel(0, -200)
        page.wait_for_timeout(40)
    until(page, "points.part === 1")
    wide, high = page.evaluate(reach)
    assert (wide + 1) * (high + 1) < 1.2 * 36 < (whole[0] + 1) * (whole[1] + 1)
    assert place_of(page, 5) == pytest.approx((x, y), abs=5)  # what is under the pointer stays
    page.keyboard.press("0")
    until(page, "!flight && points.part === 0")
    assert page.evaluate(reach) == pytest.approx(whole)


@pytest.mark.parametrize(("width", "height"), [(1600, 1000), (390, 844)])
def test_the_panel_makes_room(crowds: Path, visit: Any, width: int, height: int) -> None:
    page = visit(crowds)
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_timeout(200)
    before = [place_of(page, number) for number in range(36)]
    page.mouse.click(*place_of(page, 30))
    page.wait_for_timeout(200)
    stage, panel = (page.locator(name).bounding_box() for name in ("#stage", "#panel"))
    assert stage is not None
    assert panel is not None
    assert stage["x"] + stage["width"] <= panel["x"] or stage["y"] + stage["height"] <= panel["y"]
    for x, y in (place_of(page, number) for number in range(36)):
        assert stage["x"] < x < stage["x"] + stage["width"]
        assert stage["y"] < y < stage["y"] + stage["height"]
    page.keyboard.press("Escape")
    page.wait_for_timeout(200)
    after = [place_of(page, number) for number in range(36)]
    assert np.abs(np.array(after) - before).max() < 1


def test_names_cannot_break_a_page(run: Run, tmp_path: Path, visit: Any) -> None:
    names = ["x<", "<img src=x onerror=alert(1)>.png", "$title & \"'.png", "日本.png"]
    names[0] += "/script><b>.png"  # as a path, the end of the element that it stands in
    for number, name in enumerate([*names, os.fsdecode(b"caf\xe9.png")]):
        draw(tmp_path / "odd" / name, number)
    vecsearch.build(tmp_path / "odd", index=tmp_path / "ix", encoder=CHEAP)
    run("viz", "-i", "ix", "--html", "map.html")
    page = visit(tmp_path / "map.html")
    shown = page.evaluate("DATA.paths.map((_, i) => Pictures.name(i))")
    assert {name.rpartition("/")[2] for name in names} < set(shown)
    assert page.evaluate("document.querySelectorAll('b, img').length") == 0
    run("recommend", "-i", "ix", "--html", "all.html")
    page = visit(tmp_path / "all.html")
    assert page.evaluate("document.querySelectorAll('section').length") == 5
    assert page.evaluate("document.querySelectorAll('img').length") == 0


def test_an_index_of_one_picture_and_one_whose_file_is_gone(
    run: Run, tmp_path: Path, visit: Any
) -> None:
    picture = draw(tmp_path / "one" / "a.png", 1)
    vecsearch.build(tmp_path / "one", index=tmp_path / "ix", encoder=CHEAP)
    picture.unlink()
    told = run("viz", "-i", "ix", "--html", "map.html", "-o", "m.png").stdout
    assert told == "m.png: 1 picture\nmap.html: 1 picture\n"
    page = visit(tmp_path / "map.html")
    page.keyboard.press("ArrowRight")
    assert page.locator("#panel h2").inner_text() == "a.png"
    assert page.locator("#neighbours li").count() == 0
    run("recommend", "-i", "ix", "--html", "all.html")
    assert "no hits" in visit(tmp_path / "all.html").inner_text("#s0")


def test_a_gallery_leads_from_picture_to_picture(
    run: Run, index: Path, tmp_path: Path, visit: Any
) -> None:
    with vecsearch.open_index(index) as opened:
        results = list(opened.recommend(k=3))
    run("recommend", "-i", index, "-k", "3", "--html", "all.html")
    assert not (tmp_path / "output").exists()
    page = visit(tmp_path / "all.html")
    assert page.locator("section").count() == 12
    hits = page.locator("#s0 .hits .tile")
    assert [tile.get_attribute("title") for tile in hits.all()] == [
        str(hit.path) for hit in results[0].hits
    ]
    assert f"{results[0].hits[1].score:.3f}" in hits.nth(1).inner_text()
    hits.nth(1).click()
    other = next(n for n, one in enumerate(results) if one.path == results[0].hits[1].path)
    assert page.url.endswith(f"#s{other}")
    until(page, f"document.activeElement.id === 's{other}'")
    page.go_back()
    until(page, "document.activeElement.id === 's0'")
    page.keyboard.press("/")
    page.keyboard.type("p11")
    assert page.locator("section:visible").count() == 1
    page.keyboard.press("Escape")
    assert page.locator("section:visible").count() == 12
    page.locator("#s2 .query .tile").click()
    assert str(results[2].path) in page.locator("#one").inner_text()


def test_a_gallery_of_queries_works_by_keyboard(
    run: Run, index: Path, tmp_path: Path, visit: Any
) -> None:
    run("query", "id:1", "id:7", "-i", index, "-k", "4", "--html", "hits.html")
    page = visit(tmp_path / "hits.html")
    assert page.locator("section").count() == 2
    page.keyboard.press("j")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.locator("#one").is_visible()
    title = page.locator("#s1 .tile").nth(1).get_attribute("title") or "?"
    assert title in page.locator("#one").inner_text()
    page.keyboard.press("Escape")
    assert page.locator("#one").is_hidden()


def test_a_page_about_quality_has_its_tables(
    run: Run, index: Path, tmp_path: Path, visit: Any
) -> None:
    done = run("eval", "-i", index, "--labels", "folder", "--html", "quality.html", "--json")
    report = json.loads(done.stdout)
    page = visit(tmp_path / "quality.html")
    by_class = page.get_by_role("table", name="By class, worst first").get_by_role("row")
    assert [row.get_by_role("rowheader").all_inner_texts() for row in by_class.all()] == [
        [],
        *([one["label"]] for one in report["by_class"]),
    ]
    figures = page.get_by_role("table", name="Figures")
    mean = f"{report['mean_average_precision']['value']:.3f}"
    assert mean in figures.get_by_role("row", name="mAP").inner_text()
    assert page.locator("section").count() == len(report["worst"])
    first = report["worst"][0]
    right = [label == first["label"] for label in first["hit_labels"]]
    signed = zip(first["hit_labels"], right, strict=True)
    assert page.locator("#s0 .hits .tile b").all_inner_texts() == [
        f"{rank} {'✓' if is_right else '✗'} {label}"
        for rank, (label, is_right) in enumerate(signed, start=1)
    ]
    marked = [" mark" in (tile.get_attribute("class") or "") for tile in
              page.locator("#s0 .hits .tile").all()]  # fmt: skip
    assert marked == right
    page.set_viewport_size({"width": 360, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.fixture
def crowd(run: Run, tmp_path: Path, visit: Any) -> Page:
    """A gallery of pictures of one colour each, of odd sizes, with names of many kinds."""
    colours = [(230, 0, 0), (0, 0, 230), (0, 200, 0), (0, 0, 0), (255, 255, 255), (230, 200, 0)]
    names = [
        "panda/image_0001.png", "brontosaurus_skeleton/image_0001.png", "panda/image_0002.png",
        "a very long name of a picture from the summer holidays by the sea, edited twice.png",
        "sunset.png", "תמונה 1.png", "猫🍕.png", "asparagus_resized_twice.jpeg", "x.png",
    ]  # fmt: skip
    for number, name in enumerate(names):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        size = (300 - 7 * number, 300) if number % 2 else (300, 300 - 31 * number)
        Image.new("RGB", size, colours[number % len(colours)]).save(path)
    index = vecsearch.build(tmp_path / "photos", index=tmp_path / "index", encoder=CHEAP).index
    run("recommend", "-i", index, "-k", "8", "--html", "page.html")
    page: Page = visit(tmp_path / "page.html")
    return page


def test_no_thumbnail_has_a_line_of_its_neighbour(crowd: Page) -> None:
    """At any size, pixels at the edges are of the picture's own colour."""
    code = """() => {
        const far = [];
        for (let sprite = 0; sprite < Sprites.widths.length; sprite++) {
            for (const square of [9, 20, 27.5, 37, 56, 75.3, 112, 150, 224, 300.7, 448, 1000]) {
                const canvas = document.createElement("canvas");
                const width = Math.round(Sprites.widths[sprite] * square / Sprites.side);
                const height = Math.round(Sprites.heights[sprite] * square / Sprites.side);
                [canvas.width, canvas.height] = [width, height];
                const context = canvas.getContext("2d", { willReadFrequently: true });
                Sprites.paint(context, sprite, 0, 0, width, height);
                const mean = [0, 1, 2].map((c) => Sprites.means[3 * sprite + c]);
                const pixels = context.getImageData(0, 0, width, height).data;
                let most = 0;
                for (let at = 0; at < pixels.length; at += 4) {
                    for (const c of [0, 1, 2])
                        most = Math.max(most, Math.abs(pixels[at + c] - mean[c]));
                    if (pixels[at + 3] < 255) most = 255;
                }
                if (most > 12) far.push([sprite, square, most]);
            }
        }
        return far;
    }"""
    assert crowd.evaluate(code) == []
    # And those that are shown are there to the last pixel, on a screen of any fineness.
    clear = """() => [...document.querySelectorAll(".tile canvas")].filter((canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        for (let at = 3; at < data.length; at += 4) if (data[at] < 255) return true;
    }).length"""
    assert crowd.evaluate(clear) == 0
    for size in ("97", "141", "203"):
        crowd.locator("#size").fill(size)
        until(crowd, "document.querySelectorAll('.tile canvas').length > 5")
        assert crowd.evaluate(clear) == 0


def test_the_panel_of_a_map_tells_neighbours_apart(
    crowd: Page, run: Run, tmp_path: Path, visit: Any
) -> None:
    assert crowd.title()  # its pictures and index are there
    run("viz", "-i", tmp_path / "index", "--html", tmp_path / "map.html")
    page = visit(tmp_path / "map.html")
    page.evaluate("choose(DATA.paths.findIndex((path) => path.endsWith('sunset.png')))")
    told = page.locator("#neighbours").inner_text()
    assert "panda/image_0001.png" in told
    assert "brontosaurus_skeleton/image_0001.png" in told
    assert "photos/x.png" not in told


def test_names_on_a_page_use_the_room_there_is(crowd: Page) -> None:
    code = """() => Object.fromEntries([...document.querySelectorAll("#s0 .tile")].map((tile) => [
        tile.title.split("\\n")[0].split("photos/")[1],
        [...tile.querySelectorAll(".name bdi")].map((line) => line.textContent)]))"""

    def shown(side: int) -> dict[str, list[str]]:
        crowd.locator("#size").fill(str(side))
        until(crowd, f"document.querySelector('#s0 .tile .frame')?.clientWidth === {side}")
        names: dict[str, list[str]] = crowd.evaluate(code)
        return names

    names = shown(240)
    assert len(names) == 9
    assert names["sunset.png"] == ["sunset.png"]  # its folder would tell nothing
    assert names["asparagus_resized_twice.jpeg"] == ["asparagus_resized_twice.jpeg"]
    assert names["panda/image_0001.png"] == ["panda/image_0001.png"]
    names = shown(175)
    folder = "brontosaurus_skeleton"
    assert names[f"{folder}/image_0001.png"] == [f"{folder}/", "image_0001.png"]
    assert names["asparagus_resized_twice.jpeg"] == ["asparagus_resized_", "twice.jpeg"]
    first, last = names[max(names, key=len)]
    assert "…" not in first
    assert last.endswith("twice.png")
    assert "…" in last
    over = """() => [...document.querySelectorAll(".tile .name")].filter(
        (name) => name.scrollWidth > name.clientWidth + 1 || name.childElementCount > 2).length"""
    assert crowd.evaluate(over) == 0


def test_a_page_fits_its_tiles_to_the_window(crowd: Page) -> None:
    tops = """() => new Set([...document.querySelectorAll("#s0 .tile")].map(
        (tile) => Math.round(tile.getBoundingClientRect().top))).size"""
    side = "document.querySelector('#s0 .tile .frame')?.clientWidth"
    sides = [crowd.evaluate(side)]
    for width, expected in ((1600, 1), (1000, 2), (390, 5)):
        crowd.set_viewport_size({"width": width, "height": 800})
        until(crowd, f"({side} ?? {sides[-1]}) !== {sides[-1]}")
        sides.append(crowd.evaluate(side))
        assert crowd.evaluate("document.documentElement.scrollWidth") <= width
        assert crowd.evaluate(tops) == expected  # on a phone the query, and its hits by twos
    crowd.locator("#size").fill("100")
    crowd.set_viewport_size({"width": 1600, "height": 800})
    until(crowd, f"{side} === 100")  # as was chosen
    crowd.wait_for_timeout(100)
    assert crowd.evaluate(side) == 100


def test_a_page_of_copies_gives_the_commands_for_what_was_decided(
    run: Run, tmp_path: Path, visit: Any
) -> None:
    folder = tmp_path / "my photos"
    for seed in (1, 2):
        draw(folder / f"p{seed}.png", seed)
        with Image.open(folder / f"p{seed}.png") as picture:
            picture.save(folder / f"q{seed}.bmp")
    shutil.copy(folder / "p1.png", folder / "same.png")
    index = vecsearch.build(folder, index=tmp_path / "ix", encoder=CHEAP).index
    command = ["duplicates", "-i", index, "--threshold", 0.999, "--keep", "*.png"]
    run(*command, "--html", tmp_path / "copies.html")
    page = visit(tmp_path / "copies.html")
    until(page, "document.querySelectorAll('.marks').length === 3")
    ids = {image.path.name: image.id for image in vecsearch.open_index(index)}
    section = page.locator("section", has_text="q2.bmp")
    assert "kept: preferred" in section.inner_text()
    assert "larger file than the kept one" in section.inner_text()
    overlapping = """() => [...document.querySelectorAll('section')].filter((section) => {
        const right = section.getBoundingClientRect().right;
        return [...section.querySelectorAll('.tile, button')].some(
            (one) => one.getBoundingClientRect().right > right);
    }).length + Number(document.documentElement.scrollWidth > innerWidth)"""
    for width in (390, 900, 1100, 1300, 1600, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(100)
        assert page.evaluate(overlapping) == 0, width
    certain = page.locator(".choice", has_text="same bytes")
    assert certain.locator("button", has_text="Keep this").count() == 1
    assert certain.locator("button", has_text="Not a copy").count() == 0

    section.locator(".tile", has_text="q2.bmp").click()
    dialog = page.locator("#compare")
    assert dialog.locator("tr.differs", has_text="Name").inner_text().split() == [
        "Name",
        "p2.png",
        "q2.bmp",
    ]
    page.keyboard.press("Space")
    assert dialog.locator("figure.top").inner_text().endswith("p2.png")
    page.keyboard.press("Space")
    assert dialog.locator("figure.top").inner_text().endswith("q2.bmp")
    page.keyboard.press("x")
    page.keyboard.press("Escape")
    page.locator(".choice", has_text="q1.bmp").locator("button", has_text="Keep this").click()
    lines = page.locator("footer pre").inner_text().splitlines()
    start = f"vecsearch duplicates -i {index}"
    assert lines == [
        f"{start} --not-copies id:{ids['p2.png']} id:{ids['q2.bmp']}",
        f"{start} --threshold 0.999 --keep id:{ids['q1.bmp']} --keep '*.png'",
    ]
    for line in lines:  # and they are what the command takes
        told = run(*shlex.split(line)[1:]).stdout
    assert "keep" in told
    assert [
        group.kept.path.name
        for group in vecsearch.duplicates(index, threshold=0.999, keep=f"id:{ids['q1.bmp']}").groups
    ] == ["q1.bmp"]
    page.locator("footer button").click()
    assert page.evaluate("navigator.clipboard.readText()").splitlines() == lines
