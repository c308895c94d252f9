"""JPEGs whose decoding is left to another decoder than Pillow's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image

from vecsearch.images.decoders.colour import convert_to_srgb
from vecsearch.images.decoders.metadata import orientation_of
from vecsearch.images.decoders.to_rgb import open_image
from vecsearch.types import Pixels

_LARGEST_BYTES: Final = 32 << 20
"""What waits to be decoded is held as bytes, and many wait."""


@dataclass(frozen=True, slots=True)
class Jpeg:
    """A complete JPEG in YCbCr or grey, as it is stored, with its EXIF *orientation*."""

    data: bytes
    width: int
    height: int
    orientation: int

    @property
    def upright_size(self) -> tuple[int, int]:
        """The width and height of the picture when it stands upright."""
        turned = self.orientation >= 5  # by 90 degrees
        return (self.height, self.width) if turned else (self.width, self.height)


JpegDecoder = Callable[[Sequence[Jpeg], int], list[Pixels | None]]
"""Decodes JPEGs to upright squares with a given side; None for those that it cannot decode."""


def plain_jpeg(data: bytes, max_pixels: int) -> Jpeg | None:
    """Look at a picture's header: a JPEG that any decoder decodes alike, or None.

    Not so are those without their end, which Pillow refuses and others fill up, and those of more
    than *max_pixels*, of which Pillow decodes some at a reduced scale.
    """
    whole = data.startswith(b"\xff\xd8\xff") and data.endswith(b"\xff\xd9")
    if not whole or len(data) > _LARGEST_BYTES:
        return None
    try:
        image = open_image(data)
        orientation = orientation_of(image)
        own_colours = convert_to_srgb(Image.new(image.mode, (1, 1)), image.info.get("icc_profile"))
    except Exception:  # noqa: BLE001 - whatever it is, decoding will tell
        return None
    if (
        image.format != "JPEG"
        or image.mode not in ("L", "RGB")
        or own_colours is not None
        or image.info.get("adobe_transform") == 0  # stored as RGB, which not all decoders heed
        or image.width * image.height > max_pixels
    ):
        return None
    return Jpeg(data, image.width, image.height, orientation)
