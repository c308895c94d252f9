"""A drawing as a list of what stands where, for any kind of file; and its pixels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw

from vecsearch.view.system_fonts import Font
from vecsearch.view.typeset import Anchor, draw_line

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A filled rectangle, its corners rounded by *radius*; lengths are pixels, y goes down."""

    x: float
    y: float
    width: float
    height: float
    fill: Colour
    radius: float = 0


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """An RGB *image* stretched to a place, and cut off where *within* ends.

    The image may be finer than the place. One image in several places is one object.
    """

    image: Image.Image
    x: float
    y: float
    width: float
    height: float
    within: Rectangle


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text; ``x`` is its start, middle or end, and ``y`` the line that it stands on.

    What ``font`` lacks is drawn in other fonts, as `typeset` does.
    """

    x: float
    y: float
    text: str
    font: Font
    fill: Colour
    anchor: Anchor = "start"


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A drawing: later items lie over earlier ones. ``title`` is what a document is called."""

    width: int
    height: int
    ground: Colour
    items: tuple[Rectangle | Picture | Text, ...]
    title: str = ""


def paint(scene: Scene) -> Image.Image:
    """Draw *scene* as pixels."""
    image = Image.new("RGB", (scene.width, scene.height), scene.ground)
    paint_on(image, scene.items)
    return image


def paint_on(image: Image.Image, items: Iterable[Rectangle | Picture | Text]) -> None:
    """Draw *items* over what is on *image*."""
    for item in items:
        if isinstance(item, Text):
            draw_line(image, (item.x, item.y), item.text, item.fill, item.font, item.anchor)
        elif isinstance(item, Rectangle):
            image.paste(item.fill, (round(item.x), round(item.y)), _mask_of(item))
        else:
            _paint_picture(image, item)


def _paint_picture(image: Image.Image, item: Picture) -> None:
    size = (max(1, round(item.width)), max(1, round(item.height)))
    picture = item.image
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    x, y = round(item.x), round(item.y)
    left, top = x - round(item.within.x), y - round(item.within.y)
    mask = _mask_of(item.within).crop((left, top, left + size[0], top + size[1]))
    image.paste(picture, (x, y), mask)


def _mask_of(rectangle: Rectangle) -> Image.Image:
    return _mask(round(rectangle.width), round(rectangle.height), rectangle.radius)


@lru_cache(maxsize=16)
def _mask(width: int, height: int, radius: float) -> Image.Image:
    if not radius:
        return Image.new("L", (width, height), 255)
    fine = 4  # drawn larger and scaled down: Pillow's edges are not smooth
    mask = Image.new("L", (width * fine, height * fine), 0)
    box = (0, 0, width * fine - 1, height * fine - 1)
    ImageDraw.Draw(mask).rounded_rectangle(box, radius * fine, fill=255)
    return mask.resize((width, height), Image.Resampling.BOX)
