"""Names in any script: which font draws them, in what order, and what is said where none does."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from PIL import Image, ImageDraw, ImageFont
from samples import CHEAP, Run, draw

import vecsearch
from vecsearch.types import Hit, Result
from vecsearch.view import fonts, sheet, system_fonts, typeset
from vecsearch.view.scene import Text

CACHED = (
    typeset.runs, typeset.draw_emoji, system_fonts.emoji_font, system_fonts.has,
    system_fonts._opened, system_fonts._tried_for, system_fonts._files,
)  # fmt: skip


@pytest.fixture
def font_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is the only one in which the system's fonts are looked for."""
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "system"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "own"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(system_fonts, "_lacking", {})
    for one in CACHED:
        one.cache_clear()
    yield tmp_path / "system" / "fonts"
    for one in CACHED:
        one.cache_clear()


def make_font(path: Path, characters: str) -> None:
    """Write a font in which each of *characters* is a bar as wide as an em."""
    names = [".notdef", *(f"u{ord(c):04X}" for c in characters)]
    pen = TTGlyphPen(None)
    for number, corner in enumerate(((0, 0), (0, 400), (1000, 400), (1000, 0))):
        (pen.lineTo if number else pen.moveTo)(corner)
    pen.closePath()
    bar = pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap(dict(zip(map(ord, characters), names[1:], strict=True)))
    builder.setupGlyf({name: TTGlyphPen(None).glyph() if name[0] == "." else bar for name in names})
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    path.parent.mkdir(parents=True, exist_ok=True)
    builder.save(str(path))


def sizes(text: str, size: int = 20) -> list[tuple[str, str]]:
    """Return the parts of a line, from left to right, and the font of each."""
    line = typeset.runs(text, fonts.load(size))
    return [(run.text, str(run.font.getname()[0])) for run in line]


def test_each_character_is_drawn_in_a_font_that_has_it(font_folder: Path) -> None:
    make_font(font_folder / "deep" / "NotoSansCJK-Regular.ttc", "猫東")
    make_font(font_folder / "Some Thai.ttf", "ภาพ่")
    make_font(font_folder / "Some Thai Bold.ttf", "ภาพ่ก")
    base = "DejaVu Sans"
    assert sizes("cat.jpg") == [("cat.jpg", base)]
    assert sizes("кот.jpg") == [("кот.jpg", base)]
    assert sizes("a猫b東.jpg") == [
        ("a", base), ("猫", "NotoSansCJK-Regular"), ("b", base), ("東", "NotoSansCJK-Regular"),
        (".jpg", base),
    ]  # fmt: skip
    # A mark stays with its letter, and a bold font is not for plain text.
    assert sizes("ภ่า ก") == [("ภ่า ", "Some Thai"), ("ก", base)]
    assert system_fonts.lacking_fonts() == {"ก": "fonts-noto-core"}
    assert typeset.measure("猫東", fonts.load(20)) == 40
    image = Image.new("L", (200, 40), 255)
    typeset.draw_line(image.convert("RGB"), (0, 30), "猫東", (0, 0, 0), fonts.load(20))


def test_lines_are_as_wide_as_they_are_drawn_at_any_anchor(font_folder: Path) -> None:
    make_font(font_folder / "NotoSansCJK-Regular.ttc", "猫東")
    font = fonts.load(20)
    for text in ("ab猫c東", "猫東", "שלום 猫.jpg"):
        width = typeset.measure(text, font)
        places: list[tuple[typeset.Anchor, float]] = [
            ("start", 100), ("middle", 100 + width / 2), ("end", 100 + width)
        ]  # fmt: skip
        for anchor, x in places:
            image = Image.new("RGB", (400, 40), "white")
            typeset.draw_line(image, (x, 30), text, (0, 0, 0), font, anchor)
            box = image.convert("L").point(lambda value: 255 * (value < 128)).getbbox()
            assert box
            assert abs(box[0] - 100) <= 3
            assert abs(box[2] - 100 - width) <= 3


def test_what_is_read_from_the_right_stands_in_that_order() -> None:
    font = fonts.load(20)

    def order(text: str) -> list[str]:
        return [run.text for run in typeset.runs(text, font)]

    assert order("שלום world.jpg") == ["world.jpg", "שלום "]
    assert order("photo שלום עולם 3.jpg") == ["photo ", "שלום עולם 3", ".jpg"]
    assert order("plain – café.jpg") == ["plain – café.jpg"]
    assert typeset.goes_left("12 שלום")
    assert not typeset.goes_left("a שלום")


@pytest.mark.skipif(not typeset._can_shape(), reason="this Pillow has no libraqm")
def test_hebrew_is_drawn_alike_with_libraqm_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    font = fonts.load(20)
    assert isinstance(font.path, str | bytes | Path)
    basic = ImageFont.truetype(font.path, 20, layout_engine=ImageFont.Layout.BASIC)

    def drawn(text: str, font: system_fonts.Font) -> Image.Image:
        image = Image.new("RGB", (300, 40), "white")
        typeset.draw_line(image, (5, 30), text, (0, 0, 0), font)
        return image

    text = "שלום 123 עולם"
    shaped = drawn(text, font)
    whole = Image.new("RGB", (300, 40), "white")
    ImageDraw.Draw(whole).text((5, 30), text, (0, 0, 0), font, anchor="ls")
    assert whole.tobytes() == shaped.tobytes()
    monkeypatch.setattr(typeset, "_can_shape", lambda: False)
    # Letter by letter as it is seen, from the left; the number is read in that direction.
    seen = "".join((*reversed("עולם"), " 123 ", *reversed("שלום")))
    plain = Image.new("RGB", (300, 40), "white")
    ImageDraw.Draw(plain).text((5, 30), seen, (0, 0, 0), basic, anchor="ls")
    assert drawn(text, basic).tobytes() == plain.tobytes()


