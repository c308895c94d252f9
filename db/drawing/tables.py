"""The grounds that dishes stand on: wood, cloth, stone, tile and coloured paper."""

from __future__ import annotations

import numpy as np

from .brushes import FINE, Array, Canvas, Texture, mix, noise, rgb


def _relief(c: Canvas, height: Array, strength: float) -> Array:
    """Light a bumpy plane: more than 1 where it faces the sun."""
    down, across = np.gradient(height)
    sun_x, sun_y = c.towards_sun
    lit = np.asarray(1 - strength * (across * sun_x + down * sun_y), dtype=np.float32)
    return np.clip(lit, 0.5, 1.5)[..., None]


def wood(light: str, dark: str, plank: float = 70.0, upright: bool = False) -> Texture:
    """Lay planks that are `plank` picture pixels wide."""

    def texture(c: Canvas, rows: int, cols: int) -> Array:
        if upright:
            rows, cols = cols, rows
        y = np.arange(rows, dtype=np.float32)[:, None] + c.rng.uniform(0, 900)
        number = (y // (plank * FINE)).astype(int)
        inside = (y / (plank * FINE)) % 1
        tone = c.rng.uniform(-0.16, 0.16, 200).astype(np.float32)[number % 200]
        drift = noise(c.rng, rows, cols, (420.0, 60.0))
        rings = np.sin((y + 26 * drift + 300 * tone) / 5.5)
        fibre = noise(c.rng, rows, cols, (200.0, 3.0))
        share = np.clip(0.42 + 0.16 * rings * (0.6 + drift) + 0.20 * fibre + 0.7 * tone, 0, 1)
        colour = mix(rgb(light), rgb(dark), share)
        gap = np.clip(np.minimum(inside, 1 - inside) * plank * FINE / 4.0, 0, 1)
        colour = colour * (0.45 + 0.55 * gap)[..., None]
        return np.asarray(colour.transpose(1, 0, 2) if upright else colour)

    return texture


def linen(base: str, check: str = "", pitch: float = 44.0) -> Texture:
    """Spread woven cloth in soft folds, plain or in gingham checks."""

    def texture(c: Canvas, rows: int, cols: int) -> Array:
        warp = noise(c.rng, rows, cols, (2.5, 60.0))
        weft = noise(c.rng, rows, cols, (60.0, 2.5))
        colour = np.broadcast_to(rgb(base), (rows, cols, 3))
        if check:
            bend = 5 * noise(c.rng, rows, cols, 260.0)
            y, x = np.mgrid[0:rows, 0:cols].astype(np.float32)
            bars = [np.sin((v + bend) * np.pi / (pitch * FINE)) * 14 for v in (x, y)]
            share = sum(np.clip(0.5 + bar, 0, 1) for bar in bars)
            colour = mix(colour, rgb(check), np.asarray(share * 0.44, dtype=np.float32))
        folds = noise(c.rng, rows, cols, (330.0, 240.0))
        colour = colour * (1 + 0.055 * warp + 0.055 * weft)[..., None]
        return np.asarray(colour * _relief(c, folds * 40, 0.27))

    return texture


def marble(base: str, vein: str) -> Texture:
    """Polish a slab with branching veins."""

    def texture(c: Canvas, rows: int, cols: int) -> Array:
        cloud = noise(c.rng, rows, cols, 300.0)
        colour = mix(rgb(base), rgb(vein), np.clip(0.10 + 0.10 * cloud, 0, 1))
        for cell, width, depth in ((420.0, 0.07, 0.55), (230.0, 0.04, 0.28)):
            ridge = noise(c.rng, rows, cols, (cell, cell * 0.6)) + 0.25 * cloud
            fade = np.clip(0.5 + 0.6 * noise(c.rng, rows, cols, 260.0), 0, 1)
            line = np.exp(-((ridge / width) ** 2)) + 0.3 * np.exp(-((ridge / (6 * width)) ** 2))
            colour = mix(colour, rgb(vein), np.clip(depth * line * fade, 0, 1))
        return np.asarray(colour)

    return texture


def slate(base: str, fleck: str) -> Texture:
    """Split stone along its grain."""

    def texture(c: Canvas, rows: int, cols: int) -> Array:
        layers = noise(c.rng, rows, cols, (240.0, 90.0)) * 9
        grit = noise(c.rng, rows, cols, 9.0)
        cloud = np.clip(0.3 + 0.3 * noise(c.rng, rows, cols, 190.0) + 0.1 * grit, 0, 1)
        return np.asarray(mix(rgb(base), rgb(fleck), cloud) * _relief(c, layers + grit, 0.32))

    return texture


def paper(base: str, other: str = "") -> Texture:
    """Lay coloured paper, or two sheets that meet on a slant."""

    def texture(c: Canvas, rows: int, cols: int) -> Array:
        wash = noise(c.rng, rows, cols, 200.0)
        tooth = noise(c.rng, rows, cols, 5.0)
        colour = np.broadcast_to(rgb(base), (rows, cols, 3))
        if other:
            y, x = np.mgrid[0:rows, 0:cols].astype(np.float32)
            edge = y - rows * c.rng.uniform(0.5, 0.62) - (x - cols / 2) * c.rng.uniform(-0.5, 0.5)
            shade = 1 - 0.35 * np.exp(-np.clip(-edge, 0, None) / 16) * (edge < 0)
            colour = mix(colour * shade[..., None], rgb(other), np.clip(edge / 2, 0, 1))
        return np.asarray(colour * (1 + 0.035 * wash + 0.018 * tooth)[..., None])

    return texture


def tile(base: str, other: str, grout: str, pitch: float = 62.0) -> Texture:
    """Set hand-glazed tiles of uneven tone."""

    def texture(c: Canvas, rows: int, cols: int) -> Array:
        bend = 3 * noise(c.rng, rows, cols, 200.0)
        y, x = np.mgrid[0:rows, 0:cols].astype(np.float32) + c.rng.uniform(0, 150) + bend
        side = pitch * FINE
        tone = c.rng.uniform(0, 1, (64, 64)).astype(np.float32)
        share = tone[(y // side).astype(int) % 64, (x // side).astype(int) % 64]
        glaze = noise(c.rng, rows, cols, 90.0)
        colour = mix(rgb(base), rgb(other), np.clip(share + 0.15 * glaze, 0, 1))
        near = np.minimum(np.minimum(x % side, -x % side), np.minimum(y % side, -y % side))
        pillow = np.clip(near / 12, 0, 1)
        colour = colour * _relief(c, pillow * 5 + glaze * 4, 0.5)
        return np.asarray(mix(rgb(grout), colour, np.clip(near / 3 - 1, 0, 1)))

    return texture


OAK = wood("#d9a86c", "#a8713c")
WALNUT = wood("#7d5236", "#4a2c1c", 84.0)
WHITEWASH = wood("#e6ddcf", "#b9a993", 62.0, upright=True)
DRIFT = wood("#a79d8d", "#6f665a", 56.0)
CREAM = linen("#e4d5ba")
DENIM = linen("#6f88a3")
SAGE = linen("#a9b594")
ROSE = linen("#d9a79c")
GINGHAM = linen("#f4ece0", "#c8463c")
BLUE_CHECK = linen("#f1ede4", "#5b7fae", 30.0)
WHITE_MARBLE = marble("#e7e1d9", "#8d8a8c")
GREEN_MARBLE = marble("#3f6f5e", "#8fb5a0")
SLATE = slate("#3a4044", "#6a7073")
SAND = slate("#d3bd98", "#b1936a")
MUSTARD = paper("#e3ab45")
TEAL = paper("#2f7f83")
CORAL = paper("#ea8e72")
LILAC = paper("#b9a3cf", "#efd7c4")
MINT = paper("#a7d3bd", "#f3e3c3")
PLUM = paper("#5b3550")
TILES = tile("#f0e9dc", "#d8e0da", "#bcae9a")
BLUE_TILES = tile("#2f6f94", "#4fa3b0", "#dcd3bf", 54.0)
