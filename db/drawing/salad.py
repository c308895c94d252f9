"""Salads in a bowl, seen from above."""

from __future__ import annotations

from functools import partial

import numpy as np

from .brushes import (
    Canvas,
    Spot,
    Stuff,
    box,
    curve,
    disc,
    leaf,
    ribbon,
    scatter,
    shift,
    stick,
)
from .props import onion, tomato

GREENS = {
    "lettuce": Stuff(
        "#8dbb50", also="#b9d873", rim="#6fa03c", bevel=0.08, gloss=0.25, rough=0.5, cell=0.10
    ),
    "spinach": Stuff(
        "#3f7a38", also="#5a9446", rim="#33652f", bevel=0.08, gloss=0.35, rough=0.25, cell=0.2
    ),
    "radicchio": Stuff(
        "#7a2748", also="#95405f", rim="#e3cdd2", bevel=0.06, gloss=0.3, rough=0.35, cell=0.15
    ),
    "rocket": Stuff(
        "#5c9a3e", also="#79b04f", rim="#487f33", bevel=0.08, gloss=0.3, rough=0.3, cell=0.15
    ),
}


def salad(
    c: Canvas,
    *,
    at: Spot,
    greens: tuple[str, ...] = ("lettuce", "spinach"),
    extras: tuple[tuple[str, int], ...] = (("tomato", 7),),
    bowl: str = "#efe7da",
) -> None:
    """Toss a salad in a bowl; each extra is a name and how many of it."""
    c.paint(at, disc(), Stuff(bowl, bevel=0.035, gloss=0.4), lift=0.22)
    c.paint(at, disc(0.925), Stuff(bowl, rim="#8d8070", bevel=0.12, relief=-1.1))
    with c.stencil(at, disc(1.04)):
        for outer, size, count in ((0.90, 0.44, 40), (0.76, 0.42, 30), (0.45, 0.38, 18)):
            for i, (x, y) in enumerate(scatter(c.rng, count, outer, 0, 0.12)):
                _green(
                    c,
                    at.at(
                        x * 0.82, y * 0.82, size * c.rng.uniform(0.8, 1.15), c.rng.uniform(0, 360)
                    ),
                    greens[i % len(greens)],
                )
    for name, count in extras:
        draw, size, gap = EXTRAS[name]
        for x, y in scatter(c.rng, count, 0.70, 0, gap):
            draw(c, at=at.at(x, y, size * c.rng.uniform(0.9, 1.1), c.rng.uniform(0, 360)))


def _green(c: Canvas, at: Spot, name: str) -> None:
    shapes = {
        "lettuce": partial(leaf, c.rng, 1.0, 0.36, 0.16, 8),
        "spinach": partial(leaf, c.rng, 1.0, 0.30),
        "radicchio": partial(leaf, c.rng, 0.9, 0.32, 0.08, 5),
        "rocket": partial(leaf, c.rng, 1.1, 0.20, 0.45, 3),
    }
    shape = shapes[name]() - (0.5, 0)
    c.paint(at, shape, GREENS[name], lift=0.13)
    rib = ribbon(curve((-0.5, 0), (0, 0.03), (0.42, 0)), 0.045, 0.8)
    c.paint(
        at, rib, Stuff("#f0e6e2" if name == "radicchio" else "#d3e6a4", bevel=0.015, alpha=0.75)
    )


def _cucumber(c: Canvas, *, at: Spot) -> None:
    c.paint(at, disc(), Stuff("#3f7a3c", bevel=0.08, gloss=0.4), lift=0.22)
    c.paint(at, disc(0.90), Stuff("#d3e5a8", rim="#a9cf7c", bevel=0.12, relief=0.4, gloss=0.35))
    seeds = [
        stick(0.42 * np.cos(a), 0.42 * np.sin(a), 0.24, 0.09, a) for a in np.arange(0, 6.2, 0.7)
    ]
    c.paint(at, seeds, Stuff("#eef3cf", rim="#b4d08a", bevel=0.04))


