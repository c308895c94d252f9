"""Sushi: nigiri, rolls, gunkan and what goes with them."""

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
    stick,
)

FISH = {
    "salmon": Stuff("#f0834a", also="#f59a63", rim="#e56f38", bevel=0.16, gloss=0.5, cell=0.5),
    "tuna": Stuff("#b8303c", also="#c9474e", rim="#9c2230", bevel=0.16, gloss=0.5, cell=0.4),
    "shrimp": Stuff("#f6d3bd", also="#f9e3d3", rim="#ee8f5f", bevel=0.15, gloss=0.4, cell=0.3),
    "egg": Stuff("#f3c54a", also="#f6d46d", rim="#e0a733", bevel=0.07, gloss=0.3, cell=0.3),
    "hamachi": Stuff("#f3d9c8", also="#f0c3b4", rim="#e39a8d", bevel=0.16, gloss=0.5, cell=0.4),
    "eel": Stuff(
        "#8a4a22", also="#6b3415", rim="#5a2a10", bevel=0.14, gloss=0.8, rough=0.3, cell=0.12
    ),
}
FILLINGS = {
    "salmon": "#f0834a",
    "tuna": "#b8303c",
    "cucumber": "#86b350",
    "avocado": "#cbd872",
    "egg": "#f3c54a",
}


def nigiri(c: Canvas, *, at: Spot, fish: str = "salmon", band: bool = False) -> None:
    """Press rice into a finger and lay fish over it."""
    c.paint(at, box(1.0, 0.52, 3.2), Stuff("#f1ebe0", bevel=0.11, relief=0.8), lift=0.22)
    with c.stencil(at, box(1.01, 0.53, 3.2)):
        _grains(c, at, 130, 0.98, 0.50)
    over = at.up(0.10)
    cover = box(0.98, 0.40, 3.0) + np.stack(
        [0 * np.ones(120), 0.03 * np.cos(np.linspace(0, 12, 120))], 1
    )
    c.paint(over, cover, FISH[fish], lift=0.11)
    if fish in STRIPES:
        with c.stencil(over, cover * 0.97):
            STRIPES[fish](c, over)
    if band or fish == "egg":
        c.paint(
            at.up(0.08),
            box(0.14, 0.47, 9),
            Stuff("#23332b", also="#31463a", bevel=0.03, gloss=0.35, rough=0.3, cell=0.06),
            lift=0.03,
        )


def _chevrons(c: Canvas, at: Spot) -> None:
    for x in np.arange(-1.1, 1.2, 0.21):
        line = curve((x - 0.16, -0.42), (x + 0.1, -0.16), (x + 0.1, 0.16), (x - 0.16, 0.42))
        c.paint(at, ribbon(line, 0.045), Stuff("#fbd9bd", bevel=0.03, relief=0.3, alpha=0.72))


def _slants(c: Canvas, at: Spot) -> None:
    for x in np.arange(-1.2, 1.2, 0.19):
        line = curve((x, -0.45), (x + 0.1, 0), (x + 0.28, 0.45))
        c.paint(at, ribbon(line, 0.022), Stuff("#e59aa0", bevel=0.01, alpha=0.5))


def _bars(c: Canvas, at: Spot) -> None:
    for x in np.arange(-0.85, 0.95, 0.27):
        line = curve((x, -0.45), (x - 0.12, 0), (x, 0.45))
        c.paint(at, ribbon(line, 0.11), Stuff("#ee8450", bevel=0.05, relief=0.5, alpha=0.8))
    c.paint(
        at,
        ribbon(curve((-1, 0), (0.8, 0)), 0.025),
        Stuff("#d98a66", bevel=0.01, relief=-1, alpha=0.6),
    )


STRIPES = {"salmon": _chevrons, "tuna": _slants, "shrimp": _bars, "hamachi": _slants}


