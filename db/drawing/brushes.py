"""The drawing vocabulary: outlines, a canvas, and one brush that lights whatever it paints.

A shape is a polygon in units of its spot's radius.  The brush blurs the shape's mask into a
height field and lights that, so every berry and bun takes its highlight from the same sun.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Array: TypeAlias = NDArray[np.floating[Any]]
Rng: TypeAlias = np.random.Generator
Texture: TypeAlias = "Callable[[Canvas, int, int], Array]"

FINE = 3  # canvas pixels to one pixel of the finished picture, each way
SHADE = np.array([0.30, 0.19, 0.20], dtype=np.float32)  # shadows stay warm, never grey


def rgb(code: str) -> Array:
    """Turn a colour such as "#d9974f" into three numbers from 0 to 1."""
    return np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.float32) / 255


def mix(one: Array, other: Array, share: Array) -> Array:
    """Blend two colours (or pictures) by a field of shares."""
    return one + (other - one) * share[..., None]


def resize(values: Array, height: int, width: int, how: Image.Resampling) -> Array:
    """Scale one plane of numbers."""
    plane = Image.fromarray(values.astype(np.float32))
    return np.asarray(plane.resize((width, height), how), dtype=np.float32)


def blur(values: Array, sigma: float) -> Array:
    """Blur one plane in floating point: eight bits would show as terraces once lit."""
    step = max(1, int(sigma / 3))  # wide blurs are as good, and far faster, on a small copy
    height, width = values.shape
    rows, cols = math.ceil(height / step), math.ceil(width / step)
    small = values if step == 1 else resize(values, rows, cols, Image.Resampling.BOX)
    sigma /= step
    reach = int(3 * sigma) + 1
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2).astype(np.float32)
    weights /= weights.sum()
    for axis, length in ((0, rows), (1, cols)):
        pad = ((reach, reach), (0, 0)) if axis == 0 else ((0, 0), (reach, reach))
        padded = np.pad(small, pad)
        small = np.zeros_like(small)
        for i, weight in enumerate(weights):
            part = padded[i : i + length] if axis == 0 else padded[:, i : i + length]
            small += weight * part
    return small if step == 1 else resize(small, height, width, Image.Resampling.BICUBIC)


def noise(rng: Rng, height: int, width: int, cell: float | tuple[float, float]) -> Array:
    """Smooth noise around 0 whose spots measure about `cell` (across, down) canvas pixels."""
    across, down = cell if isinstance(cell, tuple) else (cell, cell)
    total = np.zeros((height, width), dtype=np.float32)
    for power in (1.0, 0.5, 0.25):
        rows = max(2, int(height / (down * power)) + 2)
        cols = max(2, int(width / (across * power)) + 2)
        grid = rng.standard_normal((min(rows, height), min(cols, width))).astype(np.float32)
        total += power * resize(grid, height, width, Image.Resampling.BICUBIC)
    return total / 1.2


# --- outlines, in units of a spot's radius ------------------------------------------------------


def box(rx: float, ry: float, power: float = 5.0) -> Array:
    """Outline a rounded box; power 2 is an ellipse, larger is squarer."""
    turn = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    cos, sin = np.cos(turn), np.sin(turn)
    shape = np.stack(
        [np.sign(cos) * abs(cos) ** (2 / power), np.sign(sin) * abs(sin) ** (2 / power)]
    )
    return np.asarray(shape.T * (rx, ry))


def shift(points: Array, x: float, y: float) -> Array:
    """Move an outline."""
    return np.asarray(points + np.array([x, y]))


def disc(rx: float = 1.0, ry: float | None = None) -> Array:
    """Outline a circle or an ellipse."""
    return box(rx, rx if ry is None else ry, 2.0)


def blob(
    rng: Rng, rx: float, ry: float | None = None, wobble: float = 0.05, lobes: int = 6
) -> Array:
    """Outline an ellipse drawn by an unsteady hand."""
    turn = np.linspace(0, 2 * np.pi, 160, endpoint=False)
    size = np.ones_like(turn)
    for lobe in range(2, lobes + 1):
        size += (
            wobble * rng.normal() / math.sqrt(lobes / 2) * np.cos(lobe * turn + rng.uniform(0, 7))
        )
    return np.stack([rx * size * np.cos(turn), (rx if ry is None else ry) * size * np.sin(turn)], 1)


def slab(rng: Rng, rx: float, ry: float, height: float, wobble: float = 0.0) -> Array:
    """Outline a thick round slice seen from three quarters above; its foot is at y = 0."""
    turn = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    size = np.ones_like(turn)
    for lobe in range(3, 17):
        size += wobble * rng.normal() / 3 * np.cos(lobe * turn + rng.uniform(0, 7))
    # The sign of sin jumps from foot to top; the soft step between rounds the slab's side.
    step = np.clip(0.5 - 2.2 * np.sin(turn), 0, 1)
    return np.stack([rx * size * np.cos(turn), ry * size * np.sin(turn) - height * step], 1)


def curve(*knots: tuple[float, float], points: int = 40) -> Array:
    """Sample the Bezier curve of the given control points."""
    t = np.linspace(0, 1, points)
    last = len(knots) - 1
    terms = [math.comb(last, i) * t**i * (1 - t) ** (last - i) for i in range(last + 1)]
    return np.asarray(np.stack(terms, 1) @ np.array(knots))


def ribbon(path: Array, width: float, taper: float = 0.0) -> Array:
    """Thicken a path into a round-ended stroke that thins by `taper` towards its far end."""
    along = np.gradient(path, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-9
    t = np.linspace(0, 1, len(path))
    half = 0.5 * width * (1 - taper * t) * np.sqrt(1 - abs(2 * t - 1) ** 12)
    side = np.stack([-along[:, 1], along[:, 0]], 1) * half[:, None]
    return np.concatenate([path + side, (path - side)[::-1]])


def stick(x: float, y: float, length: float, width: float, turn: float) -> Array:
    """Outline a short rod: a sprinkle, a seed, a grain of rice, a chip."""
    cos, sin = math.cos(turn), math.sin(turn)
    return np.asarray(
        box(length / 2, width / 2, 2.6) @ np.array([[cos, sin], [-sin, cos]]) + (x, y)
    )


def leaf(rng: Rng, length: float, width: float, ruffle: float = 0.0, waves: int = 9) -> Array:
    """Outline a leaf that grows from the origin along x."""
    t = np.linspace(0, 1, 60)
    body = width * np.sin(np.pi * t**0.8) ** 0.8
    sides = []
    for sign in (1, -1):
        frill = 1 + ruffle * np.sin(waves * 2 * np.pi * t + rng.uniform(0, 7)) * rng.uniform(
            0.6, 1.2
        )
        bend = 0.12 * length * np.sin(np.pi * t) * rng.uniform(-1, 1)
        sides.append(np.stack([t * length * (1 + 0.02 * sign), sign * body * frill + bend], 1))
    return np.concatenate([sides[0], sides[1][::-1]])


def wedge(start: float, stop: float, reach: float = 1.5) -> Array:
    """Outline a slice of a pie between two angles in degrees."""
    turn = np.radians(np.linspace(start, stop, 40))
    return np.concatenate([np.zeros((1, 2)), reach * np.stack([np.cos(turn), np.sin(turn)], 1)])


def scatter(rng: Rng, count: int, outer: float, inner: float = 0.0, gap: float = 0.1) -> Array:
    """Strew up to `count` points over a ring, none closer than `gap`."""
    kept: list[tuple[float, float]] = []
    for _ in range(count * 12):
        turn, size = rng.uniform(0, 2 * np.pi), math.sqrt(rng.uniform(inner**2, outer**2))
        x, y = size * math.cos(turn), size * math.sin(turn)
        if all((x - a) ** 2 + (y - b) ** 2 > gap * gap for a, b in kept):
            kept.append((x, y))
        if len(kept) == count:
            break
    return np.array(kept).reshape(-1, 2)


# --- where, of what, and on what ----------------------------------------------------------------


@dataclass(frozen=True)
class Spot:
    """Where a thing lies: centre and radius in picture pixels, turn in degrees, tilt.

    A tilt of 1 is seen from straight above; less is seen aslant.
    """

    x: float
    y: float
    r: float = 1.0
    turn: float = 0.0
    tilt: float = 1.0

    def put(self, points: Array) -> Array:
        """Carry an outline from the thing's own units to the picture."""
        cos, sin = math.cos(math.radians(self.turn)), math.sin(math.radians(self.turn))
        turned = points @ np.array([[cos, sin], [-sin, cos]])
        return np.asarray(turned * (self.r, self.r * self.tilt) + (self.x, self.y))

    def at(self, x: float, y: float, r: float = 1.0, turn: float = 0.0) -> Spot:
        """Find the spot of a smaller thing that lies on this one."""
        centre = self.put(np.array([[x, y]]))[0]
        return Spot(centre[0], centre[1], self.r * r, self.turn + turn, self.tilt)

    def up(self, height: float) -> Spot:
        """Raise the spot off the table, which in the picture is straight up."""
        return Spot(self.x, self.y - height * self.r, self.r, self.turn, self.tilt)


