"""Thumbnails as they are sent, kept for the next time."""

from __future__ import annotations

import io
from collections import OrderedDict
from threading import Lock
from typing import Final, Literal

from vecsearch.images.decoders.to_rgb import decode_thumbnail

Size = Literal["small", "medium", "large"]

SIDES: Final[dict[Size, int]] = {"small": 160, "medium": 400, "large": 1600}
"""A thumbnail fits into a square of so many pixels."""

MEDIA_TYPE: Final = "image/webp"
_QUALITY: Final[dict[Size, int]] = {"small": 78, "medium": 80, "large": 84}


class DrawnPictures:
    """The thumbnails that were wanted last, within *budget_bytes* of memory; for any threads."""

    def __init__(self, budget_bytes: int) -> None:
        """Start with none."""
        self._budget, self._size = budget_bytes, 0
        self._kept: Final[OrderedDict[tuple[bytes, Size], bytes]] = OrderedDict()
        self._lock: Final = Lock()

    def get(self, content_hash: bytes, size: Size) -> bytes | None:
        """Return a thumbnail that is kept."""
        with self._lock:
            data = self._kept.get((content_hash, size))
            if data is not None:
                self._kept.move_to_end((content_hash, size))
            return data

    def draw(self, content: bytes, content_hash: bytes, size: Size) -> bytes:
        """Draw a picture file that has this hash; raises ImageError."""
        data = draw(content, size)
        self._keep((content_hash, size), data)
        return data

    def _keep(self, key: tuple[bytes, Size], data: bytes) -> None:
        with self._lock:
            self._size += len(data) - len(self._kept.get(key, b""))
            self._kept[key] = data
            self._kept.move_to_end(key)
            while self._size > self._budget:
                _, old = self._kept.popitem(last=False)
                self._size -= len(old)


def draw(content: bytes, size: Size) -> bytes:
    """Return the thumbnail of a picture file; raises ImageError."""
    picture = decode_thumbnail(content, SIDES[size]).picture
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=_QUALITY[size], method=2)
    return out.getvalue()
