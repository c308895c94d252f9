"""Fonts for the pictures that are drawn, and text cut or broken to a width in pixels."""

from __future__ import annotations

import importlib.util
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

from vecsearch.view.system_fonts import Font, has
from vecsearch.view.typeset import clusters, measure, runs

LONGEST_EXTENSION = 6
"""Characters, with the dot; what is longer after a dot is no extension."""

MOST_MARKS = 3
"""No language puts more marks on a letter that has none built in."""

_KEPT = "\u200c\u200d" + "".join(map(chr, range(0xE0020, 0xE0080)))
"""What joins letters, and what flags of regions are made of, though they are unseen."""


@lru_cache(maxsize=64)
def load(size: int, bold: bool = False) -> Font:
    """Load DejaVu Sans (it comes with matplotlib), or else Pillow's own font; *size* in pixels."""
    # The package is looked up, not imported: matplotlib takes half a second to import.
    spec = importlib.util.find_spec("matplotlib")
    for folder in (spec and spec.submodule_search_locations) or ():
        file = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
        try:
            return ImageFont.truetype(Path(folder, "mpl-data", "fonts", "ttf", file), size)
        except OSError:
            continue
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # always, where Pillow has FreeType
    return font


def load_for(text: str, size: int) -> Font:
    """Load the one font that draws most of *text*: that of `load`, or one of the system's.

    A font draws a box for each character that it lacks; `typeset` draws a line in several fonts.
    """
    font = load(size)
    parts: dict[Font, int] = {font: 0}
    for run in runs(text, font):
        if run.scale == 1.0:
            parts[run.font] = parts.get(run.font, 0) + len(run.text)
    best = max(parts, key=lambda one: sum(one is font or has(one, c) for c in text))
    return best if not covers(font, text) else font


def covers(font: Font, text: str) -> bool:
    """Return whether *font* has all characters of *text*."""
    return text.isascii() or all(c.isspace() or has(font, c) for c in text)


def is_bold(font: Font) -> bool:
    """Return whether *font* is bold."""
    return "Bold" in (font.getname()[1] or "")


def file_of(font: Font) -> Path | None:
    """Return the file that *font* is from; Pillow's own is from none."""
    return Path(font.path) if isinstance(font.path, str | Path) else None


def printable(name: str) -> str:
    """Return the file name *name* as it can be drawn in one line.

    Bytes that are not UTF-8 (surrogates) and control characters become U+FFFD; of a heap of
    combining marks, which would reach over the picture, the first MOST_MARKS stay.
    """
    composed = unicodedata.normalize("NFC", name)  # macOS hands out decomposed names
    kept, marks = [], 0
    for c in composed:
        marks = marks + 1 if unicodedata.combining(c) else 0
        if marks <= MOST_MARKS:
            kept.append(c if c.isprintable() or c in _KEPT else "\ufffd")
    return "".join(kept)


def shorten(name: str, font: Font, width: float) -> str:
    """Cut the middle out of *name* so that it is at most *width* pixels; its extension stays."""
    return cut_middle(name, lambda text: measure(text, font), width)


def cut_middle(name: str, measure: Callable[[str], float], width: float) -> str:
    """Cut the middle out of *name* so that it is at most *width* as *measure* measures it."""
    if measure(name) <= width:
        return name
    extension = _extension(name)
    seen = clusters(name)
    # Binary search: `low` kept characters fit, `high` do not.
    low, high = 0, len(seen)
    while high - low > 1:
        kept = (low + high) // 2
        if measure(_without_middle(seen, kept, extension)) <= width:
            low = kept
        else:
            high = kept
    return _without_middle(seen, low, extension)


def wrap(text: str, font: Font, width: int, most: int) -> list[str]:
    """Break *text* into at most *most* lines of *width* pixels; the last is cut if it must be."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if not lines[-1] or len(lines) == most or measure(longer, font) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return [shorten(line, font, width) for line in lines]


def wrap_name(name: str, font: Font, width: float, most: int = 2) -> list[str]:
    """Break *name* into lines of *width* pixels, as `break_name` does."""
    return break_name(name, lambda text: measure(text, font), width, most)


def break_name(
    name: str, measure: Callable[[str], float], width: float, most: int = 2
) -> list[str]:
    """Break *name* into at most *most* lines of *width*, the middle of the last cut out.

    It is broken after a folder, else after a space or a sign, else anywhere.
    """
    lines: list[str] = []
    rest = name
    while len(lines) + 1 < most and measure(rest) > width:
        end = _break(rest, measure, width)
        if not 0 < end < len(rest):
            break
        lines.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [*lines, cut_middle(rest, measure, width)]


def _break(name: str, measure: Callable[[str], float], width: float) -> int:
    """Choose how many characters of *name* stand in its first line."""
    seen = clusters(name)
    low, high = 0, len(seen)
    while high - low > 1:
        middle = (low + high) // 2
        if measure("".join(seen[:middle]).rstrip()) <= width:
            low = middle
        else:
            high = middle
    fitting = "".join(seen[:low])
    folder = fitting.rfind("/") + 1
    # The file's name stays whole where it fits.
    if folder and ("/" not in name[folder:] or 2 * folder > len(fitting)):
        return folder
    # An extension, or a part of it, alone in a line would look like a name.
    before = fitting[: len(name) - _extension(name)]
    signs = max(before.rfind(sign) for sign in " _-.,+&()") + 1
    anywhere = fitting if len(before) == len(fitting) else "".join(clusters(before)[:-2])
    return signs if 2 * signs > len(fitting) else len(anywhere)


def _extension(name: str) -> int:
    """Return how many characters the extension of *name* has, with its dot."""
    dot = name.rfind(".")
    return len(name) - dot if dot > 0 and len(name) - dot <= LONGEST_EXTENSION else 0


def _without_middle(seen: Sequence[str], kept: int, extension: int) -> str:
    tail = extension + (kept - extension) // 2 if kept > extension else kept
    head = "".join(seen[: kept - tail]).rstrip()
    return f"{head}…{''.join(seen[len(seen) - tail :]).lstrip()}"
