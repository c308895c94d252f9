"""A confusion matrix as a picture, by matplotlib; import this only to draw one."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import IO, Final

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Annotation
from PIL import Image

from vecsearch.view import fonts
from vecsearch.view.image_files import format_of, write_image, write_whole

MOST_CLASSES: Final = 100
"""Of more, those that are confused most are to be drawn."""

_CELLS: Final = ((8, 0.62), (16, 0.46), (30, 0.36), (60, 0.23))
_SMALLEST_CELL: Final = 0.155
_ROOM_FOR_NUMBERS: Final = 0.3
"""Sides of a cell, in inches, by the number of classes."""

_DOTS: Final = 144
"""Pixels an inch."""

_COLOURS: Final = LinearSegmentedColormap.from_list("shares", ["#ffffff", "#93b8f5", "#123a94"])
_GAMMA: Final = 0.6
"""Small shares, of which a confusion is made, are told from none."""

_LONGEST_LABEL: Final = 24
_INK: Final = "#1f242d"
_GREY: Final = "#6b7280"
_LINE: Final = "#e4e7ec"

logging.getLogger("matplotlib").addHandler(logging.NullHandler())


def draw_confusion(
    labels: Sequence[str],
    shares: npt.NDArray[np.float64],
    title: str,
    subtitles: Sequence[str],
    out: Path,
) -> None:
    """Draw *shares* (c, c + 1) into the file *out*, whose ending names the format.

    A row is the class of queries, a column a class that was found, the last one all others; it is
    left out if there are none. The same shares give the same file. Raises UsageError for an ending
    that cannot be written, VecsearchError where writing fails.
    """
    kind = format_of(out, vector=True)  # before the work, not after it
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # it is drawn as a box
        mpl.rcdefaults()  # a user's settings are for plots
        mpl.rcParams.update({"svg.hashsalt": "vecsearch", "svg.fonttype": "none"})
        mpl.rcParams.update({"pdf.fonttype": 42})
        figure = _figure(labels, shares, title, subtitles)
        if kind in ("PDF", "SVG"):
            write_whole(out, partial(_save, figure, kind.lower(), title))
            return
        file = io.BytesIO()
        _save(figure, "png", title, file)
    file.seek(0)
    with Image.open(file) as image:
        write_image(image.convert("RGB"), out)


def _save(figure: Figure, kind: str, title: str, file: IO[bytes]) -> None:
    dates = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(kind, {})
    figure.savefig(
        file,
        format=kind,
        dpi=_DOTS,
        bbox_inches="tight",
        pad_inches=0.35,
        metadata={"Title": fonts.printable(title), **dates},
    )


def _figure(
    labels: Sequence[str], shares: npt.NDArray[np.float64], title: str, subtitles: Sequence[str]
) -> Figure:
    rows = [_cut(label) for label in labels]
    columns = [*rows, "(others)"]
    if not shares[:, -1].any():
        shares, columns = shares[:, :-1], rows
    cell = next((side for most, side in _CELLS if len(labels) <= most), _SMALLEST_CELL)
    size = (cell * len(columns), cell * len(rows))
    figure = Figure(figsize=size, facecolor="white")
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0), xticks=(), yticks=())
    norm = PowerNorm(_GAMMA, 0, 1)
    cells = axes.imshow(shares, _COLOURS, norm, aspect="auto", interpolation="nearest")
    axes.set_xticks(np.arange(1, len(columns)) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, len(rows)) - 0.5, minor=True)
    axes.grid(which="minor", color=_LINE, linewidth=0.4)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_color(_LINE)
    points = min(10.0, 72 * cell * 0.8)  # the tallest letters take about as much as the em
    names = [_write(axes, name, (-0.5, row), (-5, 0), points) for row, name in enumerate(rows)]
    for column, name in enumerate(columns):
        names.append(_write(axes, name, (column, -0.5), (0, 5), points, rotation=90))
    if cell >= _ROOM_FOR_NUMBERS:
        for (row, column), share in np.ndenumerate(shares):
            if share >= 0.005:
                number = axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center")
                number.set(fontsize=points, color="white" if share > 0.4 else _INK)
    else:
        bar = figure.add_axes((1 + 0.3 / size[0], 0.0, 0.16 / size[0], min(1.0, 3 / size[1])))
        figure.colorbar(cells, cax=bar, format=lambda share, _: f"{100 * share:.0f}%")
        bar.tick_params(labelsize=9, labelcolor=_INK, color=_LINE)
        bar.spines[:].set_color(_LINE)
    _write_heading(figure, axes, names, [*reversed(subtitles), title])
    return figure


def _write(
    axes: Axes,
    text: str,
    place: tuple[float, float],
    offset: tuple[float, float],
    points: float,
    *,
    rotation: float = 0,
) -> Annotation:
    """Write *text* beside the matrix, *offset* points away: before a row, or above a column."""
    note = axes.annotate(
        text,
        place,
        offset,
        textcoords="offset points",
        ha="center" if rotation else "right",
        va="bottom" if rotation else "center",
        rotation=rotation,
        color=_INK,
        annotation_clip=False,
    )
    _set_font(note, points)
    return note


def _write_heading(
    figure: Figure, axes: Axes, names: Sequence[Annotation], lines: Sequence[str]
) -> None:
    """Write *lines*, from the last up to the title, above all *names*."""
    figure.draw_without_rendering()
    boxes = [name.get_window_extent() for name in names]
    corner, to_points = axes.get_window_extent(), 72 / figure.dpi
    left = to_points * (min(box.x0 for box in boxes) - corner.x0)
    above = to_points * (max(box.y1 for box in boxes) - corner.y1) + 18
    for number, line in enumerate(lines):
        is_title = number == len(lines) - 1
        place = (left, above + 15 * number + (3 if is_title else 0))
        note = axes.annotate(
            fonts.printable(line),
            (0, 1),
            place,
            xycoords="axes fraction",
            textcoords="offset points",
            color=_INK if is_title else _GREY,
            annotation_clip=False,
        )
        _set_font(note, 13.0 if is_title else 9.5, bold=is_title)


def _set_font(text: Annotation, points: float, *, bold: bool = False) -> None:
    """Give *text* the font that has its letters; a dollar sign is no formula."""
    text.set_parse_math(False)
    words, size = text.get_text(), round(points)
    font = fonts.load(size, bold=True) if bold else fonts.load_for(words, size)
    text.set_fontproperties(FontProperties(fname=fonts.file_of(font), size=points))


def _cut(label: str) -> str:
    return fonts.cut_middle(fonts.printable(label), lambda text: float(len(text)), _LONGEST_LABEL)
