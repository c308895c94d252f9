"""The map of a collection as a picture, with the collection's own pictures as points."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor, ImageDraw, ImageFilter

from vecsearch.arguments import checked
from vecsearch.layout.collection import CollectionMap
from vecsearch.layout.overlap import arrange
from vecsearch.types import Progress, no_progress
from vecsearch.view import fonts
from vecsearch.view.files import format_of, write_image
from vecsearch.view.palette import GROUPS
from vecsearch.view.sheet import INK
from vecsearch.view.text import counted
from vecsearch.view.thumbnails import GREY, read_all

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
_NAME_WEIGHT: Final = 8

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
    format_of(out)  # before the work, not after it
    write_image(render_map(collection, progress=progress), out)


def render_map(collection: CollectionMap, *, progress: Progress | None = None) -> Image.Image:
    """Draw the map of *collection*: each picture as a card, or as a dot where they are many."""
    report = progress or no_progress
    if len(collection.images) > MOST_PICTURES:
        return _render_dots(collection, report)
    return _render_cards(collection, report)


def subtitle(collection: CollectionMap) -> str:
    """Say how the map was laid out, and what made the features."""
    return ", ".join(filter(None, (METHODS[collection.options.method], collection.encoder)))


def side_for(n: int) -> tuple[int, int]:
    """Choose the side of a thumbnail with its border, and the gap around it, for n pictures."""
    side = round(max(320 * n**-0.25, 186 * n**-0.1))
    return side, max(6, side // 10)


def _render_cards(collection: CollectionMap, report: Progress) -> Image.Image:
    n = len(collection.images)
    side, gap = side_for(n)
    placed = arrange(collection.points)
    extent = np.ptp(placed, axis=0)
    cell = min(side + gap, int(np.sqrt(LARGEST_AREA / np.prod(extent + 1))))
    side = cell * side // (side + gap)
    image, corners = _open_canvas(collection, placed * cell, cell, side)
    border = max(3, side // 20) if collection.groups else max(2, side // 36)
    paths = [one.path for one in collection.images]
    thumbnails = read_all(paths, side - 2 * border)
    for done, thumbnail in enumerate(thumbnails, start=1):
        x, y = corners[done - 1].tolist()
        label = int(collection.labels[done - 1])
        _draw_card(image, thumbnail, x, y, side, border, _colour(label, WHITE))
        report("drawing", done, n)
    _draw_names(image, collection, corners + side // 2, side)
    return image


def _render_dots(collection: CollectionMap, report: Progress) -> Image.Image:
    """Draw a dot for every picture, and in each part of the map the picture at its middle."""
    points = collection.points.astype(np.float64)
    scale = LARGE_CANVAS / max(1e-9, float(np.ptp(points, axis=0).max()))
    image, corners = _open_canvas(collection, points * scale, LARGE_SIDE, LARGE_SIDE)
    middles = corners + LARGE_SIDE // 2
    draw = ImageDraw.Draw(image)
    for (x, y), label in zip(middles.tolist(), collection.labels.tolist(), strict=True):
        draw.rectangle((x - _DOT, y - _DOT, x + _DOT, y + _DOT), _colour(label, GREY))
    shown, sides = _stand_for_others(middles, LARGE_SIDE)
    paths = [collection.images[one].path for one in shown]
    for done, thumbnail in enumerate(read_all(paths, LARGE_SIDE - 4), start=1):
        one, side = shown[done - 1], sides[done - 1]
        thumbnail = thumbnail.copy()
        thumbnail.thumbnail((side, side))
        x, y = (middles[one] - side // 2).tolist()
        label = int(collection.labels[one])
        _draw_card(image, thumbnail, x, y, side + 4, 2, _colour(label, WHITE))
        report("drawing", done, len(shown))
    _draw_names(image, collection, middles, LARGE_SIDE)
    return image


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
    collection: CollectionMap, placed: npt.NDArray[np.floating], cell: int, side: int
) -> tuple[Image.Image, npt.NDArray[np.int64]]:
    """Give a canvas with the title on it, and the upper left corners of all squares."""
    extent = np.ptp(placed, axis=0)
    margin = int(max(52, extent[0] / 70))
    title = _title_size(extent[0] + side)
    top = margin + 2 * title
    needed = (int(extent[0]) + side + 2 * margin, int(extent[1]) + side + top + margin)
    width, height = np.maximum(needed, SMALLEST_CANVAS).tolist()
    # What the smallest canvas leaves over is shared out, so that the pictures stay centred.
    shift = np.array([margin + (width - needed[0]) / 2, top + (height - needed[1]) / 2])
    image = Image.new("RGB", (width, height), GROUND)
    _draw_title(image, collection, margin, title)
    return image, np.rint(placed - placed.min(axis=0) + shift).astype(np.int64)


def _title_size(width: float) -> int:
    return int(np.clip(width / 60, 22, 110))


def _draw_title(image: Image.Image, collection: CollectionMap, margin: int, size: int) -> None:
    n = len(collection.images)
    draw = ImageDraw.Draw(image)
    bold = fonts.load(size, bold=True)
    plain = fonts.load(size)
    baseline = margin + 0.8 * size
    x = float(margin)
    count = counted(n, "picture")
    draw.text((x, baseline), count, INK, bold, anchor="ls")
    x += bold.getlength(count) + 0.6 * size
    method = subtitle(collection)
    room = int(image.width - margin - x)
    draw.text((x, baseline), fonts.shorten(method, plain, room), GREY, plain, anchor="ls")
    if collection.options.color != "folder":
        return  # names stand on the map
    x += plain.getlength(method) + 1.2 * size
    left, size = x, round(0.55 * size)
    baseline -= size
    for number, group in enumerate(collection.groups):
        text = f"{fonts.printable(group.name)}  {group.size:,}"
        font = fonts.load_for(text, size)
        width = 2.4 * size + font.getlength(text)
        if x + width > image.width - margin and x > left:
            x, baseline = left, baseline + 1.6 * size
        box = (x, baseline - 0.8 * size, x + 0.8 * size, baseline)
        draw.rounded_rectangle(box, 0.15 * size, fill=_colour(number, GREY))
        draw.text((x + 1.2 * size, baseline), text, INK, font, anchor="ls")
        x += width


def _draw_names(
    image: Image.Image, collection: CollectionMap, middles: npt.NDArray[np.int64], side: int
) -> None:
    """Write the name of each cluster near its middle, the largest first, where least is hidden."""
    if collection.options.color != "cluster":
        return
    size = _title_size(image.width)
    draw = ImageDraw.Draw(image)
    reach = np.full_like(middles, side // 2)  # half of what is to be seen, by picture and name
    crowds = [middles[collection.labels == one] for one in range(len(collection.groups))]
    for number, (group, crowd) in enumerate(zip(collection.groups, crowds, strict=True)):
        text = fonts.printable(group.name)
        font = fonts.load_for(text, size)
        half = np.array([font.getlength(text) / 2 + 0.6 * size, 0.75 * size])
        x, y = _least_hidden(np.median(crowd, axis=0), half, middles, reach, side)
        x = float(np.clip(x, half[0], image.width - half[0]))
        # What it covers counts so much that no other name is written there.
        middles = np.vstack([middles, np.full((_NAME_WEIGHT, 2), (x, y), np.int64)])
        reach = np.vstack([reach, np.full((_NAME_WEIGHT, 2), half, np.int64)])
        box = (x - half[0], y - half[1], x + half[0], y + half[1])
        outline = max(2, size // 12)
        colour = _colour(number, GREY)
        draw.rounded_rectangle(box, half[1], fill=colour, outline=WHITE, width=outline)
        draw.text((x, y), text, WHITE, font, anchor="mm")


def _least_hidden(
    middle: npt.NDArray[np.floating],
    half: npt.NDArray[np.floating],
    middles: npt.NDArray[np.int64],
    reach: npt.NDArray[np.int64],
    side: int,
) -> tuple[float, float]:
    """Find the place around *middle* where a box of *half* its size covers the least."""
    offsets = np.linspace(-1.0, 1.0, 9)
    near = (np.abs(middles - middle) < reach + half + side).all(axis=1)
    best = (np.inf, 0.0, middle)
    for dy in offsets:
        for dx in offsets:
            place = middle + side * np.array([dx, dy])
            shared = np.maximum(half + reach[near] - np.abs(middles[near] - place), 0)
            shared = np.minimum(shared, 2 * half)
            covered = float((shared[:, 0] * shared[:, 1]).sum())
            best = min(best, (covered, float(np.hypot(dx, dy)), place), key=lambda one: one[:2])
    return float(best[2][0]), float(best[2][1])


def _draw_card(
    image: Image.Image,
    thumbnail: Image.Image,
    x: int,
    y: int,
    side: int,
    border: int,
    colour: tuple[int, ...],
) -> None:
    """Draw a thumbnail with a border and a soft shadow, centred in the square at (x, y)."""
    width, height = thumbnail.width + 2 * border, thumbnail.height + 2 * border
    x, y = x + (side - width) // 2, y + (side - height) // 2
    shadow, reach = _shadow(width, height)
    image.paste(SHADOW, (x - reach, y - reach + border // 2 + 1), shadow)
    image.paste(colour, (x, y, x + width, y + height))
    image.paste(thumbnail, (x + border, y + border))


def _colour(label: int, other: tuple[int, ...]) -> tuple[int, ...]:
    """Give the colour of a group, or *other* where a picture is in none."""
    return ImageColor.getrgb(GROUPS[label]) if label >= 0 else other


@lru_cache(maxsize=256)
def _shadow(width: int, height: int) -> tuple[Image.Image, int]:
    """Give the mask of the shadow of a card, and how far it reaches beyond it."""
    blur = max(2, min(width, height) // 36)
    reach = 3 * blur
    mask = Image.new("L", (width + 2 * reach, height + 2 * reach), 0)
    mask.paste(SHADOW_ALPHA, (reach, reach, reach + width, reach + height))
    return mask.filter(ImageFilter.GaussianBlur(blur)), reach
