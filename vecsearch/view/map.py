"""The map of a collection as a picture, with the collection's own pictures as points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from vecsearch.arguments import checked
from vecsearch.layout.collection import CollectionMap
from vecsearch.layout.room import find_room
from vecsearch.layout.separate import arrange_with_names
from vecsearch.types import Progress, no_progress
from vecsearch.view import fonts
from vecsearch.view.colour_vision import parse
from vecsearch.view.image_files import format_of, write_image, write_whole
from vecsearch.view.palette import GROUPS, colours_of, letters_on
from vecsearch.view.scene import Colour, Picture, Rectangle, Scene, Text, paint, paint_on
from vecsearch.view.sheet import INK
from vecsearch.view.text import counted
from vecsearch.view.thumbnails import GREY, read_all
from vecsearch.view.typeset import measure

GROUND: Final = (244, 245, 248)
SHADOW: Final = (24, 32, 52)
SHADOW_ALPHA: Final = 56
WHITE: Final = (255, 255, 255)

SMALLEST_CANVAS: Final = (720, 540)
"""In pixels, like all lengths here."""
LARGEST_AREA: Final = 64_000_000
"""Pixels; beyond it the thumbnails shrink. Such a canvas takes 200 MB of memory."""

MOST_PICTURES: Final = 12_000
"""Of a larger collection every picture is a dot, and some that stand for others are shown."""
LARGE_CANVAS: Final = 6400
"""The longer side of such a map."""
LARGE_SIDE: Final = 80
_DOT: Final = 2
_TERRITORY: Final = 1.3
"""The side of the ground that is tinted for a picture, in squares of the map."""
_TINT: Final = 0.2
_NEAR: Final = 0.5
"""What stays free below a name, in heights of its letters."""
_SVG_QUALITY: Final = 80
"""Of JPEGs, which are small there and many."""

METHODS: Final = {"tsne": "t-SNE", "pca": "PCA", "umap": "UMAP"}


@checked
def draw_map(
    collection: CollectionMap, out: str | Path, *, progress: Progress | None = None
) -> None:
    """Draw the map of *collection* into *out*, whose ending names the format.

    The same collection gives the same file. Raises UsageError for an ending that cannot be
    written, VecsearchError where writing fails.
    """
    out = Path(out)
    if format_of(out, vector=True) == "SVG":  # before the work, not after it
        from vecsearch.view.svg import write_svg

        scene = scene_of_map(collection, progress=progress)
        write_whole(out, lambda file: write_svg(scene, file, quality=_SVG_QUALITY))
    else:
        write_image(render_map(collection, progress=progress), out)


def render_map(collection: CollectionMap, *, progress: Progress | None = None) -> Image.Image:
    """Draw the map of *collection*: each picture as a card, or as a dot where they are many."""
    report = progress or no_progress
    plan = _plan(collection)
    image = paint(Scene(*plan.size, GROUND, tuple(plan.below)))
    for (x, y), colour in zip(plan.dots.tolist(), plan.dot_colours, strict=True):
        image.paste(colour, (x - _DOT, y - _DOT, x + _DOT + 1, y + _DOT + 1))
    for done, (card, thumbnail) in enumerate(_cards(collection, plan), start=1):
        _draw_card(image, thumbnail, card)
        report("drawing", done, len(plan.cards))
    paint_on(image, plan.above)
    return image


def scene_of_map(collection: CollectionMap, *, progress: Progress | None = None) -> Scene:
    """Return the map of *collection* as a drawing whose names are text."""
    report = progress or no_progress
    plan = _plan(collection)
    items = list(plan.below)
    for (x, y), colour in zip(plan.dots.tolist(), plan.dot_colours, strict=True):
        items.append(Rectangle(x - _DOT, y - _DOT, 2 * _DOT + 1, 2 * _DOT + 1, colour))
    for done, (card, thumbnail) in enumerate(_cards(collection, plan), start=1):
        left, top, width, height = card.box(thumbnail)
        inner = left + card.border, top + card.border
        items.append(Rectangle(left, top, width, height, card.colour))
        within = Rectangle(*inner, *thumbnail.size, card.colour)
        items.append(Picture(thumbnail, *inner, *thumbnail.size, within))
        report("drawing", done, len(plan.cards))
    title = counted(len(collection.images), "picture")
    return Scene(*plan.size, GROUND, (*items, *plan.above), title)


def subtitle(collection: CollectionMap) -> str:
    """Say how the map was laid out, and what made the features."""
    return ", ".join(filter(None, (METHODS[collection.options.method], collection.encoder)))


def side_for(n: int) -> tuple[int, int]:
    """Choose the side of a thumbnail with its border, and the gap around it, for n pictures."""
    side = round(max(320 * n**-0.25, 186 * n**-0.1))
    return side, max(6, side // 10)


@dataclass(frozen=True, slots=True)
class _Card:
    """A picture of the map: its number, and the middle of the square that it is fitted into."""

    number: int
    x: int
    y: int
    side: int
    border: int
    colour: Colour

    def box(self, thumbnail: Image.Image) -> tuple[int, int, int, int]:
        """Return left, top, width and height of the card with its border."""
        width, height = thumbnail.width + 2 * self.border, thumbnail.height + 2 * self.border
        return self.x - width // 2, self.y - height // 2, width, height


@dataclass(slots=True)
class _Plan:
    """Where everything stands on a map, in pixels, before a picture is read."""

    size: tuple[int, int]
    cards: list[_Card]
    below: list[Rectangle | Picture | Text]
    above: list[Rectangle | Picture | Text]
    dots: npt.NDArray[np.int64]
    dot_colours: list[Colour]


def _cards(collection: CollectionMap, plan: _Plan) -> Iterator[tuple[_Card, Image.Image]]:
    """Read the pictures of the cards, in order."""
    if not plan.cards:
        return
    largest = max(card.side - 2 * card.border for card in plan.cards)
    paths = [collection.images[card.number].path for card in plan.cards]
    for card, thumbnail in zip(plan.cards, read_all(paths, largest), strict=True):
        side = card.side - 2 * card.border
        if side < largest:
            thumbnail = thumbnail.copy()
            thumbnail.thumbnail((side, side))
        yield card, thumbnail


def _plan(collection: CollectionMap) -> _Plan:
    if len(collection.images) > MOST_PICTURES:
        return _plan_dots(collection)
    return _plan_cards(collection)


def _plan_cards(collection: CollectionMap) -> _Plan:
    n = len(collection.images)
    side, gap = side_for(n)
    cell = side + gap
    size = int(np.clip(cell * np.sqrt(n) / 50, 22, 110))
    names = _named(collection, size)
    room = {
        number: (max(1.0, one.width / cell + 0.2), max(1.0, one.height / cell + 0.1))
        for number, one in names.items()
    }
    placed, titles = arrange_with_names(collection.points, collection.labels, room)
    everything = np.concatenate([placed, np.array(list(titles.values())).reshape(-1, 2)])
    extent = np.ptp(everything, axis=0)
    fit = min(1.0, float(np.sqrt(LARGEST_AREA / np.prod(extent + 1))) / cell)
    cell, side = int(cell * fit), int(side * fit)
    canvas, places = _open_canvas(everything * cell, side)
    middles = places[:n] + side // 2
    colours = colours_of(placed, collection.labels, len(collection.groups))
    border = max(3, side // 14) if collection.groups else max(2, side // 36)
    cards = [
        _Card(number, x, y, side, border, _colour(colours, label, WHITE))
        for number, ((x, y), label) in enumerate(
            zip(middles.tolist(), collection.labels.tolist(), strict=True)
        )
    ]
    below = _territories(collection, middles, colours, cell)
    below += _title(collection, canvas, colours)
    above = []
    for number, (x, y) in zip(titles, (places[n:] + side // 2).tolist(), strict=True):
        name = names[number]
        half = np.array([name.width, name.height]) * fit / 2
        y += max(0.0, room[number][1] * cell / 2 - half[1] - _NEAR * size)  # near its pictures
        above += _name(name.text, (x, y), half, int(size * fit), colours[number])
    return _Plan(canvas, cards, below, above, np.zeros((0, 2), np.int64), [])


def _plan_dots(collection: CollectionMap) -> _Plan:
    """Plan a dot for every picture, and in each part of the map the picture at its middle."""
    points = collection.points.astype(np.float64)
    scale = LARGE_CANVAS / max(1e-9, float(np.ptp(points, axis=0).max()))
    canvas, corners = _open_canvas(points * scale, LARGE_SIDE)
    middles = corners + LARGE_SIDE // 2
    colours = colours_of(collection.points, collection.labels, len(collection.groups))
    dots = [_colour(colours, label, GREY) for label in collection.labels.tolist()]
    shown, sides = _stand_for_others(middles, LARGE_SIDE)
    cards = [
        _Card(
            number,
            int(middles[number, 0]),
            int(middles[number, 1]),
            side + 4,
            2,
            _colour(colours, int(collection.labels[number]), WHITE),
        )
        for number, side in zip(shown, sides, strict=True)
    ]
    reach = np.full_like(middles, _DOT + 1)
    reach[shown] = np.array(sides)[:, np.newaxis] // 2 + 4
    size = _title_size(canvas[0])
    boxes = {number: (one.width, one.height) for number, one in _named(collection, size).items()}
    found = find_room(middles, reach, collection.labels, boxes, canvas, top=4 * size)
    above: list[Rectangle | Picture | Text] = []
    for number, place in found.items():
        colour = parse(GROUPS[colours[number]])
        above += _leader(place, middles[collection.labels == number], boxes[number], colour)
    for number, place in found.items():
        text = fonts.printable(collection.groups[number].name)
        above += _name(text, place, np.array(boxes[number]) / 2, size, colours[number])
    return _Plan(canvas, cards, _title(collection, canvas, colours), above, middles, dots)


@dataclass(frozen=True, slots=True)
class _GroupName:
    """The name of a group as it is written on the map, with the room that it takes."""

    text: str
    width: float
    height: float


def _named(collection: CollectionMap, size: int) -> dict[int, _GroupName]:
    """Return the names of groups that are on the map, by the number of the group."""
    if collection.options.color != "cluster":
        return {}
    found = {}
    for number, group in enumerate(collection.groups):
        if group.named:
            text = fonts.printable(group.name)
            width = measure(text, fonts.load(size)) + 1.1 * size
            found[number] = _GroupName(text, width, 1.5 * size)
    return found


def _name(
    text: str,
    middle: tuple[float, float],
    half: npt.NDArray[np.float64],
    size: int,
    colour: int,
) -> list[Rectangle | Picture | Text]:
    (x, y), (width, height) = middle, half.tolist()
    fill = parse(GROUPS[colour])
    box = Rectangle(x - width, y - height, 2 * width, 2 * height, fill, height)
    font = fonts.load(size)
    letters = parse(letters_on(GROUPS[colour]))
    return [box, Text(x, y + 0.36 * size, text, font, letters, "middle")]


def _leader(
    place: tuple[float, float],
    members: npt.NDArray[np.int64],
    box: tuple[float, float],
    colour: Colour,
) -> list[Rectangle | Picture | Text]:
    """Draw a line, across and then down, from a name to the nearest of its pictures."""
    x, y = place
    away = np.abs(members - np.array(place)) - np.array(box) / 2
    nearest = members[np.maximum(away, 0).sum(axis=1).argmin()]
    to_x, to_y = nearest.tolist()
    half = 3
    left, right = sorted((x, to_x))
    top, bottom = sorted((y, to_y))
    return [
        Rectangle(left - half, y - half, right - left + 2 * half, 2 * half, colour),
        Rectangle(to_x - half, top - half, 2 * half, bottom - top + 2 * half, colour),
    ]


def _territories(
    collection: CollectionMap, middles: npt.NDArray[np.int64], colours: list[int], cell: int
) -> list[Rectangle | Picture | Text]:
    """Tint the ground under each group, so that crowds are seen from afar."""
    if collection.options.color != "cluster":
        return []
    side = round(_TERRITORY * cell)
    found: list[Rectangle | Picture | Text] = []
    for (x, y), label in zip(middles.tolist(), collection.labels.tolist(), strict=True):
        if label >= 0:
            colour = parse(GROUPS[colours[label]])
            red, green, blue = (
                round(_TINT * one + (1 - _TINT) * other)
                for one, other in zip(colour, GROUND, strict=True)
            )
            tint = (red, green, blue)
            found.append(Rectangle(x - side // 2, y - side // 2, side, side, tint, side // 3))
    return found


def _stand_for_others(middles: npt.NDArray[np.int64], cell: int) -> tuple[list[int], list[int]]:
    """Choose for every square of the map the picture at its middle; give its side in pixels.

    The more pictures it stands for, the larger it is: crowds stay to be seen.
    """
    squares = middles // cell
    _, square, counts = np.unique(squares, axis=0, return_inverse=True, return_counts=True)
    square = square.ravel()
    away = np.linalg.norm(middles - (squares + 0.5) * cell, axis=1)
    order = np.lexsort((away, square))
    first = order[np.r_[True, np.diff(square[order]) > 0]]
    fullest = np.quantile(counts, 0.98)
    sides = (cell - 6) * np.clip(np.sqrt(counts / fullest), 0.35, 1.0)
    return first.tolist(), sides.astype(int).tolist()


def _open_canvas(
    placed: npt.NDArray[np.floating], side: int
) -> tuple[tuple[int, int], npt.NDArray[np.int64]]:
    """Return the size of a canvas with a title, and the upper left corners of all squares."""
    extent = np.ptp(placed, axis=0)
    margin = _margin(extent[0])
    title = _title_size(extent[0] + side)
    top = margin + 2 * title
    needed = (int(extent[0]) + side + 2 * margin, int(extent[1]) + side + top + margin)
    width, height = np.maximum(needed, SMALLEST_CANVAS).tolist()
    # What the smallest canvas leaves over is shared out, so that the pictures stay centred.
    shift = np.array([margin + (width - needed[0]) / 2, top + (height - needed[1]) / 2])
    return (width, height), np.rint(placed - placed.min(axis=0) + shift).astype(np.int64)


def _margin(width: float) -> int:
    return int(max(52, width / 40))


def _title_size(width: float) -> int:
    return int(np.clip(width / 60, 22, 110))


def _title(
    collection: CollectionMap, canvas: tuple[int, int], colours: list[int]
) -> list[Rectangle | Picture | Text]:
    width = canvas[0]
    margin, size = _margin(width), _title_size(width)
    found: list[Rectangle | Picture | Text] = []
    bold = fonts.load(size, bold=True)
    plain = fonts.load(size)
    baseline = margin + 0.8 * size
    x = float(margin)
    count = counted(len(collection.images), "picture")
    found.append(Text(x, baseline, count, bold, INK))
    x += bold.getlength(count) + 0.6 * size
    method = fonts.shorten(subtitle(collection), plain, int(width - margin - x))
    found.append(Text(x, baseline, method, plain, GREY))
    if collection.options.color != "folder":
        return found  # names stand on the map
    x += plain.getlength(method) + 1.2 * size
    left, size = x, round(0.55 * size)
    baseline -= size
    for number, group in enumerate(collection.groups):
        text = f"{fonts.printable(group.name)}  {group.size:,}"
        font = fonts.load(size)
        wide = 2.4 * size + measure(text, font)
        if x + wide > width - margin and x > left:
            x, baseline = left, baseline + 1.6 * size
        fill = _colour(colours, number, GREY)
        side = 0.8 * size
        found.append(Rectangle(x, baseline - side, side, side, fill, 0.15 * size))
        found.append(Text(x + 1.2 * size, baseline, text, font, INK))
        x += wide
    return found


def _draw_card(image: Image.Image, thumbnail: Image.Image, card: _Card) -> None:
    """Draw a thumbnail with a border and a soft shadow."""
    x, y, width, height = card.box(thumbnail)
    border = card.border
    shadow, reach = _shadow(width, height)
    image.paste(SHADOW, (x - reach, y - reach + border // 2 + 1), shadow)
    image.paste(card.colour, (x, y, x + width, y + height))
    image.paste(thumbnail, (x + border, y + border))


def _colour(colours: list[int], label: int, other: Colour) -> Colour:
    """Return the colour of a group, or *other* where a picture is in none."""
    return parse(GROUPS[colours[label]]) if label >= 0 else other


@lru_cache(maxsize=256)
def _shadow(width: int, height: int) -> tuple[Image.Image, int]:
    """Return the mask of the shadow of a card, and how far it reaches beyond it."""
    blur = max(2, min(width, height) // 36)
    reach = 3 * blur
    mask = Image.new("L", (width + 2 * reach, height + 2 * reach), 0)
    mask.paste(SHADOW_ALPHA, (reach, reach, reach + width, reach + height))
    return mask.filter(ImageFilter.GaussianBlur(blur)), reach