def _grains(c: Canvas, at: Spot, count: int, rx: float, ry: float) -> None:
    """Lay rice grain over grain, in three layers so that each keeps its own light."""
    for tone in ("#ece5d8", "#f5f0e6", "#faf6ee", "#fdfaf3"):
        spots = scatter(c.rng, count // 3, 0.96, 0, 0.13) * (rx, ry)
        rods = [stick(x, y, 0.17, 0.085, c.rng.uniform(0, 3.2)) for x, y in spots]
        c.paint(at, rods, Stuff(tone, bevel=0.028, relief=0.75), lift=0.012)


def maki(c: Canvas, *, at: Spot, filling: str = "salmon", standing: float = 0.35) -> None:
    """Slice a roll in its sheet of nori, seen from above."""
    nori = Stuff("#22322a", also="#33483a", bevel=0.05, gloss=0.4, rough=0.12, cell=0.12)
    c.paint(
        at,
        [disc(), shift(disc(), 0.0, standing * 0.4), shift(disc(), 0, standing * 0.2)],
        nori,
        lift=0.35,
    )
    top = at.up(0.02)
    c.paint(top, disc(0.89), Stuff("#f1ebdf", bevel=0.06))
    with c.stencil(top, disc(0.90)):
        _grains(c, top, 90, 0.86, 0.86)
    heart = box(0.40, 0.36, 3.5) if filling != "avocado" else blob(c.rng, 0.42, 0.36, 0.05)
    rim = {"cucumber": "#3f7a3c", "avocado": "#8fae45"}.get(filling, "")
    c.paint(
        top,
        heart,
        Stuff(FILLINGS[filling], rim=rim, bevel=0.06, relief=0.6, gloss=0.4, rough=0.12, cell=0.12),
    )


def uramaki(c: Canvas, *, at: Spot, coat: str = "sesame") -> None:
    """Slice a roll with the rice outside, rolled in sesame, roe or chives."""
    c.paint(
        at, [disc(), shift(disc(), 0, 0.14)], Stuff("#eee7da", rim="#cfc5b4", bevel=0.12), lift=0.35
    )
    with c.stencil(at, disc(1.02)):
        _grains(c, at, 110, 0.95, 0.95)
    tones = {
        "sesame": ("#d8b984", "#3b332e"),
        "roe": ("#ef6a25", "#f58b3c"),
        "chives": ("#5f9440", "#7fb055"),
    }[coat]
    for tone in tones:
        bits = [
            shift(disc(0.075), x, y)
            if coat == "roe"
            else stick(x, y, 0.13, 0.06, c.rng.uniform(0, 3))
            for x, y in scatter(c.rng, 26, 0.96, 0.66, 0.10)
        ]
        c.paint(at, bits, Stuff(tone, bevel=0.025, gloss=0.6), lift=0.03)
    c.paint(at, disc(0.60), Stuff("#22322a", bevel=0.04, gloss=0.3), holes=[disc(0.53)])
    c.paint(
        at.at(-0.16, -0.05), box(0.28, 0.24, 3), Stuff("#f0834a", bevel=0.06, gloss=0.5), lift=0.03
    )
    c.paint(
        at.at(0.20, -0.10),
        blob(c.rng, 0.20, 0.22, 0.05),
        Stuff("#cbd872", rim="#8fae45", bevel=0.06),
        lift=0.03,
    )
    c.paint(
        at.at(0.06, 0.24),
        box(0.24, 0.13, 3),
        Stuff("#a9cf7c", rim="#3f7a3c", bevel=0.05),
        lift=0.03,
    )


def gunkan(c: Canvas, *, at: Spot) -> None:
    """Wrap rice in nori and heap it with salmon roe."""
    nori = Stuff("#22322a", also="#33483a", bevel=0.05, gloss=0.4, rough=0.12, cell=0.12)
    c.paint(at, [box(1, 0.68, 2.6), shift(box(1, 0.68, 2.6), 0, 0.22)], nori, lift=0.35)
    c.paint(at, box(0.9, 0.58, 2.6), Stuff("#c94f18", bevel=0.08))
    for x, y in sorted(scatter(c.rng, 34, 0.92, 0, 0.19).tolist(), key=lambda p: p[1]):
        c.paint(
            at.at(x * 0.88, y * 0.58 - 0.04, 0.135),
            disc(),
            Stuff("#ef6a25", also="#f78f45", rim="#d9501a", bevel=0.35, gloss=0.95, cell=0.6),
            lift=0.25,
        )


def wasabi(c: Canvas, *, at: Spot) -> None:
    """Drop a pinch of wasabi."""
    c.paint(
        at,
        blob(c.rng, 1, 0.8, 0.08, 8),
        Stuff("#a3bf62", also="#b9d07c", bevel=0.28, rough=0.4, cell=0.25),
        lift=0.35,
    )
    c.paint(
        at.at(-0.08, -0.1),
        blob(c.rng, 0.5, 0.4, 0.12),
        Stuff("#b4cc74", bevel=0.2, rough=0.4, cell=0.25),
        lift=0.2,
    )


def ginger(c: Canvas, *, at: Spot) -> None:
    """Fold pickled ginger into a rose."""
    petal = Stuff(
        "#f3c1b4", also="#f8d8c8", rim="#eeb0a4", bevel=0.08, relief=0.7, gloss=0.4, cell=0.4
    )
    for i, size in enumerate((1.0, 0.95, 0.8, 0.7, 0.52, 0.36)):
        part = at.at(
            0.22 * (1 - i / 6) * np.cos(2.4 * i), 0.2 * (1 - i / 6) * np.sin(2.4 * i), size, 75 * i
        )
        c.paint(
            part,
            blob(c.rng, 0.9, 0.62, 0.08),
            petal,
            lift=0.08,
        )
