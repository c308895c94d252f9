"""Donuts: iced, sugared, bitten, strewn."""

from __future__ import annotations

import numpy as np

from .brushes import (
    Canvas,
    Spot,
    Stuff,
    blob,
    disc,
    ribbon,
    scatter,
    shift,
    stick,
)

SPRINKLES = ("#f3f0e8", "#e9566b", "#f2c14b", "#4fa7a5", "#7a5aa6")
GLAZES = {
    "pink": "#ee93a8",
    "chocolate": "#59321f",
    "vanilla": "#f5e9d3",
    "mint": "#a4d4b4",
    "lemon": "#f4d565",
    "blueberry": "#8b7cbf",
    "caramel": "#c67f35",
    "strawberry": "#d94f68",
}


def donut(
    c: Canvas,
    *,
    at: Spot,
    icing: str = "pink",
    top: str = "sprinkles",
    bitten: float | None = None,
    tones: tuple[str, ...] = (),
) -> None:
    """Fry a ring and ice it; `bitten` is the direction, in degrees, of a missing mouthful."""
    upper = at.up(0.10 * (1 - at.tilt))
    mouth = np.radians(bitten or 0.0)
    bites = () if bitten is None else ((-0.36, 1.02), (0.0, 0.86), (0.36, 1.02))
    teeth = [near * np.array([np.cos(mouth + a), np.sin(mouth + a)]) for a, near in bites]
    # Crust and icing stop a little short of the bite, so that the pale crumb shows.
    inner, outer = ([disc(size) + tooth for tooth in teeth] for size in (0.25, 0.29))
    ring, hole = blob(c.rng, 1, wobble=0.012), disc(0.30)
    # Seen aslant, the ring shows its thickness below the hole.
    deep = 0.42 * (1 - at.tilt) / max(at.tilt, 0.3)
    if deep:
        body = [shift(ring, 0, deep * share) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
        side = Stuff("#e3aa60", foot="#b9742f", bevel=0.16, rough=0.08, cell=0.12)
        c.paint(at, body, side, lift=0.28)
        c.paint(at, hole * 1.1, Stuff("#9a5c26", rim="#b9742f", bevel=0.1, relief=-0.5))
    if bitten is not None:
        crumb = Stuff("#f6dca4", bevel=0.05, rough=0.5, cell=0.05)
        c.paint(at, ring * 0.98, crumb, lift=0.28, holes=[hole, *inner])
    dough = Stuff(
        "#e6ab60", rim="#c9853c", also="#efc17c", bevel=0.16, relief=0.85, rough=0.06, cell=0.12
    )
    c.paint(at, ring, dough, lift=0.0 if bites or deep else 0.28, holes=[hole, *outer])
    if not icing:
        sugar = [stick(x, y, 0.022, 0.02, 0) for x, y in scatter(c.rng, 420, 0.95, 0.36, 0.022)]
        c.paint(upper, sugar, Stuff("#fffaf0", bevel=0.006, gloss=0.4, alpha=0.9))
        return
    shell = blob(c.rng, 0.88, wobble=0.035, lobes=11)
    gaps = [blob(c.rng, 0.37, wobble=0.05, lobes=7), *outer]
    glaze = Stuff(GLAZES[icing], bevel=0.12, gloss=0.75, rough=0.04, cell=0.35)
    c.paint(upper, shell, glaze, lift=0.05, holes=gaps)
    if top:
        with c.stencil(upper, shell, gaps):
            TOPPINGS[top](c, upper, tones)


def _sprinkles(c: Canvas, at: Spot, tones: tuple[str, ...]) -> None:
    tones = tones or SPRINKLES
    spots = scatter(c.rng, 105, 0.80, 0.42, 0.085)
    for i, tone in enumerate(tones):
        rods = [stick(x, y, 0.115, 0.04, c.rng.uniform(0, 3.2)) for x, y in spots[i :: len(tones)]]
        if rods:
            c.paint(at, rods, Stuff(tone, bevel=0.014, gloss=0.3), lift=0.03)


def _drizzle(c: Canvas, at: Spot, tones: tuple[str, ...]) -> None:
    x = np.linspace(-1.05, 1.05, 400)
    zigzag = np.stack([x, 0.98 * np.sin(26 * x) * np.sqrt(np.clip(1.15 - x * x, 0, 1))], 1)
    tilted = at.at(0, 0, 1, c.rng.uniform(10, 60))
    c.paint(
        tilted,
        ribbon(zigzag, 0.055),
        Stuff(tones[0] if tones else "#f5e9d3", bevel=0.02, gloss=0.5),
        lift=0.03,
    )


def _nuts(c: Canvas, at: Spot, tones: tuple[str, ...]) -> None:
    for tone in tones or ("#e2bd84", "#b98550", "#f0d9ac"):
        bits = [
            blob(c.rng, 0.05, 0.032, 0.25, 5) + p for p in scatter(c.rng, 42, 0.82, 0.42, 0.075)
        ]
        c.paint(at, bits, Stuff(tone, bevel=0.015), lift=0.04)


def _coconut(c: Canvas, at: Spot, tones: tuple[str, ...]) -> None:
    for tone in tones or ("#f4ecdc", "#ffffff"):
        flakes = [
            stick(x, y, 0.13, 0.028, c.rng.uniform(0, 3.2))
            for x, y in scatter(c.rng, 90, 0.84, 0.40, 0.06)
        ]
        c.paint(at, flakes, Stuff(tone, bevel=0.01), lift=0.025)


def _pearls(c: Canvas, at: Spot, tones: tuple[str, ...]) -> None:
    tones = tones or SPRINKLES
    spots = scatter(c.rng, 60, 0.80, 0.44, 0.10)
    for i, tone in enumerate(tones):
        c.paint(
            at,
            [disc(0.032) + p for p in spots[i :: len(tones)]],
            Stuff(tone, bevel=0.02, gloss=0.7),
            lift=0.04,
        )


TOPPINGS = {
    "sprinkles": _sprinkles,
    "drizzle": _drizzle,
    "nuts": _nuts,
    "coconut": _coconut,
    "pearls": _pearls,
}
