"""Registration: one picture is moved, scaled and turned until it agrees best with another.

Baker and Matthews, "Lucas-Kanade 20 Years On" (IJCV 56, 2004): the forwards compositional
algorithm, with the four parameters of a similarity, weights against what only one of the pictures
has, and a gain and an offset of the grey values that are solved for with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from vecsearch.deduplication.arrays import Flags, Floats, Indices
from vecsearch.deduplication.template_matching import Starts

_DAMPING: Final = 1e-3
_LONGEST_STEP: Final = 0.15
_LEAST_GAIN: Final = 0.2
_OUTLIER: Final = 1.5
"""A residual of this many standard deviations counts half."""

_INSIDE: Final = 0.6
_TURN_DEGREES: Final = 12.0
_SCALES: Final = (0.4, 1.5)
"""A believable placement has at least this share of the inner picture inside the outer one, is
turned by at most this angle, and scaled by a factor between these."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """Pictures laid over each other: the pixels of both, (p, side, side), where the inner ones lie.

    ``inside`` tells where the outer picture has pixels.
    """

    outer: Floats
    inner: Floats
    inside: Flags


@dataclass(frozen=True, slots=True)
class Placements:
    """Where the inner of two pictures lies in the outer one, for p pairs.

    A place in the inner picture, in units in which it has an area of 4 and its own shape, is
    mapped to one of the outer picture by ``matrix`` (p, 2, 2) and ``offset`` (p, 2). Pictures are
    compared squashed to squares, so their `half_sides` (p, 2) in these units are needed.
    """

    outer_sides: Floats
    inner_sides: Floats
    matrix: Floats
    offset: Floats

    @classmethod
    def at(cls, starts: Starts, outer_sides: Floats, inner_sides: Floats) -> Placements:
        """Place the inner pictures where *starts* say, with their own shapes."""
        matrix = np.zeros((len(starts.scale), 2, 2), np.float32)
        matrix[:, 0, 0] = np.where(starts.mirrored, -starts.scale, starts.scale)
        matrix[:, 1, 1] = starts.scale
        offset = np.stack([starts.x, starts.y], axis=1) * outer_sides
        return cls(outer_sides, inner_sides, matrix, offset)

    @classmethod
    def upon(cls, mirrored: Flags, outer_sides: Floats, inner_sides: Floats) -> Placements:
        """Lay the whole of one picture upon the whole of the other, whatever their shapes."""
        matrix = np.zeros((len(mirrored), 2, 2), np.float32)
        matrix[:, 0, 0] = np.where(mirrored, -1, 1)
        matrix[:, 1, 1] = 1
        matrix = matrix * (outer_sides[:, :, None] / inner_sides[:, :, None])
        return cls(outer_sides, inner_sides, matrix, np.zeros_like(outer_sides))

    def chosen(self, which: Flags | Indices) -> Placements:
        """Return the placements of some pairs."""
        return Placements(
            self.outer_sides[which], self.inner_sides[which], self.matrix[which], self.offset[which]
        )

    def replaced(self, which: Flags, by: Placements) -> Placements:
        """Return these, but those of *by*, of as many pairs, where *which* says so."""
        return Placements(
            np.where(which[:, None], by.outer_sides, self.outer_sides),
            np.where(which[:, None], by.inner_sides, self.inner_sides),
            np.where(which[:, None, None], by.matrix, self.matrix),
            np.where(which[:, None], by.offset, self.offset),
        )

    def with_chosen(self, which: Flags, chosen: Placements) -> Placements:
        """Return these, but *chosen*, of the same pictures, for the pairs that *which* names."""
        matrix, offset = self.matrix.copy(), self.offset.copy()
        matrix[which], offset[which] = chosen.matrix, chosen.offset
        return Placements(self.outer_sides, self.inner_sides, matrix, offset)

    def refined(self, outer: Floats, inner: Floats, steps: int) -> Placements:
        """Move, scale and turn so that *inner* agrees better with *outer*, both (p, side, side)."""
        count, side, _ = inner.shape
        across, down = self._places(side)
        fixed = inner.reshape(count, -1)
        to_units = [np.float32(side / 2) / self.inner_sides[:, axis, None] for axis in range(2)]
        placed = self
        for _ in range(steps):
            seen, inside = placed._look(outer)
            down_slope, across_slope = np.gradient(seen.reshape(inner.shape), axis=(1, 2))
            fit = _fit_greys(seen, fixed, inside)
            gx = across_slope.reshape(count, -1) * (to_units[0] * fit.gain)
            gy = down_slope.reshape(count, -1) * (to_units[1] * fit.gain)
            slopes = (gx * across + gy * down, gy * across - gx * down, gx, gy)
            stacked = np.stack([*slopes, fit.centred, np.ones_like(fit.centred)], axis=2)
            placed = placed._stepped(stacked, fit.residuals, fit.weights)
        return placed

    def lay(self, outer: Floats, inner: Floats) -> Overlay:
        """Lay the pictures over each other as they are placed."""
        seen, inside = self._look(outer)
        return Overlay(seen.reshape(inner.shape), inner, inside.reshape(inner.shape))

    def believable(self, laid: Overlay) -> Flags:
        """Return which placements edits of a picture may have, (p,)."""
        scale = np.hypot(self.matrix[:, 1, 0], self.matrix[:, 1, 1])
        turn = np.degrees(np.arctan2(np.abs(self.matrix[:, 1, 0]), self.matrix[:, 1, 1]))
        inside = laid.inside.mean(axis=(1, 2))
        believable: Flags = (inside >= _INSIDE) & (turn <= _TURN_DEGREES)
        return believable & (scale >= _SCALES[0]) & (scale <= _SCALES[1])

    def _stepped(self, slopes: Floats, residuals: Floats, weights: Floats) -> Placements:
        weighted = (slopes * weights[:, :, None]).transpose(0, 2, 1)
        curvature = np.matmul(weighted, slopes)
        damping = _DAMPING * (np.einsum("pii->pi", curvature) + 1)
        curvature += np.eye(slopes.shape[2], dtype=np.float32) * damping[:, None, :]
        found = np.linalg.solve(curvature, np.matmul(weighted, residuals[:, :, None]))
        step = np.clip(found[:, :4, 0], -_LONGEST_STEP, _LONGEST_STEP)
        a, b = 1 + step[:, 0], step[:, 1]
        change = np.stack([a, -b, b, a], axis=1).reshape(-1, 2, 2)
        offset = self.offset + np.einsum("pij,pj->pi", self.matrix, step[:, 2:])
        matrix = np.matmul(self.matrix, change)
        return Placements(self.outer_sides, self.inner_sides, matrix, offset)

    def _places(self, side: int) -> tuple[Floats, Floats]:
        """Return where the inner pictures' pixels are, (p, side * side) across and down."""
        centres = ((np.arange(side) + 0.5) * (2 / side) - 1).astype(np.float32)
        down, across = np.meshgrid(centres, centres, indexing="ij")
        return across.ravel() * self.inner_sides[:, :1], down.ravel() * self.inner_sides[:, 1:]

    def _look(self, outer: Floats) -> tuple[Floats, Flags]:
        """Read the outer pictures at the inner ones' pixels, between four pixels each."""
        count, side, _ = outer.shape
        across, down = self._places(side)
        m, o = self.matrix[:, :, :, None], self.offset[:, :, None]
        x = (m[:, 0, 0] * across + m[:, 0, 1] * down + o[:, 0]) / self.outer_sides[:, :1]
        y = (m[:, 1, 0] * across + m[:, 1, 1] * down + o[:, 1]) / self.outer_sides[:, 1:]
        x, y = ((places + 1) * (side / 2) - 0.5 for places in (x, y))
        inside = (x >= -0.5) & (x <= side - 0.5) & (y >= -0.5) & (y <= side - 0.5)
        x, y = (np.clip(places, 0, side - 1.001) for places in (x, y))
        left, top = x.astype(np.int32), y.astype(np.int32)
        right, below = x - left, y - top
        at = top * side + left + np.arange(count, dtype=np.int32)[:, None] * (side * side)
        flat = outer.reshape(-1)
        upper = flat[at] * (1 - right) + flat[at + 1] * right
        lower = flat[at + side] * (1 - right) + flat[at + side + 1] * right
        return upper * (1 - below) + lower * below, inside


