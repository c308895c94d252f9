"""Bytes of a picture file -> RGB, the same way for indexing, querying and drawing."""

from __future__ import annotations

import contextlib
import ctypes
import io
import logging
import struct
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError, _imaging
from PIL.ImageFile import ImageFile

from vecsearch.errors import ImageError, UsageError
from vecsearch.images.decoders.colour import Key, convert_to_srgb, key_of, key_over_white
from vecsearch.images.decoders.grey import as_black_is_zero, find_scale, is_deep, is_unsigned
from vecsearch.images.decoders.heif import WAY, is_heif, load_heif, reads_heif
from vecsearch.images.decoders.jpeg_end import with_end
from vecsearch.images.decoders.metadata import orientation_of, pixels_alone, upright
from vecsearch.images.sources.access import read_content
from vecsearch.locks import ProcessLock
from vecsearch.types import Box, Pixels

FORMATS = (
    *("JPEG", "PNG", "WEBP", "GIF", "BMP", "PPM", "TIFF"),  # Pillow tries them in this order
    *("AVIF", "ICO", "JPEG2000", "PCX", "QOI", "SGI", "TGA"),
)
"""Pillow's decoders that may see a file: those of raster pictures that people keep. One more, HEIF,
is there with the extra of its name."""

MAX_MEGAPIXELS = 64.0
"""Of the picture as it is decoded; a large JPEG is decoded small."""

_SHARES = {"AVIF": 0.5, "HEIF": 0.8, "JPEG2000": 0.5, "WEBP": 0.5}
"""What decoders that hold a picture several times over may have of the limit. HEIF of 33 megapixels
took up to 550 MB, and telephones make 48.8."""

_LARGE_PIXELS = 8_000_000
"""Only one picture of more is decoded at a time, for the memory's sake."""

_one_large = ProcessLock()

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

    The first frame of an animation; EXIF orientation applied; profiles honoured (`colour`); alpha
    and a transparent colour laid over white; grey values of more than 8 bits scaled (`grey`).

    With *at_least*, a large JPEG is decoded at a reduced scale that leaves as many pixels on its
    shorter side. A picture of more than *max_pixels*, as it would be decoded, is refused before it
    is; of a share of that, where the decoder holds copies of it.

    With a *box*, in pixels of the upright picture at full size, only that part is returned, and it
    is what *at_least* is about.

    Raises ImageError with a one-line reason, UsageError for a *box* outside the picture.
    """
    try:
        data, inverted = as_black_is_zero(data)
        image = open_image(data)
        width, height = image.size
        key, unsigned = key_of(image), is_unsigned(image)
        draft = _draft_size(width, height, at_least, box) if at_least is not None else None
        if draft:
            image.draft(None, draft)
        pixels = image.width * image.height
        limit = max_pixels * _SHARES.get(image.format or "", 1)
        if pixels > limit:
            raise ImageError(
                f"has {pixels / 1e6:.3g} megapixels, {limit / 1e6:g} are the limit",
                hint="build --max-megapixels raises the limit",
            )
        with _one_large if pixels > _LARGE_PIXELS else nullcontext():
            image = _loaded(image, data, draft)
            orientation = orientation_of(image)
            oriented = _to_rgb(upright(image, orientation), key, unsigned, inverted)
        if orientation >= 5:  # turned by 90 degrees
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


def open_image(data: bytes) -> ImageFile:
    """Read the header of a picture; raises what Pillow raises.

    Its decoders are asked one by one, as `Image.open` asks them. That has a limit of its own for
    the size of pictures, which is one for the whole process and does not know of `decode`'s.
    """
    data = pixels_alone(data)
    formats = _formats_of(data)
    # All of Pillow's decoders take 35 ms to load, those of most pictures none.
    for load in (Image.preinit, Image.init):
        load()
        if image := _first_opened(data, formats):
            return image
    if is_heif(data):
        raise ImageError("is HEIC, and cannot be decoded")
    raise UnidentifiedImageError("not a picture in a format known here")


def is_picture(data: bytes) -> bool:
    """Return whether the header of a file is a picture's, which is not decoded."""
    if is_heif(data):
        return True
    try:
        open_image(data)
    except Exception:  # noqa: BLE001 - a decoder fed with garbage raises nearly anything
        return False
    return True


def _first_opened(data: bytes, formats: tuple[str, ...]) -> ImageFile | None:
    start = data[:16]
    for name in formats:
        factory, accepts = Image.OPEN.get(name, (None, None))
        if factory is None or not (accepts is None or accepts(start) is True):
            continue
        try:
            return factory(io.BytesIO(data), "")
        except (SyntaxError, IndexError, TypeError, struct.error):
            continue  # not its own after all
    return None


def _formats_of(data: bytes) -> tuple[str, ...]:
    """Name the decoders that may see a file; raises ImageError for HEIC where nothing reads it."""
    if not is_heif(data):
        return FORMATS
    if not reads_heif():
        raise ImageError(f"is HEIC, which is not read without an extra; {WAY}")
    load_heif()
    return ("HEIF",)


def _loaded(image: ImageFile, data: bytes, draft: tuple[int, int] | None) -> ImageFile:
    """Read the pixels, also of a JPEG that lacks nothing but its end; raises what Pillow raises."""
    try:
        image.load()
    except OSError:
        whole = with_end(data, open_image, draft)
        if whole is None:
            raise
        image = open_image(whole)
        if draft:
            image.draft(None, draft)
        image.load()
    return image


def _draft_size(width: int, height: int, at_least: int, box: Box | None) -> tuple[int, int]:
    """Return how large a JPEG must be decoded so that of it, or of *box*, *at_least* is left."""
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


def _to_rgb(image: Image.Image, key: Key | None, unsigned: bool, inverted: bool) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode == "RGB" and profile is None and key is None:
        return image
    scale = None
    if is_deep(image):
        bands = (band for _, band in _bands(image))
        scale = find_scale(image, bands, unsigned=unsigned, inverted=inverted)
    rgb = Image.new("RGB", image.size)
    for top, band in _bands(image):
        done = scale.apply(band) if scale else _band_to_rgb(band, key is not None, profile)
        rgb.paste(done if key is None else key_over_white(band, done, key), (0, top))
    return rgb


def _bands(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Cut *image* into bands of full width; give each with its top."""
    rows = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _band_to_rgb(band: Image.Image, has_key: bool, profile: object) -> Image.Image:
    if not has_key and ("A" in band.mode or "a" in band.mode or "transparency" in band.info):
        rgba = band.convert("RGBA")
        solid = rgba.convert("RGB")
        solid = convert_to_srgb(solid, profile) or solid
        white = Image.new("RGB", rgba.size, "white")
        return Image.composite(solid, white, rgba.getchannel("A"))
    if band.mode == "P":
        band = band.convert("RGB")
    return convert_to_srgb(band, profile) or band.convert("RGB")