def _boiled_egg(c: Canvas, *, at: Spot) -> None:
    t = np.linspace(0, 2 * np.pi, 80)
    white = np.stack([np.cos(t), 0.78 * np.sin(t) * (1 - 0.12 * np.cos(t))], 1)
    c.paint(at, white, Stuff("#fdf8ee", bevel=0.12, gloss=0.4), lift=0.3)
    c.paint(
        at.at(-0.12, 0),
        disc(0.50),
        Stuff("#f3a92e", also="#f8c14f", rim="#f5c65c", bevel=0.12, gloss=0.3, rough=0.1, cell=0.2),
    )


def _avocado(c: Canvas, *, at: Spot) -> None:
    path = curve((-1, 0.25), (-0.5, -0.5), (0.5, -0.5), (1, 0.25))
    c.paint(
        at, ribbon(path, 0.46), Stuff("#c9d66f", rim="#7d9a3c", bevel=0.13, gloss=0.35), lift=0.2
    )
    c.paint(
        at, ribbon(shift(path, 0, 0.09), 0.16), Stuff("#eef0a9", bevel=0.08, relief=0.2, alpha=0.8)
    )


def _feta(c: Canvas, *, at: Spot) -> None:
    c.paint(
        at,
        box(1, 0.85, 8) + c.rng.normal(0, 0.03, (120, 2)),
        Stuff("#faf5e8", bevel=0.14, rough=0.3, cell=0.2),
        lift=0.5,
    )


def _crouton(c: Canvas, *, at: Spot) -> None:
    c.paint(
        at,
        box(1, 0.9, 6),
        Stuff("#d99a4a", also="#efc580", rim="#a9682b", bevel=0.16, rough=0.5, cell=0.2),
        lift=0.5,
    )


def _corn(c: Canvas, *, at: Spot) -> None:
    kernels = [box(0.25, 0.2, 3) + p for p in scatter(c.rng, 6, 1, 0, 0.5)]
    c.paint(at, kernels, Stuff("#f6cf3f", bevel=0.08, gloss=0.5), lift=0.14)


def _olive(c: Canvas, *, at: Spot) -> None:
    c.paint(at, disc(1, 0.9), Stuff("#3a2f3d", bevel=0.3, gloss=0.8), lift=0.4, holes=[disc(0.35)])


def _carrot(c: Canvas, *, at: Spot) -> None:
    for _ in range(4):
        part = at.at(c.rng.normal(0, 0.2), c.rng.normal(0, 0.2), 1, c.rng.uniform(0, 360))
        c.paint(
            part,
            ribbon(curve((-1, 0), (0, 0.5), (1, 0)), 0.16),
            Stuff("#ee8a2f", bevel=0.06, gloss=0.3),
            lift=0.12,
        )


def _radish(c: Canvas, *, at: Spot) -> None:
    c.paint(at, disc(), Stuff("#cf3f6b", bevel=0.1, gloss=0.4), lift=0.2)
    c.paint(at, disc(0.87), Stuff("#fbf1f0", rim="#f1cfd6", bevel=0.2, relief=0.3, gloss=0.3))


def _seeds(c: Canvas, *, at: Spot) -> None:
    grains = [stick(x, y, 0.32, 0.17, c.rng.uniform(0, 3)) for x, y in scatter(c.rng, 9, 1, 0, 0.3)]
    c.paint(at, grains, Stuff("#f3e3bd", bevel=0.05), lift=0.1)


EXTRAS = {
    "tomato": (tomato, 0.125, 0.30),
    "cucumber": (_cucumber, 0.165, 0.33),
    "egg": (_boiled_egg, 0.225, 0.55),
    "avocado": (_avocado, 0.25, 0.40),
    "feta": (_feta, 0.085, 0.22),
    "crouton": (_crouton, 0.09, 0.22),
    "corn": (_corn, 0.14, 0.25),
    "olive": (_olive, 0.07, 0.25),
    "onion": (onion, 0.16, 0.35),
    "carrot": (_carrot, 0.17, 0.33),
    "radish": (_radish, 0.11, 0.24),
    "seeds": (_seeds, 0.11, 0.2),
}
