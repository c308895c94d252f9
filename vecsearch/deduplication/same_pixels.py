"""Whether two pictures show the same at every place: one is the other at another size or encoding.

A copy may be in the way of the other in thousands of places a little, by its encoding or its size,
but not in one place much: a letter, a digit, a signature, a small thing that is gone. So what they
differ in is compared, place by place, with what both show around there, and with what they differ
in elsewhere. Shifts of less than two pixels, and of brightness, are taken out before.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from vecsearch.deduplication.arrays import Floats

LONGEST: Final = 2048
"""Pictures are compared at the size of the smaller one, but not larger."""

_SMALLEST: Final = 64
"""The least shorter side, in pixels, that shows enough of a larger picture."""

_PLACE: Final = 5
_AROUND: Final = 17
"""A place is 5 x 5 pixels; an encoder spreads what it gets wrong over blocks of 8 or 16."""

_NOISE: Final = 100.0
"""Squared levels, of 255, by which places of one shade may differ."""

_MOST: Final = 0.45
"""Squared difference of a place in proportion to the variance around: more is another picture. It
is up to 0.4 after JPEG of quality 30, and from 0.5 on for a changed letter of 11 pixels."""

_ODD: Final = (0.05, 10.0)
_ODD_ON_PAGES: Final = (0.02, 5.0)
"""A difference is odd from the first number on, if it is also this many times as large as the
difference that one percent of the structured places exceed. Pages of text are alike everywhere, so
that small differences are odd there."""

_PAGE: Final = 0.65
"""A page is a picture of which at least this share has one shade."""

_COLOUR_MOST: Final = 2.0
"""The same for Cb and Cr, at half the size, which encoders treat worse."""

_SHOWS: Final = 200.0
_FITTED: Final = 400
_STEPS: Final = 3
_LARGEST_SHIFT: Final = 2.0
_LARGEST_GAIN: Final = 1.1
_LARGEST_OFFSET: Final = 8.0
_MOVES: Final = 0.05
_BINOMIAL: Final = (0.25, 0.5, 0.25)

_Wide = npt.NDArray[np.float64]


def are_same(first: Image.Image, second: Image.Image, longest: int = LONGEST) -> bool:
    """Return whether two RGB pictures show the same, at up to *longest* pixels a side.

    Not so if their shapes differ, or if one is scaled down so far that it shows too little.
    """
    if not _are_proportionate(first.size, second.size):
        return False
    smaller = min(first.size, second.size)
    if first.size != second.size and min(smaller) < _SMALLEST:
        return False
    scale = min(1.0, longest / max(smaller))
    size = max(1, round(scale * smaller[0])), max(1, round(scale * smaller[1]))
    if first.size == second.size and first.tobytes() == second.tobytes():
        return True
    planes = [_planes(one, size) for one in (first, second)]
    if not _agree(planes[0][0], planes[1][0], _MOST):
        return False
    colours = [[_coarser(colour) for colour in one[1:]] for one in planes]
    return all(_agree(one, other, _COLOUR_MOST) for one, other in zip(*colours, strict=True))


def _are_proportionate(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Return whether one size is the other one, scaled and rounded to pixels either way."""
    low = max((there - 1) / here for here, there in zip(first, second, strict=True))
    high = min((there + 1) / here for here, there in zip(first, second, strict=True))
    return low <= high


def _planes(picture: Image.Image, size: tuple[int, int]) -> list[Floats]:
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
    return [np.asarray(plane, np.float32) for plane in picture.convert("YCbCr").split()]


def _agree(first: Floats, second: Floats, most: float) -> bool:
    """Compare two planes, (h, w) of 0..255."""
    from scipy.ndimage import maximum_filter, uniform_filter

    first, second = _blurred(first), _blurred(second)
    first = _fitted(first, second)
    differences = uniform_filter((second - first) ** 2, _PLACE, mode="nearest")
    variance = np.minimum(*(_variances(one, _PLACE) for one in (first, second)))
    around = maximum_filter(variance, _AROUND, mode="nearest")
    odds = differences / (around + _NOISE)
    worst = float(odds.max())
    if worst > most:
        return False
    if most > _MOST:
        return True
    showing = odds[around > _SHOWS]
    usual = float(np.percentile(showing, 99)) if showing.size else 0.0
    least, ratio = _ODD_ON_PAGES if _is_page(first) and _is_page(second) else _ODD
    return worst <= max(least, ratio * usual)


