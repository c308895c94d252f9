"""Thumbnails in sheets, for a page that has them all inside."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from vecsearch.types import Progress
from vecsearch.view.thumbnails import Picture, read_all

SHEET: Final = 2048
"""Pixels on a side: what every browser decodes at once."""

PAD: Final = 4
"""Pixels around each thumbnail, at least, that repeat its edge: WebP's blocks and the browser's
smoothing mix nothing of a neighbour into it, down to an eighth of its size."""

_SIDES: Final = ((100, 224), (400, 160), (1500, 112), (5000, 80))
_SMALLEST: Final = 64
_QUALITY: Final = 72


def sprite_side(count: int) -> int:
    """Choose the side of a thumbnail in pixels, so that a page of *count* stays below 25 MB."""
    return next((side for most, side in _SIDES if count <= most), _SMALLEST)


@dataclass
class SpriteSheets:
    """The thumbnails of *pictures*, made as they are iterated over, and their sizes after it."""

    pictures: Sequence[Picture]
    side: int
    widths: npt.NDArray[np.uint8] = field(init=False)
    heights: npt.NDArray[np.uint8] = field(init=False)
    means: npt.NDArray[np.uint8] = field(init=False)

    def __post_init__(self) -> None:
        """Leave room for the sizes (n,) and the mean colours (n, 3)."""
        self.widths = np.zeros(len(self.pictures), np.uint8)
        self.heights = np.zeros(len(self.pictures), np.uint8)
        self.means = np.zeros((len(self.pictures), 3), np.uint8)

    @property
    def pitch(self) -> int:
        """Pixels from one thumbnail to the next, a multiple of 8."""
        return self.side + 2 * PAD

    @property
    def columns(self) -> int:
        """Thumbnails in a row of a sheet, and rows in a sheet."""
        return SHEET // self.pitch

    def draw(self, progress: Progress) -> Iterator[bytes]:
        """Draw the sheets, each a WebP file; what cannot be read is drawn as a stand-in."""
        per_sheet = self.columns**2
        for start in range(0, len(self.pictures), per_sheet):
            part = self.pictures[start : start + per_sheet]
            rows = -(-len(part) // self.columns)
            sheet = Image.new("RGB", (self.columns * self.pitch, rows * self.pitch), "white")
            for place, thumbnail in enumerate(read_all(part, self.side)):
                number = start + place
                y, x = divmod(place, self.columns)
                sheet.paste(_padded(thumbnail, self.pitch), (x * self.pitch, y * self.pitch))
                self.widths[number], self.heights[number] = thumbnail.size
                self.means[number] = np.asarray(thumbnail.resize((1, 1), Image.Resampling.BOX))
                progress("thumbnails", number + 1, len(self.pictures))
            file = io.BytesIO()
            sheet.save(file, "WEBP", quality=_QUALITY, method=4)
            yield file.getvalue()


def _padded(thumbnail: Image.Image, pitch: int) -> Image.Image:
    """Fill a square with *thumbnail*, and what is around it with the pixels of its edges."""
    pixels = np.asarray(thumbnail)
    right, below = (pitch - PAD - length for length in thumbnail.size)
    return Image.fromarray(np.pad(pixels, ((PAD, below), (PAD, right), (0, 0)), mode="edge"))
