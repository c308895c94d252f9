"""Pizza, whole, cut, or by the slice."""

from __future__ import annotations

import numpy as np

from .brushes import (
    Canvas,
    Spot,
    Stuff,
    blob,
    curve,
    disc,
    leaf,
    ribbon,
    scatter,
    wedge,
)
from .props import HERB, basil, onion, tomato


def pizza(
    c: Canvas,
    *,
    at: Spot,
    toppings: tuple[str, ...] = ("pepperoni",),
    sauce: str = "#b9381f",
    cheese: str = "#f2cb74",
    slices: int = 8,
    missing: tuple[float, float] | None = None,
    only: tuple[float, float] | None = None,
) -> None:
    """Bake a pizza; leave out, or draw only, the wedge between two angles in degrees."""
    rim = blob(c.rng, 1, wobble=0.012, lobes=9)
    outline, holes = rim, [wedge(*missing)] if missing else []
    if only:
        turn = np.degrees(np.arctan2(rim[:, 1], rim[:, 0]))
        inside = (turn > only[0]) & (turn < only[1])
        arc = rim[inside][np.argsort(turn[inside])]
        outline = np.concatenate([np.zeros((1, 2)), arc])
    # The thickness of the dough shows below the cut.
    c.paint(
        Spot(at.x, at.y + 0.025 * at.r, at.r, at.turn, at.tilt),
        outline,
        Stuff("#c08543", bevel=0.02),
        lift=0.10,
        holes=holes,
    )
    with c.stencil(at, outline, holes):
        crust = Stuff(
            "#dfa75e", also="#bf7b38", rim="#c98a45", bevel=0.06, relief=1.3, rough=0.12, cell=0.12
        )
        c.paint(at, rim, crust)
        _pie(c, at, sauce, cheese)
        for i in range(slices):
            a = 2 * np.pi * i / slices + 0.1
            cut = ribbon(curve((0, 0), (1.02 * np.cos(a), 1.02 * np.sin(a))), 0.016)
            c.paint(at, cut, Stuff("#8f4a1e", bevel=0.008, relief=-1, alpha=0.7))
        for topping in toppings:
            PIE_TOPPINGS[topping](c, at)


def _pie(c: Canvas, at: Spot, sauce: str, cheese: str) -> None:
    burnt = [
        blob(c.rng, s, s * 0.7, 0.2) + p
        for p, s in zip(
            scatter(c.rng, 26, 0.99, 0.90, 0.09), c.rng.uniform(0.015, 0.05, 26), strict=False
        )
    ]
    c.paint(at, burnt, Stuff("#8a4f26", bevel=0.02, relief=0.3, alpha=0.5))
    c.paint(
        at,
        blob(c.rng, 0.875, wobble=0.012, lobes=14),
        Stuff(
            sauce,
            also="#cf5228",
            rim="#8f2a15",
            bevel=0.04,
            relief=-0.6,
            gloss=0.3,
            rough=0.2,
            cell=0.06,
        ),
    )
    c.paint(
        at,
        blob(c.rng, 0.82, wobble=0.025, lobes=16),
        Stuff(cheese, also="#e9a94c", rim="#dd8f3c", bevel=0.04, gloss=0.5, rough=0.2, cell=0.12),
    )
    holes = [
        blob(c.rng, s, s * 0.75, 0.2) + p
        for p, s in zip(
            scatter(c.rng, 24, 0.8, 0, 0.13), c.rng.uniform(0.02, 0.06, 24), strict=False
        )
    ]
    c.paint(at, holes, Stuff("#c9562a", rim="#e39a47", bevel=0.03, relief=-0.6, alpha=0.75))


def _pepperoni(c: Canvas, at: Spot) -> None:
    for x, y in scatter(c.rng, 19, 0.72, 0, 0.29):
        part = at.at(x, y, 0.135)
        c.paint(
            part,
            blob(c.rng, 1, wobble=0.025),
            Stuff(
                "#b3301f",
                also="#cf5136",
                rim="#7d1a12",
                bevel=0.15,
                relief=1.0,
                gloss=0.35,
                rough=0.25,
                cell=0.14,
            ),
            lift=0.14,
        )
        c.paint(
            part,
            blob(c.rng, 0.74, wobble=0.05),
            Stuff(
                "#c4452f", also="#a5281b", bevel=0.14, relief=-0.4, gloss=0.45, rough=0.2, cell=0.16
            ),
        )


