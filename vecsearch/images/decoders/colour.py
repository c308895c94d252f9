"""Colours: profiles are applied, and a transparent colour becomes white."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any, Final

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile

_SPACES: Final = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK", "LAB": "Lab"}
"""The modes that are converted, and how a profile that fits calls its colours."""

_LARGEST_PROFILE: Final = 8 << 20

_SCALES: Final = {"1": 255, "L;2": 85, "L;4": 17}
"""By what Pillow multiplies grey samples of so few bits, and not the key."""

Key = int | tuple[int, ...]


def key_of(image: ImageFile) -> Key | None:
    """Return which colour of an opened grey or RGB picture is transparent, as its pixels have it.

    Of 16 bits a channel Pillow keeps the upper eight, and so does the key.
    """
    key = image.info.get("transparency")
    raw: Any = image.tile[0].args if image.tile else None
    raw = raw[0] if isinstance(raw, tuple) and raw else raw
    if image.mode == "RGB" and isinstance(key, tuple) and len(key) == 3:
        deep = isinstance(raw, str) and ";16" in raw
        return tuple(one >> 8 if deep else one for one in key)
    if isinstance(key, int) and (image.mode in ("1", "L") or image.mode.startswith("I")):
        return key * _SCALES.get(str(raw), 1)
    return None


def key_over_white(band: Image.Image, rgb: Image.Image, key: Key) -> Image.Image:
    """Return *rgb*, made of *band*, with white where *band* has the colour *key*."""
    pixels = np.asarray(band.convert("L") if band.mode == "1" else band)
    same = pixels == np.array(key)
    same = same.all(axis=2) if same.ndim == 3 else same
    white = Image.new("RGB", rgb.size, "white")
    return Image.composite(white, rgb, Image.fromarray(same))


def convert_to_srgb(image: Image.Image, profile: object) -> Image.Image | None:
    """Return *image* as RGB in sRGB; None if it is so, or *profile* cannot be used for it.

    By relative colorimetric intent, in which colours that sRGB has stay as they are; that of
    perception is not the same in any two programs.
    """
    if not isinstance(profile, bytes) or not 0 < len(profile) <= _LARGEST_PROFILE:
        return None
    transform = _transform(profile, image.mode)
    if transform is None:
        return None
    converted: Image.Image = transform.apply(image)
    return converted


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> Any:
    """Return the conversion to sRGB; None if there is none, or it changes next to nothing."""
    from PIL import ImageCms

    if mode not in _SPACES:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != _SPACES[mode]:
            return None
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        )
        if mode in ("L", "RGB"):
            chart = _chart(mode)
            before = np.asarray(chart.convert("RGB"), int)
            if np.abs(np.asarray(transform.apply(chart), int) - before).max() <= 1:
                return None  # sRGB, as nearly all are
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None
    return transform


def _chart(mode: str) -> Image.Image:
    """Draw colours from all over the cube."""
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(27, 27, 3)
    return Image.fromarray(cube if mode == "RGB" else cube[..., 0])
