"""Grey values of more than 8 bits -> 0 to 255.

Such files rarely say which of their values are black and white: 10 or 12 bits of a camera lie in
16, heights and temperatures are floats, and pixels without data hold a number far from all others.
The range is therefore taken from the values, without the few that lie outside of all others, as
astronomers and microscopists show their pictures (the percentile limits of astropy.visualization,
the saturated pixels of ImageJ's "Enhance contrast").
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

Values = npt.NDArray[np.float64]

_OUTSIDE: Final = 1e-4
"""The share of values, at either end, that may be errors: hot and dead pixels."""

_MANY: Final = 32
"""So many different values are a picture, and not a mask."""

_LOOKED_AT: Final = 1 << 20
"""Of so many values the range is taken."""

_UNSIGNED: Final = 1
_SAMPLE_FORMAT: Final = 339
_PHOTOMETRIC: Final = 262
_BITS: Final = 258


@dataclass(frozen=True, slots=True)
class GreyScale:
    """Which values are black and white; the other way round if *inverted*."""

    low: float
    high: float
    unsigned: bool
    inverted: bool

    def apply(self, band: Image.Image) -> Image.Image:
        """Return *band*, of deep grey values, as RGB; NaN is black."""
        values = _values(band, self.unsigned)
        scale = 255.0 / max(self.high - self.low, 1e-12)
        grey = np.clip((values - self.low) * scale, 0.0, 255.0)
        grey = np.nan_to_num(255.0 - grey if self.inverted else grey, nan=0.0)
        return Image.fromarray(np.rint(grey).astype(np.uint8)).convert("RGB")


def is_deep(image: Image.Image) -> bool:
    """Return whether the pixels are 16-bit, 32-bit or float grey values."""
    return image.mode.startswith("I") or image.mode == "F"


def is_unsigned(image: Image.Image) -> bool:
    """Tell of an opened TIFF of deep values whether they are unsigned, as they are by default."""
    formats = getattr(image, "tag_v2", {}).get(_SAMPLE_FORMAT, (_UNSIGNED,))
    return bool(image.mode == "I" and _UNSIGNED in np.atleast_1d(formats))


def find_scale(
    image: Image.Image, bands: Iterable[Image.Image], *, unsigned: bool, inverted: bool
) -> GreyScale:
    """Find which values of *image*, given in *bands*, are black and white.

    Integers that are not negative begin at 0 and end at 2 ** b - 1, for the least b from 8 on that
    holds them, so that exposures stay different; floats of 0 to 1 or 255 keep that range. All
    others are stretched. At either end one of 10,000 values may lie outside, and a value that is
    further from all others than they are apart is no data.
    """
    step = max(1, round((image.width * image.height / _LOOKED_AT) ** 0.5))
    parts = [_values(band, unsigned)[::step, ::step].ravel() for band in bands]
    values = np.sort(np.concatenate(parts))
    values = _with_data(values[np.isfinite(values)])
    if not len(values):
        return GreyScale(0.0, 1.0, unsigned, inverted)
    outside = int(_OUTSIDE * len(values))
    low, high = float(values[outside]), float(values[len(values) - 1 - outside])
    if low < 0.0:
        return GreyScale(low, high, unsigned, inverted)
    if image.mode != "F":
        bits = max(8, int(high).bit_length())
        return GreyScale(0.0, 2.0**bits - 1.0, unsigned, inverted)
    usual = [end for end in (1.0, 255.0) if high <= end]
    return GreyScale(0.0 if usual else low, usual[0] if usual else high, unsigned, inverted)


def _with_data(values: Values) -> Values:
    """Leave out what stands for no data, in *values* sorted, at either end."""
    for end in (0, -1):
        others = values[values != values[end]] if len(values) else values
        if len(others) < len(values) and len(np.unique(others)) >= _MANY:
            apart = abs(others[end] - values[end])
            if apart > others[-1] - others[0]:
                values = others
    return values


def _values(band: Image.Image, unsigned: bool) -> Values:
    values = np.asarray(band)
    return (values.view(np.uint32) if unsigned else values).astype(np.float64)


def as_black_is_zero(data: bytes) -> tuple[bytes, bool]:
    """Return a deep TIFF with white as zero as one with black as zero, and whether it was one.

    Pillow knows the first kind for 8 bits only. What is no such TIFF comes back as it is.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return data, False
    try:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, start)
        fields = {}
        for place in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, number, value = struct.unpack_from(f"{order}HHIH", data, place)
            if kind == 3 and number == 1:
                fields[tag] = place + 8, value
    except struct.error:
        return data, False
    place, photometric = fields.get(_PHOTOMETRIC, (0, -1))
    if photometric != 0 or fields.get(_BITS, (0, 1))[1] <= 8:
        return data, False
    patched = bytearray(data)
    struct.pack_into(f"{order}H", patched, place, 1)
    return bytes(patched), True