def _is_page(plane: Floats) -> bool:
    shades = np.bincount(np.clip(plane.ravel() / 8, 0, 31).astype(np.intp), minlength=32)
    return float((shades[1:] + shades[:-1]).max()) >= _PAGE * plane.size


def _fitted(first: Floats, second: Floats) -> Floats:
    """Return *first* shifted, scaled and made brighter by what brings it nearer to *second*."""
    factor = -(-max(first.shape) // _FITTED)
    down, across = (min(factor, side) for side in first.shape)
    shifts = _shifts(*(_reduced(one, down, across) for one in (first, second)))
    shifts *= (across, down, across, down)
    if _MOVES < np.abs(shifts).max() <= _LARGEST_SHIFT:
        first = _shifted(first, shifts)
    centred = first - first.mean()
    products = (centred * (second - second.mean())).sum(dtype=np.float64)
    gain = float(products / ((centred * centred).sum(dtype=np.float64) + 1))
    gain = min(max(gain, 1 / _LARGEST_GAIN), _LARGEST_GAIN)
    offset = float(np.clip(second.mean() - first.mean(), -_LARGEST_OFFSET, _LARGEST_OFFSET))
    fitted: Floats = centred * np.float32(gain) + (first.mean() + np.float32(offset))
    return fitted


def _shifts(first: Floats, second: Floats) -> _Wide:
    """Find by how far a picture is shifted, across and down, and by how much more at its edges.

    By least squares of linearised residuals, those that stand out counting less (Baker and
    Matthews, "Lucas-Kanade 20 Years On", IJCV 56, 2004).
    """
    found, seen = np.zeros(4), first
    u, v = _places(first.shape)
    for _ in range(_STEPS):
        down, across = np.gradient(seen) if min(seen.shape) > 1 else (seen * 0, seen * 0)
        columns = (across, down, across * u, down * v, seen - seen.mean(), np.ones_like(seen))
        slopes = np.stack([one.ravel() for one in columns], axis=1).astype(np.float64)
        residuals = (second - seen).ravel().astype(np.float64)
        weights = 1 / (1 + (residuals / (1.5 * (residuals.std() + 1))) ** 2)
        weighted = slopes.T * weights
        curvature = weighted @ slopes
        curvature += np.eye(6) * (1e-6 * np.trace(curvature) + 1e-6)
        found += np.clip(np.linalg.solve(curvature, weighted @ residuals)[:4], -1, 1)
        if np.abs(found).max() > _LARGEST_SHIFT:
            return np.zeros(4)
        seen = _shifted(first, found)
    return found


def _shifted(plane: Floats, shifts: _Wide) -> Floats:
    """Read a picture at shifted places, between four pixels each."""
    height, width = plane.shape
    u, v = _places(plane.shape)
    x = np.clip(np.arange(width) + shifts[0] + shifts[2] * u[0], 0, width - 1)
    y = np.clip(np.arange(height) + shifts[1] + shifts[3] * v[:, 0], 0, height - 1)
    for axis, places in ((1, x), (0, y)):
        low = places.astype(np.intp)
        high = np.minimum(low + 1, plane.shape[axis] - 1)
        share = np.expand_dims((places - low).astype(np.float32), 1 - axis)
        plane = np.take(plane, low, axis) * (1 - share) + np.take(plane, high, axis) * share
    return plane


def _places(shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Return where pixels lie, from -0.5 to 0.5, (1, w) across and (h, 1) down."""
    down, across = (np.asarray((np.arange(side) + 0.5) / side - 0.5, np.float32) for side in shape)
    return across[None, :], down[:, None]


def _coarser(plane: Floats) -> Floats:
    return _reduced(plane, *(min(2, side) for side in plane.shape))


def _reduced(plane: Floats, down: int, across: int) -> Floats:
    """Average *down* x *across* pixels each."""
    height, width = plane.shape[0] // down, plane.shape[1] // across
    cut = plane[: height * down, : width * across]
    reduced: Floats = cut.reshape(height, down, width, across).mean(axis=(1, 3))
    return reduced


def _variances(plane: Floats, side: int) -> Floats:
    from scipy.ndimage import uniform_filter

    centred = plane - plane.mean()
    means = uniform_filter(centred, side, mode="nearest")
    variances: Floats = uniform_filter(centred * centred, side, mode="nearest") - means * means
    return np.maximum(variances, 0)


def _blurred(plane: Floats) -> Floats:
    """Blur by a binomial filter of 3 x 3."""
    from scipy.ndimage import convolve1d

    for axis in range(2):
        plane = convolve1d(plane, _BINOMIAL, axis, mode="nearest")
    return plane
