"""The frames of an animation and the pages of a document: what a file shows beside its first.

A GIF, WebP, APNG or AVIF may be an animation; a TIFF, or an MPO of several views, a document. The
sizes of an icon are one picture, and so are smaller versions for previews in a TIFF or an MPO.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from PIL import Image

from vecsearch.errors import ImageError
from vecsearch.images.decoders.heif import heif_sizes
from vecsearch.images.decoders.to_rgb import decode, open_image
from vecsearch.images.in_memory import frame_as_file

_ANIMATED: Final = ("GIF", "WEBP", "PNG", "AVIF")
_PAGED: Final = ("HEIF", "TIFF", "MPO")
_REDUCED_TAG: Final = 254


@dataclass(frozen=True, slots=True)
class Frame:
    """An RGB picture, and how long it is shown, in ms; 0 for a page."""

    picture: Image.Image
    duration_ms: float


def has_frames(data: bytes) -> bool:
    """Return whether a picture file is an animation or a document: more than one picture.

    False for what cannot be read.
    """
    try:
        image = open_image(data)
        if not getattr(image, "is_animated", False):
            return False
        if image.format == "HEIF":
            return len(heif_sizes(data)) > 1
        return image.format in _ANIMATED or len(list(_pages(image, 2))) > 1
    # As in `decode`: a decoder fed with garbage raises nearly anything.
    except Exception:  # noqa: BLE001
        return False


def frames(data: bytes, *, most: int, most_pixels: int) -> Iterator[Frame]:
    """Decode the frames or pages of a picture file one after the other, as `decode` does the first.

    Raises ImageError for one that cannot be decoded, and where there are more than *most*, or they
    have more than *most_pixels* together.
    """
    try:
        image = open_image(data)
        if image.format == "HEIF" and sum(w * h for w, h in heif_sizes(data)) > most_pixels:
            raise ImageError("has too many frames to compare")
        pixels = 0
        for number in _pages(image, most + 1):
            pixels += image.width * image.height
            if number == most or pixels > most_pixels:
                raise ImageError("has too many frames to compare")
            image.load()
            duration = float(image.info.get("duration") or 0)
            yield Frame(decode(frame_as_file(image))[0], duration)
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"cannot be decoded: {reason}") from None


def _pages(image: Image.Image, most: int) -> Iterator[int]:
    """Go to each frame or page of an opened picture; return at most *most* numbers."""
    place = number = 0
    size = image.size
    while number < most:
        try:
            image.seek(place)
        except EOFError:
            return
        if place == 0 or _is_page(image, place, size):
            yield number
            number += 1
        place += 1
        if image.format not in (*_ANIMATED, *_PAGED):
            return


def _is_page(image: Any, place: int, size: tuple[int, int]) -> bool:
    """Return whether the picture after the first, at which *image* is, is no smaller version.

    What an MPO does not say is a page if it has the *size* of the first one; brightness maps of
    cameras have not.
    """
    if image.format == "TIFF":
        return not image.tag_v2.get(_REDUCED_TAG, 0) & 1
    if image.format == "MPO":
        kind = str(image.mpinfo[0xB002][place]["Attribute"]["MPType"])
        return kind.startswith("Multi-Frame") or (kind == "Undefined" and image.size == size)
    return True
