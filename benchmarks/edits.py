"""Thirteen edits of a picture, as people and programs make them; seeded, by Pillow alone."""

from __future__ import annotations

import io
from collections.abc import Callable
from random import Random
from typing import Final

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

Edit = Callable[[Image.Image, Random], Image.Image]

_TURN_DEGREES: Final = 5.0
_BRIGHTER: Final = 1.2
_WINDOW: Final = ("#dfe1e5", "#f4f5f7", "#ffffff")
"""Title bar, side bar and ground of the window of a screenshot."""


def _encoded_anew(picture: Image.Image, quality: int) -> Image.Image:
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=quality)
    return Image.open(data).convert("RGB")


def _scaled(picture: Image.Image, scale: float) -> Image.Image:
    width, height = (max(1, round(scale * side)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _cropped(picture: Image.Image, share: float, random: Random) -> Image.Image:
    """Cut off *share* of the width and of the height, at seeded places."""
    width, height = (round((1 - share) * side) for side in picture.size)
    left = random.randint(0, picture.width - width)
    top = random.randint(0, picture.height - height)
    return picture.crop((left, top, left + width, top + height))


def _blurred(picture: Image.Image) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(max(picture.size) / 100))


def _with_text(picture: Image.Image) -> Image.Image:
    """Write two lines over the picture, white with a black edge, as over a shared joke."""
    edited = picture.copy()
    draw = ImageDraw.Draw(edited)
    size = picture.height / 8
    font = ImageFont.load_default(size)
    middle = picture.width / 2
    edge = max(1, round(size / 12))
    for text, y, anchor in (("WHEN IT IS", 0.03, "ma"), ("NEARLY LUNCH", 0.97, "md")):
        place = (middle, y * picture.height)
        draw.text(place, text, "white", font, anchor, stroke_width=edge, stroke_fill="black")
    return edited


def _bordered(picture: Image.Image) -> Image.Image:
    return ImageOps.expand(picture, round(max(picture.size) / 12), "white")


def _screenshot(picture: Image.Image) -> Image.Image:
    """Show the picture at 80% of its size in a window with a title bar, a side bar and a margin."""
    shown = _scaled(picture, 0.8)
    bar, side, margin = (round(shown.height * share) for share in (0.12, 0.15, 0.06))
    size = (side + 2 * margin + shown.width, bar + 2 * margin + shown.height)
    window = Image.new("RGB", size, _WINDOW[2])
    draw = ImageDraw.Draw(window)
    draw.rectangle((0, bar, side, size[1]), _WINDOW[1])
    draw.rectangle((0, 0, size[0], bar), _WINDOW[0])
    for number, colour in enumerate(("#ff5f57", "#febc2e", "#28c840")):
        x = bar * (0.5 + 0.6 * number)
        draw.ellipse((x, bar * 0.35, x + bar * 0.3, bar * 0.65), colour)
    for number in range(5):
        y = bar + margin + number * 0.12 * shown.height
        draw.line((side * 0.2, y, side * 0.8, y), "#9aa0a6", max(1, bar // 12))
    window.paste(shown, (side + margin, bar + margin))
    return window


EDITS: Final[dict[str, Edit]] = {
    "JPEG 30": lambda picture, random: _encoded_anew(picture, 30),
    "half": lambda picture, random: _scaled(picture, 0.5),
    "a tenth": lambda picture, random: _scaled(picture, 0.1),
    "crop 10%": lambda picture, random: _cropped(picture, 0.1, random),
    "crop 25%": lambda picture, random: _cropped(picture, 0.25, random),
    "5 degrees": lambda picture, random: picture.rotate(
        random.choice((-_TURN_DEGREES, _TURN_DEGREES)), Image.Resampling.BICUBIC
    ),
    "mirrored": lambda picture, random: ImageOps.mirror(picture),
    "grey": lambda picture, random: ImageOps.grayscale(picture).convert("RGB"),
    "blurred": lambda picture, random: _blurred(picture),
    "20% brighter": lambda picture, random: ImageEnhance.Brightness(picture).enhance(_BRIGHTER),
    "text": lambda picture, random: _with_text(picture),
    "border": lambda picture, random: _bordered(picture),
    "screenshot": lambda picture, random: _screenshot(picture),
}
"""The edits by name; the generator decides where to crop and which way to turn."""
