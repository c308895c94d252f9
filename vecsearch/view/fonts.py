"""Fonts for the pictures that are drawn, and text cut or broken to a width in pixels."""

from __future__ import annotations

import importlib.util
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

Font = ImageFont.FreeTypeFont

FALLBACKS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "NotoSansSC-Regular.otf",
    "SourceHanSansSC-Regular.otf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf",
    "PingFang.ttc",
    "Hiragino Sans GB.ttc",
    "Arial Unicode.ttf",
    "msyh.ttc",
    "YuGothM.ttc",
    "malgun.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "Nirmala.ttc",
    "NotoSansThai-Regular.ttf",
    "LeelawUI.ttf",
)
"""Usual fonts of Linux, macOS and Windows for the scripts that DejaVu Sans lacks, by file name:
Pillow looks for them in the system's font folders."""

LONGEST_EXTENSION = 6
"""Characters, with the dot; what is longer after a dot is no extension."""

MOST_MARKS = 3
"""No language puts more marks on a letter that has none built in."""

_NO_CHARACTER = "\U0010ffff"  # can stand in no text, so every font draws its "missing" sign


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
    """Load the font that draws *text*: that of `load`, or the first fallback that has it all.

    Where no font has it all, the first of those that have most of it; a font draws a box for each
    character that it lacks.
    """
    font = load(size)
    if text.isascii() or covers(font, text):
        return font
    best, fewest = font, len(_missing(font, text))
    for name in FALLBACKS:
        other = _find(name, size)
        if other is not None and (missing := len(_missing(other, text))) < fewest:
            best, fewest = other, missing
            if not fewest:
                break
    return best


def covers(font: Font, text: str) -> bool:
    """Tell whether *font* has all characters of *text*."""
    return not _missing(font, text)


def is_bold(font: Font) -> bool:
    """Tell whether *font* is bold."""
    return "Bold" in (font.getname()[1] or "")


def file_of(font: Font) -> Path | None:
    """Give the file that *font* is from; Pillow's own is from none."""
    return Path(font.path) if isinstance(font.path, str | Path) else None


def printable(name: str) -> str:
    """Give the file name *name* as it can be drawn in one line.

    Bytes that are not UTF-8 (surrogates) and control characters become U+FFFD; of a heap of
    combining marks, which would reach over the picture, the first MOST_MARKS stay.
    """
    composed = unicodedata.normalize("NFC", name)  # macOS hands out decomposed names
    kept, marks = [], 0
    for c in composed:
        marks = marks + 1 if unicodedata.combining(c) else 0
        if marks <= MOST_MARKS:
            kept.append(c if c.isprintable() or c in "\u200c\u200d" else "\ufffd")
    return "".join(kept)


def shorten(name: str, font: Font, width: int) -> str:
    """Cut the middle out of *name* so that it is at most *width* pixels; its extension stays."""
    return cut_middle(name, font.getlength, width)


def cut_middle(name: str, measure: Callable[[str], float], width: float) -> str:
    """Cut the middle out of *name* so that it is at most *width* as *measure* measures it."""
    if measure(name) <= width:
        return name
    dot = name.rfind(".")
    extension = len(name) - dot if dot > 0 and len(name) - dot <= LONGEST_EXTENSION else 0
    # Binary search: `low` kept characters fit, `high` do not.
    low, high = 0, len(name)
    while high - low > 1:
        kept = (low + high) // 2
        if measure(_without_middle(name, kept, extension)) <= width:
            low = kept
        else:
            high = kept
    return _without_middle(name, low, extension)


def wrap(text: str, font: Font, width: int, most: int) -> list[str]:
    """Break *text* into at most *most* lines of *width* pixels; the last is cut if it must be."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if not lines[-1] or len(lines) == most or font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return [shorten(line, font, width) for line in lines]


def _without_middle(name: str, kept: int, extension: int) -> str:
    tail = extension + (kept - extension) // 2 if kept > extension else kept
    head = name[: kept - tail].rstrip()
    return f"{head}…{name[len(name) - tail :].lstrip()}"


@lru_cache(maxsize=64)
def _find(name: str, size: int) -> Font | None:
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


@lru_cache(maxsize=4096)
def _missing(font: Font, text: str) -> frozenset[str]:
    box = bytes(font.getmask(_NO_CHARACTER))
    return frozenset(c for c in text if not c.isspace() and bytes(font.getmask(c)) == box)