@pytest.mark.skipif(system_fonts.emoji_font() is None, reason="this system has no emoji")
def test_emoji_are_in_colour_and_as_high_as_the_letters() -> None:
    image = Image.new("RGB", (200, 60), "white")
    typeset.draw_line(image, (10, 40), "🍕", (0, 0, 0), fonts.load(20))
    assert len({c for _, c in image.getcolors(10_000) or []}) > 50
    box = Image.eval(image, lambda value: 255 - value).getbbox()
    assert box
    assert 18 <= box[3] - box[1] <= 26
    assert len(typeset.runs("👨\u200d👩\u200d👧", fonts.load(20))) == 1
    family = typeset.measure("👨\u200d👩\u200d👧", fonts.load(20))
    if typeset._can_shape():
        assert family == typeset.measure("👨", fonts.load(20))


def test_nothing_is_cut_within_a_character() -> None:
    name = "e\u0301" * 3 + "👨\u200d👩\u200d👧" + "🇫🇷" * 9 + "👍🏽" * 9 + ".jpg"
    assert typeset.clusters("e\u0301👨\u200d👩\u200d👧🇫🇷🇫🇷👍🏽❤\ufe0f.") == [
        "e\u0301", "👨\u200d👩\u200d👧", "🇫🇷", "🇫🇷", "👍🏽", "❤\ufe0f", ".",
    ]  # fmt: skip
    whole = set(typeset.clusters(name)) | {"…"}
    for width in range(40, 300, 20):
        short = fonts.shorten(name, fonts.load(17), width)
        assert set(typeset.clusters(short)) <= whole


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("short.jpg", ["short.jpg"]),
        ("cougar_face/image_0013.jpg", ["cougar_face/", "image_0013.jpg"]),
        ("asparagus1_resized.jpeg", ["asparagus1_", "resized.jpeg"]),
        ("donut2_resized_old.jpeg", ["donut2_resized_", "old.jpeg"]),
        ("abcdefghijklmnopq.jpeg", ["abcdefghijklmno", "pq.jpeg"]),
        ("holiday in Denmark at sea.jpg", ["holiday in Denmark", "at sea.jpg"]),
        ("", [""]),
    ],
)
def test_names_are_broken_where_one_would(name: str, lines: list[str]) -> None:
    assert fonts.wrap_name(name, fonts.load(14), 140) == lines


@pytest.mark.parametrize("name", ["W" * 60 + ".jpeg", "a/" * 40 + "b.png", "x y z" * 30, "/" * 90])
def test_names_too_long_for_two_lines_fill_both_and_keep_their_ending(name: str) -> None:
    font = fonts.load(14)
    lines = fonts.wrap_name(name, font, 140)
    assert len(lines) == 2
    assert all(typeset.measure(line, font) <= 140 for line in lines)
    assert typeset.measure(lines[1], font) > 100
    assert "…" in lines[1]
    assert lines[1].endswith(name.rstrip()[-3:])
    assert name.startswith(lines[0])


def test_a_package_is_named_once_for_what_no_font_draws(
    run: Run, tmp_path: Path, font_folder: Path
) -> None:
    folder = tmp_path / "photos"
    for number, name in enumerate(["猫 1.png", "東京 2.png", "ภาพ 3.png", "🍕.png", "plain.png"]):
        draw(folder / name, number)
    index = vecsearch.build(folder, index=tmp_path / "index", encoder=CHEAP).index
    where = {"XDG_DATA_DIRS": str(font_folder.parent), "HOME": str(tmp_path / "home")}
    ask = ("query", "id:1", "id:2", "id:3", "-i", index, "--sheet", "a.png", "--format", "paths")
    told = run(*ask, **where).stderr.splitlines()
    (line,) = [one for one in told if "font" in one]
    assert "no font here has " in line
    for package in ("fonts-noto-cjk", "fonts-noto-color-emoji", "fonts-noto-core"):
        assert line.count(package) == 1
    make_font(font_folder / "any.ttf", "猫東京ภาพ🍕")
    shutil.copy(font_folder / "any.ttf", font_folder / "NotoColorEmoji.ttf")
    assert "font" not in run(*ask, **where).stderr
    assert "font" not in run("query", "id:5", "-i", index, "--format", "paths", **where).stderr


def test_a_sheet_says_the_folder_where_names_alone_do_not_tell(tmp_path: Path) -> None:
    paths = [
        draw(tmp_path / name, number)
        for number, name in enumerate(
            ["panda/image_0001.png", "brontosaurus_skeleton/image_0001.png", "mine.png"]
        )
    ]
    hits = tuple(Hit(i, i, path, 0.5, 1.0) for i, path in enumerate(paths[:2], start=1))
    scene = sheet.lay_out(Result(str(paths[2]), paths[2], hits), sheet.new_thumbnails())
    texts = [item.text for item in scene.items if isinstance(item, Text)]
    assert "mine.png" in texts
    assert "panda/image_0001.png" in texts
    assert texts[-1:] == ["image_0001.png"]
    assert "brontosaurus_skeleton/" in texts
