"""Burgers, from three quarters and from above."""

from __future__ import annotations

import numpy as np

from .brushes import (
    Canvas,
    Spot,
    Stuff,
    blob,
    box,
    curve,
    disc,
    ribbon,
    scatter,
    shift,
    slab,
    stick,
)


def burger(
    c: Canvas,
    *,
    at: Spot,
    layers: str = "lptc",
    bun: str = "#d58f45",
    seeds: bool = True,
    flat: float = 0.24,
) -> None:
    """Build a burger seen from three quarters, from the lower bun up.

    A letter a layer: l lettuce, p patty, c cheese, t tomato, o onion, k pickles, e egg.
    """
    crumb = Stuff("#eebd78", foot=bun, bevel=0.09, relief=0.7, rough=0.05)
    c.paint(at, slab(c.rng, 0.95, flat, 0.34), crumb, lift=0.30)
    here = at.up(0.33)
    for layer in layers:
        here = here.up(LAYERS[layer](c, here, flat))
    _lid(c, here, bun, seeds, flat)


def _lettuce(c: Canvas, at: Spot, flat: float) -> float:
    for tone, lower in (("#4f8f37", 0.06), ("#86ba4d", 0.0)):
        turn = np.linspace(0, 2 * np.pi, 260)
        frill = sum(
            c.rng.uniform(0.3, 1) * np.sin(k * turn + c.rng.uniform(0, 7)) for k in (9, 14, 23)
        )
        x, y = 1.07 * np.cos(turn), flat * np.sin(turn)
        hang = np.clip(np.sin(turn) + 0.35, 0, 1) * (0.03 + 0.04 * frill)
        shape = np.stack([x * (1 + 0.02 * frill), y + hang + lower - 0.04], 1)
        c.paint(
            at,
            shape,
            Stuff(
                tone, also="#a8cf62", rim="#b9da7c", bevel=0.05, gloss=0.25, rough=0.4, cell=0.07
            ),
            lift=0.05,
        )
    return 0.07


def _patty(c: Canvas, at: Spot, flat: float) -> float:
    meat = Stuff(
        "#84492b",
        also="#5f301c",
        foot="#5a2d1a",
        bevel=0.07,
        relief=0.7,
        gloss=0.35,
        rough=0.6,
        cell=0.05,
    )
    c.paint(at, slab(c.rng, 0.96, flat, 0.20, 0.012), meat, lift=0.06)
    return 0.17


def _cheese(c: Canvas, at: Spot, flat: float) -> float:
    turn = np.linspace(0, 2 * np.pi, 300)
    first = c.rng.uniform(0.15, 0.5)
    hang = np.zeros_like(turn)
    for corner, deep in ((first, 0.12), (first + 1.15, 0.30), (first + 2.2, 0.16)):
        hang += deep * np.clip(1 - abs(turn - corner) / 0.42, 0, 1) ** 1.15
    shape = np.stack([0.98 * np.cos(turn), flat * np.sin(turn) + hang + 0.03], 1)
    c.paint(at, shape, Stuff("#f6b93b", rim="#ee9f25", bevel=0.045, gloss=0.4), lift=0.09)
    return 0.05


def _tomato(c: Canvas, at: Spot, flat: float) -> float:
    for x, y in ((-0.36, 0.0), (0.38, 0.01), (0.02, 0.07)):
        slice_ = shift(slab(c.rng, 0.54, flat * 0.66, 0.10), x, y)
        c.paint(
            at,
            slice_,
            Stuff("#d63e2a", rim="#b52a1d", foot="#a8241a", bevel=0.05, gloss=0.7),
            lift=0.07,
        )
    return 0.10


def _onion(c: Canvas, at: Spot, flat: float) -> float:
    for x, y in ((-0.45, 0.02), (0.3, 0.03), (-0.05, 0.08), (0.55, 0.0)):
        arc = ribbon(
            curve((x - 0.45, y), (x - 0.3, y + flat), (x + 0.3, y + flat), (x + 0.45, y)), 0.055
        )
        c.paint(at, arc, Stuff("#e6c4d6", rim="#8c3f74", bevel=0.022, gloss=0.5), lift=0.05)
    return 0.04


