"""A contact sheet: the query and its hits in rank order, side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from PIL import Image, ImageStat

from vecsearch.types import Hit, QueryImage, Result
from vecsearch.view import fonts
from vecsearch.view.image_files import format_of, write_image, write_whole
from vecsearch.view.picture_names import names_of_results
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
from vecsearch.view.typeset import measure

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
"""Height of the two lines below a picture: its rank and score, and its name."""
LINE = 23
"""Height of one line more, where names are longer than a picture is wide."""
ROW_GAP = 28
NAME_SIZE = 17
HEADING_SIZE = 20
ENCODER_SIZE = 14
"""Of the line at the bottom that names what made the vectors."""
RADIUS = 6
EDGE = 1
"""Width of the hairline around a tile."""
NEARLY = 0.92
"""A picture whose sides differ by less fills its tile, and loses a little at two edges: slivers of
plate beside it would look like a fault of it."""

SMALL_GAP = 16
SMALL_TILE = (TILE - SMALL_GAP) // 2
"""Where a query has many pictures, two stand side by side."""
SMALL_CAPTION = 44
SMALL_NAME_SIZE = 13

MOST_HITS = 400
"""More are not drawn; the heading says so."""
MOST_QUERY_IMAGES = 6
"""More are counted only."""
MOST_DETAILED = 60
"""In PDF and SVG pictures are twice as fine, for paper and for zooming, unless they are more."""

_PALE: Final = 225
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
    """Write the scene that *lay_out* makes of a number of *pictures*, as `draw_sheet` does."""
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
    left, top = MARGIN + TILE + 2 * GUTTER, MARGIN + HEADING

    sheet = Sheet(thumbnails)
    names = names_of_results([result])
    lines = [sheet.break_name(names[hit.path]) for hit in hits]
    rows = [lines[start : start + columns] for start in range(0, len(hits), columns)] or [[[""]]]
    heights = [TILE + CAPTION + LINE * (max(map(len, row)) - 1) for row in rows]
    height = sum(heights) + ROW_GAP * (len(rows) - 1)
    sheet.write(MARGIN, MARGIN + 18, "Query", ACCENT, HEADING_SIZE, bold=True)
    height = max(height, _add_query(sheet, result, names, top, height))
    heading = "Not answered" if result.error else _count(len(hits), len(result.hits))
    sheet.write(left, MARGIN + 18, heading, INK, HEADING_SIZE, bold=True)
    for i, hit in enumerate(hits):
        x = left + i % columns * (TILE + GAP)
        row = i // columns
        y = top + sum(heights[:row]) + ROW_GAP * row
        sheet.add_tile(thumbnails.get(hit.path), x, y)
        _add_rank(sheet, hit, x, y + TILE + 28)
        for number, line in enumerate(lines[i]):
            sheet.write(x, y + TILE + 54 + LINE * number, line, INK)
    width = columns * (TILE + GAP) - GAP
    if made := format_made(result):
        bold, plain = fonts.load(HEADING_SIZE, bold=True), fonts.load(NAME_SIZE)
        start = round(bold.getlength(heading)) + GAP
        sheet.write(left + start, MARGIN + 18, made, GREY)
        width = max(width, start + round(plain.getlength(made)))
    if result.error:
        font = fonts.load(NAME_SIZE)
        error = fonts.wrap(fonts.printable(result.error), font, width, _ERROR_LINES)
        for i, line in enumerate(error):
            sheet.write(left, top + 22 + 26 * i, line, GREY)
    elif not hits:
        sheet.write(left, top + TILE // 2 + 6, "no hits", GREY)
    size = (left + width + MARGIN, top + height + MARGIN)
    if result.encoder:
        font = fonts.load(ENCODER_SIZE)
        encoder = fonts.printable(result.encoder)
        start = left if measure(encoder, font) <= width else MARGIN  # there is more room
        model = fonts.shorten(encoder, font, left + width - start)
        sheet.items.append(Text(start, size[1] - ENCODER_SIZE, model, font, GREY))
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
        self.items.append(Text(x, y, text, fonts.load(size, bold), fill))

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
        """Write a name in one line, its middle cut out where it is wider than *width*."""
        font = fonts.load(size)
        self.items.append(Text(x, y, fonts.shorten(fonts.printable(name), font, width), font, fill))

    def break_name(
        self, name: str, *, width: int = TILE, size: int = NAME_SIZE, most: int = 2
    ) -> list[str]:
        """Break a name into at most *most* lines that are not wider than *width*."""
        return fonts.wrap_name(fonts.printable(name), fonts.load(size), width, most)

    def add_tile(self, thumbnail: Thumbnail, x: int, y: int, side: int = TILE) -> None:
        """Add a picture in the middle of a square."""
        if _is_pale_at_an_edge(thumbnail.image):
            # The hairline lies outside the tile: it covers nothing of the picture. A dark one
            # has an edge without it, and would seem to have a bright line there.
            edge = side + 2 * EDGE
            self.items.append(Rectangle(x - EDGE, y - EDGE, edge, edge, HAIRLINE, RADIUS))
        tile = Rectangle(x, y, side, side, PLATE, RADIUS)
        image, fine = thumbnail.image, self.thumbnails.detail * self.thumbnails.side / side
        width, height = image.width / fine, image.height / fine
        if max(width, height) >= side - 1 and min(width, height) >= NEARLY * side:
            fill = side / min(width, height)
            width, height = width * fill, height * fill
        place = (x + (side - width) // 2, y + (side - height) // 2)
        self.items += [tile, Picture(image, *place, width, height, tile)]
        if thumbnail.reason and side >= ROOM_FOR_TEXT:
            font = fonts.load(reason_size(side))
            words = thumbnail.reason
            self.items.append(Text(x + side / 2, y + side * REASON_AT, words, font, GREY, "middle"))


def _add_query(
    sheet: Sheet, result: Result, names: Mapping[Path, str], top: int, height: int
) -> int:
    """Add the query images, where *height* is that of the hits; return theirs."""
    query_images = result.asked or (QueryImage(result.query, result.path),)
    signed = any(one.minus for one in query_images)
    shown = query_images[:MOST_QUERY_IMAGES]
    # A name in one line and its id, or a name in two.
    lines = [sheet.break_name(_name(one, names)) for one in shown]
    ids = [one.query if _is_by_id(one) else "" for one in shown]
    most = max(len(own) + bool(id_) for own, id_ in zip(lines, ids, strict=True))
    caption = CAPTION + LINE * max(0, most - 2)
    large = _height(len(query_images), caption) <= height or len(query_images) == 1
    side, columns = (TILE, 1) if large else (SMALL_TILE, 2)
    down = TILE + caption + ROW_GAP if large else SMALL_TILE + SMALL_CAPTION
    for i, one in enumerate(shown):
        x = MARGIN + i % columns * (side + SMALL_GAP)
        y = top + i // columns * down
        sheet.add_tile(_look_at(sheet.thumbnails, one), x, y, side)
        if signed:
            _add_sign(sheet, one, x, y, side)
        if not large:
            small = sheet.break_name(_name(one, names), width=side, size=SMALL_NAME_SIZE)
            for number, line in enumerate(small):
                sheet.write(x, y + side + 17 + 16 * number, line, INK, SMALL_NAME_SIZE)
            continue
        y += side + 28
        for line in lines[i]:
            sheet.write(x, y, line, INK)
            y += LINE
        if ids[i]:
            sheet.write(x, y + 3, ids[i], GREY)
    rows = math.ceil(len(shown) / columns)
    bottom = _height(rows, caption) if large else rows * down
    if len(shown) < len(query_images):
        bottom += 24
        sheet.write(MARGIN, top + bottom - 8, f"+ {len(query_images) - len(shown):,} more", GREY)
    return bottom


def _name(query_image: QueryImage, names: Mapping[Path, str]) -> str:
    path = None if query_image.word else query_image.path
    return query_image.name if path is None else names.get(path, query_image.name)


def _is_by_id(query_image: QueryImage) -> bool:
    return query_image.path is not None and query_image.query.startswith("id:")


def _is_pale_at_an_edge(image: Image.Image) -> bool:
    """Return whether *image* has an edge that would be lost on white paper."""
    width, height = image.size
    edges = [(0, 0, width, 1), (0, height - 1, width, height)]
    edges += [(0, 0, 1, height), (width - 1, 0, width, height)]
    return any(ImageStat.Stat(image.crop(edge).convert("L")).mean[0] > _PALE for edge in edges)


def _look_at(thumbnails: Thumbnails, query_image: QueryImage) -> Thumbnail:
    if query_image.path is not None and query_image.data is None and query_image.box is None:
        return thumbnails.get(query_image.path)
    return thumbnails.look_at(query_image)


def _add_sign(sheet: Sheet, query_image: QueryImage, x: int, y: int, side: int) -> None:
    """Add a plus or a minus in the corner of a picture."""
    size = 26 if side == TILE else 20
    badge = Rectangle(x + 6, y + 6, size, size, MINUS if query_image.minus else ACCENT, RADIUS)
    font = fonts.load(size - 6, bold=True)
    middle, baseline = badge.x + size / 2, badge.y + size / 2 + 0.37 * font.size
    sign = "\u2212" if query_image.minus else "+"
    sheet.items += [badge, Text(middle, baseline, sign, font, PAPER, "middle")]


def _add_rank(sheet: Sheet, hit: Hit, x: int, y: int) -> None:
    score = f"{round(hit.score, 3) + 0.0:.3f}"  # + 0.0 so that no hit scores "-0.000"
    sheet.write(x, y, str(hit.rank), ACCENT, bold=True)
    sheet.items.append(Text(x + TILE, y, score, fonts.load(NAME_SIZE), GREY, "end"))


def _height(rows: int, caption: int) -> int:
    return rows * (TILE + caption + ROW_GAP) - ROW_GAP


def _count(drawn: int, found: int) -> str:
    if drawn < found:
        return f"Nearest {drawn:,} of {found:,}"
    return {0: "Nearest", 1: "Nearest"}.get(drawn, f"{drawn:,} nearest")
