"""The page of the server, in a real browser: what one can do with it, and what it must not do."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request as Asking
from urllib.request import urlopen

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Request, Route, expect, sync_playwright
from samples import CHEAP, SAMPLES, draw

import vecsearch
from vecsearch import EncoderConfig, QueryOptions, Word

NETWORK = EncoderConfig(model="efficientnet-lite0", precision="fp32", engine="openvino")
SERVE = """
import sys
from vecsearch import open_index
from vecsearch.server.limits import Limits
from vecsearch import ServeOptions, serve
options = ServeOptions(port=0, log="none", limits=Limits(sent_bytes=1))
indexes = [open_index(one) for one in sys.argv[1:]]
serve(indexes, options, started=lambda url: print(url, flush=True))
"""
"""With sent_bytes=1 the last picture is kept alone: the one before it is forgotten."""

MARKUP = "<img src=x onerror=alert(1)> & \x1b[31m\u202etxt.png"
Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def collections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Indexes: of food, with words; of 250 drawings in two folders, without, one of them gone."""
    folder = tmp_path_factory.mktemp("collections")
    for number in range(248):
        below = "one" if number < 200 else "two"
        draw(folder / "drawings" / below / f"p{number:03}.png", number)
    odd = draw(folder / "drawings/two/odd.png", 248)
    odd.rename(odd.with_name(MARKUP.replace("/", "")))
    gone = draw(folder / "drawings/two/zgone.png", 249)
    vecsearch.build(folder / "drawings", index=folder / "drawn", encoder=CHEAP)
    gone.unlink()
    shutil.copytree(SAMPLES, folder / "photos")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VECSEARCH_CACHE", str(folder / "cache"))
        vecsearch.build(folder / "photos", index=folder / "food", encoder=NETWORK)
    return folder


@pytest.fixture(scope="module")
def address(collections: Path) -> Iterator[str]:
    """Serve both; returns the address."""
    started = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(collections / "food"), str(collections / "drawn")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "VECSEARCH_CACHE": str(collections / "cache")},
    )
    assert started.stdout is not None
    with started:
        yield started.stdout.readline().strip()
        started.terminate()


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


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    """Open the page; at the end nothing may have been said in the console, or asked elsewhere.

    What a test provokes it names with `excused`.
    """
    contexts = []
    asked: list[str] = []
    said: list[str] = []
    excuses: list[str] = []

    def visit(query: str = "", **options: Any) -> Page:
        given = {
            "viewport": {"width": 1200, "height": 800},
            "reduced_motion": "reduce",
            "permissions": ["clipboard-read", "clipboard-write"],
            **options,
        }
        context = browser.new_context(**given)
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.said, page.excuses = said, excuses  # type: ignore[attr-defined]
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address + query)
        expect(page.locator("#heading")).not_to_have_text("\xa0")
        return page

    yield visit
    for context in contexts:
        for page in context.pages:
            page.unroute_all(behavior="ignoreErrors")  # what is under way is of no interest now
        context.close()
    assert [line for line in said if not any(excuse in line for excuse in excuses)] == []
    elsewhere = {url for url in asked if not url.startswith((address, "blob:", "data:"))}
    assert elsewhere == set()


def excused(page: Page, status: str) -> None:
    """Excuse what the browser says of answers that a test provoked, now and later."""
    said: list[str] = page.said  # type: ignore[attr-defined]
    for _ in range(200):  # what the browser says may come after what it shows
        if any(status in line for line in said):
            break
        page.wait_for_timeout(50)
    else:
        raise AssertionError(f"no {status} was provoked: {said}")
    page.excuses.append(status)  # type: ignore[attr-defined]


