"""Sheets and maps of this program's own, which are no pictures of a collection."""

from __future__ import annotations

from typing import Final

MARK: Final = "vecsearch drawing, no picture of a collection"
"""What their metadata name as the software that made them."""

_BYTES: Final = 64 << 10
"""Metadata lie so near to the beginning or, of a WebP, to the end."""


def is_drawn(data: bytes) -> bool:
    """Return whether the bytes of a picture file are those of a drawing of ours, whatever its name.

    Not so of formats without metadata (BMP, PPM, TGA), and of what another program saved anew.
    """
    mark = MARK.encode()
    return mark in data[:_BYTES] or mark in data[-_BYTES:]
