"""Sound picture files of every kind that is read, small ones and ones of very many pixels."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final

import numpy as np
from PIL import Image, features

from durability.odd_pictures import odd_pictures
from vecsearch.images.decoders.heif import load_heif, reads_heif

WIDTH, HEIGHT = 53, 37
"""Numbers that are easily found in a header."""

HUGE: Final = 7900
COPIED: Final = 5600
"""Squared, these are just below the limit of what is decoded."""


@cache
def gallery() -> dict[str, bytes]:
    """Make the small pictures, by name."""
    return dict(_small())


def huge_names() -> list[str]:
    """Name the pictures of very many pixels."""
    return list(_HUGE)


@cache
def huge(name: str) -> bytes:
    """Make a picture of nearly as many pixels as are decoded, or more, in a few kilobytes."""
    return _HUGE[name]()


def _small() -> Iterator[tuple[str, bytes]]:
    noise = np.random.RandomState(0).randint(0, 256, (HEIGHT, WIDTH, 4)).astype(np.uint8)
    ramp = np.linspace(0, 255, WIDTH, dtype=np.uint8)[None, :, None]
    rgba = Image.fromarray(np.where(noise > 128, noise, ramp).astype(np.uint8))
    rgb, grey = rgba.convert("RGB"), rgba.convert("L")
    palette = rgb.quantize(32)
    deep = Image.fromarray(np.asarray(grey, np.uint16) * 257)
    real = Image.fromarray(np.asarray(grey, np.float32) / 255)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a picture"

    yield from odd_pictures(WIDTH, HEIGHT)
    yield "jpeg", _saved(rgb, "JPEG")
    yield "jpeg progressive", _saved(rgb, "JPEG", progressive=True)
    yield "jpeg cmyk", _saved(rgb.convert("CMYK"), "JPEG")
    yield "jpeg grey", _saved(grey, "JPEG")
    yield "jpeg exif", _saved(rgb, "JPEG", exif=exif, dpi=(72, 72), icc_profile=bytes(300))
    yield "jpeg restarts", _saved(rgb, "JPEG", restart_marker_rows=1, subsampling=0)
    yield "mpo", _saved(rgb, "MPO", save_all=True, append_images=[rgb])
    for mode in ("1", "L", "LA", "RGB", "RGBA"):
        yield f"png {mode}", _saved(rgba.convert(mode), "PNG")
    yield "png palette", _saved(palette, "PNG", transparency=3)
    yield "png 16 bit", _saved(deep, "PNG")
    yield "png exif", _saved(rgb, "PNG", exif=exif, icc_profile=bytes(300))
    yield "png interlaced", _interlaced()
    yield "apng", _saved(rgb, "PNG", save_all=True, append_images=[rgb.rotate(180)])
    yield "gif", _saved(palette, "GIF", transparency=1)
    yield "gif animated", _saved(rgb, "GIF", save_all=True, append_images=[rgb.rotate(90)])
    yield "webp", _saved(rgb, "WEBP", exif=exif)
    yield "webp lossless", _saved(rgba, "WEBP", lossless=True)
    yield "webp animated", _saved(rgba, "WEBP", save_all=True, append_images=[rgba.rotate(180)])
    yield "bmp", _saved(rgb, "BMP")
    yield "bmp palette", _saved(palette, "BMP")
    yield "bmp bits", _saved(rgb.convert("1"), "BMP")
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        yield f"tiff {compression}", _saved(rgb, "TIFF", compression=compression)
    yield "tiff group 4", _saved(rgb.convert("1"), "TIFF", compression="group4")
    yield "tiff cmyk", _saved(rgb.convert("CMYK"), "TIFF")
    yield "tiff alpha", _saved(rgba, "TIFF", compression="tiff_lzw")
    yield "tiff 16 bit", _saved(deep, "TIFF")
    yield "tiff float", _saved(real, "TIFF", compression="tiff_adobe_deflate")
    yield "tiff pages", _saved(rgb, "TIFF", save_all=True, append_images=[rgb])
    yield "pgm", _saved(grey, "PPM")
    yield "ppm", _saved(rgb, "PPM")
    yield "ppm plain", f"P3\n{WIDTH} {HEIGHT} 255\n".encode() + b"12 200 7 " * (WIDTH * HEIGHT)
    yield "pgm 16 bit", _saved(deep, "PPM")
    yield "ico", _saved(rgba, "ICO", sizes=[(16, 16), (32, 32)])
    yield "ico bmp", _saved(rgba, "ICO", sizes=[(32, 32)], bitmap_format="bmp")
    yield "tga", _saved(rgba, "TGA")
    yield "tga rle", _saved(palette, "TGA", compression="tga_rle")
    yield "pcx", _saved(rgb, "PCX")
    yield "pcx palette", _saved(palette, "PCX")
    yield "sgi", _saved(rgb, "SGI")
    yield "sgi rle", _sgi_rle()
    yield "qoi", _saved(rgba, "QOI")
    if features.check("avif"):
        yield "avif", _saved(rgba, "AVIF", exif=exif)
        yield "avif animated", _saved(rgb, "AVIF", save_all=True, append_images=[rgb.rotate(90)])
    if reads_heif():
        load_heif()
        yield "heic", _saved(rgba, "HEIF", exif=exif)
        yield "heic burst", _saved(rgb, "HEIF", save_all=True, append_images=[rgb.rotate(90)])
    if features.check("jpg_2000"):
        yield "jpeg 2000", _saved(rgb, "JPEG2000")
        yield "jpeg 2000 stream", _saved(grey, "JPEG2000", no_jp2=True)
        yield "jpeg 2000 tiles", _saved(rgba, "JPEG2000", tile_size=(16, 16))


def _plain(mode: str, form: str, side: int = HUGE, **options: Any) -> Callable[[], bytes]:
    return lambda: _saved(Image.new(mode, (side, side)), form, **options)


def _saved(image: Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def _ico(png: bytes) -> bytes:
    """An icon that says 16 x 16 and holds *png*."""
    entry = bytes([16, 16, 0, 0, 1, 0, 32, 0]) + len(png).to_bytes(4, "little")
    return bytes([0, 0, 1, 0, 1, 0]) + entry + (22).to_bytes(4, "little") + png


def _interlaced() -> bytes:
    """A grey PNG with Adam7, which Pillow reads and does not write."""
    rows = b"".join(
        bytes([0]) + bytes(range(len(range(column, WIDTH, step))))
        for first, column, down, step in (
            (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
            (1, 0, 2, 1),
        )
        for _ in range(first, HEIGHT, down)
    )  # fmt: skip
    header = WIDTH.to_bytes(4, "big") + HEIGHT.to_bytes(4, "big") + bytes([8, 0, 0, 0, 1])
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
        for kind, data in chunks
    )


def _sgi_rle() -> bytes:
    """A grey SGI file of runs, which Pillow reads and does not write."""
    header = bytes.fromhex("01da 01 01 0002") + b"".join(
        number.to_bytes(2, "big") for number in (WIDTH, HEIGHT, 1)
    )
    start = 512 + 8 * HEIGHT
    run = bytes([WIDTH, 200, 0])
    offsets = b"".join((start + 3 * row).to_bytes(4, "big") for row in range(HEIGHT))
    lengths = (3).to_bytes(4, "big") * HEIGHT
    return header.ljust(512, b"\0") + offsets + lengths + run * HEIGHT


_HUGE: Final[dict[str, Callable[[], bytes]]] = {
    "huge jpeg": _plain("RGB", "JPEG"),
    "huge jpeg cmyk": _plain("CMYK", "JPEG", progressive=True),
    "huge png bits": _plain("1", "PNG"),
    "huge png alpha": _plain("RGBA", "PNG"),
    "huge png grey alpha": _plain("LA", "PNG"),
    "huge png palette": _plain("P", "PNG", transparency=0),
    "huge png 16 bit": _plain("I;16", "PNG"),
    "huge gif": _plain("P", "GIF"),
    "huge tiff float": _plain("F", "TIFF", compression="tiff_adobe_deflate"),
    "huge tiff cmyk": _plain("CMYK", "TIFF", compression="tiff_lzw"),
    "huge webp": _plain("RGB", "WEBP", COPIED, quality=10, method=0),
    "huge webp alpha": _plain("RGBA", "WEBP", COPIED, lossless=True, method=0),
    "ico with a huge png": lambda: _ico(_saved(Image.new("L", (HUGE, HUGE)), "PNG")),
    "ico with a larger png": lambda: _ico(_saved(Image.new("L", (9300, 9300)), "PNG")),
    "huge webp too large": _plain("RGB", "WEBP", quality=10, method=0),
}
if features.check("avif"):
    _HUGE["huge avif"] = _plain("RGBA", "AVIF", COPIED, speed=10)
if features.check("jpg_2000"):
    _HUGE["huge jpeg 2000"] = _plain("RGBA", "JPEG2000", COPIED, num_resolutions=2)