@dataclass(frozen=True)
class Stuff:
    """What a thing is made of, as far as light can tell; lengths in units of its spot's radius."""

    color: str | Texture
    also: str = ""  # a second colour, in soft patches
    rim: str = ""  # the colour towards the edge
    foot: str = ""  # the colour towards the lower end
    bevel: float = 0.1  # how far the edge is rounded
    relief: float = 1.0  # how steeply
    gloss: float = 0.0
    rough: float = 0.0  # steepness of the bumps
    cell: float = 0.08  # size of the bumps and patches
    alpha: float = 1.0


@dataclass
class Canvas:
    """A picture in the making."""

    width: int
    height: int
    rng: Rng
    sun: float = 225.0  # degrees clockwise from the right: 225 is the upper left
    px: Array = field(init=False)
    _stencil: Image.Image | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Lay an empty ground."""
        self.px = np.zeros((self.height * FINE, self.width * FINE, 3), dtype=np.float32)

    @property
    def towards_sun(self) -> tuple[float, float]:
        """The direction of the light in the plane of the picture."""
        return math.cos(math.radians(self.sun)), math.sin(math.radians(self.sun))

    def fill(self, texture: Texture) -> None:
        """Cover the whole canvas."""
        self.px[:] = texture(self, self.px.shape[0], self.px.shape[1])

    @contextmanager
    def stencil(self, at: Spot, shape: Array, holes: Sequence[Array] = ()) -> Iterator[None]:
        """Keep all paint (and the shadows it throws) inside a shape for a while."""
        self._stencil = Image.new("L", (self.width * FINE, self.height * FINE))
        pen = ImageDraw.Draw(self._stencil)
        for value, part in ((255, shape), *((0, hole) for hole in holes)):
            pen.polygon((at.put(part) * FINE).ravel().tolist(), fill=value)
        try:
            yield
        finally:
            self._stencil = None

    def paint(
        self,
        at: Spot,
        shapes: Array | Sequence[Array],
        stuff: Stuff,
        *,
        lift: float = 0.0,
        holes: Sequence[Array] = (),
    ) -> None:
        """Paint the union of shapes less the holes; `lift` off the ground throws a shadow."""
        parts = [at.put(s) * FINE for s in ([shapes] if isinstance(shapes, np.ndarray) else shapes)]
        gaps = [at.put(hole) * FINE for hole in holes]
        unit = at.r * FINE
        if lift:
            self._cast(parts, gaps, lift * unit)
        bevel = max(stuff.bevel * unit, 0.8)
        corner, mask = self._mask(parts, gaps, bevel)
        if mask.size == 0:
            return
        where, crop = self._window(corner, mask.shape)
        colour = self._light(mask, stuff, bevel, unit)[crop]
        share = blur(mask, 0.7)[crop] * stuff.alpha * self._allowed(where)
        self.px[where] = mix(self.px[where], colour, share)

    def _light(self, mask: Array, stuff: Stuff, bevel: float, unit: float) -> Array:
        """Colour and light a patch by the height of its blurred mask."""
        rows, cols = mask.shape
        cell = max(stuff.cell * unit, 2.0)
        soft = blur(mask, bevel)
        height = soft * (2.5 * bevel * stuff.relief)
        if stuff.rough:
            height = height + noise(self.rng, rows, cols, cell) * (stuff.rough * cell * 0.35)
        if isinstance(stuff.color, str):
            colour = np.broadcast_to(rgb(stuff.color), (rows, cols, 3))
        else:
            colour = stuff.color(self, rows, cols)
        if stuff.foot:
            ramp = np.linspace(-0.2, 1.2, rows, dtype=np.float32)[:, None]
            colour = mix(colour, rgb(stuff.foot), np.clip(ramp + 0 * mask, 0, 1))
        if stuff.also:
            patches = np.clip(0.45 + 0.55 * noise(self.rng, rows, cols, cell * 1.6), 0, 1)
            colour = mix(colour, rgb(stuff.also), patches)
        if stuff.rim:
            colour = mix(colour, rgb(stuff.rim), np.clip(1.9 - 2.1 * soft, 0, 1))
        slope_y, slope_x = np.gradient(height)
        steep = np.sqrt(slope_x**2 + slope_y**2 + 1)
        (sun_x, sun_y), flat, high = self.towards_sun, 0.62, 0.785
        lit = ((-slope_x * sun_x - slope_y * sun_y) * flat + high) / steep / high
        glint = ((-slope_x * sun_x - slope_y * sun_y) * 0.33 + 0.944) / steep
        lit = np.clip(lit, 0.45, 1.28)[..., None]
        # Uneven powers let the dark side keep its red, as in gouache, and not go to ash.
        colour = colour * lit ** np.array([0.8, 1.0, 1.12], dtype=np.float32)
        shine = stuff.gloss * np.clip(glint, 0, 1) ** 48
        return np.asarray(mix(colour, rgb("#fffaf0"), np.clip(shine, 0, 0.95)))

    def _cast(self, parts: Sequence[Array], gaps: Sequence[Array], lift: float) -> None:
        """Darken the ground where the parts keep the sun off it."""
        softness = 0.55 * lift + 2
        step = max(1.0, softness / 3)
        sun_x, sun_y = self.towards_sun
        away = np.array([-sun_x, -sun_y]) * lift * 0.85
        small = [(part + away) / step for part in parts]
        corner, mask = self._mask(small, [(gap + away) / step for gap in gaps], 10, step)
        if mask.size == 0:
            return
        soft = blur(mask, softness / step)
        rows, cols = int(mask.shape[0] * step), int(mask.shape[1] * step)
        soft = resize(soft, rows, cols, Image.Resampling.BICUBIC)
        where, crop = self._window((int(corner[0] * step), int(corner[1] * step)), soft.shape)
        share = np.clip(soft[crop], 0, 1) * 0.55 * self._allowed(where)
        self.px[where] *= 1 + (SHADE - 1) * share[..., None]

    def _mask(
        self, parts: Sequence[Array], gaps: Sequence[Array], margin: float, step: float = 1.0
    ) -> tuple[tuple[int, int], Array]:
        """Fill polygons in the smallest patch that shows; give its corner and the mask."""
        every = np.concatenate(list(parts))
        # Beyond the picture's edge the patch goes on a while, or the edge would look bevelled.
        pad = 3 * margin
        limit = np.array([self.width, self.height]) * FINE / step + pad
        low = np.floor(np.clip(every.min(0) - 4 - 0.4 * margin, -pad, limit)).astype(int)
        high = np.ceil(np.clip(every.max(0) + 4 + 0.4 * margin, -pad, limit)).astype(int)
        wide, tall = (int(v) for v in high - low)
        corner = (int(low[0]), int(low[1]))
        if min(wide, tall) < 4:
            return corner, np.zeros((0, 0), dtype=np.float32)
        image = Image.new("L", (wide, tall))
        pen = ImageDraw.Draw(image)
        for value, polygons in ((255, parts), (0, gaps)):
            for polygon in polygons:
                pen.polygon((polygon - low).ravel().tolist(), fill=value)
        return corner, np.asarray(image, dtype=np.float32) / 255

    def _window(
        self, corner: tuple[int, int], shape: tuple[int, ...]
    ) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Match the canvas under a patch with the part of the patch on the canvas."""
        where, crop = [], []
        for start, length, full in (
            (corner[1], shape[0], self.px.shape[0]),
            (corner[0], shape[1], self.px.shape[1]),
        ):
            low, high = max(start, 0), max(min(start + length, full), max(start, 0))
            low = min(low, full)
            where.append(slice(low, min(high, full)))
            crop.append(slice(low - start, min(high, full) - start))
        return (where[0], where[1]), (crop[0], crop[1])

    def _allowed(self, where: tuple[slice, slice]) -> Array:
        if self._stencil is None:
            return np.ones((1, 1), dtype=np.float32)
        rows, cols = where
        part = self._stencil.crop((cols.start, rows.start, cols.stop, rows.stop))
        return np.asarray(part, dtype=np.float32) / 255
