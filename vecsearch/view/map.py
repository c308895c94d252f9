"""The map of a collection: t-SNE of its vectors, with the pictures themselves as points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from vecsearch.errors import UsageError
from vecsearch.types import Progress, Vectors
from vecsearch.view import fonts
from vecsearch.view.files import format_of, write_image
from vecsearch.view.layout import Points, spread, tsne
from vecsearch.view.sheet import INK
from vecsearch.view.thumbnails import GREY, read_or_stand_in

GROUND = (244, 245, 248)
SHADOW = (24, 32, 52)
SHADOW_ALPHA = 56

SMALLEST_CANVAS = (720, 540)
"""In pixels, like all lengths here."""
LARGEST_AREA = 64_000_000
"""Pixels; beyond it the thumbnails shrink. Such a canvas takes 200 MB of memory."""

READ_AHEAD = 256
"""Thumbnails that are decoded at a time, in threads."""


def draw_map(
    vectors: Vectors,
    paths: Sequence[Path],
    out: Path,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> None:
    """Draw the t-SNE map of *vectors* (n, d) into *out*, each as the picture at its path.

    The same input and *seed* give the same file. Thumbnails are sized so that n up to some
    10,000 stay legible; t-SNE takes most of the time.

    Raises UsageError where there is nothing to draw or *out* has an ending that cannot be
    written, VecsearchError where writing fails.
    """
    n = len(paths)
    if n != len(vectors) or n == 0:
        raise UsageError(f"a map needs a picture for each vector: {n} and {len(vectors)} given")
    format_of(out)  # before the work, not after it
    report = progress or _no_progress
    report("t-SNE", 0, n)
    points = tsne(vectors, seed=seed)
    report("t-SNE", n, n)
    write_image(render_map(points, paths, progress=report), out)


def render_map(
    points: Points, paths: Sequence[Path], *, progress: Progress | None = None
) -> Image.Image:
    """Draw the pictures at *paths* where *points* (n, 2) say, moved apart as far as is needed."""
    report = progress or _no_progress
    n = len(paths)
    side, gap = side_for(n)
    cell = side + gap
    placed = spread(_scaled(points, cell), cell)
    corner, extent = placed.min(axis=0), np.ptp(placed, axis=0)
    shrink = min(1.0, float(np.sqrt(LARGEST_AREA / np.prod(extent + cell))))
    if shrink < 1.0:
        side, placed, corner = int(side * shrink), placed * shrink, corner * shrink
        extent = extent * shrink

    margin = int(max(52, extent[0] / 70))
    title = int(np.clip(extent[0] / 70, 22, 64))
    top = margin + 2 * title
    needed = (int(extent[0]) + side + 2 * margin, int(extent[1]) + side + top + margin)
    width, height = np.maximum(needed, SMALLEST_CANVAS).tolist()
    # What the smallest canvas leaves over is shared out, so that the pictures stay centred.
    shift = np.array([margin + (width - needed[0]) / 2, top + (height - needed[1]) / 2]) - corner
    corners = np.rint(placed + shift).astype(int).tolist()

    image = Image.new("RGB", (width, height), GROUND)
    _draw_title(image, n, margin, title)
    border = max(2, side // 36)
    thumbnails = _read_all(paths, side - 2 * border)
    for done, ((x, y), thumbnail) in enumerate(zip(corners, thumbnails, strict=True), start=1):
        _draw_card(image, thumbnail, x, y, side, border)
        report("drawing", done, n)
    return image


def side_for(n: int) -> tuple[int, int]:
    """Choose the side of a thumbnail with its border, and the gap around it, for n pictures."""
    side = round(max(320 * n**-0.25, 186 * n**-0.1))
    return side, max(6, side // 10)


def _scaled(points: Points, cell: int) -> Points:
    """Scale *points* so that their bounding box has room for them and for some air."""
    n = len(points)
    reach = np.ptp(points, axis=0).astype(np.float64)
    if not reach.any():
        return points
    # Points in one line get a flat box, not one without area.
    x, y = np.maximum(reach, reach.max() / 2)
    air = 2.0 - 0.45 * min(1.0, np.log10(n) / 3)  # boxes' area over pictures' area
    # (s x + 1) (s y + 1) = air n, with lengths in cells
    root = np.sqrt((x + y) ** 2 + 4 * x * y * (air * n - 1))
    scale = (root - (x + y)) / (2 * x * y)
    return (points * np.float32(scale * cell)).astype(np.float32)


def _draw_title(image: Image.Image, n: int, margin: int, size: int) -> None:
    draw = ImageDraw.Draw(image)
    bold = fonts.load(size, bold=True)
    count = "1 picture" if n == 1 else f"{n:,} pictures"
    baseline = margin + round(0.8 * size)
    draw.text((margin, baseline), count, INK, bold, anchor="ls")
    after = margin + bold.getlength(count) + 0.6 * size
    draw.text((after, baseline), "t-SNE", GREY, fonts.load(size), anchor="ls")


def _draw_card(
    image: Image.Image, thumbnail: Image.Image, x: int, y: int, side: int, border: int
) -> None:
    """Draw a thumbnail with a white border and a soft shadow, centred in the square at (x, y)."""
    width, height = thumbnail.width + 2 * border, thumbnail.height + 2 * border
    x, y = x + (side - width) // 2, y + (side - height) // 2
    shadow, reach = _shadow(width, height)
    image.paste(SHADOW, (x - reach, y - reach + border // 2 + 1), shadow)
    image.paste((255, 255, 255), (x, y, x + width, y + height))
    image.paste(thumbnail, (x + border, y + border))


@lru_cache(maxsize=256)
def _shadow(width: int, height: int) -> tuple[Image.Image, int]:
    """Give the mask of the shadow of a card, and how far it reaches beyond it."""
    blur = max(2, min(width, height) // 36)
    reach = 3 * blur
    mask = Image.new("L", (width + 2 * reach, height + 2 * reach), 0)
    mask.paste(SHADOW_ALPHA, (reach, reach, reach + width, reach + height))
    return mask.filter(ImageFilter.GaussianBlur(blur)), reach


def _read_all(paths: Sequence[Path], side: int) -> Iterator[Image.Image]:
    """Read thumbnails in order, some ahead in threads (Pillow decodes outside Python's lock)."""
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(paths), READ_AHEAD):
            part = paths[start : start + READ_AHEAD]
            yield from pool.map(partial(read_or_stand_in, side=side), part)


def _no_progress(phase: str, done: int, total: int) -> None:
    pass
