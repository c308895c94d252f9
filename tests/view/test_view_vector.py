"""Sheets as PDF and SVG: text that is text, each picture once, all where it is in pixels."""

from __future__ import annotations

import base64
import errno
import io
import os
import re
import subprocess
import sys
import zlib
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from fontTools.ttLib import TTFont
from PIL import Image
from samples import Run

from vecsearch.errors import VecsearchError
from vecsearch.types import Hit, QueryImage, Result
from vecsearch.view import fonts, sheet, typeset
from vecsearch.view.scene import Picture, Scene, Text
from vecsearch.view.thumbnails import Thumbnails

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
NAMES = ["plain (1).png", "a $x^2$ <b>&.png", "башня\\.png", "صورة.png", "猫🍕.png", "W" * 190]


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


@pytest.fixture
def result(tmp_path: Path) -> Result:
    """A result with hits of every kind; the query is among them, and one hit is there twice."""
    generator = Image.effect_noise((90, 60), 80).convert("RGB")
    paths = [tmp_path / name for name in NAMES]
    for path in paths[:-1]:
        generator.rotate(len(path.name)).save(path, "PNG")
    paths += [paths[0], paths[1]]
    hits = tuple(Hit(i, i, path, 1 - i / 8, 0.1) for i, path in enumerate(paths, start=1))
    asked = (
        QueryImage("id:1", paths[0]),
        QueryImage("b", None, paths[1].read_bytes(), (9, 9, 40, 30), True),
    )
    return Result("id:1 - b", None, hits, asked)


def draw(result: Result, out: Path) -> tuple[Scene, bytes]:
    sheet.draw_sheet(result, out)
    return sheet.lay_out(result, Thumbnails(sheet.TILE, detail=2)), out.read_bytes()


def words(scene: Scene) -> list[Text]:
    return [item for item in scene.items if isinstance(item, Text)]


def pictures(scene: Scene) -> list[Picture]:
    return [item for item in scene.items if isinstance(item, Picture)]


def test_svg_has_the_text_as_text_where_it_is_in_pixels(tmp_path: Path, result: Result) -> None:
    scene, data = draw(result, tmp_path / "sheet.svg")
    root = ET.fromstring(data)
    found = root.findall(f"{SVG}text")
    assert [element.text for element in found] == [item.text for item in words(scene)]
    for element, item in zip(found, words(scene), strict=True):
        assert float(element.attrib["x"]) == pytest.approx(item.x, abs=0.01)
        assert float(element.attrib["y"]) == pytest.approx(item.y, abs=0.01)
        if item.text.isascii():
            length = item.font.getlength(item.text)
            assert float(element.attrib["textLength"]) == pytest.approx(length, abs=0.01)
    arabic = next(element for element in found if element.text == "صورة.png")
    assert arabic.attrib["direction"] == "rtl"
    assert arabic.attrib["text-anchor"] == "end"
    assert root.attrib["viewBox"] == f"0 0 {scene.width} {scene.height}"
    assert root.findtext(f"{SVG}title") == "id:1 - b"


def test_svg_has_each_picture_once_and_no_reference_outside(tmp_path: Path, result: Result) -> None:
    scene, data = draw(result, tmp_path / "sheet.svg")
    root = ET.fromstring(data)
    images = {element.attrib["id"]: element for element in root.iter(f"{SVG}image")}
    assert len(images) == len({id(item.image) for item in pictures(scene)}) == 7
    uses = list(root.iter(f"{SVG}use"))
    for use, item in zip(uses, pictures(scene), strict=True):
        element = images[use.attrib[LINK].removeprefix("#")]
        kind, _, payload = element.attrib[LINK].partition(";base64,")
        assert kind in ("data:image/png", "data:image/jpeg")
        with Image.open(io.BytesIO(base64.b64decode(payload))) as image:
            assert image.size == item.image.size
        x, y, across, down = map(float, re.findall(r"[\d.]+", use.attrib["transform"]))
        assert (x, y) == pytest.approx((item.x, item.y), abs=0.01)
        size = (item.image.width * across, item.image.height * down)
        assert size == pytest.approx((item.width, item.height), rel=1e-3)
    links = re.findall(r"(?:href=\"|url\()([^\")]{0,20})", data.decode())
    assert {link[:5] for link in links} == {
        "data:",
        *(link[:5] for link in links if link[0] == "#"),
    }


