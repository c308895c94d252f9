"""Whether two picture files are copies, by every frame and every place of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import zip_longest
from typing import Final

from PIL import Image

from vecsearch.deduplication.arrays import Floats
from vecsearch.deduplication.coarse_to_fine import compare_coarsely, compare_finely
from vecsearch.deduplication.same_pixels import LONGEST, are_same
from vecsearch.deduplication.scaled_pictures import scale_coarsely, scale_finely
from vecsearch.errors import ImageError
from vecsearch.images.decoders.frames import Frame, frames, has_frames
from vecsearch.images.decoders.to_rgb import decode

MOST_FRAMES: Final = 500
MOST_PIXELS: Final = 500_000_000
"""Of an animation or a document; longer ones are copies only if their bytes are the same."""

_FRAME_LONGEST: Final = 512
"""The largest side at which frames of an animation are compared; pages are compared as pictures."""

_SLACK_MS: Final = 20.0
_SLACK: Final = 0.1
"""By how much the time of a frame may differ: formats round it."""


class PictureFile:
    """The bytes of a picture file, decoded at the first use; raises ImageError, MemoryError."""

    def __init__(self, data: bytes) -> None:
        """Decode nothing yet."""
        self.data = data

    @cached_property
    def picture(self) -> Image.Image:
        """The first frame at full size, or a large JPEG at a reduced scale."""
        return decode(self.data, at_least=LONGEST)[0]

    @cached_property
    def has_frames(self) -> bool:
        """Return whether there are more frames."""
        return has_frames(self.data)


def are_near(first: PictureFile, second: PictureFile) -> bool:
    """Return whether all frames of two files show the same, at whatever size and encoding.

    False for files that cannot be read, or have too many frames.
    """
    try:
        return are_same(first.picture, second.picture) and agree_in_frames(first, second)
    except (ImageError, MemoryError):
        return False


def agree_in_frames(first: PictureFile, second: PictureFile) -> bool:
    """Return whether two files have as many frames or pages, each the same for as long a time.

    A picture has one frame. False for files that cannot be read, or have too many frames.
    """
    if not first.has_frames and not second.has_frames:
        return True
    if first.has_frames != second.has_frames:
        return False
    try:
        pairs = zip_longest(*(_frames_of(one) for one in (first, second)))
        return all(_are_same_frames(one, other) for one, other in pairs)
    except (ImageError, MemoryError):
        return False


def are_edited(first: PictureFile, second: PictureFile) -> bool:
    """Return whether at least half of the parts of two pictures agree, as `compare_finely` finds.

    Animations and documents have no edited copies.
    """
    try:
        if first.has_frames or second.has_frames:
            return False
        small: list[tuple[Floats, Floats]] = [scale_coarsely(one.data) for one in (first, second)]
        guess = compare_coarsely(small[0][0], small[1][0], (small[0][1], small[1][1]))
        if not guess.likely.any():
            return False
        closer = [[scale_finely(one.data)] for one in (first, second)]
        return bool(compare_finely(guess, *closer).copies.any())
    except (ImageError, MemoryError):
        return False


def _frames_of(file: PictureFile) -> Iterator[Frame]:
    return frames(file.data, most=MOST_FRAMES, most_pixels=MOST_PIXELS)


def _are_same_frames(first: Frame | None, second: Frame | None) -> bool:
    if first is None or second is None:
        return False
    times = first.duration_ms, second.duration_ms
    if abs(times[0] - times[1]) > max(_SLACK_MS, _SLACK * max(times)):
        return False
    return are_same(first.picture, second.picture, _FRAME_LONGEST if max(times) else LONGEST)
