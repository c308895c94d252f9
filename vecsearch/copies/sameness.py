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

from vecsearch.copies.windows import Floats

LONGEST: Final = 2048
"""Pictures are compared at the size of the smaller one, but not larger."""

_SMALLEST: Final = 64
"""A shorter side, in pixels, that shows enough of a larger picture."""

_PLACE: Final = 5
_AROUND: Final = 17
"""A place is 5 x 5 pixels; an encoder spreads what it gets wrong over blocks of 8 or 16."""

_NOISE: Final = 100.0
"""Squared levels, of 255, by which places of one shade may differ."""

_MOST: Final = 0.45
"""Squared difference of a place in proportion to the variance around: more is another picture. It
is up to 0.4 after JPEG of quality 30, and from 0.5 on for a changed letter of 11 pixels."""

_ODD: Final = ((0.05, 10.0), (0.02, 40.0))
_ODD_ON_PAGES: Final = (0.02, 5.0)
"""So much, from the first number on, is too much where it is so many times as much as what one
percent of the places differ by that show anything. Pages of text show the same sort of thing
everywhere, so that little is odd there."""

_PAGE: Final = 0.65
"""A page is a picture of which so much has one shade."""

_COLOUR_MOST: Final = 2.0
"""The same for Cb and Cr, at half the size, which encoders treat worse."""

_SHOWS: Final = 200.0
_FITTED: Final = 400
_STEPS: Final = 3
_LARGEST_SHIFT: Final = 2.0
_LARGEST_GAIN: Final = 1.1
_LARGEST_OFFSET: Final = 8.0
_MOVES: Final = 0.05

_Wide = npt.NDArray[np.float64]


def are_same(first: Image.Image, second: Image.Image, longest: int = LONGEST) -> bool:
    """Tell whether two RGB pictures show the same, at up to *longest* pixels a side.

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
    colours = [[_halved(colour) for colour in one[1:]] for one in planes]
    return all(_agree(one, other, _COLOUR_MOST) for one, other in zip(*colours, strict=True))


def _are_proportionate(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Tell whether one size is the other one, scaled and rounded to pixels either way."""
    low = max((there - 1) / here for here, there in zip(first, second, strict=True))
    high = min((there + 1) / here for here, there in zip(first, second, strict=True))
    return low <= high


def _planes(picture: Image.Image, size: tuple[int, int]) -> list[Floats]:
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
    return [np.asarray(plane, np.float32) for plane in picture.convert("YCbCr").split()]


def _agree(first: Floats, second: Floats, most: float) -> bool:
    """Compare two planes, (h, w) of 0..255."""
    first, second = _blurred(first), _blurred(second)
    first = _fitted(first, second)
    differences = _means((second - first) ** 2, _PLACE)
    variance = np.minimum(*(_variances(one, _PLACE) for one in (first, second)))
    around = _maxima(variance, _AROUND)
    odds = differences / (around + _NOISE)
    worst = float(odds.max())
    if worst > most:
        return False
    if most > _MOST:
        return True
    showing = odds[around > _SHOWS]
    usual = float(np.percentile(showing, 99)) if showing.size else 0.0
    limits = (_ODD_ON_PAGES, *_ODD) if _is_page(first) and _is_page(second) else _ODD
    return all(worst <= max(least, ratio * usual) for least, ratio in limits)


def _is_page(plane: Floats) -> bool:
    shades = np.bincount(np.clip(plane.ravel() / 8, 0, 31).astype(np.intp), minlength=32)
    return float((shades[1:] + shades[:-1]).max()) >= _PAGE * plane.size


def _fitted(first: Floats, second: Floats) -> Floats:
    """Return *first* shifted, scaled and made brighter by what brings it nearer to *second*."""
    height, width = first.shape
    factor = -(-max(height, width) // _FITTED)
    shifts = factor * _shifts(_reduced(first, factor), _reduced(second, factor))
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


def _reduced(plane: Floats, factor: int) -> Floats:
    height, width = (side // factor for side in plane.shape)
    cut = plane[: height * factor, : width * factor]
    reduced: Floats = cut.reshape(height, factor, width, factor).mean(axis=(1, 3))
    return reduced


def _halved(plane: Floats) -> Floats:
    return _reduced(plane, 2) if min(plane.shape) > 1 else plane


def _blurred(plane: Floats) -> Floats:
    """Blur by a binomial filter of 3 x 3."""
    for axis in range(2):
        wide = np.pad(plane, _edges(axis, 1, 1), mode="edge")
        length = plane.shape[axis]
        low, middle, high = (
            np.take(wide, np.arange(start, start + length), axis) for start in range(3)
        )
        plane = np.asarray((low + 2 * middle + high) / 4, np.float32)
    return plane


def _variances(plane: Floats, side: int) -> Floats:
    centred = plane - plane.mean()
    variances: Floats = _means(centred * centred, side) - _means(centred, side) ** 2
    return np.maximum(variances, 0)


def _means(plane: Floats, side: int) -> Floats:
    """Return the mean around every pixel, of *side* x *side*, edges repeated."""
    for axis in range(2):
        wide = np.pad(plane, _edges(axis, side // 2 + 1, side // 2), mode="edge")
        sums = np.cumsum(wide, axis=axis, dtype=np.float64)
        length = plane.shape[axis]
        high = np.take(sums, np.arange(side, side + length), axis)
        low = np.take(sums, np.arange(length), axis)
        plane = ((high - low) / side).astype(np.float32)
    return plane


def _maxima(plane: Floats, side: int) -> Floats:
    """Return the maximum around every pixel, of *side* x *side*."""
    for axis in range(2):
        wide = np.pad(plane, _edges(axis, side // 2, side // 2), mode="edge")
        length, reach = plane.shape[axis], 1
        while 2 * reach <= side:
            count = wide.shape[axis] - reach
            wide = np.maximum(*(_part(wide, axis, start, count) for start in (0, reach)))
            reach *= 2
        plane = np.maximum(*(_part(wide, axis, start, length) for start in (0, side - reach)))
    return plane


def _part(plane: Floats, axis: int, start: int, count: int) -> Floats:
    return plane[:, start : start + count] if axis else plane[start : start + count]


def _edges(axis: int, before: int, after: int) -> list[tuple[int, int]]:
    return [(before, after) if one == axis else (0, 0) for one in range(2)]
