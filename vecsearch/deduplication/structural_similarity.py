"""Structural similarity: the share of the parts of two aligned pictures that agree."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.deduplication.arrays import Flags, Floats
from vecsearch.deduplication.registration import Overlay

_PART: Final = 9
"""A part is 9 x 9 pixels; there is one around every pixel that is far enough from the edges."""

_MOSTLY: Final = 0.8
"""A part counts if at least this share of it is inside both pictures."""

_FLAT: Final = 4.0
"""A part whose grey values, 0 to 255, have at most this standard deviation shows nothing."""

_SHOWN: Final = 0.05
"""Where less than this share of the parts shows anything, pictures cannot be told apart."""

_PLAINER: Final = 0.4
"""One picture shows something in at least this share of the parts in which the other does."""

_Wide = npt.NDArray[np.float64]


def agreeing_share(laid: Overlay, least: float, blurs: int) -> Floats:
    """Return the share of parts that correlate by *least*, (p,) from 0 to 1.

    The parts are those that show anything in that picture of a pair where fewer do, so that
    something drawn on a plain ground does not count. They correlate as the structure term of SSIM
    says (Wang et al., "Image Quality Assessment", IEEE Transactions on Image Processing 13, 2004),
    with a part taken for no flatter than noise. Pictures are blurred *blurs* times by a binomial
    filter of 3 x 3 before.
    """
    inside = laid.inside.astype(np.float64)
    first, second = (_blurred(grey, blurs) * inside for grey in (laid.outer, laid.inner))
    count = _sums(inside)
    counted = count >= _MOSTLY * _PART * _PART
    count = np.maximum(count, 1)
    means, variances = zip(*(_moments(grey, count) for grey in (first, second)), strict=True)
    covariance = _sums(first * second) / count - means[0] * means[1]
    floors = [np.maximum(variance, _FLAT**2) for variance in variances]
    agrees = covariance >= least * np.sqrt(floors[0] * floors[1])
    shows = [counted & (variance > _FLAT**2) for variance in variances]
    plainer = np.where(
        (shows[0].sum(axis=(1, 2)) <= shows[1].sum(axis=(1, 2)))[:, None, None], *shows
    )
    shown, agreed = (flags.sum(axis=(1, 2)) for flags in (plainer, plainer & agrees))
    most = np.maximum(*(flags.sum(axis=(1, 2)) for flags in shows))
    enough = shown >= np.maximum(_SHOWN * counted[0].size, _PLAINER * most)
    return np.where(enough, agreed / np.maximum(shown, 1), 0).astype(np.float32)


def is_featureless(looks: Floats) -> Flags:
    """Return which pictures (n, side, side) show too little to be told apart, (n,)."""
    grey = _blurred(looks, 1).astype(np.float64)
    _, variances = _moments(grey, np.float64(_PART * _PART))
    plain: Flags = (variances > _FLAT**2).mean(axis=(1, 2)) < _SHOWN
    return plain


def _moments(grey: _Wide, count: _Wide | np.float64) -> tuple[_Wide, _Wide]:
    """Return the mean and the variance of every part."""
    mean = _sums(grey) / count
    return mean, np.maximum(_sums(grey * grey) / count - mean * mean, 0)


def _blurred(grey: Floats, times: int) -> Floats:
    for axis in (1, 2) * times:
        edges = [(1, 1) if one == axis else (0, 0) for one in range(3)]
        wide, length = np.pad(grey, edges, mode="edge"), grey.shape[axis]
        low, middle, high = (
            np.take(wide, np.arange(start, start + length), axis) for start in range(3)
        )
        grey = np.asarray((low + 2 * middle + high) / 4, np.float32)
    return grey


def _sums(values: _Wide) -> _Wide:
    """Return the sums over every part, (p, side - 8, side - 8)."""
    for axis in (1, 2):
        sums = np.cumsum(values, axis=axis)
        sums = np.insert(sums, 0, 0.0, axis=axis)
        ends = np.arange(_PART, sums.shape[axis])
        values = np.take(sums, ends, axis) - np.take(sums, ends - _PART, axis)
    return values
