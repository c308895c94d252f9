"""A contact sheet: the query picture and its hits in rank order, side by side."""

from __future__ import annotations

import math
import os
import secrets
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw

from vecsearch.errors import UsageError, VecsearchError
from vecsearch.types import Hit, Result
from vecsearch.view import fonts
from vecsearch.view.thumbnails import GREY, PLATE, Thumbnails, draw_stand_in

PAPER = (255, 255, 255)
INK = (31, 36, 45)
HAIRLINE = (228, 231, 236)
ACCENT = (37, 99, 235)

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
RADIUS = 6
EDGE = 1
"""Width of the hairline around a tile."""

MOST_HITS = 400
"""More are not drawn; the heading says so."""

SAVE_OPTIONS: dict[str, dict[str, int]] = {
    "AVIF": {"quality": 85},
    "JPEG": {"quality": 92, "subsampling": 0},
    "PDF": {"quality": 92, "resolution": 144},
    "PNG": {"compress_level": 4},  # level 6, the default, takes twice as long for 2 % less
    "WEBP": {"quality": 90},
}
"""By Pillow's name of the format; a format that is not listed is written with its defaults."""


def new_thumbnails() -> Thumbnails:
    """Start the thumbnails of sheets; hand the same to every sheet of a series."""
    return Thumbnails(TILE)


def draw_sheet(result: Result, out: Path, *, thumbnails: Thumbnails | None = None) -> None:
    """Draw *result* as a contact sheet into the file *out*, whose ending names the format.

    *thumbnails* (`new_thumbnails`) keeps decoded pictures from one sheet to the next.

    Raises UsageError for an ending that cannot be written, VecsearchError where writing fails.
    """
    format_of(out)  # before the work, not after it
    write_image(render_sheet(result, thumbnails or new_thumbnails()), out)


def render_sheet(result: Result, thumbnails: Thumbnails) -> Image.Image:
    """Draw *result* as a contact sheet."""
    hits = result.hits[:MOST_HITS]
    columns = columns_for(len(hits))
    rows = max(1, math.ceil(len(hits) / columns))
    left = MARGIN + TILE + 2 * GUTTER
    top = MARGIN + HEADING
    size = (
        left + columns * (TILE + GAP) - GAP + MARGIN,
        top + rows * (TILE + CAPTION + ROW_GAP) - ROW_GAP + MARGIN,
    )
    image = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(image)
    line = MARGIN + TILE + GUTTER
    draw.line((line, MARGIN, line, size[1] - MARGIN), fill=HAIRLINE, width=2)

    _draw_heading(draw, MARGIN, "Query", ACCENT)
    _draw_query(image, draw, result, thumbnails)
    _draw_heading(draw, left, _count(len(hits), len(result.hits)), INK)
    for i, hit in enumerate(hits):
        x = left + i % columns * (TILE + GAP)
        y = top + i // columns * (TILE + CAPTION + ROW_GAP)
        _draw_tile(image, thumbnails.get(hit.path), x, y)
        _draw_name(draw, x, y, hit.path.name)
        _draw_rank(draw, x, y, hit)
    return image


def columns_for(hits: int) -> int:
    """Choose how many hits stand in a row: up to 6 in one, more in rows that come out even."""
    if hits <= 6:
        return max(1, hits)
    fewest = max(4, round(math.sqrt(1.2 * hits)))
    # The fullest last row wins, and then the wider sheet.
    return min(range(fewest + 2, fewest - 1, -1), key=lambda columns: -hits % columns)


def format_of(out: Path) -> str:
    """Give Pillow's name of the format that the ending of *out* stands for; raises UsageError."""
    ending = out.suffix.lower()
    formats = Image.registered_extensions()
    if formats.get(ending) not in Image.SAVE:
        what = f"pictures cannot be written as {ending!r}" if ending else "has no ending"
        raise UsageError(
            f"{fonts.printable(str(out))}: {what}",
            hint="usual endings are .png, .jpg, .webp, .pdf and .tif",
            path=out,
        )
    return formats[ending]


