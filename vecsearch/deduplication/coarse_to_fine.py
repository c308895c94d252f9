"""Whether two pictures are copies: compared coarsely first, and finely where that is likely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from vecsearch.deduplication.arrays import Flags, Floats, Indices
from vecsearch.deduplication.registration import Overlay, Placements, correlation, half_sides
from vecsearch.deduplication.structural_similarity import agreeing_share
from vecsearch.deduplication.template_matching import SIDE, find_starts

FINE_SIDE: Final = 128
"""The side of pictures that are compared finely, in pixels."""

COLOUR_SIDE: Final = 16
"""The side at which their colours are compared."""

COPY_SHARE: Final = 0.5
"""The least share of the parts that agrees in copies: see docs/experiments/duplicates.md."""

_AGREES: Final = 0.95
"""Parts agree with at least this correlation."""

_NEAR_SHARE: Final = 0.99
_NEAR_AGREES: Final = 0.7
"""In near copies nearly every part agrees, though not as closely: noise and sharpness differ."""

_NEAR_LEVELS: Final = 4.0
"""How far brightness and colours of near copies differ on average, of 255 levels."""

_TINY: Final = 64
_TINY_SHARE: Final = 0.85
"""A picture with a shorter side, in pixels, is compared at the size that it has. That shows little,
so that more of it must agree."""

_STEPS: Final = (8, 5, 3)
"""How often pictures are moved upon each other at 16, 32 and 64 pixels."""

_LIKELY_CORRELATION: Final = 0.5
_LIKELY_AGREES: Final = 0.8
_LIKELY_SHARE: Final = 0.35
"""What the coarse comparison asks for: low, because the fine one decides."""


@dataclass(frozen=True, slots=True)
class CoarseMatch:
    """What the coarse comparison of p pairs has found.

    ``likely`` (p,) pairs are to be compared finely. Of ``swapped`` (p,) pairs the first picture is
    the inner one. ``placements`` say where the inner picture lies; of pairs that are not ``moved``
    (p,), the whole of one picture lies upon the whole of the other.
    """

    likely: Flags
    swapped: Flags
    moved: Flags
    placements: Placements

    def chosen(self, which: Flags | Indices) -> CoarseMatch:
        """Return the match of some pairs."""
        return CoarseMatch(
            self.likely[which],
            self.swapped[which],
            self.moved[which],
            self.placements.chosen(which),
        )


@dataclass(frozen=True, slots=True)
class FinePicture:
    """A picture of (128, 128) grey values, of (16, 16, 3) Y, Cb and Cr, and its size in pixels."""

    grey: Floats
    colours: Floats
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class FineMatch:
    """What the fine comparison of p pairs has found.

    ``near`` (p,) are near copies, ``share`` (p,) is the share of the parts that agree.

    The share is 0 where it is too little for a picture as small as one of the pair.
    """

    near: Flags
    share: Floats

    @property
    def copies(self) -> Flags:
        """Return which pairs are copies, near or edited."""
        return self.near | (self.share >= COPY_SHARE)


def compare_coarsely(first: Floats, second: Floats, sizes: tuple[Floats, Floats]) -> CoarseMatch:
    """Compare p pairs of pictures, both (p, 32, 32), of *sizes* (p, 2) each."""
    sides = half_sides(sizes[0]), half_sides(sizes[1])
    pairs = len(first)
    best = np.zeros(pairs, np.float32)
    match = CoarseMatch(best > 0, best > 0, best > 0, Placements.upon(best > 0, *sides))
    small = _halved(first), _halved(second)
    for mirrored in (False, True):
        flags = np.full(pairs, mirrored)
        upon = Placements.upon(flags, *sides)
        share = agreeing_share(upon.lay(first, second), _LIKELY_AGREES, 1)
        match, best = _better(
            match, best, CoarseMatch(flags, flags & False, flags & False, upon), share
        )
    for start in find_starts(first, second):
        outer_sides, inner_sides = _ordered(start.swapped, *sides)
        outer, inner = _ordered(start.swapped, *small)
        placed = Placements.at(start, outer_sides, inner_sides).refined(outer, inner, _STEPS[0])
        laid = placed.lay(outer, inner)
        promising = placed.believable(laid) & (correlation(laid) >= _LIKELY_CORRELATION)
        if not promising.any():
            continue
        outer, inner = _ordered(start.swapped[promising], first[promising], second[promising])
        refined = placed.chosen(promising).refined(outer, inner, _STEPS[1])
        laid = refined.lay(outer, inner)
        share = np.zeros(pairs, np.float32)
        share[promising] = np.where(
            refined.believable(laid), agreeing_share(laid, _LIKELY_AGREES, 1), 0
        )
        placed = placed.with_chosen(promising, refined)
        moved = np.ones(pairs, np.bool_)
        match, best = _better(match, best, CoarseMatch(moved, start.swapped, moved, placed), share)
    return CoarseMatch(best >= _LIKELY_SHARE, match.swapped, match.moved, match.placements)


def compare_finely(
    coarse: CoarseMatch, first: list[FinePicture], second: list[FinePicture]
) -> FineMatch:
    """Compare p pairs at 64 pixels, placed as *coarse* has them, and as a whole at 128."""
    share = np.zeros(len(first), np.float32)
    near = np.zeros(len(first), np.bool_)
    least = np.array([min(*a.size, *b.size) for a, b in zip(first, second, strict=True)])
    tiny = least < _TINY
    for which, greys_of, blurs in ((tiny, _tiny_pairs, 1), (~tiny, _pairs, 2)):
        if which.any():
            pairs = [(first[at], second[at]) for at in np.flatnonzero(which).tolist()]
            share[which] = _share(coarse.chosen(which), *greys_of(pairs), blurs)
    share[tiny & (share < _TINY_SHARE)] = 0
    for at in np.flatnonzero(~tiny).tolist():
        near[at] = _is_near(first[at], second[at], int(least[at]))
    return FineMatch(near, share)


def _share(coarse: CoarseMatch, first: Floats, second: Floats, blurs: int) -> Floats:
    outer, inner = _ordered(coarse.swapped, first, second)
    placements, believable = coarse.placements, ~coarse.moved
    if coarse.moved.any():
        moved = placements.chosen(coarse.moved).refined(
            outer[coarse.moved], inner[coarse.moved], _STEPS[2]
        )
        believable[coarse.moved] = moved.believable(
            moved.lay(outer[coarse.moved], inner[coarse.moved])
        )
        placements = placements.with_chosen(coarse.moved, moved)
    share = agreeing_share(placements.lay(outer, inner), _AGREES, blurs)
    return np.where(believable, share, 0).astype(np.float32)


def _is_near(first: FinePicture, second: FinePicture, least: int) -> bool:
    if np.abs(first.colours - second.colours).mean(axis=(0, 1)).max() > _NEAR_LEVELS:
        return False
    one, other = first.grey[None], second.grey[None]
    if least < FINE_SIDE:
        one, other = _halved(one), _halved(other)
    laid = Overlay(one, other, np.ones(one.shape, np.bool_))
    return bool(agreeing_share(laid, _NEAR_AGREES, 1)[0] >= _NEAR_SHARE)


def _better(
    match: CoarseMatch, best: Floats, other: CoarseMatch, share: Floats
) -> tuple[CoarseMatch, Floats]:
    which = share > best
    replaced = CoarseMatch(
        match.likely,
        np.where(which, other.swapped, match.swapped),
        np.where(which, other.moved, match.moved),
        match.placements.replaced(which, other.placements),
    )
    return replaced, np.maximum(best, share)


def _ordered(swapped: Flags, first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """Return the outer and the inner ones of pairs."""
    wide = swapped.reshape(-1, *[1] * (first.ndim - 1))
    return np.where(wide, second, first), np.where(wide, first, second)


def _pairs(pairs: list[tuple[FinePicture, FinePicture]]) -> tuple[Floats, Floats]:
    first, second = (np.stack([pair[side].grey for pair in pairs]) for side in range(2))
    return _halved(first), _halved(second)


def _tiny_pairs(pairs: list[tuple[FinePicture, FinePicture]]) -> tuple[Floats, Floats]:
    """Return (p, 32, 32) both, what the smaller picture of a pair cannot show taken out."""
    found = []
    for pair in pairs:
        size = min((one.size for one in pair), key=min)
        found.append([_reduced(one.grey, size) for one in pair])
    first, second = (np.stack(one) for one in zip(*found, strict=True))
    return first, second


def _reduced(grey: Floats, size: tuple[int, int]) -> Floats:
    """Scale a picture down to *size*, (width, height), where that is less, and then to 32 x 32."""
    from PIL import Image

    picture = Image.fromarray(grey)
    fitting = min(size[0], FINE_SIDE), min(size[1], FINE_SIDE)
    smaller = picture.resize(fitting, Image.Resampling.BILINEAR)
    return np.asarray(smaller.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32)


def _halved(grey: Floats) -> Floats:
    count, side, _ = grey.shape
    halved: Floats = grey.reshape(count, side // 2, 2, side // 2, 2).mean(axis=(2, 4))
    return halved