def until(page: Page, condition: str) -> None:
    """Wait for a condition; playwright's own way needs eval, which the page forbids."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never came: {condition}")


def names(page: Page) -> list[str]:
    """Return the names of the pictures that are there, in order."""
    return page.locator(".tile:not([hidden]) .tile-name").all_text_contents()


def settled(page: Page, first: str) -> list[str]:
    """Wait until a picture of this name comes first, and return the names."""
    expect(page.locator(".tile-name").first).to_have_text(first)
    return names(page)


def tile(page: Page, name: str) -> Locator:
    return page.locator(".tile", has=page.locator(".tile-name", has_text=name))


def given(page: Page) -> dict[str, list[str]]:
    """Return what the address holds."""
    return parse_qs(urlsplit(page.url).query)


def best(index: Path, *queries: Any, k: int = 60, **options: Any) -> list[str]:
    """Return the names of the hits, by the library."""
    several = len(queries) > 1 or "minus" in options
    combined = QueryOptions(combine="mean" if several else None, **options)
    with vecsearch.open_index(index) as opened:
        (result,) = opened.query(list(queries), k=k, options=combined)
    return [hit.path.name for hit in result.hits]


def ids(index: Path) -> dict[str, int]:
    with vecsearch.open_index(index) as opened:
        return {image.path.name: image.id for image in opened}


def shows(page: Page, wanted: list[str]) -> None:
    """Wait until the hits are *wanted*, as many as are near enough to be in the page."""
    for _ in range(200):
        found = names(page)
        if len(found) > 5 and found == wanted[: len(found)]:
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{names(page)} instead of {wanted}")


def test_the_first_view_shows_the_collection(visit: Visit, collections: Path) -> None:
    page = visit()
    expect(page.locator("#heading")).to_have_text("39 pictures")
    expect(page.locator("#index option")).to_have_text(["food", "drawn"])
    shows(page, list(ids(collections / "food")))
    until(page, "document.querySelectorAll('.tile.ready').length > 20")
    width = "document.querySelector('.tile.ready img').naturalWidth"
    assert 100 < page.evaluate(width) <= 400
    assert page.locator(".tile img").first.get_attribute("src") == (
        "api/v1/indexes/food/images/1/thumbnail?size=medium&v=" + version(page, 1)
    )


def version(page: Page, number: int) -> str:
    answer = page.request.get(page.url.partition("?")[0] + f"api/v1/indexes/food/images/{number}")
    return str(answer.json()["version"])


def test_another_collection_is_chosen(visit: Visit) -> None:
    page = visit("?index=food")
    page.locator("#index").select_option("drawn")
    expect(page.locator("#heading")).to_have_text("250 pictures")
    assert given(page) == {"index": ["drawn"]}
    assert page.locator("#word").is_hidden()  # it has no words
    expect(page.locator("#to-map")).to_have_attribute("href", "map.html?index=drawn")
    page.go_back()
    expect(page.locator("#heading")).to_have_text("39 pictures")
    expect(page.locator("#index")).to_have_value("food")


def test_a_click_goes_on_and_the_way_back_leads_back(visit: Visit, collections: Path) -> None:
    page = visit("?index=drawn")
    page.evaluate("scrollTo(0, 3000)")
    expect(tile(page, "p094.png")).to_be_visible()
    tile(page, "p094.png").scroll_into_view_if_needed()
    place = page.evaluate("scrollY")
    tile(page, "p094.png").locator("a").click()
    number = ids(collections / "drawn")["p094.png"]
    wanted = best(collections / "drawn", f"id:{number}")
    shows(page, wanted)
    assert given(page) == {"index": ["drawn"], "like": [str(number)]}
    expect(page.locator(".part-name")).to_have_text("p094.png")
    assert page.evaluate("scrollY") == 0
    page.go_back()
    expect(page.locator("#heading")).to_have_text("250 pictures")
    until(page, f"scrollY === {place}")
    expect(tile(page, "p094.png")).to_be_visible()
    page.go_forward()
    settled(page, wanted[0])


def test_a_tile_is_a_link_for_those_who_open_it_elsewhere(visit: Visit) -> None:
    page = visit("?index=food&sort=name")
    link = page.locator(".tile-link").nth(2)
    expect(link).to_have_attribute("aria-label", "burger3.jpg")
    expect(link).to_have_attribute("href", "?index=food&like=3&sort=name")


def test_an_address_holds_the_whole_question(visit: Visit, collections: Path) -> None:
    page = visit()
    photos = str(collections / "photos")
    unlike = ids(collections / "food")["pizza3.jpg"]
    query = {
        "index": "food", "like": "3", "unlike": str(unlike), "under": photos, "glob": "*[0-9].jpg",
        "since": "2001-01-01", "threshold": "-0.5", "expand": "3", "rerank": "30", "k": "12",
    }  # fmt: skip
    bodies: list[Any] = []
    page.on("request", lambda one: bodies.append(one.post_data_json) if one.post_data else None)
    text = "&".join(f"{name}={value}" for name, value in query.items()) + "&like=word:pizza"
    page.goto(page.url.partition("?")[0] + "?" + text)
    expect(page.locator("#end")).to_have_text("That is all: 12 pictures.")
    expect(page.locator(".part-name")).to_have_text(["burger3.jpg", "pizza", "pizza3.jpg"])
    expect(page.locator(".part.minus .part-name")).to_have_text(["pizza3.jpg"])
    asked = {
        "queries": [{"id": 3}, {"word": "pizza"}], "minus": [{"id": unlike}], "combine": "mean",
        "k": 12, "under": [photos], "glob": ["*[0-9].jpg"], "since": "2001-01-01",
        "threshold": -0.5, "expand": 3, "rerank": 30,
    }  # fmt: skip
    assert bodies == [asked]
    before = names(page)
    page.reload()
    expect(page.locator("#end")).to_have_text("That is all: 12 pictures.")
    assert names(page) == before
    assert bodies == [asked, asked]
    expect(page.locator(".limit")).to_have_text(
        [
            *(f"in {photos}", "named *[0-9].jpg", "since 2001-01-01"),
            *("similarity at least −0.50", "follows the neighbours"),
            *("ordered by common neighbours", "at most 12"),
        ]
    )


def test_plus_and_minus_steer_and_chips_are_taken_out(visit: Visit, collections: Path) -> None:
    food = collections / "food"
    known = ids(food)
    page = visit(f"?index=food&like={known['burger1.jpg']}")
    settled(page, best(food, f"id:{known['burger1.jpg']}")[0])
    tile(page, "donut2.jpg").hover()
    page.get_by_role("button", name="More like this").click()
    queries = [f"id:{known['burger1.jpg']}", f"id:{known['donut2.jpg']}"]
    wanted = best(food, *queries)
    shows(page, wanted)
    tile(page, "pancakes3.jpg").hover()
    page.get_by_role("button", name="Less like this", exact=True).last.click()
    minus = f"id:{known['pancakes3.jpg']}"
    wanted = best(food, *queries, minus=minus)
    shows(page, wanted)
    assert given(page)["unlike"] == [str(known["pancakes3.jpg"])]
    page.get_by_role("button", name="Take out burger1.jpg").click()
    wanted = best(food, queries[1], minus=minus)
    shows(page, wanted)
    page.locator(".part.minus").get_by_role("button", name="More like it instead").click()
    wanted = best(food, queries[1], minus)
    shows(page, wanted)
    page.get_by_role("button", name="Clear all").click()
    expect(page.locator("#heading")).to_have_text("39 pictures")
    assert page.locator("#question").is_hidden()


def test_minus_without_a_question_says_what_to_do(visit: Visit) -> None:
    page = visit("?index=food")
    page.locator(".tile-link").first.focus()
    page.keyboard.press("-")
    expect(page.locator("#said")).to_contain_text("First choose what to look for")
    assert given(page) == {"index": ["food"]}


def picture(folder: Path, number: int) -> Path:
    """Save a part of a sample, which no index has."""
    path = folder / f"own{number}.png"
    with Image.open(SAMPLES / f"pizza{number}.jpg") as opened:
        opened.crop((20, 10, 220, 190)).save(path)
    return path


DROP = """([bytes, kind]) => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(bytes)], "own.png", {type: "image/png"}));
    if (kind === "paste") {
        document.body.dispatchEvent(
            new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
        return null;
    }
    const send = (name) => document.body.dispatchEvent(
        new DragEvent(name, {dataTransfer: data, bubbles: true, cancelable: true}));
    send("dragenter");
    const shown = !document.getElementById("drop").hidden;
    send("drop");
    return shown && document.getElementById("drop").hidden;
}"""


@pytest.mark.parametrize("way", ["choose", "drop", "paste"])
def test_a_picture_of_ones_own_is_asked_with(
    visit: Visit, collections: Path, tmp_path: Path, way: str
) -> None:
    own = picture(tmp_path, 2)
    page = visit("?index=food")
    if way == "choose":
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Search with a picture of your own").click()
        chooser.value.set_files(own)
    else:
        told = page.evaluate(DROP, [list(own.read_bytes()), way])
        assert told is (True if way == "drop" else None)
    wanted = best(collections / "food", own)
    shows(page, wanted)
    expect(page.locator(".part-note")).to_have_text("sent by you")
    expect(page.locator(".part-picture img")).to_have_attribute("src", re.compile("^blob:"))
    page.reload()  # the address has its name, and this browser its picture
    shows(page, wanted)
    expect(page.locator(".part-picture img")).to_have_attribute("src", re.compile("^blob:"))


def test_a_picture_that_the_server_has_forgotten_is_sent_again(
    visit: Visit, collections: Path, tmp_path: Path
) -> None:
    page = visit("?index=food")
    page.locator("#file").set_input_files(picture(tmp_path, 1))
    wanted = best(collections / "food", tmp_path / "own1.png")
    settled(page, wanted[0])
    other = picture(tmp_path, 3).read_bytes()
    api = page.url.partition("?")[0] + "api/v1/pictures"
    with urlopen(Asking(api, other, {"Content-Type": "image/png"})) as answer:
        assert answer.status == 200
    page.reload()
    shows(page, wanted)
    excused(page, "410")
    assert page.locator("#trouble").is_hidden()


def test_a_shared_picture_that_is_gone_is_told(visit: Visit) -> None:
    page = visit(f"?index=food&like=picture:{'0123456789abcdef' * 2}")
    expect(page.locator("#trouble")).to_contain_text("The picture of this question is not here")
    expect(page.locator("#trouble")).to_contain_text("Drop it here again")
    excused(page, "410")
    page.get_by_role("button", name="Show all pictures").click()
    expect(page.locator("#heading")).to_have_text("39 pictures")


def test_several_pictures_are_one_question_and_a_bad_one_is_told(
    visit: Visit, collections: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    page = visit("?index=food")
    page.locator("#file").set_input_files([picture(tmp_path, 1), bad])
    wanted = best(collections / "food", tmp_path / "own1.png")
    shows(page, wanted)
    expect(page.locator("#trouble")).to_contain_text("Not a picture")
    excused(page, "422")
    page.get_by_role("button", name="Dismiss").click()
    assert page.locator("#trouble").is_hidden()


def test_a_word_is_asked_by(visit: Visit, collections: Path) -> None:
    page = visit("?index=food")
    page.keyboard.press("/")
    word = page.get_by_role("combobox", name="Search with a word")
    expect(word).to_be_focused()
    page.keyboard.type("pi")
    options = page.locator("#words [role=option]")
    expect(options.first).to_have_text("pick")
    assert word.get_attribute("aria-expanded") == "true"
    page.keyboard.type("zz")
    expect(options).to_have_text(["pizza"])
    page.keyboard.press("ArrowDown")
    chosen = page.locator(f"#{word.get_attribute('aria-activedescendant')}")
    assert chosen.get_attribute("aria-selected") == "true"
    page.keyboard.press("Enter")
    wanted = best(collections / "food", Word("pizza"))
    shows(page, wanted)
    assert given(page)["like"] == ["word:pizza"]
    assert page.title() == "pizza · food · vecsearch"


def test_a_word_that_is_not_there_is_told(visit: Visit) -> None:
    page = visit("?index=food")
    page.locator("#word").fill("xyzzy")
    expect(page.locator("#words")).to_contain_text("No word of this collection begins with")
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_contain_text("has no word “xyzzy”")
    assert given(page) == {"index": ["food"]}


def test_a_part_is_drawn(visit: Visit, collections: Path) -> None:
    food = collections / "food"
    number = ids(food)["pizza3.jpg"]
    page = visit(f"?index=food&like={number}")
    settled(page, best(food, f"id:{number}")[0])
    page.get_by_role("button", name="Search with a part of it").click()
    area = page.locator(".box-area")
    expect(area).to_be_visible()
    bounds = area.bounding_box()
    assert bounds is not None
    with Image.open(SAMPLES / "pizza3.jpg") as opened:
        scale = opened.width / bounds["width"]
    page.mouse.move(bounds["x"] + 30, bounds["y"] + 40)
    page.mouse.down()
    page.mouse.move(bounds["x"] + 100, bounds["y"] + 90, steps=3)
    page.mouse.move(bounds["x"] + 150, bounds["y"] + 130, steps=3)
    page.mouse.up()
    page.get_by_role("button", name="Search with this part").click()
    expect(page.locator("#box")).to_be_hidden()
    expect(page.locator(".limit")).to_have_text("a part of the picture")
    box = [int(one) for one in given(page)["box"][0].split(",")]
    for found, side in zip(box, (30, 40, 120, 90), strict=True):
        assert abs(found - side * scale) <= 2
    wanted = best(food, f"id:{number}", box=tuple(box))
    shows(page, wanted)
    page.get_by_role("button", name="Take out: a part of the picture").click()
    settled(page, best(food, f"id:{number}")[0])
    assert "box" not in given(page)


def test_a_part_is_given_by_keys_and_numbers(visit: Visit, collections: Path) -> None:
    number = ids(collections / "food")["pizza3.jpg"]
    page = visit(f"?index=food&like={number}&box=40,40,100,80")
    expect(page.locator(".limit")).to_have_text("a part of the picture")
    page.keyboard.press("b")
    field = {name: page.get_by_role("spinbutton", name=name) for name in ("Left", "Top", "Width")}
    expect(field["Left"]).to_have_value("40")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Shift+ArrowRight")
    left, top, width = (int(one.input_value()) for one in field.values())
    assert left > 40 > top
    assert width > 100
    field["Width"].fill("90")
    field["Width"].press("Enter")
    expect(page.locator("#box")).to_be_hidden()
    assert given(page)["box"] == [f"{left},{top},90,80"]
    page.keyboard.press("b")
    page.get_by_role("button", name="Whole picture").click()
    until(page, "!location.search.includes('box')")


def test_filters_choose_pictures(visit: Visit, collections: Path) -> None:
    page = visit("?index=drawn")
    expect(page.locator("#heading")).to_have_text("250 pictures")
    page.get_by_role("button", name="Options").click()
    assert page.locator("[data-query]").is_hidden()  # there is no query to find anything by
    page.get_by_label("Folder").fill(str(collections / "drawings/two"))
    expect(page.locator("#heading")).to_have_text("50 pictures")
    page.get_by_label("Name").fill("p2[0-3]*")
    expect(page.locator("#heading")).to_have_text("40 pictures")
    page.get_by_label("Taken until").fill("2001-02-03")
    expect(page.locator(".empty")).to_contain_text("No picture is like that")
    excused(page, "404")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Take out: until 2001-02-03").click()
    expect(page.locator("#heading")).to_have_text("40 pictures")
    assert set(given(page)) == {"index", "under", "glob"}
    page.get_by_role("button", name="Take out: named p2[0-3]*").click()
    expect(page.locator("#heading")).to_have_text("50 pictures")
    page.go_back()
    expect(page.locator("#heading")).to_have_text("40 pictures")


def test_options_of_a_query(visit: Visit, collections: Path) -> None:
    food = collections / "food"
    number = ids(food)["sushi1.jpg"]
    page = visit(f"?index=food&like={number}", viewport={"width": 1200, "height": 1100})
    settled(page, best(food, f"id:{number}")[0])
    page.keyboard.press("o")
    page.get_by_label("Least similarity").fill("0.55")
    expect(page.locator("output")).to_have_text("0.55")
    wanted = best(food, f"id:{number}", threshold=0.55)
    assert 0 < len(wanted) < 30
    expect(page.locator("#end")).to_contain_text(f"That is all: {len(wanted)} picture")
    assert names(page) == wanted
    page.get_by_label("Least similarity").fill("0")
    page.get_by_label("Follow the neighbours").check()
    until(page, "location.search.endsWith('&expand=5')")
    wanted = best(food, f"id:{number}", expand=5)
    assert wanted[:5] != best(food, f"id:{number}")[:5]
    shows(page, wanted)
    page.get_by_label("Order by common neighbours").check()
    until(page, "location.search.endsWith('&expand=5&rerank=200')")
    page.get_by_label("Follow the neighbours").uncheck()
    until(page, f"location.search === '?index=food&like={number}&rerank=200'")
    wanted = best(food, f"id:{number}", rerank=200)
    shows(page, wanted)
    expect(page.locator("#options-button")).to_have_attribute("data-count", "1")
    page.get_by_label("At most").select_option("10")
    expect(page.locator("#end")).to_have_text("That is all: 10 pictures.")
    expect(page.locator("#options-button")).to_have_attribute("data-count", "2")
    page.go_back()  # all of it was one step
    until(page, f"location.search === '?index=food&like={number}'")
    page.go_forward()
    until(page, "location.search.endsWith('&rerank=200&k=10')")
    page.get_by_role("button", name="Reset").click()
    until(page, f"location.search === '?index=food&like={number}'")


def test_nothing_is_that_similar(visit: Visit) -> None:
    page = visit("?index=food&like=3&threshold=0.99")
    expect(page.locator(".empty")).to_contain_text("Nothing is that similar")
    page.get_by_role("button", name="Any similarity").click()
    until(page, "document.querySelectorAll('.tile').length > 10")


def test_hits_go_on_to_the_end_without_jumps(visit: Visit, collections: Path) -> None:
    page = visit("?index=drawn&like=100")
    wanted = best(collections / "drawn", "id:100", k=249)
    settled(page, wanted[0])
    seen: dict[int, str] = {}
    place = """() => [...document.querySelectorAll('.tile:not(.blank, [hidden])')].map((tile) =>
        [Number(tile.dataset.place), tile.querySelector('.tile-name').textContent,
         Math.round(tile.getBoundingClientRect().top + scrollY)])"""
    tops: dict[int, int] = {}
    bottom = "scrollY + innerHeight >= document.documentElement.scrollHeight - 2"
    for _ in range(120):
        for number, name, top in page.evaluate(place):
            assert seen.setdefault(number, name) == name
            assert tops.setdefault(number, top) == top
        if page.evaluate(f"{bottom} && document.getElementById('end').innerText !== ''"):
            break
        page.evaluate("scrollBy(0, 500)")
        # What is seen after two frames has been drawn for where one is now.
        page.evaluate("new Promise((d) => requestAnimationFrame(() => requestAnimationFrame(d)))")
        until(page, "!document.querySelector('.tile.blank:not([hidden])')")
    expect(page.locator("#end")).to_have_text("That is all: 249 pictures.")
    seen.update({number: name for number, name, _ in page.evaluate(place)})
    shown = [seen[number].split("\\u")[0] for number in range(249)]
    assert shown == [name.split("\x1b")[0] for name in wanted]


def test_any_place_of_a_collection_is_reached_at_once(visit: Visit, collections: Path) -> None:
    page = visit("?index=drawn")
    expect(page.locator("#heading")).to_have_text("250 pictures")
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url) if "/images?" in one.url else None)
    height = page.evaluate("document.documentElement.scrollHeight")
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    expect(tile(page, "p246.png")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollHeight") == height
    assert page.locator(".tile").count() < 100
    assert [re.findall(r"after=(\d+)", url) for url in asked] == [["200"]]
    numbers = {name: str(number) for name, number in ids(collections / "drawn").items()}
    expect(tile(page, "zgone.png")).to_contain_text("file is gone")
    href = tile(page, "p246.png").locator("a").get_attribute("href")
    assert href == f"?index=drawn&like={numbers['p246.png']}"


def test_orders_of_a_collection(visit: Visit, collections: Path) -> None:
    page = visit("?index=drawn")
    with vecsearch.open_index(collections / "drawn") as opened:
        listed = [image.path.name for image in opened.list_images()]
        options = vecsearch.ListOptions(sort="size", reverse=True)
        largest = [image.path.name for image in opened.list_images(options)]
    assert settled(page, listed[0])[:9] == listed[:9]
    page.get_by_label("Order", exact=True).select_option("Largest file")
    assert settled(page, largest[0])[:9] == largest[:9]
    page.get_by_label("Order", exact=True).select_option("Added last")
    settled(page, "zgone.png")
    expect(tile(page, "zgone.png")).to_contain_text("file is gone")
    assert given(page) == {"index": ["drawn"], "sort": ["added"]}


def test_a_picture_is_looked_at(visit: Visit, collections: Path) -> None:
    food = collections / "food"
    number = ids(food)["sushi1.jpg"]
    with vecsearch.open_index(food) as opened:
        first, second = opened.query(f"id:{number}", k=2)[0].hits
        guess = opened.guess_at([first.path])[first.path][0].word
    page = visit(f"?index=food&like={number}")
    settled(page, first.path.name)
    page.locator(".tile").first.hover()
    page.get_by_role("button", name="Look at it").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text(first.path.name)
    assert given(page)["show"] == [str(first.id)]
    facts = dialog.locator(".facts")
    expect(facts).to_contain_text(f"{first.score:.2f}")
    with Image.open(first.path) as opened_picture:
        expect(facts).to_contain_text(f"{opened_picture.width} × {opened_picture.height}")
    expect(dialog.locator(".word-list button").first).to_contain_text(guess)
    until(page, "document.querySelector('.detail-large.ready')?.naturalWidth > 200")
    dialog.get_by_role("button", name="Copy path").click()
    assert page.evaluate("navigator.clipboard.readText()") == str(first.path)
    link = dialog.get_by_role("link", name="Open the original").get_attribute("href")
    answer = page.request.get(page.url.partition("?")[0] + str(link))
    assert answer.body() == first.path.read_bytes()
    page.keyboard.press("ArrowRight")
    expect(dialog.get_by_role("heading")).to_have_text(second.path.name)
    page.keyboard.press("ArrowLeft")
    expect(dialog.get_by_role("heading")).to_have_text(first.path.name)
    page.go_back()
    expect(dialog).to_be_hidden()
    expect(page.locator(".part-name")).to_have_text("sushi1.jpg")


def test_the_view_of_a_picture_leads_on(visit: Visit, collections: Path) -> None:
    food = collections / "food"
    known = ids(food)
    page = visit(f"?index=food&like={known['sushi1.jpg']}&show={known['donut1.jpg']}")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text("donut1.jpg")
    page.keyboard.press("-")
    expect(page.locator(".part.minus .part-name")).to_have_text("donut1.jpg")
    expect(dialog).to_be_hidden()
    page.go_back()
    expect(dialog.get_by_role("heading")).to_have_text("donut1.jpg")
    dialog.get_by_role("button", name="More like this").click()
    expect(page.locator(".part.plus .part-name")).to_have_text("donut1.jpg")
    page.go_back()
    dialog.get_by_role("button", name="Search with this").click()
    wanted = best(food, f"id:{known['donut1.jpg']}")
    shows(page, wanted)
    expect(dialog).to_be_hidden()
    page.go_back()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    until(page, "!location.search.includes('show')")


def test_a_file_that_is_gone_is_marked(visit: Visit, collections: Path) -> None:
    number = ids(collections / "drawn")["zgone.png"]
    page = visit(f"?index=drawn&sort=added&show={number}")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("The file is gone")
    expect(dialog.get_by_role("link", name="Open the original")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(tile(page, "zgone.png")).to_contain_text("file is gone")
    tile(page, "zgone.png").locator("a").focus()
    page.keyboard.press("Enter")
    expect(dialog).to_contain_text("The file is gone")
    page.keyboard.press("Escape")
    expect(page).not_to_have_url(re.compile("show="))  # going back takes a moment
    page.goto(page.url.partition("?")[0] + f"?index=drawn&like={number}&k=10")
    expect(page.locator("#end")).to_have_text("That is all: 10 pictures.")
    excused(page, "404")
    page.goto(page.url.partition("?")[0] + "?index=drawn&like=1&under=" + str(collections))
    expect(page.locator(".part-name")).to_be_visible()


def test_odd_names_are_text(visit: Visit) -> None:
    page = visit("?index=drawn&glob=*onerror*")
    (name,) = settled(page, "<img src=x onerror=alert(1)> & \\u001b[31m\\u202etxt.png")
    assert page.locator("#grid img").count() == page.locator(".tile").count()
    page.locator(".tile-link").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("heading")).to_have_text(name)
    page.keyboard.press("s")
    expect(page.locator(".part-name")).to_have_text(name)
    page.goto(page.url.partition("?")[0] + "?index=food&like=word:<b>x</b>&under=<i>y</i>")
    expect(page.locator(".part-name")).to_have_text("<b>x</b>")
    expect(page.locator(".limit span")).to_have_text("in <i>y</i>")
    excused(page, "404")


def test_what_is_wrong_is_told(visit: Visit) -> None:
    page = visit("?index=food&like=99999")
    expect(page.get_by_role("alert")).to_contain_text("99999")
    excused(page, "404")
    page.goto(page.url.partition("?")[0] + "?index=nowhere")
    expect(page.locator("#said")).to_have_text("There is no collection “nowhere” here")
    expect(page.locator("#heading")).to_have_text("39 pictures")


def test_a_busy_server_is_asked_again(visit: Visit) -> None:
    page = visit("?index=food")
    refused: list[str] = []

    def refuse_twice(route: Route) -> None:
        if len(refused) == 2:
            route.fallback()
            return
        refused.append(route.request.url)
        problem = {"status": 503, "code": "busy", "detail": "there is too much to do"}
        headers = {"Retry-After": "1", "Content-Type": "application/problem+json"}
        route.fulfill(status=503, headers=headers, body=json.dumps(problem))

    page.route("**/query", refuse_twice)
    page.locator(".tile-link").first.click()
    expect(page.locator("#said")).to_contain_text("The server is busy")
    expect(page.locator(".tile-score").first).not_to_be_empty()
    assert len(refused) == 2
    assert page.locator("#trouble").is_hidden()
    excused(page, "503")


def test_a_server_that_is_away_is_told_and_found_again(visit: Visit, collections: Path) -> None:
    page = visit("?index=food")
    page.route("**/api/**", lambda route: route.abort())
    page.locator(".tile-link").first.click()
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer")
    page.unroute("**/api/**")
    wanted = best(collections / "food", "id:1")
    shows(page, wanted)  # by itself
    assert page.locator("#trouble").is_hidden()
    excused(page, "ERR_FAILED")


def test_the_page_works_by_keyboard(visit: Visit, collections: Path) -> None:
    page = visit("?index=food")
    listed = list(ids(collections / "food"))
    settled(page, listed[0])
    columns = page.evaluate("document.querySelector('.row').childElementCount")
    focused = "document.activeElement.closest('.tile')?.querySelector('.tile-name').textContent"
    for key, place in (
        ("ArrowDown", 0),
        ("ArrowRight", 1),
        ("ArrowDown", columns + 1),
        ("End", 2 * columns - 1),
        ("Home", columns),
        ("ArrowUp", 0),
        ("Control+End", 38),
        ("Control+Home", 0),
        ("ArrowRight", 1),
    ):
        page.keyboard.press(key)
        assert page.evaluate(focused) == listed[place], key
    tabbable = "[...document.querySelectorAll('.tile-link')].filter((a) => a.tabIndex === 0).length"
    assert page.evaluate(tabbable) == 1
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text(listed[1])
    page.keyboard.press("ArrowRight")
    expect(dialog.get_by_role("heading")).to_have_text(listed[2])
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    until(page, f"{focused} === '{listed[2]}'")
    page.keyboard.press("s")
    wanted = best(collections / "food", "id:3")
    settled(page, wanted[0])
    until(page, f"{focused} === '{wanted[0]}'")
    page.keyboard.press("+")
    expect(page.locator(".part-name")).to_have_text([listed[2], wanted[0]])
    page.keyboard.press("Escape")
    expect(page.locator("#heading")).to_have_text("39 pictures")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()


def test_the_focus_stays_on_a_picture_that_is_scrolled_away(visit: Visit) -> None:
    page = visit("?index=drawn")
    page.locator(".tile-link").nth(2).focus()
    page.evaluate("scrollTo(0, 4000)")
    expect(tile(page, "p000.png")).to_have_count(1)
    page.wait_for_timeout(200)
    page.keyboard.press("ArrowRight")
    until(page, "scrollY < 500")
    assert page.evaluate("document.activeElement.closest('.tile').dataset.place") == "3"


def test_light_and_dark(visit: Visit) -> None:
    page = visit("?index=food", color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.get_by_role("button", name="Light or dark").click()
    light = page.evaluate(ground)
    assert (
        sum(map(int, re.findall(r"\d+", light)))
        > 600
        > 200
        > sum(map(int, re.findall(r"\d+", dark)))
    )
    page.reload()
    assert page.evaluate(ground) == light
    page.keyboard.press("d")
    assert page.evaluate(ground) == dark


def test_a_phone(visit: Visit, collections: Path) -> None:
    page = visit(
        "?index=food",
        viewport={"width": 390, "height": 844},
        has_touch=True,
        is_mobile=True,
        device_scale_factor=2,
    )
    fits = "document.documentElement.scrollWidth <= 390"  # innerWidth grows with what is in it
    assert page.evaluate(fits)
    assert page.locator("#take").is_visible()
    assert page.locator("#camera").get_attribute("capture") == "environment"
    page.locator(".tile-link").nth(1).tap()
    wanted = best(collections / "food", "id:2")
    settled(page, wanted[0])
    assert page.evaluate(fits)
    page.locator(".tile").nth(1).get_by_role("button", name="Look at it").tap()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text(wanted[1])
    dialog.get_by_role("button", name="More like this").tap()
    expect(page.locator(".part")).to_have_count(2)
    page.get_by_role("button", name="Options").tap()
    expect(page.get_by_label("Least similarity")).to_be_visible()
    assert page.evaluate(fits)


def test_pictures_are_as_large_as_one_likes(visit: Visit) -> None:
    page = visit("?index=food")
    settled(page, "burger1.jpg")
    side = "document.querySelector('.tile').clientWidth"
    before = page.evaluate(side)
    page.locator("#size").fill("110")
    assert page.evaluate(side) < 0.7 * before
    page.reload()
    settled(page, "burger1.jpg")
    assert page.evaluate(side) < 0.7 * before
    until(page, "document.querySelector('.tile img').src.includes('size=small')")
    page.keyboard.press("o")
    page.get_by_label("Whole pictures").check()
    fit = "getComputedStyle(document.querySelector('.tile img')).objectFit"
    assert page.evaluate(fit) == "contain"


def test_it_works_under_a_prefix(visit: Visit, address: str) -> None:
    page = visit("?index=food")

    def take_away(route: Route) -> None:
        url = route.request.url.replace("/some/images/", "/")
        route.fulfill(response=route.fetch(url=url))

    page.route("**/some/images/**", take_away)
    asked: list[Request] = []
    page.on("request", lambda one: asked.append(one))
    page.goto(f"{address}some/images/?index=food")
    expect(page.locator("#heading")).to_have_text("39 pictures")
    page.locator(".tile-link").first.click()
    expect(page.locator(".tile-score").first).not_to_be_empty()
    until(page, "document.querySelectorAll('.tile.ready').length > 5")
    assert {urlsplit(one.url).path[:13] for one in asked} == {"/some/images/"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_axe_finds_nothing(visit: Visit, scheme: str, width: int) -> None:
    page = visit(
        "?index=food",
        color_scheme=scheme,
        viewport={"width": width, "height": 800},
        has_touch=width < 600,
    )
    axe = Axe()

    def check(what: str) -> None:
        for _ in range(5):  # until the page has come to rest: colours fade from one to another
            page.wait_for_timeout(300)
            found = axe.run(page, options={"resultTypes": ["violations"]})
            if not found.violations_count:
                return
        raise AssertionError(f"{what}: {found.generate_report()}")

    until(page, "document.querySelectorAll('.tile.ready').length > 10")
    check("collection")
    page.locator("#word").fill("pi")
    expect(page.locator("#words [role=option]").first).to_be_visible()
    check("words")
    page.goto(page.url + "&like=3&like=word:pizza&unlike=7&glob=*.jpg&threshold=-0.9")
    until(page, "document.querySelectorAll('.tile.ready').length > 10")
    page.locator(".tile-link").first.focus()
    check("hits")
    page.keyboard.press("Enter")
    expect(page.locator(".word-list button").first).to_be_visible()
    check("detail")
    page.keyboard.press("Escape")
    page.keyboard.press("o")
    check("options")
    page.goto(page.url.partition("?")[0] + "?index=food&like=3&threshold=0.99")
    expect(page.locator(".empty")).to_be_visible()
    check("nothing")
    page.keyboard.press("b")
    expect(page.locator(".box-frame")).to_be_visible()
    check("box")
    page.goto(page.url.partition("?")[0] + "?index=food&like=99999")
    expect(page.get_by_role("alert")).to_contain_text("99999")
    check("trouble")
    excused(page, "404")


def test_nothing_is_written_into_the_page_that_the_policy_forbids() -> None:
    web = files("vecsearch.server").joinpath("web")
    html = web.joinpath("index.html").read_text()
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style|javascript:", html)
    scripts = re.findall(r"<script\b([^>]*)>(.*?)</script>", html, re.DOTALL)
    assert scripts
    assert all("src=" in given_ and not text.strip() for given_, text in scripts)
    modules = {one.name: one.read_text() for one in web.iterdir() if one.name.endswith(".js")}
    assert not [name for name, text in modules.items() if re.search(r"innerHTML|eval\(", text)]
    # All that main.js imports is fetched at once rather than one after the other.
    imported = {found for text in modules.values() for found in re.findall(r'from "./(.*)"', text)}
    assert imported == set(re.findall(r'modulepreload" href="(.*)"', html))


def test_files_of_the_page_are_kept_until_they_change(address: str) -> None:
    with urlopen(address + "main.js") as answer:
        tag = answer.headers["ETag"]
        assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert answer.headers["Cache-Control"] == "private, no-cache"
        policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    with pytest.raises(OSError, match="304"):
        urlopen(Asking(address + "main.js", headers={"If-None-Match": tag}))
    for name in ("", "index.html"):
        with urlopen(address + name) as answer:
            assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    with pytest.raises(OSError, match="404"):
        urlopen(address + "page_files.py")
