"""Pictures in memory, of PIL or NumPy, turned into files: so all pictures are read in one way."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any, Final, TypeGuard

import numpy as np
import numpy.typing as npt

from vecsearch.errors import UsageError

if TYPE_CHECKING:
    from PIL.Image import Image

    Picture = Image | npt.NDArray[np.uint8]
    """A PIL picture, or an array (h, w), (h, w, 3) RGB or (h, w, 4) RGBA, uint8."""

_IN_TIFF: Final = ("CMYK", "F", "I", "I;16", "I;16B", "I;16L", "LAB", "YCbCr")
"""Modes that a PNG cannot hold, or not as they are."""


def is_picture_in_memory(value: object) -> TypeGuard[Picture]:
    """Return whether *value* is a picture in memory, or an array that can only be meant as one."""
    if isinstance(value, np.ndarray):
        return value.ndim < 4
    pillow = sys.modules.get("PIL.Image")  # without it there can be no picture of its
    return pillow is not None and isinstance(value, pillow.Image)


def as_file(picture: Picture) -> bytes:
    """Return the bytes of a file with the picture; raises UsageError for an unsuitable array."""
    from PIL import Image

    if isinstance(picture, np.ndarray):
        plain = picture.dtype == np.uint8 and picture.size
        if not plain or picture.shape[2:] not in ((), (3,), (4,)) or picture.ndim < 2:
            raise UsageError(
                f"an array of {picture.dtype} with the shape {picture.shape} is not a picture",
                hint="give uint8, (h, w), (h, w, 3) RGB or (h, w, 4) RGBA; vectors: Index.search",
            )
        picture = Image.fromarray(picture)
    return frame_as_file(picture, exif=picture.getexif())


def frame_as_file(image: Image, **options: Any) -> bytes:
    """Write a PIL picture, or its current frame, as a lossless file."""
    data = io.BytesIO()
    frame = image.copy()
    profile = image.info.get("icc_profile")
    if frame.mode in _IN_TIFF:
        frame.save(data, "TIFF", icc_profile=profile, **options)
    else:
        if (transparency := image.info.get("transparency")) is not None:
            options["transparency"] = transparency
        frame.save(data, "PNG", compress_level=0, icc_profile=profile, **options)
    return data.getvalue()