def test_svg_brings_the_characters_that_dejavu_has(tmp_path: Path, result: Result) -> None:
    _, data = draw(result, tmp_path / "sheet.svg")
    fonts = re.findall(r"font/woff;base64,([^)]*)\)", data.decode())
    assert len(fonts) == 2
    with TTFont(io.BytesIO(base64.b64decode(fonts[0]))) as font:
        characters = font.getBestCmap()
        assert font.flavor == "woff"
    assert {ord(c) for c in "plain(1)башняصورة"} <= set(characters)
    assert ord("猫") not in characters
    assert ord("Z") not in characters  # a subset: nobody has written it
    assert len(base64.b64decode(fonts[0])) < 40_000


def pdf_texts(data: bytes) -> list[tuple[str, float, float]]:
    """Read the text of a page with its places, as copying from a viewer does: by ToUnicode."""
    objects = dict(re.findall(rb"(?m)^(\d+) 0 obj\n(.*?)\nendobj", data, re.DOTALL))

    def stream(number: bytes) -> str:
        packed = objects[number].partition(b"stream\n")[2].removesuffix(b"\nendstream")
        return zlib.decompress(packed).decode("latin-1")

    fonts = {}
    named = next(body for body in objects.values() if re.match(rb"<< /F\d+ \d+ 0 R", body))
    for name, number in re.findall(rb"/(F\d+) (\d+) 0 R", named):
        to_unicode = re.search(rb"/ToUnicode (\d+) 0 R", objects[number])
        assert to_unicode
        fonts[name.decode()] = {
            int(first, 16) + i: bytes.fromhex(code).decode("utf-16-be")
            for first, codes in re.findall(
                r"<(\w+)> <\w+> \[(.*?)\]", stream(to_unicode[1]), re.DOTALL
            )
            for i, code in enumerate(re.findall(r"<(\w+)>", codes))
        }
    contents = next(body for body in objects.values() if b"/Contents" in body)
    page = re.search(rb"/Contents (\d+) 0 R", contents)
    assert page
    found = []
    part = r"1 0 -?0 1 (\S+) (\S+) cm\nBT\n(.*?)\nET\n"
    for x, y, body in re.findall(part, stream(page[1]), re.DOTALL):
        text = ""
        for font, shown in re.findall(r"/(F\d+)\s\S+\sTf.*?\[(.*?)\]\s*TJ", body, re.DOTALL):
            for literal in re.findall(r"\(((?:\\.|[^\\)])*)\)", shown, re.DOTALL):
                plain = re.sub(
                    r"\\([0-7]{3}|.)",
                    lambda m: chr(int(m[1], 8)) if len(m[1]) == 3 else m[1],
                    literal.replace("\\n", "\n").replace("\\r", "\r"),
                )
                text += "".join(fonts[font][ord(c)] for c in plain)
        found.append((text, float(x), float(y)))
    return found


