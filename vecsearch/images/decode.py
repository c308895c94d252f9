"""Bytes of a picture file -> RGB, the same way for indexing, querying and drawing."""

from __future__ import annotations

import contextlib
import ctypes
import io
import logging
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError, _imaging

from vecsearch.errors import ImageError, UsageError
from vecsearch.images.access import read_content
from vecsearch.types import Box, Pixels

FORMATS = (
    *("JPEG", "PNG", "WEBP", "GIF", "BMP", "PPM", "TIFF"),  # Pillow tries them in this order
    *("AVIF", "ICO", "JPEG2000", "PCX", "QOI", "SGI", "TGA"),
)
"""Pillow's decoders that may see a file: those of raster pictures that people keep."""

MAX_MEGAPIXELS = 64.0
"""Of the picture as it is decoded; a large JPEG is decoded small."""

_COPIED = ("AVIF", "JPEG2000", "WEBP")
"""Their decoders hold a picture several times over, so half as large a one is their limit."""

_LARGE_PIXELS = 8_000_000
"""Only one picture of more is decoded at a time, for the memory's sake."""

_one_large = threading.Lock()

_BAND_PIXELS = 1_000_000
"""So many at a time become RGB, for the memory's sake again."""


def _silence_decoders() -> None:
    """Keep remarks about damaged files off stderr; a file that cannot be used is an error here."""
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    # Pillow silences libtiff's warnings only. Where it is linked statically, they stay.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)


_silence_decoders()

OVERSAMPLING = 4
"""A large JPEG is decoded at the smallest scale, 1/8 to 1, that leaves this many times the side
that the network wants. Measured over pictures of 6 to 12 megapixels, vectors keep a mean cosine of
0.9997 with those of full decoding; with 2 it was 0.9987 to 0.9995."""


def decode(
    data: bytes,
    *,
    at_least: int | None = None,
    max_pixels: int = round(1e6 * MAX_MEGAPIXELS),
    box: Box | None = None,
) -> tuple[Image.Image, tuple[int, int]]:
    """Decode *data* into an upright RGB picture; return it with its true (width, height).

    The first frame of an animation; EXIF orientation applied; alpha laid over white; 16-bit and
    float pixels scaled, not clipped. With *at_least*, a large JPEG is decoded at a reduced
    scale that leaves as many pixels on its shorter side. A picture of more than *max_pixels*, as it
    would be decoded, is refused before it is; half of that, where the decoder holds copies of it.

    With a *box*, in pixels of the upright picture at full size, only that part is returned, and it
    is what *at_least* is about.

    Raises ImageError with a one-line reason, UsageError for a *box* outside the picture.
    """
    try:
        image = open_image(data)
        width, height = image.size
        if at_least is not None:
            image.draft(None, _draft_size(width, height, at_least, box))
        pixels = image.width * image.height
        limit = max_pixels / 2 if image.format in _COPIED else max_pixels
        if pixels > limit:
            raise ImageError(
                f"has {pixels / 1e6:.3g} megapixels, {limit / 1e6:g} are the limit",
                hint="build --max-megapixels raises the limit",
            )
        with _one_large if pixels > _LARGE_PIXELS else nullcontext():
            image.load()
            oriented = _to_rgb(ImageOps.exif_transpose(image))
        if image.getexif().get(0x0112, 1) >= 5:  # orientations 5 to 8 turn by 90 degrees
            width, height = height, width
        if box is not None:
            oriented = _crop(oriented, (width, height), box)
        return oriented, (width, height)
    except (ImageError, MemoryError, UsageError):
        raise
    except UnidentifiedImageError:
        what = "the file is empty" if not data else "not a picture in a format known here"
        raise ImageError(what) from None
    # A decoder fed with garbage raises nearly anything (struct.error, SyntaxError, KeyError ...);
    # whatever it is, it is this one file that cannot be used.
    except Exception as error:  # noqa: BLE001
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"cannot be decoded: {reason}") from None


