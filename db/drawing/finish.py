"""What happens to a painted canvas last: daylight, an unsteady hand, colour, size and grain."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from .brushes import FINE, SHADE, Array, Canvas, Spot, blur, leaf, noise, resize


def daylight(c: Canvas, strength: float = 0.24) -> None:
    """Let light fall off from the sun's side of the picture to the other."""
    rows, cols, _ = c.px.shape
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : cols * 1j].astype(np.float32)
    sun_x, sun_y = c.towards_sun
    pool = np.exp(-0.45 * ((x - 0.55 * sun_x) ** 2 + (y - 0.55 * sun_y) ** 2))
    c.px *= (1.04 - strength + 1.6 * strength * pool)[..., None]


def dapple(c: Canvas) -> None:
    """Throw the shadow of a branch across the table."""
    rows, cols, _ = c.px.shape
    pen = ImageDraw.Draw(plan := Image.new("L", (cols, rows)))
    stem = Spot(c.width * 0.1, -10, c.height * 0.26, c.rng.uniform(15, 50))
    for i in range(34):
        lean = (1 if i % 2 else -1) * c.rng.uniform(30, 75)
        twig = stem.at(0.13 * i, 0.25 * np.sin(i / 4), c.rng.uniform(0.5, 0.8), lean)
        pen.polygon((twig.put(leaf(c.rng, 1.0, 0.17)) * FINE).ravel().tolist(), fill=255)
    mask = np.asarray(plan, dtype=np.float32) / 255
    share = blur(mask, 11.0) * 0.42
    c.px *= 1 + (SHADE - 1) * share[..., None]


def window(c: Canvas) -> None:
    """Let the sun in through a window with bars, leaving the rest in shade."""
    rows, cols, _ = c.px.shape
    y, x = np.mgrid[0:rows, 0:cols].astype(np.float32) / rows
    across, down = x - 0.35 * y + c.rng.uniform(-0.1, 0.1), y + 0.25 * x + c.rng.uniform(-0.1, 0.1)
    panes = (abs(across % 0.62 - 0.31) < 0.275) & (abs(down % 0.72 - 0.36) < 0.325)
    share = (1 - blur(panes.astype(np.float32), 12.0)) * 0.40
    c.px *= 1 + (SHADE * 1.15 - 1) * share[..., None]


def develop(c: Canvas, warmth: float = 0.0) -> Image.Image:
    """Turn the canvas into the finished picture."""
    rows, cols, _ = c.px.shape
    y, x = np.mgrid[0:rows, 0:cols]
    # Edges drawn by geometry are too true; a hand would wander a pixel or so.
    moves = [np.rint(noise(c.rng, rows, cols, 60.0) * 1.1).astype(int) for _ in range(2)]
    px = c.px[np.clip(y + moves[0], 0, rows - 1), np.clip(x + moves[1], 0, cols - 1)]
    px = np.clip(px * (1 + np.array([0.06, 0.01, -0.07], dtype=np.float32) * warmth), 0, 1.15)
    grey = px.mean(2, keepdims=True)
    px = grey + (px - grey) * 1.08
    px = np.clip(px, 0, 1)
    px = px + 0.16 * (px * px * (3 - 2 * px) - px)
    small: Array = np.stack(
        [resize(px[..., i], c.height, c.width, Image.Resampling.LANCZOS) for i in range(3)], 2
    )
    small = small + 0.006 * c.rng.standard_normal((c.height, c.width, 1))
    return Image.fromarray((np.clip(small, 0, 1) * 255 + 0.5).astype(np.uint8))
