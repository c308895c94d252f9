"""A contact sheet: what was asked, and the hits in rank order, side by side."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from vecsearch.types import Asked, Hit, Result
from vecsearch.view import fonts
from vecsearch.view.files import format_of, write_image, write_whole
from vecsearch.view.scene import Colour, Picture, Rectangle, Scene, Text, paint
from vecsearch.view.text import format_made
from vecsearch.view.thumbnails import (
    GREY,
    PLATE,
    REASON_AT,
    ROOM_FOR_TEXT,
    Thumbnail,
    Thumbnails,
    reason_size,
)

PAPER = (255, 255, 255)
INK = (31, 36, 45)
HAIRLINE = (228, 231, 236)
ACCENT = (37, 99, 235)
MINUS = (190, 38, 48)

MARGIN = 44
TILE = 220
"""Side of the square that every picture is centred in, in pixels like all that follows."""
GAP = 24
GUTTER = 36
"""From the query, and from the hits, to the line between them."""
HEADING = 46
"""Height of the headings above the pictures."""
CAPTION = 66
"""Height of the two lines below a picture."""
ROW_GAP = 28
NAME_SIZE = 17
HEADING_SIZE = 20
ENCODER_SIZE = 14
"""Of the line at the bottom that names what made the vectors."""
RADIUS = 6
EDGE = 1
"""Width of the hairline around a tile."""

SMALL_GAP = 16
SMALL_TILE = (TILE - SMALL_GAP) // 2
"""Where many pictures are asked at once, two stand side by side."""
SMALL_CAPTION = 44
SMALL_NAME_SIZE = 13

MOST_HITS = 400
"""More are not drawn; the heading says so."""
MOST_ASKED = 6
"""More are counted only."""
MOST_DETAILED = 60
"""In PDF and SVG pictures are twice as fine, for paper and for zooming, unless they are more."""

_ERROR_COLUMNS: Final = 3
_ERROR_LINES: Final = 8


def new_thumbnails() -> Thumbnails:
    """Start the thumbnails of sheets; hand the same to every sheet of a series."""
    return Thumbnails(TILE)


def draw_sheet(result: Result, out: Path, *, thumbnails: Thumbnails | None = None) -> None:
    """Draw *result* as a contact sheet into the file *out*, whose ending names the format.

    PDF and SVG have text as text. *thumbnails* (`new_thumbnails`) keeps decoded pictures from one
    sheet to the next.

    Raises UsageError for an ending that cannot be written, VecsearchError where writing fails.
    """
    pictures = min(len(result.hits), MOST_HITS)
    write_sheet(partial(lay_out, result), out, pictures=pictures, thumbnails=thumbnails)


def write_sheet(
    lay_out: Callable[[Thumbnails], Scene],
    out: Path,
    *,
    pictures: int,
    thumbnails: Thumbnails | None = None,
) -> None:
    """Write the scene that *lay_out* makes of so many *pictures*, as `draw_sheet` does."""
    kind = format_of(out, vector=True)  # before the work, not after it
    if kind not in ("PDF", "SVG"):
        write_image(paint(lay_out(thumbnails or new_thumbnails())), out)
        return
    detail = 2 if pictures <= MOST_DETAILED else 1
    scene = lay_out(thumbnails or Thumbnails(TILE, detail=detail))
    if kind == "PDF":
        from vecsearch.view.pdf import write_pdf as write
    else:
        from vecsearch.view.svg import write_svg as write
    write_whole(out, lambda file: write(scene, file))


def lay_out(result: Result, thumbnails: Thumbnails) -> Scene:
    """Decide what stands where on the contact sheet of *result*."""
    hits = result.hits[:MOST_HITS]
    columns = _ERROR_COLUMNS if result.error else columns_for(len(hits))
    height = _height(max(1, math.ceil(len(hits) / columns)))
    left, top = MARGIN + TILE + 2 * GUTTER, MARGIN + HEADING

    sheet = Sheet(thumbnails)
    sheet.write(MARGIN, MARGIN + 18, "Query", ACCENT, HEADING_SIZE, bold=True)
    height = max(height, _add_query(sheet, result, top, height))
    heading = "Not answered" if result.error else _count(len(hits), len(result.hits))
    sheet.write(left, MARGIN + 18, heading, INK, HEADING_SIZE, bold=True)
    for i, hit in enumerate(hits):
        x = left + i % columns * (TILE + GAP)
        y = top + i // columns * (TILE + CAPTION + ROW_GAP)
        sheet.add_tile(thumbnails.get(hit.path), x, y)
        sheet.name(hit.path.name, x, y + TILE + 28)
        _add_rank(sheet, hit, x, y + TILE + 54)
    width = columns * (TILE + GAP) - GAP
    if made := format_made(result):
        bold, plain = fonts.load(HEADING_SIZE, bold=True), fonts.load(NAME_SIZE)
        start = round(bold.getlength(heading)) + GAP
        sheet.write(left + start, MARGIN + 18, made, GREY)
        width = max(width, start + round(plain.getlength(made)))
    if result.error:
        font = fonts.load_for(result.error, NAME_SIZE)
        lines = fonts.wrap(fonts.printable(result.error), font, width, _ERROR_LINES)
        for i, line in enumerate(lines):
            sheet.write(left, top + 22 + 26 * i, line, GREY)
    elif not hits:
        sheet.write(left, top + TILE // 2 + 6, "no hits", GREY)
    size = (left + width + MARGIN, top + height + MARGIN)
    if result.encoder:
        font = fonts.load(ENCODER_SIZE)
        model = fonts.shorten(fonts.printable(result.encoder), font, width)
        sheet.items.append(Text(left, size[1] - ENCODER_SIZE, model, font, GREY))
    divider = Rectangle(MARGIN + TILE + GUTTER, MARGIN, 2, size[1] - 2 * MARGIN + 1, HAIRLINE)
    return Scene(*size, PAPER, (divider, *sheet.items), fonts.printable(result.query))


def columns_for(hits: int) -> int:
    """Choose how many hits stand in a row: up to 6 in one, more in rows that come out even."""
    if hits <= 6:
        return max(1, hits)
    fewest = max(4, round(math.sqrt(1.2 * hits)))
    # The fullest last row wins, and then the wider sheet.
    return min(range(fewest + 2, fewest - 1, -1), key=lambda columns: -hits % columns)


class Sheet:
    """What is drawn so far."""

    def __init__(self, thumbnails: Thumbnails) -> None:
        """Begin with nothing; *thumbnails* are those of the pictures."""
        self.thumbnails = thumbnails
        self.items: list[Rectangle | Picture | Text] = []

    def write(
        self,
        x: int,
        y: int,
        text: str,
        fill: Colour,
        size: int = NAME_SIZE,
        *,
        bold: bool = False,
    ) -> None:
        """Write a line of text that stands on *y*."""
        font = fonts.load(size, bold=True) if bold else fonts.load_for(text, size)
        self.items.append(Text(x, y, text, font, fill))

    def name(
        self,
        name: str,
        x: int,
        y: int,
        *,
        width: int = TILE,
        size: int = NAME_SIZE,
        fill: Colour = INK,
    ) -> None:
        """Write a name, its middle cut out where it is wider than *width*."""
        text = fonts.printable(name)
        font = fonts.load_for(text, size)
        self.items.append(Text(x, y, fonts.shorten(text, font, width), font, fill))

    def add_tile(self, thumbnail: Thumbnail, x: int, y: int, side: int = TILE) -> None:
        """Add a picture in the middle of a square."""
        # The hairline lies outside the tile: it covers nothing of the picture.
        edge = side + 2 * EDGE
        self.items.append(Rectangle(x - EDGE, y - EDGE, edge, edge, HAIRLINE, RADIUS))
        tile = Rectangle(x, y, side, side, PLATE, RADIUS)
        image, fine = thumbnail.image, self.thumbnails.detail * self.thumbnails.side / side
        width, height = image.width / fine, image.height / fine
        place = (x + (side - width) // 2, y + (side - height) // 2)
        self.items += [tile, Picture(image, *place, width, height, tile)]
        if thumbnail.reason and side >= ROOM_FOR_TEXT:
            font = fonts.load(reason_size(side))
            words = thumbnail.reason
            self.items.append(Text(x + side / 2, y + side * REASON_AT, words, font, GREY, "middle"))


def _add_query(sheet: Sheet, result: Result, top: int, height: int) -> int:
    """Add the pictures that were asked, where *height* is that of the hits; return theirs."""
    asked = result.asked or (Asked(result.query, result.path),)
    signed = any(one.minus for one in asked)
    large = _height(len(asked)) <= height or len(asked) == 1
    side, columns = (TILE, 1) if large else (SMALL_TILE, 2)
    down = TILE + CAPTION + ROW_GAP if large else SMALL_TILE + SMALL_CAPTION
    shown = asked[:MOST_ASKED]
    for i, one in enumerate(shown):
        x = MARGIN + i % columns * (side + SMALL_GAP)
        y = top + i // columns * down
        sheet.add_tile(_look_at(sheet.thumbnails, one), x, y, side)
        if signed:
            _add_sign(sheet, one, x, y, side)
        name = one.name
        if not large:
            sheet.name(name, x, y + side + 19, width=side, size=SMALL_NAME_SIZE)
            continue
        sheet.name(name, x, y + side + 28)
        if one.path is not None and one.query.startswith("id:"):
            sheet.write(x, y + side + 54, one.query, GREY)
    rows = math.ceil(len(shown) / columns)
    bottom = _height(rows) if large else rows * down
    if len(shown) < len(asked):
        bottom += 24
        sheet.write(MARGIN, top + bottom - 8, f"+ {len(asked) - len(shown):,} more", GREY)
    return bottom


def _look_at(thumbnails: Thumbnails, asked: Asked) -> Thumbnail:
    if asked.path is not None and asked.data is None and asked.box is None:
        return thumbnails.get(asked.path)
    return thumbnails.look_at(asked)


def _add_sign(sheet: Sheet, asked: Asked, x: int, y: int, side: int) -> None:
    """Add a plus or a minus in the corner of a picture."""
    size = 26 if side == TILE else 20
    badge = Rectangle(x + 6, y + 6, size, size, MINUS if asked.minus else ACCENT, RADIUS)
    font = fonts.load(size - 6, bold=True)
    middle, baseline = badge.x + size / 2, badge.y + size / 2 + 0.37 * font.size
    sign = "\u2212" if asked.minus else "+"
    sheet.items += [badge, Text(middle, baseline, sign, font, PAPER, "middle")]


def _add_rank(sheet: Sheet, hit: Hit, x: int, y: int) -> None:
    score = f"{round(hit.score, 3) + 0.0:.3f}"  # + 0.0 so that no hit scores "-0.000"
    sheet.write(x, y, str(hit.rank), ACCENT, bold=True)
    sheet.items.append(Text(x + TILE, y, score, fonts.load(NAME_SIZE), GREY, "end"))


def _height(rows: int) -> int:
    return rows * (TILE + CAPTION + ROW_GAP) - ROW_GAP


def _count(drawn: int, found: int) -> str:
    if drawn < found:
        return f"Nearest {drawn:,} of {found:,}"
    return {0: "Nearest", 1: "Nearest"}.get(drawn, f"{drawn:,} nearest")