def write_image(image: Image.Image, out: Path) -> None:
    """Write *image* to *out* in the format of its ending: either whole, or not at all.

    Missing folders are made. Raises UsageError for an ending or size that the format cannot
    have, VecsearchError where the file cannot be written.
    """
    kind = format_of(out)
    name = fonts.printable(str(out))
    # In the same folder, so that the last step is one rename.
    temporary = out.parent / f".vecsearch-{os.getpid()}-{secrets.token_hex(4)}.tmp"
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:
                image.save(file, kind, **SAVE_OPTIONS.get(kind, {}))
            temporary.replace(out)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        if error.errno is None:  # Pillow's own: a mode or size that the format does not have
            raise UsageError(f"{name}: {error}", hint="try .png", path=out) from None
        reason = os.strerror(error.errno)
        raise VecsearchError(f"cannot write {name}: {reason}", path=out) from error
    except ValueError as error:
        raise UsageError(f"{name}: {error}", hint="try .png", path=out) from None


def _count(drawn: int, found: int) -> str:
    if drawn < found:
        return f"Nearest {drawn:,} of {found:,}"
    return {0: "Nearest", 1: "Nearest"}.get(drawn, f"{drawn:,} nearest")


def _draw_heading(draw: ImageDraw.ImageDraw, x: int, text: str, colour: tuple[int, ...]) -> None:
    font = fonts.load(HEADING_SIZE, bold=True)
    draw.text((x, MARGIN + 18), text, colour, font, anchor="ls")


def _draw_query(
    image: Image.Image, draw: ImageDraw.ImageDraw, result: Result, thumbnails: Thumbnails
) -> None:
    top = MARGIN + HEADING
    if result.path is None:
        _draw_tile(image, draw_stand_in("no picture", TILE), MARGIN, top)
        _draw_name(draw, MARGIN, top, result.query)
    else:
        _draw_tile(image, thumbnails.get(result.path), MARGIN, top)
        _draw_name(draw, MARGIN, top, result.path.name)
        if result.query.startswith("id:"):
            _draw_second(draw, MARGIN, top, result.query)
    if not result.hits:
        x = MARGIN + TILE + 2 * GUTTER
        draw.text((x, top + TILE / 2), "no hits", GREY, fonts.load(NAME_SIZE), anchor="lm")


def _draw_tile(image: Image.Image, picture: Image.Image, x: int, y: int) -> None:
    tile = Image.new("RGB", (TILE, TILE), PLATE)
    tile.paste(picture, ((TILE - picture.width) // 2, (TILE - picture.height) // 2))
    # The hairline lies outside the tile: it covers nothing of the picture.
    image.paste(HAIRLINE, (x - EDGE, y - EDGE), _rounded(TILE + 2 * EDGE))
    image.paste(tile, (x, y), _rounded(TILE))


@lru_cache(maxsize=2)
def _rounded(side: int) -> Image.Image:
    fine = 4  # drawn larger and scaled down: Pillow's edges are not smooth
    mask = Image.new("L", (side * fine, side * fine), 0)
    box = (0, 0, side * fine - 1, side * fine - 1)
    ImageDraw.Draw(mask).rounded_rectangle(box, RADIUS * fine, fill=255)
    return mask.resize((side, side), Image.Resampling.BOX)


def _draw_name(draw: ImageDraw.ImageDraw, x: int, y: int, name: str) -> None:
    text = fonts.printable(name)
    font = fonts.load_for(text, NAME_SIZE)
    draw.text((x, y + TILE + 28), fonts.shorten(text, font, TILE), INK, font, anchor="ls")


def _draw_rank(draw: ImageDraw.ImageDraw, x: int, y: int, hit: Hit) -> None:
    baseline = y + TILE + 54
    score = f"{round(hit.score, 3) + 0.0:.3f}"  # + 0.0 so that no hit scores "-0.000"
    rank = fonts.load(NAME_SIZE, bold=True)
    draw.text((x, baseline), str(hit.rank), ACCENT, rank, anchor="ls")
    draw.text((x + TILE, baseline), score, GREY, fonts.load(NAME_SIZE), anchor="rs")


def _draw_second(draw: ImageDraw.ImageDraw, x: int, y: int, text: str) -> None:
    draw.text((x, y + TILE + 54), text, GREY, fonts.load(NAME_SIZE), anchor="ls")