def half_sides(sizes: Floats) -> Floats:
    """Return (n, 2) half sides of pictures of *sizes*, (n, 2), scaled to an area of 4."""
    return np.asarray(sizes / np.sqrt(sizes.prod(axis=1, keepdims=True)), np.float32)


def correlation(laid: Overlay) -> Floats:
    """Return the correlation of the grey values of pictures laid over each other, (p,)."""
    count = len(laid.inner)
    inside = laid.inside.reshape(count, -1).astype(np.float32)
    first, second = (
        _centred(grey.reshape(count, -1), inside) * inside for grey in (laid.outer, laid.inner)
    )
    products: Floats = (first * second).sum(axis=1)
    lengths: Floats = np.sqrt((first * first).sum(axis=1) * (second * second).sum(axis=1))
    return products / (lengths + 1)


@dataclass(frozen=True, slots=True)
class _GreyFit:
    """How the grey values of p outer pictures explain those of the inner ones, (p, pixels).

    ``centred`` are the outer values less their mean, ``gain`` (p, 1) their factor, ``residuals``
    what they do not explain, and ``weights`` count outliers less.
    """

    centred: Floats
    gain: Floats
    residuals: Floats
    weights: Floats


def _fit_greys(seen: Floats, fixed: Floats, inside: Flags) -> _GreyFit:
    """Fit *seen*, by a gain and an offset, to *fixed* where it is *inside*, all (p, pixels)."""
    there = inside.astype(np.float32)
    seen, fixed = _centred(seen, there), _centred(fixed, there)
    gain = (seen * fixed * there).sum(axis=1) / ((seen * seen * there).sum(axis=1) + _DAMPING)
    gain = np.maximum(gain, _LEAST_GAIN)[:, None]
    residuals = fixed - gain * seen
    variance = (residuals * residuals * there).sum(axis=1) / (there.sum(axis=1) + _DAMPING)
    spread = _OUTLIER * (np.sqrt(variance) + 1)
    return _GreyFit(seen, gain, residuals, there / (1 + (residuals / spread[:, None]) ** 2))


def _centred(grey: Floats, inside: Floats) -> Floats:
    means = (grey * inside).sum(axis=1) / (inside.sum(axis=1) + _DAMPING)
    centred: Floats = grey - means[:, None]
    return centred
