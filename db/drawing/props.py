"""What lies about on a table: plates, boards, cloths, cutlery, herbs, fruit and crumbs."""

from __future__ import annotations

import numpy as np

from .brushes import (
    Canvas,
    Spot,
    Stuff,
    Texture,
    blob,
    box,
    curve,
    disc,
    leaf,
    ribbon,
    scatter,
    shift,
    stick,
    wedge,
)
from .tables import OAK

HERB = Stuff("#4f8a3a", also="#6fa848", rim="#3c6f30", bevel=0.12, gloss=0.25, cell=0.3)


def plate(
    c: Canvas, *, at: Spot, color: str = "#f4efe6", band: str = "", speckled: bool = False
) -> None:
    """Set a glazed plate."""
    glaze = Stuff(color, bevel=0.02, relief=0.9, gloss=0.35)
    c.paint(at, disc(), glaze, lift=0.13)
    if band:
        c.paint(at, disc(0.95), Stuff(band, bevel=0.02, relief=0.2, alpha=0.85), holes=[disc(0.89)])
    # The well is a dent: its lit and shaded sides trade places.
    c.paint(at, disc(0.72), Stuff(color, bevel=0.045, relief=-0.38, gloss=0.15))
    if speckled:
        flecks = [disc(c.rng.uniform(0.003, 0.010)) + p for p in scatter(c.rng, 90, 0.97)]
        c.paint(at, flecks, Stuff("#7a6a58", bevel=0.01, alpha=0.5))


def board(c: Canvas, *, at: Spot, rx: float = 1.3, ry: float = 0.85, grain: Texture = OAK) -> None:
    """Lay a wooden board with a rounded edge."""
    c.paint(at, box(rx, ry, 9), Stuff(grain, bevel=0.02, relief=1.0), lift=0.07)


def slab_of_stone(
    c: Canvas, *, at: Spot, texture: Texture, rx: float = 1.3, ry: float = 0.8
) -> None:
    """Lay a serving slate."""
    c.paint(at, box(rx, ry, 24), Stuff(texture, bevel=0.012, relief=1.2), lift=0.05)


def round_board(c: Canvas, *, at: Spot, grain: Texture = OAK) -> None:
    """Lay a round board with a handle that points along the spot's turn."""
    handle = shift(box(0.42, 0.13, 4), 1.2, 0.0)
    c.paint(
        at,
        [disc(), handle],
        Stuff(grain, bevel=0.025),
        lift=0.07,
        holes=[shift(disc(0.05), 1.5, 0)],
    )


def napkin(c: Canvas, *, at: Spot, cloth: Texture, fold: float = 0.0) -> None:
    """Drop a folded cloth; `fold` moves the crease."""
    quad = box(1.0, 0.8, 14) * (1 + 0.02 * c.rng.normal())
    c.paint(at, quad, Stuff(cloth, bevel=0.03, relief=0.6), lift=0.04)
    half = np.array([(-1, -0.8), (1, 0.8 + fold), (-1, 0.8)]) * 0.985
    c.paint(at, half, Stuff(cloth, bevel=0.03, relief=0.7), lift=0.035)


def parchment(c: Canvas, *, at: Spot, color: str = "#e8d8b8") -> None:
    """Lay a crumpled sheet of baking paper."""
    sheet = box(1.0, 0.8, 16) + c.rng.normal(0, 0.008, (120, 2))
    c.paint(at, sheet, Stuff(color, bevel=0.02, rough=0.16, cell=0.35), lift=0.025)


def fork(c: Canvas, *, at: Spot, metal: str = "#c9c4bb") -> None:
    """Lay a fork whose tines point along the spot's turn."""
    steel = Stuff(metal, rim="#8f8a84", bevel=0.02, gloss=0.6)
    tines = [
        ribbon(curve((0.55, y * 0.7), (0.62, y), (1.0, y)), 0.026, 0.3)
        for y in (-0.09, -0.03, 0.03, 0.09)
    ]
    root = shift(box(0.13, 0.105, 2.6), 0.55, 0)
    handle = ribbon(curve((-1.0, 0), (0, 0), (0.5, 0)), 0.085, 0.35)
    c.paint(at, [handle, root, *tines], steel, lift=0.03)


def knife(c: Canvas, *, at: Spot, metal: str = "#cfcac2") -> None:
    """Lay a table knife whose point lies along the spot's turn."""
    steel = Stuff(metal, rim="#918b84", bevel=0.02, gloss=0.6)
    blade = np.array(
        [(0.0, -0.045), (0.75, -0.055), (0.93, -0.03), (1.0, 0.03), (0.85, 0.055), (0, 0.05)]
    )
    c.paint(at, [blade, ribbon(curve((-1.0, 0), (0.05, 0)), 0.085)], steel, lift=0.03)


