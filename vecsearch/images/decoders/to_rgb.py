"""Bytes of a picture file -> RGB, the same way for indexing, querying and drawing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from vecsearch.errors import ImageError, UsageError
from vecsearch.forks import ProcessLock
from vecsearch.images.decoders.colour import Key, convert_to_srgb, key_of, key_over_white
from vecsearch.images.decoders.decoder import Size, decoder_of, has_own_decoder
from vecsearch.images.decoders.formats import pixel_share
from vecsearch.images.decoders.grey import as_black_is_zero, find_scale, is_deep, is_unsigned
from vecsearch.images.decoders.metadata import orientation_of, upright
from vecsearch.images.sources.access import read_content
from vecsearch.types import Box, Pixels

MAX_MEGAPIXELS = 64.0
"""The limit for a picture as it is decoded; a large JPEG is decoded small."""

_LARGE_PIXELS = 8_000_000
"""Only one picture of more is decoded at a time, for the memory's sake."""

_one_large = ProcessLock()

_BAND_PIXELS = 1_000_000
"""So many at a time become RGB, for the memory's sake again."""


OVERSAMPLING = 4
"""A large JPEG is decoded at the smallest scale, 1/8 to 1, that leaves this many times the side
that the network wants. Measured over pictures of 6 to 12 megapixels, vectors keep a mean cosine of
0.9997 with those of full decoding; with 2 it was 0.9987 to 0.9995."""


class Decoded(NamedTuple):
    """An upright RGB picture, perhaps scaled down, and its true ``size``."""

    picture: Image.Image
    size: Size


def decode(
    data: bytes,
    *,
    at_least: int | None = None,
    max_pixels: int = round(1e6 * MAX_MEGAPIXELS),
    box: Box | None = None,
) -> Decoded:
    """Decode *data* into an upright RGB picture.

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
        decoder = decoder_of(data)
        image = decoder.open(data)
        width, height = image.size
        key, unsigned = key_of(image), is_unsigned(image)
        draft = _draft_size(Size(width, height), at_least, box) if at_least is not None else None
        if draft:
            image.draft(None, draft)
        pixels = image.width * image.height
        limit = max_pixels * pixel_share(image.format)
        if pixels > limit:
            raise ImageError(
                f"has {pixels / 1e6:.3g} megapixels, {limit / 1e6:g} are the limit",
                hint="build --max-megapixels raises the limit",
            )
        with _one_large if pixels > _LARGE_PIXELS else nullcontext():
            image = decoder.load(image, data, draft)
            orientation = orientation_of(image)
            oriented = _to_rgb(upright(image, orientation), key, unsigned, inverted)
        if orientation >= 5:  # turned by 90 degrees
            width, height = height, width
        if box is not None:
            oriented = _crop(oriented, Size(width, height), box)
        return Decoded(oriented, Size(width, height))
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
    return decode_thumbnail(read_content(path).data, side).picture


def decode_thumbnail(data: bytes, side: int) -> Decoded:
    """Decode a picture, scaled down as by `read_thumbnail`.

    Raises ImageError.
    """
    decoded = decode(data, at_least=2 * side)
    decoded.picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return decoded


def open_image(data: bytes) -> ImageFile:
    """Read the header of a picture; raises ImageError, and what its decoder raises."""
    return decoder_of(data).open(data)


def is_picture(data: bytes) -> bool:
    """Return whether the header of a file is a picture's, which is not decoded."""
    if has_own_decoder(data):
        return True  # also where it is not installed: then that is said
    try:
        open_image(data)
    except Exception:  # noqa: BLE001 - a decoder fed with garbage raises nearly anything
        return False
    return True


def _draft_size(size: Size, at_least: int, box: Box | None) -> Size:
    """Return how large to decode a JPEG so that *at_least* is left of it, or of *box*."""
    shorter = min(box[2:]) if box else 0
    if shorter <= 0:
        return Size(at_least, at_least)
    # Rounded up; and EXIF's turns by 90 degrees make no difference, for both are in proportion.
    return Size(-(-size.width * at_least // shorter), -(-size.height * at_least // shorter))


def _crop(image: Image.Image, size: Size, box: Box) -> Image.Image:
    """Cut *box* out of an upright picture that was *size* before it was decoded smaller."""
    x, y, width, height = box
    if (
        min(x, y) < 0
        or min(width, height) < 1
        or x + width > size.width
        or y + height > size.height
    ):
        raise UsageError(
            f"the box {x},{y},{width},{height} is not within the picture",
            hint=f"its size is {size.width} x {size.height}; give x,y,width,height in its pixels",
        )
    across, down = image.width / size.width, image.height / size.height
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
    """Cut *image* into bands of full width; return each with its top."""
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
