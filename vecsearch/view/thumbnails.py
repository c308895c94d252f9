"""Pictures scaled to fit a square, kept for the next time, with a drawn stand-in for lost ones."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from PIL import Image, ImageDraw

from vecsearch.errors import ImageError, NotFetchedError
from vecsearch.images.decoders.to_rgb import decode_thumbnail, read_thumbnail
from vecsearch.images.sources.access import is_gone, read_content
from vecsearch.images.sources.allowed_urls import count_not_fetched
from vecsearch.types import Box, QueryImage
from vecsearch.view import fonts
from vecsearch.view.typeset import draw_line

MOST_ENLARGED = 3.0
"""A small picture grows at most this many times: beyond that it would only show its pixels."""

PLATE = (243, 244, 247)
"""The pale grey that pictures stand on."""

FAINT = (168, 174, 184)
GREY = (107, 114, 128)

ROOM_FOR_TEXT = 72
"""A stand-in that is smaller has a sign alone."""
REASON_AT = 0.76
"""Where the reason stands, as a share of the stand-in's height."""

_DIMMED = 0.4
_READ_AHEAD = 256

Picture = Path | QueryImage
"""A picture file, or what a query was made of, with its box marked."""


@dataclass(frozen=True, slots=True, eq=False)
class Thumbnail:
    """A picture as it is shown, or the sign of a stand-in and the *reason* for it.

    ``image`` is shared: draw with it, never on it.
    """

    image: Image.Image
    reason: str = ""


class Thumbnails:
    """Thumbnails that fit into *side* x *side* pixels, with the pictures' own shapes.

    With a *detail* of 2 they have twice as many pixels each way. Those used last are kept, in
    *budget_bytes* of memory.
    """

    def __init__(self, side: int, *, detail: int = 1, budget_bytes: int = 64 << 20) -> None:
        """Start with none."""
        self.side = side
        self.detail = detail
        self._capacity = max(1, budget_bytes // (3 * (side * detail) ** 2))
        self._kept: OrderedDict[Path, Thumbnail] = OrderedDict()

    def get(self, path: Path) -> Thumbnail:
        """Return the thumbnail of *path*, or a stand-in for a file that is gone or broken."""
        thumbnail = self._kept.get(path)
        if thumbnail is None:
            thumbnail = self.look_at(QueryImage(str(path), path))
            self._kept[path] = thumbnail
            if len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(path)
        return thumbnail

    def look_at(self, query_image: QueryImage) -> Thumbnail:
        """Return the thumbnail of a query image, with its box marked, or a stand-in."""
        side = self.side * self.detail
        if query_image.word:
            return Thumbnail(draw_word(query_image.word, side))
        if query_image.data is None and query_image.path is None:
            return self._stand_in("no picture")
        try:
            data = query_image.data
            if data is None:
                assert query_image.path is not None
                data = read_content(query_image.path).data
            image, size = decode_thumbnail(data, side)
        except (ImageError, MemoryError) as error:
            path = query_image.path if query_image.data is None else None
            return self._stand_in(_reason(error, path))
        image = enlarge(image, side, MOST_ENLARGED * self.detail)
        return Thumbnail(mark_box(image, query_image.box, size) if query_image.box else image)

    def _stand_in(self, reason: str) -> Thumbnail:
        return Thumbnail(draw_sign(self.side * self.detail), reason)


def read_all(pictures: Sequence[Picture], side: int) -> Iterator[Image.Image]:
    """Read thumbnails in order, some ahead in threads (Pillow decodes outside Python's lock)."""
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(pictures), _READ_AHEAD):
            part = pictures[start : start + _READ_AHEAD]
            yield from pool.map(partial(_read, side=side), part)


def _read(picture: Picture, side: int) -> Image.Image:
    if isinstance(picture, QueryImage):
        return Thumbnails(side).look_at(picture).image
    return read_or_stand_in(picture, side)


def read_or_stand_in(path: Path, side: int) -> Image.Image:
    """Read the thumbnail of *path*; for a file that is gone or broken, a square saying so."""
    try:
        picture = read_thumbnail(path, side)
    except (ImageError, MemoryError) as error:
        return draw_stand_in(_reason(error, path), side)
    return enlarge(picture, side)


def _reason(error: Exception, path: Path | None) -> str:
    """Say in few words why a picture, that at *path* if it has one, is not shown."""
    if isinstance(error, NotFetchedError):
        return "not fetched"
    if path is None or not is_gone(path):
        return "cannot be read"
    # A relative path may be an id that never was a file's.
    return "file is gone" if path.is_absolute() else "no such file"


