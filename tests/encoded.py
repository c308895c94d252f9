"""Picture files written by hand: what no library writes, and people have."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from vecsearch.images.decoders.to_rgb import decode

Array = npt.NDArray[Any]


def scene(seed: int = 0, size: tuple[int, int] = (120, 90)) -> Array:
    """Draw a smooth picture with noise, (h, w, 3) uint8 of the whole range."""
    generator = np.random.RandomState(seed)
    small = generator.randint(0, 256, (5, 6, 3)).astype(np.uint8)
    drawn = np.asarray(Image.fromarray(small).resize(size, Image.Resampling.BICUBIC), int)
    noisy = np.clip(drawn + generator.randint(-15, 16, drawn.shape), 0, 255).astype(np.uint8)
    noisy[0, 0], noisy[0, 1] = 0, 255
    return noisy


def grey_scene(seed: int = 0) -> Array:
    return scene(seed)[..., 1]


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def chunk(kind: bytes, data: bytes, *, wrong: bool = False) -> bytes:
    checksum = zlib.crc32(kind + data) ^ (1 if wrong else 0)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def png(values: Array, colour: int, bits: int, extra: Sequence[bytes] = ()) -> bytes:
    """Write (h, w) or (h, w, 3) integers as a PNG of a colour type, with chunks before them."""
    height, width = values.shape[:2]
    if bits < 8:
        samples = np.unpackbits(values.astype(np.uint8)[..., None], axis=-1)[..., -bits:]
        rows = [np.packbits(row.reshape(-1)).tobytes() for row in samples]
    else:
        rows = [row.astype(f">u{bits // 8}").tobytes() for row in values]
    packed = zlib.compress(b"".join(b"\0" + row for row in rows))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    body = b"".join(extra) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + body


def tiff(values: Array, photometric: int = 1, order: Literal["<", ">"] = "<") -> bytes:
    """Write (h, w) numbers as an uncompressed TIFF of their dtype."""
    height, width = values.shape
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    pixels = values.astype(values.dtype.newbyteorder(order)).tobytes()
    fields = [
        *((256, width), (257, height), (258, 8 * values.dtype.itemsize), (259, 1)),
        *((262, photometric), (273, 8), (277, 1), (278, height), (279, len(pixels)), (339, kind)),
    ]
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8 + len(pixels))
    entries = b""
    for tag, value in fields:
        if tag in (273, 279):
            entries += struct.pack(f"{order}HHII", tag, 4, 1, value)
        else:
            entries += struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0)
    return head + pixels + struct.pack(f"{order}H", len(fields)) + entries + bytes(4)


def with_exif(jpeg: bytes, entries: Sequence[tuple[int, int, int, bytes]]) -> bytes:
    """Put EXIF with *entries* (tag, type, count, value) into a JPEG."""
    body = struct.pack("<H", len(entries))
    for tag, kind, count, value in entries:
        body += struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
    block = b"Exif\0\0II*\0" + struct.pack("<I", 8) + body + bytes(4)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


def swapped_profile() -> bytes:
    """Return a profile of sRGB with red and blue in each other's place."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for one, other in ((b"rXYZ", b"~~~~"), (b"bXYZ", b"rXYZ"), (b"~~~~", b"bXYZ")):
        profile = profile.replace(one, other, 1)
    return profile


def error(data: bytes, truth: Array) -> float:
    """Decode *data*; tell by how many levels it differs from (h, w) or (h, w, 3), in the mean."""
    found = np.asarray(decode(data)[0], float)
    if truth.ndim == 2:
        truth = np.repeat(truth[..., None], 3, axis=2)
    assert found.shape == truth.shape
    return float(np.abs(found - truth).mean())
