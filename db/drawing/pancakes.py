"""Pancakes, stacked and fanned."""

from __future__ import annotations

from itertools import cycle

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
)
from .props import banana, berry, raspberry, strawberry_half

FRUIT = {
    "berries": ((berry, 0.12), (raspberry, 0.13), (berry, 0.12), (strawberry_half, 0.17)),
    "banana": ((banana, 0.19), (banana, 0.19), (banana, 0.19), (berry, 0.12)),
    "strawberries": ((strawberry_half, 0.17), (strawberry_half, 0.17), (raspberry, 0.13)),
    "cream": ((raspberry, 0.13), (berry, 0.12)),
}


def pancakes(
    c: Canvas,
    *,
    at: Spot,
    count: int = 4,
    top: str = "butter",
    syrup: str = "#a9570f",
    flat: float = 0.42,
) -> None:
    """Stack pancakes, seen from three quarters; `top` is butter, cream or a key of FRUIT."""
    thick = 0.155
    here = at
    for i in range(count):
        shifted = here.at(c.rng.normal(0, 0.025), 0, c.rng.uniform(0.95, 1.05))
        _pancake(c, shifted, flat, thick, 0.22 if i == 0 else 0.025)
        here = here.up(thick * 0.93)
    if syrup:
        _syrup(c, here, flat, thick * count, syrup)
    _crown(c, Spot(here.x, here.y - 0.02 * at.r, at.r, 0, flat), top)


def _pancake(c: Canvas, at: Spot, flat: float, thick: float, lift: float) -> None:
    side = Stuff(
        "#f6dca0", foot="#e6b669", rim="#c58440", bevel=0.04, relief=0.9, rough=0.06, cell=0.10
    )
    c.paint(at, slab(c.rng, 1.0, flat, thick, 0.006), side, lift=lift)
    browned = Stuff(
        "#c47a34", also="#d8964a", rim="#eec585", bevel=0.05, relief=0.4, gloss=0.12, cell=0.16
    )
    c.paint(at.up(thick), blob(c.rng, 0.95, flat * 0.94, 0.006), browned)


def _syrup(c: Canvas, at: Spot, flat: float, drop: float, color: str) -> None:
    pool = blob(c.rng, 0.70, flat * 0.70, 0.07, 7)
    runs = []
    for turn in c.rng.permutation(np.linspace(0.35, 2.8, 6))[:4]:
        x, y = 0.97 * np.cos(turn), flat * 0.97 * np.sin(turn)
        low = y + drop * c.rng.uniform(0.35, 0.85)
        path = np.concatenate(
            [
                curve((x * 0.5, y * 0.5), (x * 0.9, y * 0.9), (x, y + 0.03)),
                curve((x, y + 0.05), (x, low)),
            ]
        )
        runs += [ribbon(path, c.rng.uniform(0.10, 0.15)), shift(disc(0.078, 0.085), x, low)]
    c.paint(
        at, [pool, *runs], Stuff(color, rim="#7f3b08", bevel=0.05, gloss=1.0, alpha=0.86), lift=0.02
    )


def _crown(c: Canvas, at: Spot, top: str) -> None:
    if top == "butter":
        pat = box(0.21, 0.21, 7)
        lower = Spot(at.x, at.y, at.r, 0, at.tilt)
        c.paint(
            lower.at(0, 0, 1.25),
            blob(c.rng, 0.3, wobble=0.08),
            Stuff("#f3cf62", bevel=0.05, gloss=0.8, alpha=0.7),
        )
        for rise in (0.0, 0.035, 0.07, 0.10):
            tone = "#fbe695" if rise > 0.09 else "#e8c75e"
            c.paint(
                lower.up(rise).at(0, 0, 1, 28),
                pat,
                Stuff(tone, bevel=0.03, gloss=0.3),
                lift=0.05 if rise == 0 else 0,
            )
        return
    if top == "cream":
        for rise, size in ((0.02, 0.36), (0.13, 0.27), (0.23, 0.17), (0.31, 0.08)):
            puff = Spot(at.x, at.y - rise * at.r, at.r, 0, 0.62)
            c.paint(
                puff,
                blob(c.rng, size, wobble=0.04, lobes=9),
                Stuff("#fffdf8", rim="#f1e6d6", bevel=size * 0.3, relief=0.7),
                lift=0.02,
            )
    spots = scatter(c.rng, 9, 0.62, 0.42 if top == "cream" else 0.0, 0.29)
    fruit = cycle(FRUIT[top])
    for x, y in sorted(spots.tolist(), key=lambda p: p[1]):  # the nearest come last
        draw, size = next(fruit)
        where = at.at(x, y)
        draw(c, at=Spot(where.x, where.y - 0.05 * at.r, at.r * size, c.rng.uniform(0, 360), 0.85))


def pancakes_above(
    c: Canvas, *, at: Spot, count: int = 5, top: str = "berries", syrup: str = "#a9570f"
) -> None:
    """Fan pancakes out on a plate, seen from above."""
    spread = 0.40
    browned = Stuff(
        "#eabb74", also="#f0c988", rim="#f4d9a0", bevel=0.08, relief=0.8, gloss=0.1, cell=0.14
    )
    for i in range(count):
        turn = 2 * np.pi * i / count + 0.5
        here = at.at(spread * np.cos(turn), spread * np.sin(turn), 0.62 * c.rng.uniform(0.96, 1.04))
        c.paint(here, blob(c.rng, 1, wobble=0.015), browned, lift=0.12)
        c.paint(
            here,
            blob(c.rng, 0.86, wobble=0.015),
            Stuff(
                "#bf7430",
                also="#d08c46",
                rim="#dba25a",
                bevel=0.09,
                relief=0.15,
                gloss=0.1,
                cell=0.15,
            ),
        )
    if syrup:
        path = curve(
            (-0.8, -0.1),
            (-0.3, -1.1),
            (0.3, 1.0),
            (0.9, -0.4),
            (0.3, -0.9),
            (-0.9, 0.9),
            (0.7, 0.6),
            points=120,
        )
        c.paint(
            at,
            [ribbon(path, 0.085), blob(c.rng, 0.4, 0.34, 0.12)],
            Stuff(syrup, rim="#7f3b08", bevel=0.035, gloss=1.0, alpha=0.85),
            lift=0.015,
        )
    _crown(c, Spot(at.x, at.y, at.r * 0.95, 0, 1), top)