def test_pdf_has_the_text_as_text_where_it_is_in_pixels(tmp_path: Path, result: Result) -> None:
    scene, data = draw(result, tmp_path / "sheet.pdf")
    found = pdf_texts(data)
    drawn = iter(found)
    for item in words(scene):
        # Emoji are pictures; all else is there in as many parts as it takes fonts and boxes.
        runs = [run for run in typeset.runs(item.text, item.font) if run.scale == 1.0]
        text, x, y = next(drawn)
        while len(text) < sum(len(run.text) for run in runs):
            text += next(drawn)[0]
        # Arabic is laid out from the left; its letters are all there.
        assert sorted(text) == sorted("".join(run.text for run in runs))
        assert y == pytest.approx((scene.height - item.y) / 2, abs=0.01)
        if item.anchor == "start":
            assert x == pytest.approx(item.x / 2, abs=0.01)
        if item.text.isascii():
            assert text == item.text
    assert next(drawn, None) is None
    assert {"plain (1).png", "file is gone", "+", "\u2212"} <= {text for text, _, _ in found}
    assert b"+DejaVuSans-Bold" in data
    assert b"/MediaBox [ 0 0 %g %g ]" % (scene.width / 2, scene.height / 2) in data


def test_pdf_has_each_picture_once(tmp_path: Path, result: Result) -> None:
    scene, data = draw(result, tmp_path / "sheet.pdf")
    images = len({id(item.image) for item in pictures(scene)})
    emoji = typeset.runs("🍕", fonts.load(17))[0].scale != 1.0  # with their transparency
    assert data.count(b"/Subtype /Image") == images + 2 * emoji


def test_pictures_stand_where_they_do_in_pixels(result: Result) -> None:
    """The scene of a document is finer, and otherwise that of the picture."""
    coarse = sheet.lay_out(result, sheet.new_thumbnails())
    fine = sheet.lay_out(result, Thumbnails(sheet.TILE, detail=2))
    assert words(coarse) == words(fine)
    for one, other in zip(pictures(coarse), pictures(fine), strict=True):
        assert (one.x, one.y, one.width, one.height) == pytest.approx(
            (other.x, other.y, other.width, other.height), abs=1
        )
        assert other.image.width > one.image.width


@pytest.mark.parametrize("ending", ["pdf", "svg"])
def test_the_same_result_gives_the_same_bytes(tmp_path: Path, result: Result, ending: str) -> None:
    _, here = draw(result, tmp_path / f"sheet.{ending}")
    code = (
        "import sys; from pathlib import Path; from vecsearch.types import *;"
        "from vecsearch.view.sheet import draw_sheet;"
        "draw_sheet(eval(sys.argv[1].replace('PosixPath', 'Path').replace('WindowsPath', 'Path')),"
        "Path(sys.argv[2]))"
    )
    out = tmp_path / f"other.{ending}"
    command = [sys.executable, "-c", code, repr(result), str(out)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "7"})
    assert out.read_bytes() == here


@pytest.mark.parametrize("ending", ["pdf", "svg"])
def test_failing_to_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    out = tmp_path / "new" / f"sheet.{ending}"
    out.parent.mkdir()
    out.write_bytes(b"old")

    def write(scene: Scene, file: io.BytesIO) -> None:
        file.write(b"half of it")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(f"vecsearch.view.{ending}.write_{ending}", write)
    with pytest.raises(VecsearchError, match="No space left"):
        sheet.draw_sheet(Result("q", None, ()), out)
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    assert out.read_bytes() == b"old"


def test_a_users_settings_of_matplotlib_change_nothing(tmp_path: Path, result: Result) -> None:
    import matplotlib as mpl

    _, usual = draw(result, tmp_path / "a.pdf")
    with mpl.rc_context({"pdf.use14corefonts": True, "pdf.compression": 0, "font.size": 3}):
        _, other = draw(result, tmp_path / "b.pdf")
        assert mpl.rcParams["font.size"] == 3
    assert other == usual


def test_query_draws_the_sheet_that_the_ending_names(run: Run, index: Path) -> None:
    for ending, start in (("pdf", b"%PDF"), ("SVG", b"<?xml")):
        out = index.parent / f"s.{ending}"
        run("query", "id:1", "-k", "3", "-i", index, "--sheet", out)
        assert out.read_bytes().startswith(start)
    assert "usual endings" in run("query", "id:1", "-i", index, "--sheet", "x.doc", code=2).stderr
