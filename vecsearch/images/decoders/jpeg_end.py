"""JPEGs that lack only the marker at their end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PIL.ImageFile import ImageFile

_END: Final = b"\xff\xd9"
_OTHER: Final = bytes(range(0x51, 0x91))
"""Would be decoded as pixels, if there were any to decode."""


def with_end(
    data: bytes, opened: Callable[[bytes], ImageFile], draft: tuple[int, int] | None
) -> bytes | None:
    """Return a JPEG with its end marker; None if pixels are missing too, or it is no JPEG.

    Decoders fill up missing pixels. So it is decoded, in the size of *draft*, with two
    continuations: where no pixel is missing they make no difference.
    """
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    data = data.rstrip(b"\xff")  # half of the marker
    pictures = []
    for tail in (_END, _OTHER + _END):
        image = opened(data + tail)
        if draft:
            image.draft(None, draft)
        try:
            image.load()
        except OSError:
            return None
        pictures.append(image.tobytes())
    return data + _END if pictures[0] == pictures[1] else None