def chopsticks(c: Canvas, *, at: Spot, color: str = "#5a2f22", spread: float = 4.0) -> None:
    """Lay a pair of chopsticks, tips towards the spot's turn."""
    for turn, y in ((0.0, 0.0), (spread, 0.10)):
        one = at.at(0, y, 1, turn)
        c.paint(
            one,
            ribbon(curve((-1, 0), (1, 0)), 0.062, 0.55),
            Stuff(color, bevel=0.018, gloss=0.5),
            lift=0.05,
        )
        c.paint(
            one, ribbon(curve((-1, 0), (-0.82, 0)), 0.062), Stuff("#d9b25e", bevel=0.018, gloss=0.5)
        )


def basil(c: Canvas, *, at: Spot, leaves: int = 3) -> None:
    """Drop a sprig of basil."""
    for i in range(leaves):
        part = at.at(0, 0, c.rng.uniform(0.8, 1.1), i * 360 / leaves + c.rng.uniform(-25, 25))
        c.paint(part, leaf(c.rng, 1.0, 0.30), HERB, lift=0.10)
        vein = ribbon(curve((0.05, 0), (0.5, 0.02), (0.9, 0)), 0.03, 0.7)
        c.paint(part, vein, Stuff("#9cc56f", bevel=0.01, alpha=0.7))


def parsley(c: Canvas, *, at: Spot, count: int = 14) -> None:
    """Strew chopped herbs."""
    for tone in ("#5c9440", "#3f7a35"):
        bits = [blob(c.rng, 0.05, 0.03, 0.2) + p for p in scatter(c.rng, count, 1.0)]
        c.paint(at, bits, Stuff(tone, bevel=0.01), lift=0.015)


def crumbs(
    c: Canvas, *, at: Spot, count: int = 26, color: str = "#c98f4e", size: float = 0.02
) -> None:
    """Strew crumbs."""
    sizes = c.rng.uniform(0.4, 1.3, count) * size
    bits = [
        blob(c.rng, s, s * 0.8, 0.15) + p
        for p, s in zip(scatter(c.rng, count, 1.0), sizes, strict=False)
    ]
    c.paint(at, bits, Stuff(color, bevel=size * 0.4), lift=size * 0.8)


def lemon(c: Canvas, *, at: Spot, color: str = "#f3d04a") -> None:
    """Lay a slice of lemon (or, by its colour, of lime or orange)."""
    c.paint(at, disc(), Stuff(color, bevel=0.06, gloss=0.3), lift=0.12)
    c.paint(at, disc(0.88), Stuff("#fbf4dc", bevel=0.03, relief=0.4))
    parts = [
        wedge(a + 4, a + 41, 0.78) * 0.97 + 0.05 * wedge(a + 22, a + 23)[1]
        for a in range(0, 360, 45)
    ]
    c.paint(at, parts, Stuff(color, also="#fff0b0", bevel=0.05, gloss=0.5, rough=0.2, cell=0.08))


def berry(c: Canvas, *, at: Spot) -> None:
    """Set down a blueberry."""
    c.paint(at, disc(), Stuff("#3d4a7d", also="#56659a", bevel=0.34, gloss=0.6, cell=0.5), lift=0.5)
    crown = at.at(c.rng.uniform(-0.25, 0.25), c.rng.uniform(-0.3, 0.1))
    c.paint(crown, blob(c.rng, 0.30, 0.26, 0.12), Stuff("#262b4f", bevel=0.08, relief=-1))


def strawberry(c: Canvas, *, at: Spot) -> None:
    """Set down a whole strawberry, tip along the spot's turn."""
    t = np.linspace(0, 2 * np.pi, 90)
    body = np.stack([np.cos(t) * 0.95 + 0.12, np.sin(t) * 0.78 * (1 - 0.28 * np.cos(t))], 1)
    c.paint(at, body, Stuff("#cf2f2c", also="#e2493a", bevel=0.26, gloss=0.5, cell=0.4), lift=0.4)
    seeds = [
        stick(x * 0.8 + 0.12, y * 0.62, 0.10, 0.05, 0) for x, y in scatter(c.rng, 26, 1.0, 0, 0.24)
    ]
    c.paint(at, seeds, Stuff("#f2c56a", bevel=0.02))
    for turn in (110, 145, 180, 215, 250):
        c.paint(at.at(-0.68, 0, 0.55, turn), leaf(c.rng, 1, 0.2), HERB, lift=0.1)


def strawberry_half(c: Canvas, *, at: Spot) -> None:
    """Lay a halved strawberry, cut side up."""
    t = np.linspace(0, 2 * np.pi, 90)
    body = np.stack([np.cos(t) + 0.1, np.sin(t) * 0.78 * (1 - 0.28 * np.cos(t))], 1)
    c.paint(at, body, Stuff("#d4332f", bevel=0.10, gloss=0.4), lift=0.25)
    c.paint(at, body * 0.80, Stuff("#ef7d6d", rim="#e14f44", bevel=0.20, relief=0.3, gloss=0.3))
    c.paint(at, body * (0.42, 0.26), Stuff("#fbe3d4", rim="#f2a592", bevel=0.12, relief=0.2))


