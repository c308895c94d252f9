"""Pictures scaled to fit a square, kept for the next time, with a drawn stand-in for lost ones."""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw

from vecsearch.errors import ImageError
from vecsearch.images.access import is_gone
from vecsearch.images.decode import read_thumbnail
from vecsearch.view import fonts

MOST_ENLARGED = 3.0
"""A small picture grows at most this many times: beyond that it would only show its pixels."""

PLATE = (243, 244, 247)
"""The pale grey that pictures stand on."""

FAINT = (168, 174, 184)
GREY = (107, 114, 128)


class Thumbnails:
    """Thumbnails that fit into *side* x *side* pixels, with the pictures' own shapes.

    Those used last are kept, in *budget_bytes* of memory.
    """

    def __init__(self, side: int, *, budget_bytes: int = 64 << 20) -> None:
        """Start with none."""
        self.side = side
        self._capacity = max(1, budget_bytes // (3 * side * side))
        self._kept: OrderedDict[Path, Image.Image] = OrderedDict()

    def get(self, path: Path) -> Image.Image:
        """Give the thumbnail of *path*; for a file that is gone or broken, a square saying so.

        The picture is shared: draw with it, never on it.
        """
        thumbnail = self._kept.get(path)
        if thumbnail is None:
            thumbnail = read_or_stand_in(path, self.side)
            self._kept[path] = thumbnail
            if len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(path)
        return thumbnail


def read_or_stand_in(path: Path, side: int) -> Image.Image:
    """Read the thumbnail of *path*; for a file that is gone or broken, a square saying so."""
    try:
        picture = read_thumbnail(path, side)
    except ImageError:
        return draw_stand_in("file is gone" if is_gone(path) else "cannot be read", side)
    return enlarge(picture, side)


def enlarge(picture: Image.Image, side: int) -> Image.Image:
    """Enlarge a small picture to fit *side* x *side* pixels, but not beyond MOST_ENLARGED."""
    scale = min(side / max(picture.size), MOST_ENLARGED)
    if scale <= 1.0:
        return picture
    width, height = (max(1, round(length * scale)) for length in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


@lru_cache(maxsize=16)
def draw_stand_in(reason: str, side: int) -> Image.Image:
    """Draw a pale square with a struck-out picture sign and, where there is room, *reason*."""
    fine = 4  # drawn larger and scaled down: Pillow's lines are not smooth
    image = Image.new("RGB", (side * fine, side * fine), PLATE)
    draw = ImageDraw.Draw(image)
    size = max(8, side - 12) // 8 if side < 150 else 17
    room = side >= 72
    unit = side * fine / 100
    up = 8 * unit if room else 0.0
    line = max(fine, round(2.0 * unit))

    def at(x: float, y: float) -> tuple[float, float]:
        return (x * unit, y * unit - up)

    draw.rounded_rectangle((*at(32, 37), *at(68, 65)), 3 * unit, outline=FAINT, width=line)
    draw.ellipse((*at(38, 42), *at(45, 49)), fill=FAINT)
    draw.polygon([at(35, 62), at(48, 50), at(53, 55), at(57, 51), at(65, 62)], fill=FAINT)
    draw.line((at(30, 71), at(70, 31)), fill=PLATE, width=line * 4)
    draw.line((at(31, 70), at(69, 32)), fill=FAINT, width=line)
    image = image.resize((side, side), Image.Resampling.LANCZOS)
    if room:
        draw = ImageDraw.Draw(image)
        draw.text((side / 2, side * 0.76), reason, GREY, fonts.load(size), anchor="ms")
    return image
