"""Metadata beside the pixels: however odd they are, the picture is read."""

from __future__ import annotations

import struct
import zlib
from typing import Any, Final

from PIL import Image

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PIXELS: Final = frozenset({b"tRNS", b"acTL", b"fcTL", b"fdAT"})
_KEPT: Final = frozenset({b"iCCP", b"eXIf"}) | _PIXELS
"""Chunks about pixels, their colours, and the orientation. Gamma and primaries
without a profile (gAMA, cHRM) are not heeded."""

_LARGEST_PROFILE: Final = 1 << 20
"""Pillow refuses a picture for a longer one; those of monitors and papers take a tenth."""

_ORIENTATION: Final = 0x0112

_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by EXIF's orientation."""


def pixels_alone(data: bytes) -> bytes:
    """Return a PNG without damaged metadata, and without chunks that do not concern its pixels.

    A text that takes megabytes, or a wrong checksum in it, would keep Pillow from reading on.
    Critical chunks stay as they are, and so does what is no PNG.
    """
    if not data.startswith(_SIGNATURE):
        return data
    parts, place, start = [], len(_SIGNATURE), 0
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        kind = data[place + 4 : place + 8]
        end = place + 12 + length
        is_ancillary = kind[0] & 0x20
        if is_ancillary and not _is_kept(kind, data[place + 4 : end]):
            parts.append(data[start:place])
            start = min(end, len(data))
        place = end
        if kind == b"IEND":
            break
    return b"".join([*parts, data[start:]]) if parts else data


def _is_kept(kind: bytes, chunk: bytes) -> bool:
    """Return whether an ancillary *chunk*, from its kind to its checksum, is left where it is."""
    if kind not in _KEPT:
        return False
    if kind in _PIXELS:
        return True
    body, checksum = chunk[:-4], chunk[-4:]
    if len(chunk) < 8 or zlib.crc32(body) != int.from_bytes(checksum):
        return False
    if kind != b"iCCP":
        return True
    name, _, rest = body[4:].partition(b"\0")
    reader = zlib.decompressobj()
    try:
        reader.decompress(rest[1:], _LARGEST_PROFILE)
    except zlib.error:
        return False
    return bool(name) and reader.eof


def orientation_of(image: Image.Image) -> int:
    """Return how a picture lies, 1 to 8 as EXIF has it; 1 where that cannot be told."""
    try:
        value: Any = image.getexif().get(_ORIENTATION, 1)
        if isinstance(value, tuple | list):
            value = value[0]
        if isinstance(value, bytes) and len(value) == 1 and value[0] in range(9):
            value = value[0]  # a byte; others are digits
        value = int(value)
    except Exception:  # noqa: BLE001 - a directory that is damaged raises nearly anything
        return 1
    return value if 1 <= value <= 8 else 1


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turn a picture so that it is seen as it was meant."""
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)
