"""Size and encoding make no other picture; one place that differs does."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from samples import SAMPLES
from sklearn.datasets import load_sample_images

import vecsearch
from vecsearch import EncoderConfig
from vecsearch.deduplication.same_pixels import are_same

PACKAGED = EncoderConfig(model="efficientnet-lite0", precision="fp32", engine="openvino")
LANCZOS = Image.Resampling.LANCZOS


def encoded(picture: Image.Image, quality: int, form: str = "JPEG") -> Image.Image:
    data = io.BytesIO()
    picture.save(data, form, quality=quality)
    return Image.open(data).convert("RGB")


def scaled(picture: Image.Image, scale: float) -> Image.Image:
    width, height = (round(scale * side) for side in picture.size)
    return picture.resize((width, height), LANCZOS)


def page(seed: int, size: int = 11, change: tuple[int, str] | None = None) -> Image.Image:
    """Draw a page of words; *change* puts a letter into the middle of a word."""
    generator = np.random.RandomState(seed)
    picture = Image.new("RGB", (620, 877), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size)
    number = 0
    for y in range(60, 800, round(1.5 * size)):
        x = 60
        while x < 520:
            word = "".join(chr(97 + n) for n in generator.randint(0, 26, generator.randint(2, 10)))
            middle = len(word) // 2
            if change and change[0] == number:
                assert word[middle] != change[1]
                word = word[:middle] + change[1] + word[middle + 1 :]
            draw.text((x, y), word, "black", font)
            x += round(0.65 * size * len(word)) + 8
            number += 1
    return picture


def form(number: str, *, signed: bool = False) -> Image.Image:
    picture = Image.new("RGB", (620, 877), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(12)
    for row in range(12):
        y = 80 + 60 * row
        draw.text((60, y), f"Field number {row} of the application", "black", font)
        draw.rectangle((60, y + 20, 560, y + 45), outline="black")
        draw.text((70, y + 26), number if row == 4 else f"{row * 83}-{row * 71}", "black", font)
    if signed:
        draw.line([(380 + 6 * n, 800 + (7 * n) % 11) for n in range(20)], "navy", 2)
    return picture


@pytest.fixture(scope="module")
def china() -> Image.Image:
    return Image.fromarray(load_sample_images().images[0])


def originals(china: Image.Image) -> list[Image.Image]:
    burger = Image.open(SAMPLES / "burger1.jpg").convert("RGB")
    return [china, burger, page(1), page(2, 9), form("483-221")]


def test_size_and_encoding_make_no_other_picture(china: Image.Image) -> None:
    for picture in originals(china):
        versions = [
            picture,
            *(encoded(picture, quality) for quality in (95, 75, 50, 30)),
            encoded(picture, 80, "WEBP"),
            scaled(picture, 0.7),
            scaled(picture, 0.5),
            scaled(picture, 1.6),
            encoded(scaled(picture, 0.5), 50),
            picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.BOX),
        ]
        found = [are_same(picture, one) for one in versions]
        assert found == [True] * len(versions)


def without_a_thing(china: Image.Image) -> Image.Image:
    """Put something of 20 pixels into a photograph of 640 x 427."""
    changed = china.copy()
    ImageDraw.Draw(changed).ellipse((300, 60, 320, 80), "#805030")
    return changed


def test_one_place_that_differs_makes_another_picture(china: Image.Image) -> None:
    pairs = [
        (page(1), page(1, change=(100, "e"))),
        (page(1), page(1, change=(200, "o"))),
        (page(2, 9), page(2, 9, change=(150, "a"))),
        (page(3, 8), page(3, 8, change=(333, "s"))),
        (form("483-221"), form("488-221")),
        (form("483-221"), form("433-221")),
        (form("483-221"), form("483-221", signed=True)),
        (china, without_a_thing(china)),
        (china, china.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
        (china, china.crop((0, 0, 640, 400))),
        (china, china.resize((640, 400))),
        (china, china.filter(ImageFilter.GaussianBlur(4))),
    ]
    for place, (one, other) in enumerate(pairs):
        assert not are_same(other, one), place
        for version in (encoded(other, 60), scaled(other, 0.75)):
            assert not are_same(one, version), place


def test_what_is_too_small_to_tell_is_not_the_same(china: Image.Image) -> None:
    icon = scaled(china, 0.08)
    assert not are_same(china, icon)
    assert are_same(icon, icon.copy())
    assert are_same(Image.new("RGB", (1, 1)), Image.new("RGB", (1, 1)))
    assert not are_same(Image.new("RGB", (1, 1)), Image.new("RGB", (1, 1), "white"))
    assert not are_same(Image.new("RGB", (1, 9)), Image.new("RGB", (9, 1)))
    line = china.resize((3000, 1))
    assert are_same(line, encoded(line, 95))
    assert not are_same(line, line.transpose(Image.Transpose.FLIP_LEFT_RIGHT))


def test_colour_at_one_brightness_counts() -> None:
    one = Image.new("YCbCr", (200, 150), (128, 128, 128))
    other = one.copy()
    other.paste((128, 190, 90), (80, 60, 120, 90))
    assert not are_same(one.convert("RGB"), other.convert("RGB"))


def test_scans_of_other_text_are_not_moved(tmp_path: Path) -> None:
    """They look alike to features and as a whole, so that they are reported, as edited ones."""
    folder = tmp_path / "scans"
    folder.mkdir()
    pages = {
        "page.png": page(1),
        "page-letter.png": page(1, change=(100, "e")),
        "page-letter.jpg": page(1, change=(200, "o")),
        "form.png": form("483-221"),
        "form-digit.png": form("488-221"),
        "form-signed.jpg": form("483-221", signed=True),
    }
    for name, picture in pages.items():
        picture.save(folder / name)
    page(1).save(folder / "page-again.jpg", quality=60)
    scaled(form("483-221"), 0.5).save(folder / "form-half.png")
    index = vecsearch.build(folder, index=tmp_path / "ix", encoder=PACKAGED).index
    done = vecsearch.move_aside(vecsearch.duplicates(index), tmp_path / "aside")
    assert {one.source.name for one in done.files} <= {"page-again.jpg", "form-half.png"}
    # Nor if one asks for what features find alike.
    report = vecsearch.duplicates(index, threshold=0.8)
    done = vecsearch.move_aside(report, tmp_path / "aside")
    assert {one.source.name for one in done.files} <= {"page-again.jpg", "form-half.png"}
    assert {path.name for path in folder.iterdir()} >= pages.keys()


def test_what_a_threshold_finds_alike_is_compared_before_it_is_moved(tmp_path: Path) -> None:
    (tmp_path / "burgers").mkdir()
    for path in sorted(SAMPLES.glob("burger*.jpg")):
        (tmp_path / "burgers" / path.name).write_bytes(path.read_bytes())
    index = vecsearch.build(tmp_path / "burgers", index=tmp_path / "ix", encoder=PACKAGED).index
    report = vecsearch.duplicates(index, threshold=0.6)
    assert report.movable > 2
    for edited in (False, True):
        done = vecsearch.move_aside(report, tmp_path / "aside", edited=edited)
        assert (done.moved, len(done.left)) == (0, report.movable)