def preprocess(image: Image.Image, size: int) -> Pixels:
    """Squash an RGB picture to (size, size, 3) uint8; scaling and mean are the network's part."""
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))


def read_thumbnail(path: Path, side: int) -> Image.Image:
    """Read a picture, scaled down to fit into *side* x *side* pixels with its shape kept.

    Raises ImageError.
    """
    return decode_thumbnail(read_content(path).data, side)[0]


def decode_thumbnail(data: bytes, side: int) -> tuple[Image.Image, tuple[int, int]]:
    """Decode a picture, scaled down as by `read_thumbnail`; with it, its true (width, height).

    Raises ImageError.
    """
    image, size = decode(data, at_least=2 * side)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image, size


def open_image(data: bytes) -> Image.Image:
    """Read the header of a picture; raises what Pillow raises."""
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except KeyError:  # this Pillow was built without one of them
        Image.init()
        built = [name for name in FORMATS if name in Image.OPEN]
        return Image.open(io.BytesIO(data), formats=built)


def _draft_size(width: int, height: int, at_least: int, box: Box | None) -> tuple[int, int]:
    """Tell how large a JPEG must be decoded so that of it, or of *box*, *at_least* is left."""
    shorter = min(box[2:]) if box else 0
    if shorter <= 0:
        return at_least, at_least
    # Rounded up; and EXIF's turns by 90 degrees make no difference, for both are in proportion.
    return -(-width * at_least // shorter), -(-height * at_least // shorter)


def _crop(image: Image.Image, size: tuple[int, int], box: Box) -> Image.Image:
    """Cut *box* out of an upright picture that was *size* before it was decoded smaller."""
    x, y, width, height = box
    if min(x, y) < 0 or min(width, height) < 1 or x + width > size[0] or y + height > size[1]:
        raise UsageError(
            f"the box {x},{y},{width},{height} is not within the picture",
            hint=f"its size is {size[0]} x {size[1]}; give x,y,width,height in its pixels",
        )
    across, down = image.width / size[0], image.height / size[1]
    left, top = min(round(x * across), image.width - 1), min(round(y * down), image.height - 1)
    right, bottom = round((x + width) * across), round((y + height) * down)
    return image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB":
        return image
    low, high = _range(image) if _is_deep(image) else (0.0, 255.0)
    rgb = Image.new("RGB", image.size)
    for top, band in _bands(image):
        rgb.paste(_band_to_rgb(band, low, high), (0, top))
    return rgb


def _bands(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Cut *image* into bands of full width; give each with its top."""
    rows = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _band_to_rgb(band: Image.Image, low: float, high: float) -> Image.Image:
    if _is_deep(band):
        scaled = (_grey(band) - low) * (255.0 / max(high - low, 1e-12))
        return Image.fromarray(np.rint(scaled).astype(np.uint8)).convert("RGB")
    if "A" in band.mode or "a" in band.mode or "transparency" in band.info:
        rgba = band.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return band.convert("RGB")


def _is_deep(image: Image.Image) -> bool:
    """Tell whether the pixels are 16-bit, 32-bit or float grey values."""
    return image.mode.startswith("I") or image.mode == "F"


def _range(image: Image.Image) -> tuple[float, float]:
    """Find the grey values of *image*, 16-bit, 32-bit or float, that are to be black and white.

    Values that fit a usual range (0..1 for floats, 0..65535 for integers) keep that range, so
    that two exposures stay different; anything else is stretched from its minimum to maximum.
    """
    ends = [(grey.min(), grey.max()) for grey in (_grey(band) for _, band in _bands(image))]
    low, high = float(min(low for low, _ in ends)), float(max(high for _, high in ends))
    usual = 1.0 if image.mode == "F" else 65535.0
    return (0.0, usual) if low >= 0.0 and high <= usual else (low, high)


def _grey(band: Image.Image) -> npt.NDArray[np.float64]:
    return np.nan_to_num(np.asarray(band, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
