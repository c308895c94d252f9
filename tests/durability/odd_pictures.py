"""Pictures that are sound and that programs misread: deep values, keys, profiles, odd metadata."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from encoded import chunk, png, saved, swapped_profile, tiff, with_exif
from PIL import Image

ODD_EXIF: Final = (
    *((0x112, 2, 2, b"6\0"), (0x112, 1, 1, b"\6"), (0x112, 4, 1, b"\6\0\0\0")),
    *((0x112, 5, 1, b"\xff\xff\xff\xff"), (0x112, 7, 4, b"oddy"), (0x112, 99, 1, b"\1")),
    *((0x8769, 4, 1, b"\x08\0\0\0"), (0x010E, 2, 0xFFFFFFFF, b"\xff\xff\xff\x7f")),
)


def odd_pictures(width: int, height: int) -> Iterator[tuple[str, bytes]]:
    """Make them, with their names."""
    noise = np.random.RandomState(1).randint(0, 256, (height, width, 3)).astype(np.uint8)
    rgb = Image.fromarray(noise)
    yield from _deep(noise[..., 0])
    yield from _white_is_zero(noise[..., 0])
    yield from _keys_and_chunks(noise)
    profile = swapped_profile()
    for form in ("PNG", "TIFF", "WEBP", "JPEG"):
        yield f"{form.lower()} profile", saved(rgb, form, icc_profile=profile)
        yield f"{form.lower()} damaged profile", saved(rgb, form, icc_profile=profile[:200])
    jpeg = saved(rgb, "JPEG")
    yield "jpeg without its end", jpeg[:-2]
    for number, entry in enumerate(ODD_EXIF):
        yield f"jpeg odd exif {number}", with_exif(jpeg, [entry, (0x9C9B, 1, 3, b"abc")])
    for form in ("GIF", "PNG", "WEBP", "TIFF"):
        others = [rgb.rotate(90 * turn) for turn in (1, 2, 3)]
        yield f"{form.lower()} four frames", saved(rgb, form, save_all=True, append_images=others)


def _deep(grey: npt.NDArray[np.uint8]) -> Iterator[tuple[str, bytes]]:
    for bits in (8, 10, 12):
        values = (grey / 255 * (2**bits - 1)).astype(np.uint16)
        yield f"png {bits} bits in 16", png(values, 0, 16)
        yield f"tiff {bits} bits in 16", tiff(values, order=">")
    yield "tiff u32", tiff(grey.astype(np.uint32) * 16843009)
    yield "tiff i16", tiff((grey.astype(np.int16) - 128) * 200)
    real = (grey / 255).astype(np.float32)
    for name, odd in (("hot", 1e20), ("no-data", -9999.0), ("NaN", np.nan), ("-inf", -np.inf)):
        spoilt = real.copy()
        spoilt[3:9, 3:9] = odd
        yield f"tiff float {name}", tiff(spoilt)


def _white_is_zero(grey: npt.NDArray[np.uint8]) -> Iterator[tuple[str, bytes]]:
    for kind in ("u1", "u2", "u4", "f4"):
        yield f"tiff white is zero {kind}", tiff((255 - grey).astype(kind), 0)
    for bits in (1, 4):
        yield f"tiff white is zero {bits} bits", _packed(grey >> (8 - bits), bits)


def _packed(values: npt.NDArray[Any], bits: int) -> bytes:
    """Write a TIFF of *bits* to a pixel, in which 0 is white."""
    samples = np.unpackbits(values.astype(np.uint8)[..., None], axis=-1)[..., -bits:]
    data = np.packbits(samples.reshape(len(values), -1), axis=1)
    whole = tiff(data, 0)
    for tag, wrong, right in ((256, data.shape[1], values.shape[1]), (258, 8, bits)):
        field = struct.pack("<HHIHH", tag, 3, 1, wrong, 0)
        assert whole.count(field) == 1
        whole = whole.replace(field, struct.pack("<HHIHH", tag, 3, 1, right, 0))
    return whole


def _keys_and_chunks(rgb: npt.NDArray[np.uint8]) -> Iterator[tuple[str, bytes]]:
    key = struct.pack(">3H", *rgb[0, 0])
    yield "png colour key", png(rgb, 2, 8, [chunk(b"tRNS", key)])
    yield "png colour key of 16", png(rgb.astype(np.uint16) * 257, 2, 16, [chunk(b"tRNS", key)])
    for bits in (1, 2, 4, 8, 16):
        grey = rgb[..., 0].astype(np.uint16) >> max(0, 8 - bits)
        yield f"png grey key of {bits}", png(grey, 0, bits, [chunk(b"tRNS", b"\0\1")])
    long = zlib.compress(b"x" * 5_000_000)
    for name, odd in (
        ("long zTXt", chunk(b"zTXt", b"workflow\0\0" + long)),
        ("long iTXt", chunk(b"iTXt", b"workflow\0\1\0\0\0" + long)),
        ("wrong checksum", chunk(b"tEXt", b"a\0b", wrong=True)),
        ("wrong checksum of a profile", chunk(b"iCCP", b"p\0\0" + long[:99], wrong=True)),
        ("odd eXIf", chunk(b"eXIf", b"II*\0nonsense")),
    ):
        yield f"png {name}", png(rgb, 2, 8, [odd])