def raspberry(c: Canvas, *, at: Spot) -> None:
    """Set down a raspberry bead by bead."""
    c.paint(at, disc(0.9), Stuff("#8f1c3c", bevel=0.3), lift=0.45)
    for x, y in sorted(
        scatter(c.rng, 26, 0.82, 0, 0.26).tolist(), key=lambda p: -(p[0] ** 2) - p[1] ** 2
    ):
        c.paint(at.at(x, y, 0.24), disc(), Stuff("#c9375a", rim="#9f2246", bevel=0.4, gloss=0.7))


def banana(c: Canvas, *, at: Spot) -> None:
    """Lay a slice of banana."""
    c.paint(
        at,
        blob(c.rng, 1, 0.94, 0.02),
        Stuff("#f0dca0", rim="#e3c778", bevel=0.1, gloss=0.25),
        lift=0.3,
    )
    c.paint(
        at, blob(c.rng, 0.55, 0.5, 0.04), Stuff("#f7ebc2", rim="#e6cf8d", bevel=0.16, relief=0.2)
    )
    dots = [
        stick(0.24 * np.cos(a), 0.24 * np.sin(a), 0.15, 0.06, a) for a in np.arange(0.4, 6.5, 1.05)
    ]
    c.paint(at, dots, Stuff("#9c7440", bevel=0.02, alpha=0.75))


def cup(
    c: Canvas, *, at: Spot, drink: str = "#6b3f24", glaze: str = "#f2ece2", saucer: bool = True
) -> None:
    """Set a cup seen from above, its handle along the spot's turn."""
    if saucer:
        plate(c, at=at.at(0, 0, 1.55), color=glaze)
    c.paint(
        at,
        ribbon(curve((0.8, -0.3), (1.6, -0.3), (1.6, 0.3), (0.8, 0.3)), 0.2),
        Stuff(glaze, bevel=0.06, gloss=0.5),
        lift=0.2,
    )
    c.paint(at, disc(), Stuff(glaze, bevel=0.04, gloss=0.4), lift=0.35)
    c.paint(at, disc(0.88), Stuff(drink, rim="#3c2113", bevel=0.12, relief=-0.5, gloss=0.2))
    c.paint(
        at.at(0.05, 0.05),
        blob(c.rng, 0.62, 0.56, 0.09),
        Stuff("#d9a877", rim=drink, bevel=0.12, relief=0.1, alpha=0.8),
    )


def dip(c: Canvas, *, at: Spot, sauce: str, bowl: str = "#f0e8dc", gloss: float = 0.6) -> None:
    """Set a little bowl of sauce."""
    c.paint(at, disc(), Stuff(bowl, bevel=0.07, gloss=0.45), lift=0.35)
    c.paint(at, disc(0.84), Stuff(bowl, bevel=0.1, relief=-1.4))
    c.paint(at.at(0, 0.03), disc(0.74), Stuff(sauce, bevel=0.07, gloss=gloss, rough=0.12, cell=0.4))


def fries(c: Canvas, *, at: Spot, count: int = 22) -> None:
    """Heap up chips."""
    for x, y in scatter(c.rng, count, 1.0, 0, 0.12):
        chip = stick(0, 0, c.rng.uniform(0.75, 1.15), 0.17, 0)
        part = at.at(x * 0.8, y * 0.55, 1, c.rng.normal(0, 38))
        c.paint(
            part,
            chip,
            Stuff("#fbd573", also="#efb44c", rim="#e0993a", bevel=0.05, gloss=0.2, cell=0.2),
            lift=0.07,
        )


def tomato(c: Canvas, *, at: Spot) -> None:
    """Lay half a cherry tomato, cut side up."""
    c.paint(at, disc(1, 0.95), Stuff("#cf3424", bevel=0.12, gloss=0.6), lift=0.35)
    c.paint(at, disc(0.84, 0.8), Stuff("#e8604a", rim="#d5402c", bevel=0.12, relief=0.3, gloss=0.5))
    for turn in (30, 150, 270):
        a = np.radians(turn)
        c.paint(
            at,
            blob(c.rng, 0.27, 0.2, 0.08) + 0.42 * np.array([np.cos(a), np.sin(a)]),
            Stuff("#c43a1c", also="#f0b45c", bevel=0.1, relief=-0.6, gloss=0.8, cell=0.14),
        )


def onion(c: Canvas, *, at: Spot) -> None:
    """Lay a ring of red onion."""
    c.paint(
        at,
        blob(c.rng, 1, 0.9, 0.04),
        Stuff("#f0dbe6", rim="#93457c", bevel=0.07, gloss=0.5),
        lift=0.12,
        holes=[blob(c.rng, 0.8, 0.7, 0.03)],
    )
