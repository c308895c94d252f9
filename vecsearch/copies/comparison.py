"""Whether two pictures are copies: what a first look suggests, and what a closer one confirms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from vecsearch.copies.agreement import agreement
from vecsearch.copies.overlay import Laid, Numbers, Placements, correlation, half_sides
from vecsearch.copies.windows import SIDE, Flags, Floats, find_starts

CLOSER_SIDE: Final = 128
"""How large pictures are that are looked at again."""

COLOUR_SIDE: Final = 16
"""How large their colours are compared."""

COPY_SHARE: Final = 0.5
"""What share of the parts agrees in copies, at least: see docs/experiments/duplicates.md."""

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
"""What the first look asks for: low, because the closer look decides."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What a first look at p pairs suggests.

    ``likely`` (p,) tells which are worth a closer one. ``swapped`` (p,) tells of which the first
    picture is the inner one, ``placements`` where it lies; of those that are not ``moved`` (p,) the
    whole is upon the whole.
    """

    likely: Flags
    swapped: Flags
    moved: Flags
    placements: Placements

    def chosen(self, which: Flags | Numbers) -> Guess:
        """Return that of some pairs."""
        return Guess(
            self.likely[which],
            self.swapped[which],
            self.moved[which],
            self.placements.chosen(which),
        )


@dataclass(frozen=True, slots=True)
class CloserLook:
    """A picture of (128, 128) grey values, of (16, 16, 3) Y, Cb and Cr, and its size in pixels."""

    grey: Floats
    colours: Floats
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What a closer look found of p pairs: ``near`` and the ``share`` of parts that agree, (p,).

    The share is 0 where it is too little for a picture as small as one of the pair.
    """

    near: Flags
    share: Floats

    @property
    def copies(self) -> Flags:
        """Tell which pairs are copies, near or edited."""
        return self.near | (self.share >= COPY_SHARE)


def first_look(first: Floats, second: Floats, sizes: tuple[Floats, Floats]) -> Guess:
    """Compare p pairs of pictures, both (p, 32, 32), of *sizes* (p, 2) each."""
    sides = half_sides(sizes[0]), half_sides(sizes[1])
    pairs = len(first)
    best = np.zeros(pairs, np.float32)
    guess = Guess(best > 0, best > 0, best > 0, Placements.upon(best > 0, *sides))
    small = _halved(first), _halved(second)
    for mirrored in (False, True):
        flags = np.full(pairs, mirrored)
        upon = Placements.upon(flags, *sides)
        share = agreement(upon.lay(first, second), _LIKELY_AGREES, 1)
        guess, best = _better(guess, best, Guess(flags, flags & False, flags & False, upon), share)
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
        share[promising] = np.where(refined.believable(laid), agreement(laid, _LIKELY_AGREES, 1), 0)
        placed = placed.with_chosen(promising, refined)
        moved = np.ones(pairs, np.bool_)
        guess, best = _better(guess, best, Guess(moved, start.swapped, moved, placed), share)
    return Guess(best >= _LIKELY_SHARE, guess.swapped, guess.moved, guess.placements)


def closer_look(guess: Guess, first: list[CloserLook], second: list[CloserLook]) -> Verdicts:
    """Compare p pairs again, at 64 pixels where the guess has them, and at 128 as a whole."""
    share = np.zeros(len(first), np.float32)
    near = np.zeros(len(first), np.bool_)
    least = np.array([min(*a.size, *b.size) for a, b in zip(first, second, strict=True)])
    tiny = least < _TINY
    for which, greys_of, blurs in ((tiny, _tiny_pairs, 1), (~tiny, _pairs, 2)):
        if which.any():
            pairs = [(first[at], second[at]) for at in np.flatnonzero(which).tolist()]
            share[which] = _share(guess.chosen(which), *greys_of(pairs), blurs)
    share[tiny & (share < _TINY_SHARE)] = 0
    for at in np.flatnonzero(~tiny).tolist():
        near[at] = _is_near(first[at], second[at], int(least[at]))
    return Verdicts(near, share)


def _share(guess: Guess, first: Floats, second: Floats, blurs: int) -> Floats:
    outer, inner = _ordered(guess.swapped, first, second)
    placements, believable = guess.placements, ~guess.moved
    if guess.moved.any():
        moved = placements.chosen(guess.moved).refined(
            outer[guess.moved], inner[guess.moved], _STEPS[2]
        )
        believable[guess.moved] = moved.believable(
            moved.lay(outer[guess.moved], inner[guess.moved])
        )
        placements = placements.with_chosen(guess.moved, moved)
    share = agreement(placements.lay(outer, inner), _AGREES, blurs)
    return np.where(believable, share, 0).astype(np.float32)


def _is_near(first: CloserLook, second: CloserLook, least: int) -> bool:
    if np.abs(first.colours - second.colours).mean(axis=(0, 1)).max() > _NEAR_LEVELS:
        return False
    one, other = first.grey[None], second.grey[None]
    if least < CLOSER_SIDE:
        one, other = _halved(one), _halved(other)
    laid = Laid(one, other, np.ones(one.shape, np.bool_))
    return bool(agreement(laid, _NEAR_AGREES, 1)[0] >= _NEAR_SHARE)


def _better(guess: Guess, best: Floats, other: Guess, share: Floats) -> tuple[Guess, Floats]:
    which = share > best
    replaced = Guess(
        guess.likely,
        np.where(which, other.swapped, guess.swapped),
        np.where(which, other.moved, guess.moved),
        guess.placements.replaced(which, other.placements),
    )
    return replaced, np.maximum(best, share)


def _ordered(swapped: Flags, first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """Return the outer and the inner ones of pairs."""
    wide = swapped.reshape(-1, *[1] * (first.ndim - 1))
    return np.where(wide, second, first), np.where(wide, first, second)


def _pairs(pairs: list[tuple[CloserLook, CloserLook]]) -> tuple[Floats, Floats]:
    first, second = (np.stack([pair[side].grey for pair in pairs]) for side in range(2))
    return _halved(first), _halved(second)


def _tiny_pairs(pairs: list[tuple[CloserLook, CloserLook]]) -> tuple[Floats, Floats]:
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
    fitting = min(size[0], CLOSER_SIDE), min(size[1], CLOSER_SIDE)
    smaller = picture.resize(fitting, Image.Resampling.BILINEAR)
    return np.asarray(smaller.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32)


def _halved(grey: Floats) -> Floats:
    count, side, _ = grey.shape
    halved: Floats = grey.reshape(count, side // 2, 2, side // 2, 2).mean(axis=(2, 4))
    return halved