def describe_not_fetched(paths: Iterable[Path]) -> str:
    """Say how many pictures among *paths* were not fetched, and what fetches them, or nothing."""
    count = count_not_fetched(paths)
    what = "1 picture was" if count == 1 else f"{count:,} pictures were"
    return f"{what} not fetched: no source on this machine has them; --fetch does" if count else ""


def enlarge(picture: Image.Image, side: int, most: float = MOST_ENLARGED) -> Image.Image:
    """Enlarge a small picture to fit *side* x *side* pixels, but not beyond *most* times."""
    scale = min(side / max(picture.size), most)
    if scale <= 1.0:
        return picture
    width, height = (max(1, round(length * scale)) for length in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def mark_box(image: Image.Image, box: Box, size: tuple[int, int]) -> Image.Image:
    """Return *image*, of a picture of *size*, with *box* outlined and what is around it dimmed."""
    x, y, width, height = box
    across, down = image.width / size[0], image.height / size[1]
    left = min(max(round(x * across), 0), image.width - 1)
    top = min(max(round(y * down), 0), image.height - 1)
    right = min(max(round((x + width) * across), left + 1), image.width)
    bottom = min(max(round((y + height) * down), top + 1), image.height)
    marked = image.point(lambda value: value * _DIMMED)
    line = max(2, max(image.size) // 80)
    # The outline lies around the box where there is room: it covers nothing of it.
    outline = (left - line, top - line, right + line - 1, bottom + line - 1)
    corners = (max(outline[0], 0), max(outline[1], 0))
    ends = (min(outline[2], image.width - 1), min(outline[3], image.height - 1))
    ImageDraw.Draw(marked).rectangle((*corners, *ends), fill="white")
    marked.paste(image.crop((left, top, right, bottom)), (left, top))
    return marked


@lru_cache(maxsize=16)
def draw_stand_in(reason: str, side: int) -> Image.Image:
    """Draw a pale square with the sign of a lost picture and, where there is room, *reason*."""
    image = draw_sign(side).copy()
    if side >= ROOM_FOR_TEXT:
        place = (side / 2, side * REASON_AT)
        font = fonts.load(reason_size(side))
        ImageDraw.Draw(image).text(place, reason, GREY, font, anchor="ms")
    return image


@lru_cache(maxsize=16)
def draw_word(word: str, side: int) -> Image.Image:
    """Draw a square with *word*, which stands where a picture would."""
    image = Image.new("RGB", (side, side), PLATE)
    size = max(8, side // 8)
    font = fonts.load(size)
    lines = fonts.wrap(fonts.printable(word), font, side - size, 4)
    top = (side - 1.3 * size * (len(lines) - 1)) / 2
    for number, line in enumerate(lines):
        baseline = top + 1.3 * size * number + 0.36 * size
        draw_line(image, (side / 2, baseline), line, GREY, font, "middle")
    return image


def reason_size(side: int) -> int:
    """Choose the size of the text in a stand-in."""
    return max(8, side - 12) // 8 if side < 150 else 17


@lru_cache(maxsize=16)
def draw_sign(side: int) -> Image.Image:
    """Draw a pale square with a struck-out picture sign, and room for a reason below it."""
    fine = 4  # drawn larger and scaled down: Pillow's lines are not smooth
    image = Image.new("RGB", (side * fine, side * fine), PLATE)
    draw = ImageDraw.Draw(image)
    unit = side * fine / 100
    up = 8 * unit if side >= ROOM_FOR_TEXT else 0.0
    line = max(fine, round(2.0 * unit))

    def at(x: float, y: float) -> tuple[float, float]:
        return (x * unit, y * unit - up)

    draw.rounded_rectangle((*at(32, 37), *at(68, 65)), 3 * unit, outline=FAINT, width=line)
    draw.ellipse((*at(38, 42), *at(45, 49)), fill=FAINT)
    draw.polygon([at(35, 62), at(48, 50), at(53, 55), at(57, 51), at(65, 62)], fill=FAINT)
    draw.line((at(30, 71), at(70, 31)), fill=PLATE, width=line * 4)
    draw.line((at(31, 70), at(69, 32)), fill=FAINT, width=line)
    return image.resize((side, side), Image.Resampling.LANCZOS)