def _pickles(c: Canvas, at: Spot, flat: float) -> float:
    for x in (-0.62, 0.0, 0.6, -0.3, 0.3):
        y = flat * 0.75 * np.sqrt(1 - x * x)
        c.paint(
            at,
            shift(slab(c.rng, 0.25, 0.10, 0.05), x, y),
            Stuff("#7f9a3c", rim="#4f6b26", bevel=0.04, gloss=0.6),
            lift=0.06,
        )
    return 0.05


def _egg(c: Canvas, at: Spot, flat: float) -> float:
    white = shift(blob(c.rng, 1.02, flat * 1.45, 0.06, 9), 0.0, 0.10)
    c.paint(at, white, Stuff("#fbf5ea", rim="#e2c79a", bevel=0.06, gloss=0.4), lift=0.08)
    c.paint(
        at,
        shift(slab(c.rng, 0.34, 0.16, 0.12), 0.10, 0.26),
        Stuff("#f4a51e", bevel=0.09, gloss=0.8),
        lift=0.04,
    )
    return 0.06


LAYERS = {
    "l": _lettuce,
    "p": _patty,
    "c": _cheese,
    "t": _tomato,
    "o": _onion,
    "k": _pickles,
    "e": _egg,
}


def _lid(c: Canvas, at: Spot, bun: str, seeds: bool, flat: float) -> None:
    turn = np.linspace(0, 2 * np.pi, 240)
    cos, sin = np.cos(turn), np.sin(turn)
    high = np.where(sin < 0, 0.66, flat * 0.95)
    dome = np.stack(
        [np.sign(cos) * abs(cos) ** 0.86, high * np.sign(sin) * abs(sin) ** 0.92], 1
    ) - (0, 0.06)
    crust = Stuff(bun, foot="#f0c27c", bevel=0.22, relief=0.95, gloss=0.35, rough=0.03, cell=0.3)
    c.paint(at, dome, crust, lift=0.10)
    if seeds:
        grains = []
        for x, y in scatter(c.rng, 44, 0.86, 0, 0.17):
            lean = np.arctan2(y, x) + c.rng.normal(0, 0.5)
            grains.append(stick(x * 0.92, -0.32 + y * 0.36, 0.085, 0.05, lean))
        c.paint(at, grains, Stuff("#f8e7bd", bevel=0.016, gloss=0.3), lift=0.018)


def burger_above(c: Canvas, *, at: Spot, bun: str = "#d58f45", seeds: bool = True) -> None:
    """Show a burger from straight above: the bun, with the filling peeping out around it."""
    green = Stuff(
        "#6fa843", also="#a5cf5f", rim="#b9da7c", bevel=0.06, gloss=0.25, rough=0.5, cell=0.07
    )
    c.paint(at, blob(c.rng, 1.08, wobble=0.05, lobes=22), green, lift=0.22)
    for turn in (0.4, 2.4, 4.6):
        c.paint(
            at.at(0.42 * np.cos(turn), 0.42 * np.sin(turn)),
            disc(0.62),
            Stuff("#d63e2a", bevel=0.05, gloss=0.6),
            lift=0.05,
        )
    c.paint(
        at.at(0, 0, 1, c.rng.uniform(20, 70)),
        box(0.83, 0.83, 9),
        Stuff("#f6b93b", bevel=0.04, gloss=0.3),
        lift=0.06,
    )
    c.paint(
        at,
        blob(c.rng, 0.93, wobble=0.008),
        Stuff(bun, rim="#e6b06a", bevel=0.3, relief=1.1, gloss=0.4),
        lift=0.14,
    )
    if seeds:
        grains = [
            stick(x, y, 0.085, 0.05, np.arctan2(y, x) + c.rng.normal(0, 0.6))
            for x, y in scatter(c.rng, 60, 0.76, 0, 0.14)
        ]
        c.paint(at, grains, Stuff("#f8e7bd", bevel=0.016), lift=0.02)
