"""Copies in a server: found in the background, looked through, decided, saved and recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page
from samples import CHEAP, SAMPLES
from served_pages import (
    Server,
    Visit,
    accessibility_faults,
    serving,
    started_browser,
    until,
    visits,
)

import vecsearch

API = "api/v1/indexes/index/duplicates"
PAGE = "duplicates.html?index=index"


def build_copies(folder: Path) -> Path:
    """Make an index of four photographs, of which three have copies: a the same bytes, twice."""
    photos = folder / "photos"
    (photos / "more").mkdir(parents=True)
    for name, sample in {"a": "pizza1", "b": "sushi1", "c": "salad1", "d": "burger1"}.items():
        with Image.open(SAMPLES / f"{sample}.jpg") as picture:
            picture.thumbnail((320, 320))
            picture.save(photos / f"{name}.png")
    for copy in ("a-copy.png", "more/a.png"):
        (photos / copy).write_bytes((photos / "a.png").read_bytes())
    with Image.open(photos / "b.png") as picture:
        picture.resize((picture.width // 2, picture.height // 2)).save(photos / "b-small.png")
        picture.save(photos / "b-other.jpg", quality=90)
    with Image.open(photos / "c.png") as picture:
        picture.save(photos / "c.jpg", quality=90)
    return vecsearch.build(photos, index=folder / "index", encoder=CHEAP).index


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_copies(tmp_path_factory.mktemp("copied"))


@pytest.fixture(scope="module")
def server(copied: Path) -> Iterator[Server]:
    """A server of an index that can only be read."""
    with serving(copied) as started:
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
    return opened(visit, server)


def opened(visit: Visit, server: Server, address: str = PAGE) -> Page:
    page = visit(server, address)
    until(page, "typeof onDecide !== 'undefined' && onDecide.length > 0")
    until(page, "document.querySelectorAll('.marks').length > 0 || !DATA.sections.length")
    return page


def ids_of(index: Path) -> dict[str, int]:
    photos = index.parent / "photos"
    with vecsearch.open_index(index) as opened:
        return {str(image.path.relative_to(photos)): image.id for image in opened}


def groups_of(report: vecsearch.DuplicatesReport) -> list[tuple[int, list[int]]]:
    return [(one.kept.id, [copy.id for copy in one.others]) for one in report.groups]


def groups_in(answer: dict[str, list[dict[str, object]]]) -> list[tuple[int, list[int]]]:
    found: list[tuple[int, list[int]]] = []
    for one in answer["groups"]:
        kept, copies = one["kept"], one["copies"]
        assert isinstance(kept, dict)
        assert isinstance(copies, list)
        found.append((kept["id"], [copy["id"] for copy in copies]))
    return found


def choice(page: Page, name: str) -> str:
    """Return what finds a copy by the name of its file."""
    return f".choice:has(.tile[title*='/{name}'])"


def test_copies_are_found_in_the_background_and_kept(server: Server, copied: Path) -> None:
    address = f"{API}?edited=false"
    first = server.get(address)
    assert first.status == 202
    assert first.json["state"] == "working"
    made = server.made(address)
    expected = vecsearch.duplicates(copied, edited=False)
    assert groups_in(made.json) == groups_of(expected)
    assert made.json["total_copies"] == expected.copies == 5
    assert made.json["freed_bytes"] == expected.freed_bytes
    copy, found = expected.groups[0].others[0], made.json["groups"][0]["copies"][0]
    assert found["path"] == str(copy.path)
    assert (found["kind"], found["exact"]) == (copy.kind, copy.exact)
    assert found["version"] == copy.content_hash.hex()
    again = server.get(address, **{"If-None-Match": made.headers["ETag"]})
    assert again.status == 304


def test_groups_come_in_parts(server: Server) -> None:
    whole = server.made(API).json
    assert len(whole["groups"]) == whole["total_groups"] == 3
    after, found = 0, []
    for _ in range(3):
        part = server.made(f"{API}?limit=1&after={after}").json
        assert part["generation"] == whole["generation"]
        found += part["groups"]
        after = part.get("next")
    assert found == whole["groups"]
    assert after is None


def test_parameters_decide_what_is_a_copy(server: Server, copied: Path) -> None:
    exact = server.made(f"{API}?exact=true").json
    assert groups_in(exact) == groups_of(vecsearch.duplicates(copied, exact=True))
    assert exact["by"] == "bytes"
    number = ids_of(copied)["b-small.png"]
    kept = server.made(f"{API}?threshold=0.99&keep=id:{number}&keep=*.jpg").json
    expected = vecsearch.duplicates(copied, threshold=0.99, keep=[f"id:{number}", "*.jpg"])
    assert groups_in(kept) == groups_of(expected)
    assert number in [first for first, _ in groups_in(kept)]
    assert kept["threshold"] == 0.99


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        (f"{API}?threshold=2", 400, "usage"),
        (f"{API}?limit=0", 400, "usage"),
        (f"{API}?keep=nosuch.png", 404, "not_found"),
        ("api/v1/indexes/other/duplicates", 404, "no_such_index"),
    ],
)
def test_what_cannot_be_meant_is_told(server: Server, address: str, status: int, code: str) -> None:
    answer = server.made(address)
    assert (answer.status, answer.json["code"]) == (status, code)


def test_an_index_that_can_only_be_read_records_nothing(server: Server, copied: Path) -> None:
    ids = ids_of(copied)
    pairs = [[ids["b.png"], ids["b-small.png"]]]
    answer = server.post(f"{API}/not-copies", {"pairs": pairs})
    assert (answer.status, answer.json["code"]) == (403, "read_only")
    assert vecsearch.not_copies(index=copied).total == 0


def test_groups_are_looked_through_and_compared(page: Page, copied: Path) -> None:
    assert page.inner_text("h1") == "3 groups of copies"
    assert page.locator("section").count() == 3
    until(page, "[...document.querySelectorAll('.tile img')].every((one) => one.naturalWidth > 90)")
    assert page.locator(".tile img").count() == 8
    page.locator(f"{choice(page, 'b-small.png')} .tile").click()
    dialog = page.locator("#compare")
    until(page, "[...document.querySelectorAll('#compare img')].every((one) => one.naturalWidth)")
    assert dialog.locator("img").count() == 2
    pixels = dialog.locator("tr", has_text="Pixels").inner_text().split("\t")
    assert pixels == ["Pixels", "320 x 240", "160 x 120"]
    page.keyboard.press("c")
    page.keyboard.press("Escape")
    pressed = page.locator(f"{choice(page, 'b-small.png')} button[aria-pressed=true]")
    assert pressed.all_inner_texts() == ["A copy"]
    assert page.inner_text("body > footer span") == "1 copy of 5"


def test_decisions_are_saved_as_json_and_as_paths(page: Page, copied: Path) -> None:
    ids, photos = ids_of(copied), copied.parent / "photos"
    assert page.get_by_role("button", name="Save decisions").is_disabled()
    small = page.locator(choice(page, "b-small.png"))
    small.get_by_role("button", name="Not a copy").click()
    page.locator(choice(page, "b-other.jpg")).get_by_role(
        "button", name="A copy", exact=True
    ).click()
    page.locator(choice(page, "c.jpg")).get_by_role("button", name="Keep this").click()

    with page.expect_download() as download:
        page.get_by_role("button", name="Save decisions").click()
    assert download.value.suggested_filename == "index-decisions.json"
    saved = json.loads(download.value.path().read_text())
    assert saved["index"] == "index"

    def told(name: str) -> dict[str, object]:
        return {"id": ids[name], "path": str(photos / name)}

    by_kept = {one["kept"]["id"]: one for one in saved["groups"]}
    assert by_kept == {
        ids["b.png"]: {
            "kept": told("b.png"),
            "copies": [told("b-other.jpg")],
            "not_copies": [told("b-small.png")],
            "undecided": [],
        },
        ids["c.jpg"]: {
            "kept": told("c.jpg"),
            "copies": [told("c.png")],
            "not_copies": [],
            "undecided": [],
        },
    }
    with page.expect_download() as download:
        page.get_by_role("button", name="Save paths of copies").click()
    paths = download.value.path().read_text().splitlines()
    assert set(paths) == {str(photos / "b-other.jpg"), str(photos / "c.png")}
    page.get_by_role("button", name="Copy commands").click()
    commands = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert commands[0].endswith(f"--not-copies id:{ids['b.png']} id:{ids['b-small.png']}")
    assert commands[1].endswith(f"--keep id:{ids['c.jpg']}")
    assert page.get_by_role("button", name="Record").count() == 0  # it can only be read


def test_decisions_stay_until_the_next_time(page: Page) -> None:
    small = page.locator(choice(page, "b-small.png"))
    small.get_by_role("button", name="Not a copy").click()
    page.get_by_role("button", name="The rest are copies").click()
    assert page.inner_text("body > footer span") == "4 copies, 1 not of 5"
    page.reload()
    until(page, "typeof onDecide !== 'undefined' && onDecide.length > 0")
    assert page.inner_text("body > footer span") == "4 copies, 1 not of 5"
    until(page, "document.querySelectorAll('.marks').length === 5")
    pressed = page.locator(f"{choice(page, 'b-small.png')} button[aria-pressed=true]")
    assert pressed.all_inner_texts() == ["Not a copy"]


def test_another_picture_is_kept_when_they_are_looked_for_again(page: Page, copied: Path) -> None:
    number = ids_of(copied)["b-small.png"]
    small = page.locator(choice(page, "b-small.png"))
    small.get_by_role("button", name="Keep this").click()
    page.get_by_role("button", name="Find again").click()
    until(page, "location.search.includes('keep=') && typeof onDecide !== 'undefined'")
    assert page.url.endswith(f"keep=id%3A{number}")
    until(page, "document.querySelectorAll('.marks').length > 0")
    expected = vecsearch.duplicates(copied, keep=f"id:{number}")
    shown = page.evaluate("groups.map(([own, ...others]) => [own.id, others.map(({ id }) => id)])")
    assert [(own, others) for own, others in shown] == groups_of(expected)
    assert "kept: preferred" in page.locator("section", has_text="b-small.png").inner_text()


def test_what_counts_as_a_copy_can_be_chosen(page: Page) -> None:
    page.get_by_label("What counts as a copy").select_option("exact")
    until(page, "location.search.includes('exact=true') && typeof onDecide !== 'undefined'")
    until(page, "document.querySelectorAll('.marks').length > 0")
    assert page.inner_text("h1") == "1 group of copies"
    assert page.get_by_label("What counts as a copy").input_value() == "exact"


def test_pairs_are_recorded_where_edits_are_allowed(tmp_path: Path, browser: Browser) -> None:
    index = build_copies(tmp_path)
    ids = ids_of(index)
    with serving(index, add_to=tmp_path / "photos") as server, visits(browser) as visit:
        page = opened(visit, server)
        small = page.locator(choice(page, "b-small.png"))
        small.get_by_role("button", name="Not a copy").click()
        page.get_by_role("button", name="Record 1 pair").click()
        until(page, "document.querySelector('body > footer').innerText.includes('1 pair is')")
        (pair,) = vecsearch.not_copies(index=index).pairs
        assert {one.id for one in pair} == {ids["b.png"], ids["b-small.png"]}
        page.get_by_role("button", name="Find again").click()
        until(page, "typeof onDecide === 'undefined'")
        until(page, "typeof onDecide !== 'undefined' && onDecide.length > 0")
        shown = page.evaluate("groups.flat().map(({ id }) => id)")
        assert ids["b-other.jpg"] in shown
        assert ids["b-small.png"] not in shown
        pairs = [[ids["b.png"], ids["b-small.png"]]]
        forgotten = server.post(f"{API}/not-copies", {"pairs": pairs, "forget": True})
        assert (forgotten.status, forgotten.json) == (200, {"total": 0})
        unknown = server.post(f"{API}/not-copies", {"pairs": [[ids["b.png"], 10**6]]})
        assert (unknown.status, unknown.json["code"]) == (404, "not_found")


def test_what_is_a_copy_by_features_can_be_chosen(server: Server, visit: Visit) -> None:
    page = opened(visit, server, f"{PAGE}&threshold=0.999")
    assert page.get_by_label("What counts as a copy").input_value() == "features"
    cosine = page.get_by_label("The least cosine")
    assert cosine.input_value() == "0.999"
    found = page.evaluate("groups.flat().length")
    cosine.fill("-1")
    cosine.press("Enter")
    until(page, "location.search.includes('threshold=-1') && typeof onDecide !== 'undefined'")
    until(page, "document.querySelectorAll('.marks').length > 0")
    assert page.locator("section").count() == 1
    assert page.evaluate("groups.flat().length") == 9 > found


def test_an_index_without_copies_says_so(tmp_path: Path, browser: Browser) -> None:
    with Image.open(SAMPLES / "pizza1.jpg") as picture:
        (tmp_path / "one").mkdir()
        picture.save(tmp_path / "one/a.png")
    index = vecsearch.build(tmp_path / "one", index=tmp_path / "index", encoder=CHEAP).index
    with serving(index) as server, visits(browser) as visit:
        page = opened(visit, server)
        assert "No copies were found." in page.inner_text("main")
        assert page.locator("body > footer").is_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1600, 390])
def test_the_page_can_be_used_by_all(page: Page, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": width, "height": 844})
    until(page, f"document.documentElement.dataset.theme === '{scheme}'")
    until(page, f"document.documentElement.scrollWidth <= {width}")
    assert accessibility_faults(page) == []
    page.evaluate("compare(0, 1)")
    assert accessibility_faults(page) == []
