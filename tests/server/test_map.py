"""The map of a server: made in the background, and drawn by the page that `viz --html` writes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route
from served_pages import (
    READY,
    Server,
    Visit,
    accessibility_faults,
    serving,
    started_browser,
    until,
    visits,
)

import vecsearch
from vecsearch.layout.collection import CollectionMap, MapOptions, map_collection

API = "api/v1/indexes/index"
PAGE = "map.html?index=index"


@pytest.fixture(scope="module")
def server(sample_index: Path) -> Iterator[Server]:
    with serving(sample_index) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with started_browser() as started:
        yield started


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    with visits(browser) as visit:
        yield visit


@pytest.fixture
def page(server: Server, visit: Visit) -> Page:
    made: Page = visit(server, PAGE)
    until(made, "typeof Sprites !== 'undefined' && Sprites.sheets.length > 0")
    return made


def laid_out(index: Path, options: MapOptions) -> CollectionMap:
    with vecsearch.open_index(index) as opened:
        vectors = opened.map_vectors()
        return map_collection(vectors, vectors.images, options, guesses=vectors.guesses())


def test_a_map_is_made_in_the_background_and_kept(server: Server, sample_index: Path) -> None:
    address = f"{API}/map?seed=7"
    first = server.get(address)
    assert first.status == 202
    assert set(first.json) == {"state", "phase", "done", "total"}
    assert first.json["state"] == "working"
    assert first.headers["Retry-After"] == "1"
    assert first.headers["Cache-Control"] == "no-store"
    made = server.made(address)
    expected = laid_out(sample_index, MapOptions(seed=7))
    assert made.json["ids"] == [image.id for image in expected.images]
    assert made.json["x"] == pytest.approx(expected.points[:, 0].tolist(), abs=1e-3)
    assert made.json["y"] == pytest.approx(expected.points[:, 1].tolist(), abs=1e-3)
    assert made.json["labels"] == expected.labels.tolist()
    assert (made.json["method"], made.json["seed"]) == ("tsne", 7)
    again = server.get(address, **{"If-None-Match": made.headers["ETag"]})
    assert again.status == 304


def test_parameters_make_other_maps(server: Server, sample_index: Path) -> None:
    made = server.made(f"{API}/map?method=pca&color=folder").json
    expected = laid_out(sample_index, MapOptions(method="pca", color="folder"))
    assert made["x"] == pytest.approx(expected.points[:, 0].tolist(), abs=1e-3)
    assert [(one["name"], one["size"]) for one in made["groups"]] == [
        (one.name, one.size) for one in expected.groups
    ]
    assert made["labels"] == expected.labels.tolist()
    chosen = server.made(f"{API}/map?method=pca&glob=pizza*&glob=salad*&color=none").json
    ids = [image.id for image in expected.images if image.path.name[:5] in ("pizza", "salad")]
    assert chosen["ids"] == ids
    assert chosen["groups"] == []
    assert set(chosen["labels"]) == {-1}


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        (f"{API}/map?method=circle", 400, "usage"),
        (f"{API}/map?seed=-1", 400, "usage"),
        (f"{API}/map?since=yesteryear", 400, "usage"),
        (f"{API}/map?glob=nosuch*", 404, "not_found"),
        ("api/v1/indexes/other/map", 404, "no_such_index"),
        (f"{API}/map/sheets/0?made={'0' * 32}", 410, "map_gone"),
        (f"{API}/map/sheets/0", 400, "usage"),
    ],
)
def test_what_cannot_be_meant_is_told(server: Server, address: str, status: int, code: str) -> None:
    answer = server.made(address)
    assert (answer.status, answer.json["code"]) == (status, code)


def test_the_page_has_no_script_and_no_style_within(server: Server) -> None:
    text = server.get(PAGE).body.decode()
    assert "<style" not in text
    assert "style=" not in text
    scripts = text.split("<script")[1:]
    assert len(scripts) == 2
    assert all(' src="' in one or 'type="application/json"' in one for one in scripts)
    policy = server.get(PAGE).headers["Content-Security-Policy"]
    assert "unsafe" not in policy


def test_progress_is_shown_until_the_map_is_there(server: Server, visit: Visit) -> None:
    steps = iter([("t-SNE", 0, 8), ("thumbnails", 3, 8)])
    held: list[Route] = []
    page = visit(server, "healthz", wait=False)

    def answer(route: Route) -> None:
        step = next(steps, None)
        if step is None:
            held.append(route)
            return
        phase, done, total = step
        route.fulfill(
            status=202, json={"state": "working", "phase": phase, "done": done, "total": total}
        )

    page.route("**/map/page?*", answer)
    page.goto(server.url + PAGE)
    until(page, "document.querySelector('#waiting')?.innerText.includes('Thumbnails') ?? false")
    assert "3 of 8" in page.inner_text("#waiting")
    assert page.evaluate("document.querySelector('progress').value") == pytest.approx(3 / 8)
    assert page.locator("#stage").is_hidden()
    assert accessibility_faults(page) == []
    for _ in range(200):
        if held:
            break
        page.wait_for_timeout(50)
    page.unroute("**/map/page?*")
    held[0].continue_()
    until(page, READY)
    assert page.locator("#stage").is_visible()


def test_what_went_wrong_is_told_on_the_page(server: Server, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{server.url}{PAGE}&glob=nosuch*")
    until(page, "document.querySelector('#waiting [role=alert]') !== null")
    assert "has no image like nosuch*" in page.inner_text("#waiting")
    page.close()


def place_of(page: Page, number: int) -> tuple[float, float]:
    code = """(i) => { const box = stage.getBoundingClientRect();
        const [x, y] = toScreen(points.x[i], points.y[i]); return [x + box.left, y + box.top]; }"""
    x, y = page.evaluate(code, number)
    return x, y


def test_the_map_draws_every_picture(page: Page) -> None:
    assert page.inner_text("h1") == "8 pictures"
    until(page, "!wanted")  # until what changed has been drawn
    with Image.open(io.BytesIO(page.screenshot())) as opened:
        pixels = np.asarray(opened.convert("RGB")).astype(float)
    for number in range(8):
        x, y = place_of(page, number)
        half = page.evaluate("Math.floor(0.25 * squareNow())")
        part = pixels[int(y) - half : int(y) + half, int(x) - half : int(x) + half].reshape(-1, 3)
        mean = page.evaluate("(i) => [...Sprites.means.slice(3 * i, 3 * i + 3)]", number)
        assert part.std(axis=0).max() > 8  # a picture, and no plain colour
        assert np.abs(part.mean(axis=0) - mean).max() < 70


def test_a_click_shows_a_picture_and_leads_to_similar_ones(
    page: Page, server: Server, sample_index: Path
) -> None:
    with vecsearch.open_index(sample_index) as opened:
        images = list(opened)
        nearest = opened.query("id:4", k=1)[0].hits[0].path.name
    page.mouse.click(*place_of(page, 3))
    assert page.inner_text("#panel h2") == images[3].path.name
    assert nearest in page.locator("#neighbours button span").first.inner_text()
    until(page, "document.querySelector('#panel img.big')?.naturalWidth > 300")
    page.get_by_role("button", name="Copy path").click()
    assert page.evaluate("navigator.clipboard.readText()") == str(images[3].path)
    assert page.locator("#panel").get_by_role("link", name="Open").get_attribute("href") == (
        f"{API}/images/4/original"
    )
    with page.expect_request("**/indexes/index/query") as asked:
        page.get_by_role("link", name="Search with this").click()
    assert page.url == f"{server.url}?index=index&like=4"
    assert json.loads(asked.value.post_data or "")["queries"] == [{"id": 4}]


def test_the_layout_and_the_colours_can_be_chosen(page: Page, server: Server) -> None:
    page.get_by_label("Layout").select_option("pca")
    until(page, f"location.search.includes('pca') && {READY} && typeof KEYS !== 'undefined'")
    assert "PCA" in page.inner_text("header")
    until(page, "document.querySelector('select[aria-label=Colours]') !== null")
    page.get_by_label("Colours").select_option("none")
    until(page, f"location.search.includes('none') && {READY} && typeof KEYS !== 'undefined'")
    assert page.evaluate("[DATA.color, DATA.groups.length]") == ["none", 0]
    assert "method=pca" in page.url


def test_a_part_leads_to_the_whole(server: Server, visit: Visit) -> None:
    page = visit(server, f"{PAGE}&glob=pizza*&glob=salad*")
    until(page, "document.querySelector('.filter') !== null")
    assert page.inner_text("h1") == "4 pictures"
    page.get_by_role("button", name="like pizza*, like salad*").click()
    until(page, f"!location.search.includes('glob') && {READY}")
    assert page.inner_text("h1") == "8 pictures"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1600, 390])
def test_the_map_can_be_used_by_all(page: Page, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 844})
    page.evaluate("choose(2)")
    until(page, f"document.documentElement.dataset.theme === '{scheme}'")
    until(page, f"document.documentElement.scrollWidth <= {width}")
    assert accessibility_faults(page) == []


def test_the_map_works_below_a_prefix(sample_index: Path, browser: Browser) -> None:
    asked = []

    def pass_on(route: Route) -> None:
        """Take the prefix away, as a proxy does."""
        address = urlsplit(route.request.url)
        asked.append(address.path)
        inner = address._replace(path=address.path.removeprefix("/photos/of")).geturl()
        route.fulfill(response=route.fetch(url=inner))

    with (
        serving(sample_index, root_path="/photos/of") as started,
        visits(browser) as visit,
    ):
        host = f"http://{urlsplit(started.url).netloc}/"
        assert started.url == f"{host}photos/of/"
        page = visit(Server(host), "healthz", wait=False)
        page.route("**/*", pass_on)
        page.goto(started.url + PAGE)
        until(page, READY)
        until(page, "typeof Sprites !== 'undefined' && Sprites.sheets.length > 0")
        page.evaluate("choose(1)")
        until(page, "document.querySelector('#panel img.big')?.naturalWidth > 300")
    assert len(asked) > 8
    assert all(path.startswith("/photos/of/") for path in asked)
