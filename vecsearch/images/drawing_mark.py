"""The mark in the sheets and maps that vecsearch draws, by which a build leaves them out."""

from __future__ import annotations

from typing import Final

MARK: Final = "vecsearch drawing, no picture of a collection"
"""The software that their metadata name."""

_BYTES: Final = 64 << 10
"""How far the metadata are from the beginning or, in a WebP, from the end."""


def is_drawn(data: bytes) -> bool:
    """Return whether a picture file is a drawing of vecsearch, whatever its name.

    That is not known of formats without metadata (BMP, PPM, TGA), or once another program has
    saved it.
    """
    mark = MARK.encode()
    return mark in data[:_BYTES] or mark in data[-_BYTES:]