def _basil(c: Canvas, at: Spot) -> None:
    for x, y in scatter(c.rng, 7, 0.66, 0.05, 0.42):
        basil(c, at=at.at(x, y, 0.19, c.rng.uniform(0, 360)), leaves=int(c.rng.integers(1, 4)))


def _mozzarella(c: Canvas, at: Spot) -> None:
    for x, y in scatter(c.rng, 9, 0.64, 0, 0.38):
        size = c.rng.uniform(0.12, 0.19)
        c.paint(
            at.at(x, y, size),
            blob(c.rng, 1, 0.85, 0.09),
            Stuff(
                "#fdf3dc",
                also="#f7e3b4",
                rim="#f0c873",
                bevel=0.25,
                relief=0.7,
                gloss=0.5,
                cell=0.4,
            ),
            lift=0.06,
        )


def _mushrooms(c: Canvas, at: Spot) -> None:
    for x, y in scatter(c.rng, 15, 0.72, 0, 0.29):
        part = at.at(x, y, 0.13, c.rng.uniform(0, 360))
        turn = np.linspace(np.pi, 2 * np.pi, 40)
        cap = np.stack([np.cos(turn), 0.85 * np.sin(turn)], 1)
        lower = curve((1, 0), (0.8, 0.35), (0.3, 0.05), points=16)
        shape = np.concatenate(
            [
                cap,
                lower,
                curve((0.25, 0.1), (0.25, 0.9), (-0.25, 0.9), (-0.25, 0.1), points=20),
                lower[::-1] * (-1, 1),
            ]
        )
        c.paint(part, shape, Stuff("#ead9bd", rim="#a98763", bevel=0.10, gloss=0.25), lift=0.14)
        c.paint(
            part,
            curve((-0.6, -0.1), (-0.2, 0.3), (0.2, 0.3), (0.6, -0.1), (0, -0.35)),
            Stuff("#9a765a", bevel=0.08, alpha=0.55),
        )


def _olives(c: Canvas, at: Spot) -> None:
    for x, y in scatter(c.rng, 20, 0.74, 0, 0.2):
        part = at.at(x, y, c.rng.uniform(0.052, 0.066))
        c.paint(
            part,
            disc(1, 0.92),
            Stuff("#352c33", bevel=0.25, gloss=0.7),
            lift=0.3,
            holes=[disc(0.42)],
        )


def _peppers(c: Canvas, at: Spot) -> None:
    for i, (x, y) in enumerate(scatter(c.rng, 16, 0.72, 0, 0.24)):
        tone = ("#5d9a3c", "#d8402b", "#f0a92c")[i % 3]
        part = at.at(x, y, 0.17, c.rng.uniform(0, 360))
        c.paint(
            part,
            ribbon(curve((-1, 0.1), (-0.5, -0.7), (0.6, -0.7), (1, 0.2)), 0.22),
            Stuff(tone, bevel=0.07, gloss=0.6),
            lift=0.12,
        )


def _cherry(c: Canvas, at: Spot) -> None:
    for x, y in scatter(c.rng, 12, 0.70, 0, 0.3):
        tomato(c, at=at.at(x, y, 0.095, c.rng.uniform(0, 360)))


def _ham(c: Canvas, at: Spot) -> None:
    for x, y in scatter(c.rng, 11, 0.68, 0, 0.33):
        part = at.at(x, y, 0.2, c.rng.uniform(0, 360))
        c.paint(
            part,
            blob(c.rng, 1, 0.6, 0.12, 8),
            Stuff(
                "#eca79c",
                also="#db8078",
                rim="#f6d5c8",
                bevel=0.10,
                gloss=0.35,
                rough=0.22,
                cell=0.3,
            ),
            lift=0.09,
        )


def _rocket(c: Canvas, at: Spot) -> None:
    for x, y in scatter(c.rng, 26, 0.66, 0, 0.15):
        c.paint(
            at.at(x, y, 0.27, c.rng.uniform(0, 360)), leaf(c.rng, 1, 0.13, 0.25, 4), HERB, lift=0.09
        )


def _onions(c: Canvas, at: Spot) -> None:
    for x, y in scatter(c.rng, 12, 0.7, 0, 0.26):
        onion(c, at=at.at(x, y, c.rng.uniform(0.10, 0.16)))


PIE_TOPPINGS = {
    "pepperoni": _pepperoni,
    "basil": _basil,
    "mozzarella": _mozzarella,
    "mushrooms": _mushrooms,
    "olives": _olives,
    "peppers": _peppers,
    "cherry": _cherry,
    "ham": _ham,
    "rocket": _rocket,
    "onions": _onions,
}
