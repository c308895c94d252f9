"""A line of text in as many fonts as it takes: what is drawn where, how wide it is, and drawn."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from PIL import Image, ImageDraw, features

from vecsearch.view.system_fonts import Font, emoji_font, font_for, has, note_lacking_emoji

Anchor = Literal["start", "middle", "end"]

_JOINER: Final = "\u200d"
_COLOURED: Final = "\ufe0f"
_PLAIN: Final = "\ufe0e"
_SKINS: Final = range(0x1F3FB, 0x1F400)
_FLAGS: Final = range(0x1F1E6, 0x1F200)
_TAGS: Final = range(0xE0020, 0xE0080)
_EMOJI: Final = range(0x1F000, 0x1FB00)
_NUMBER: Final = re.compile(r"\d+")
_BASIC_EMOJI: Final = frozenset(
    "⌚⌛⏩⏪⏫⏬⏰⏳◽◾☔☕♈♉♊♋♌♍♎♏♐♑♒♓♿⚓⚡⚪⚫⚽⚾⛄⛅⛎⛔⛪⛲⛳⛵⛺⛽✅✊✋✨❌❎❓❔❕❗➕➖➗➰➿⬛⬜⭐⭕"
)
"""Those below U+10000 that are coloured by themselves (Unicode's Emoji_Presentation)."""


@dataclass(frozen=True, slots=True)
class Run:
    """A part of a line in one font, *x* to the right of the line's left end; lengths are pixels.

    Where *scale* is not 1, the font is one of coloured pictures, which have a size of their own.
    """

    text: str
    font: Font
    x: float
    width: float
    scale: float = 1.0
    leftward: bool = False


@lru_cache(maxsize=4096)
def runs(text: str, font: Font) -> tuple[Run, ...]:
    """Lay out *text*, in *font* where it has what is needed, from left to right as it is seen.

    What is read from right to left is in that order, as Unicode's rules have it for a line with
    at most one change of direction inside another.
    """
    if text.isascii():
        return (Run(text, font, 0.0, font.getlength(text)),) if text else ()
    placed: list[Run] = []
    x = 0.0
    for part, leftward in _directions(text):
        in_fonts = list(_in_fonts(part, font))
        for piece, one in reversed(in_fonts) if leftward else in_fonts:
            scale = font.size / one.size if one is emoji_font() else 1.0
            width = _length(piece, one, leftward) * scale
            placed.append(Run(piece, one, x, width, scale, leftward))
            x += width
    return tuple(placed)


def measure(text: str, font: Font) -> float:
    """Return how wide *text* is in pixels, in *font* where it has what is needed."""
    line = runs(text, font)
    return line[-1].x + line[-1].width if line else 0.0


def draw_line(
    image: Image.Image,
    place: tuple[float, float],
    text: str,
    fill: tuple[int, ...],
    font: Font,
    anchor: Anchor = "start",
) -> None:
    """Draw *text* on *image* at x, its start, middle or end, and y, the line that it stands on."""
    x, y = place
    draw = ImageDraw.Draw(image)
    left = x - {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor] * measure(text, font)
    for run in runs(text, font):
        if run.scale == 1.0:
            start = (left + run.x, y)
            kind = _direction(run.leftward)
            draw.text(start, _in_drawn_order(run), fill, run.font, anchor="ls", direction=kind)
            continue
        picture, above = draw_emoji(run)
        image.paste(picture, (round(left + run.x), round(y - above)), picture)


@lru_cache(maxsize=256)
def draw_emoji(run: Run) -> tuple[Image.Image, int]:
    """Draw emoji as an RGBA picture; with it, how many of its pixels are above the line."""
    box = run.font.getbbox(run.text, anchor="ls")
    fine = Image.new("RGBA", (max(1, round(box[2])), max(1, round(box[3] - box[1]))))
    draw = ImageDraw.Draw(fine)
    draw.text((0, -box[1]), run.text, font=run.font, anchor="ls", embedded_color=True)
    size = (max(1, round(fine.width * run.scale)), max(1, round(fine.height * run.scale)))
    return fine.resize(size, Image.Resampling.LANCZOS), round(-box[1] * run.scale)


def clusters(text: str) -> list[str]:
    """Split *text* into what is seen as one character each: a letter with its marks, a flag."""
    found: list[str] = []
    for c in text:
        if found and _goes_on(found[-1], c):
            found[-1] += c
        else:
            found.append(c)
    return found


def goes_left(text: str) -> bool:
    """Return whether *text* is read from right to left, which its first letter decides."""
    return next((one for one in map(_strong, text) if one is not None), False)


def _goes_on(before: str, c: str) -> bool:
    code = ord(c)
    if c in (_JOINER, "\u200c") or 0xFE00 <= code < 0xFE10 or unicodedata.category(c)[0] == "M":
        return True
    if code in _SKINS or code in _TAGS or before.endswith(_JOINER):
        return True
    return code in _FLAGS and len(before) == 1 and ord(before) in _FLAGS


def _is_emoji(cluster: str) -> bool:
    if _PLAIN in cluster:
        return False
    first = cluster[0]
    return ord(first) in _EMOJI or first in _BASIC_EMOJI or _COLOURED in cluster


def _in_fonts(text: str, font: Font) -> Iterator[tuple[str, Font]]:
    """Split *text* into parts that are each in one font."""
    part, used = "", font
    for cluster in clusters(text):
        one = _font_of(cluster, font, used)
        if part and one is not used:
            yield part, used
            part = ""
        part, used = part + cluster, one
    if part:
        yield part, used


def _font_of(cluster: str, font: Font, before: Font) -> Font:
    """Choose the font of a character: that of a line, or one of the system's."""
    if cluster.isspace():
        return before if before is not emoji_font() else font
    if _is_emoji(cluster):
        coloured = emoji_font()
        if coloured is not None and has(coloured, cluster[0]):
            return coloured
    needed = [c for c in cluster if not _is_unseen(c)]
    if all(has(font, c) for c in needed):
        return font
    # The font that has the letter has the marks that go with it.
    found = font_for(needed[0], round(font.size)) if not _is_emoji(cluster) else None
    if _is_emoji(cluster):
        note_lacking_emoji(cluster[0])
    elif found is None and has(font, needed[0]):
        return font
    return found or font


def _is_unseen(c: str) -> bool:
    return c in (_JOINER, "\u200c") or 0xFE00 <= ord(c) < 0xFE10 or ord(c) in _TAGS


def _directions(text: str) -> Iterator[tuple[str, bool]]:
    """Split *text* where its direction changes, in the order from left to right."""
    base = goes_left(text)
    sides = list(_sides(text, base))
    if not any(sides):
        yield text, False
        return
    # What has no direction goes with what is on both sides of it, or with the line.
    after, following = base, list[bool]()
    for side in reversed(sides):
        after = after if side is None else side
        following.append(after)
    before, parts = base, list[tuple[str, bool]]()
    for c, side, after in zip(text, sides, reversed(following), strict=True):
        before = before if side is None else side
        goes = before if before == after else base
        if parts and parts[-1][1] == goes:
            parts[-1] = (parts[-1][0] + c, goes)
        else:
            parts.append((c, goes))
    yield from reversed(parts) if base else parts


def _sides(text: str, base: bool) -> Iterator[bool | None]:
    """Return, for each character, whether it stands in a part that is read leftwards, or None."""
    strong = base
    for c in text:
        side = _strong(c)
        strong = strong if side is None else side
        # A number goes with the word before it.
        yield strong if unicodedata.bidirectional(c) in ("EN", "AN") else side


def _strong(c: str) -> bool | None:
    """Return whether *c* is read leftwards; None for what is read as the words around it are."""
    return {"R": True, "AL": True, "L": False}.get(unicodedata.bidirectional(c))


@lru_cache(maxsize=1)
def _can_shape() -> bool:
    return bool(features.check("raqm")) and bool(features.check("fribidi"))


def _direction(leftward: bool) -> str | None:
    return ("rtl" if leftward else "ltr") if _can_shape() else None


def _in_drawn_order(run: Run) -> str:
    """Return the text as Pillow takes it, which alone draws everything from left to right."""
    if not run.leftward or _can_shape():
        return run.text
    turned = "".join(reversed(clusters(run.text)))
    return _NUMBER.sub(lambda number: number[0][::-1], turned)  # which is read rightwards


def _length(text: str, font: Font, leftward: bool) -> float:
    return font.getlength(text, direction=_direction(leftward))
