"""A sheet of queries that found the wrong images: each in a row with its first hits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from vecsearch.types import JudgedQuery
from vecsearch.view import fonts
from vecsearch.view.picture_names import names_of_results
from vecsearch.view.scene import Rectangle, Scene, Text
from vecsearch.view.sheet import (
    ACCENT,
    GAP,
    GUTTER,
    HAIRLINE,
    HEADING_SIZE,
    INK,
    MARGIN,
    MINUS,
    NAME_SIZE,
    PAPER,
    ROW_GAP,
    Sheet,
    write_sheet,
)
from vecsearch.view.thumbnails import GREY, Thumbnails

MOST_QUERIES: Final = 12
"""More are not drawn; the heading says so."""

TILE: Final = 170
"""Side of a picture's square, in pixels like all that follows."""
CAPTION: Final = 84
"""Height of the three lines below a picture, the last of which is its name."""
LINE: Final = 20
"""Height of one line more, where names are longer than a picture is wide."""
HEADING: Final = 84
"""Height of the lines above the pictures."""

_RIGHT: Final = (22, 112, 52)
_SIZE: Final = NAME_SIZE - 2


def draw_worst(
    queries: Sequence[JudgedQuery], title: str, subtitles: Sequence[str], out: Path
) -> None:
    """Draw the first of *queries* as rows into the file *out*, whose ending names the format.

    Raises UsageError for an ending that cannot be written, VecsearchError where writing fails.
    """
    shown = queries[:MOST_QUERIES]
    pictures = sum(1 + len(one.result.hits) for one in shown)
    write_sheet(partial(_lay_out, queries, title, subtitles), out, pictures=pictures)


def _lay_out(
    queries: Sequence[JudgedQuery], title: str, subtitles: Sequence[str], thumbnails: Thumbnails
) -> Scene:
    shown = queries[:MOST_QUERIES]
    columns = max([3, *(len(one.result.hits) for one in shown)])
    width = 2 * MARGIN + TILE + 2 * GUTTER + columns * (TILE + GAP) - GAP
    sheet = Sheet(thumbnails)
    sheet.write(MARGIN, MARGIN + 18, title, INK, HEADING_SIZE, bold=True)
    y = MARGIN + 18
    for line in subtitles:
        y += 26
        sheet.name(line, MARGIN, y, width=width - 2 * MARGIN, size=_SIZE, fill=GREY)
    top = y + 40
    if not shown:
        sheet.write(MARGIN, top + 22, "every ranking is perfect", GREY)
    names = names_of_results(one.result for one in shown)
    for query in shown:
        paths = [hit.path for hit in query.result.hits]
        labels = [query.label, *query.hit_labels]
        shorter = [
            names[path].removeprefix(f"{label}/")  # which stands above it
            for path, label in zip((_path(query), *paths), labels, strict=True)
        ]
        most = max(len(_break(sheet, name)) for name in shorter)
        caption = CAPTION + LINE * (most - 1)
        _add_query(sheet, query, shorter[0], top)
        left = MARGIN + TILE + 2 * GUTTER
        divider = Rectangle(MARGIN + TILE + GUTTER, top, 2, TILE + caption - 12, HAIRLINE)
        sheet.items.append(divider)
        for place, name in enumerate(shorter[1:]):
            _add_hit(sheet, query, place, name, left + place * (TILE + GAP), top)
        top += TILE + caption + ROW_GAP
    height = (top - ROW_GAP if shown else top + 60) + MARGIN
    return Scene(width, height, PAPER, tuple(sheet.items), title)


def _path(query: JudgedQuery) -> Path:
    assert query.result.path is not None
    return query.result.path


def _break(sheet: Sheet, name: str) -> list[str]:
    return sheet.break_name(name, width=TILE, size=_SIZE)


def _add_name(sheet: Sheet, name: str, x: int, y: int) -> None:
    for number, line in enumerate(_break(sheet, name)):
        sheet.write(x, y + TILE + 72 + LINE * number, line, INK, _SIZE)


def _add_query(sheet: Sheet, query: JudgedQuery, name: str, y: int) -> None:
    path = _path(query)
    sheet.add_tile(sheet.thumbnails.get(path), MARGIN, y, TILE)
    sheet.name(query.label, MARGIN, y + TILE + 24, width=TILE, size=_SIZE, fill=ACCENT)
    first = f"first at {query.first_right:,}" if query.first_right else "none found"
    text = f"AP {query.average_precision:.3f}, {first}"
    sheet.name(text, MARGIN, y + TILE + 48, width=TILE, size=_SIZE, fill=GREY)
    _add_name(sheet, name, MARGIN, y)


def _add_hit(sheet: Sheet, query: JudgedQuery, place: int, name: str, x: int, y: int) -> None:
    hit, label = query.result.hits[place], query.hit_labels[place]
    right = label == query.label
    sheet.add_tile(sheet.thumbnails.get(hit.path), x, y, TILE)
    sheet.write(x, y + TILE + 24, str(hit.rank), ACCENT, _SIZE, bold=True)
    score = f"{round(hit.score, 3) + 0.0:.3f}"
    sheet.items.append(Text(x + TILE, y + TILE + 24, score, fonts.load(_SIZE), GREY, "end"))
    # A sign too, for people who cannot tell green from red.
    sign = "\u2713" if right else "\u2717"
    sheet.name(
        f"{sign} {label}", x, y + TILE + 48, width=TILE, size=_SIZE, fill=_RIGHT if right else MINUS
    )
    _add_name(sheet, name, x, y)
