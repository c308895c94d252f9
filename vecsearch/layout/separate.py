"""Squares on a map moved apart until none is hidden."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.layout.points import ExactPoints, Points, disc

ROUNDS: Final = 25
GROWTH: Final = 1.02
"""The number of rounds of pushing, after which a jammed map grows by this factor."""
NEARLY: Final = 0.97
"""`spread` stops at this share of the wanted distance; a small magnification gives the rest."""


def arrange(points: Points) -> Points:
    """Return every point a unit square of its own: those of a crowd move apart, the gaps stay.

    What comes back is a little looser than it must be, so that shapes can be seen.
    """
    return spread(_with_air(points), 1.0)


def arrange_with_names(
    points: Points, labels: npt.NDArray[np.int64], names: Mapping[int, tuple[float, float]]
) -> tuple[Points, dict[int, tuple[float, float]]]:
    """Return every point a unit square, and the name of each crowd a rectangle at its upper edge.

    *labels* (n,) tell the crowd of each point, *names* the width and height of the name of some
    crowds, each at least 1. Return the points (n, 2), and the middle of each name. Nothing lies
    over anything else.
    """
    placed = _without_heaps(_with_air(points).astype(np.float64), 1.0)
    middles, parts, bodies = [placed], [np.zeros_like(placed)], [np.arange(len(placed))]
    halves = np.full((len(placed) + len(names), 2), 0.5)
    for number, (crowd, (width, height)) in enumerate(names.items(), start=len(placed)):
        members = placed[labels == crowd]
        top = np.quantile(members[:, 1], 0.03) - (1 + height) / 2
        x = (np.linspace(-0.5, 0.5, int(np.ceil(width))) * (width - 1)).tolist()
        y = (np.linspace(-0.5, 0.5, int(np.ceil(height))) * (height - 1)).tolist()
        squares = np.array([(right, down) for down in y for right in x])
        middles.append(np.array([[np.median(members[:, 0]), top]]))
        parts.append(squares)
        bodies.append(np.full(len(squares), number))
        halves[number] = width / 2, height / 2
    bodied = _Bodies(np.concatenate(bodies), np.concatenate(parts), halves)
    found = _spread(np.concatenate(middles), bodied, 1.0)
    titles = found[len(placed) :].tolist()
    return found[: len(placed)].astype(np.float32), {
        crowd: (x, y) for crowd, (x, y) in zip(names, titles, strict=True)
    }


def spread(points: Points, size: float) -> Points:
    """Move *points* apart until squares of side *size* around them do not overlap.

    Squares that overlap push each other along the line between their centres, over and over; so
    crowds grow while their neighbourhoods, and the gaps between crowds, stay. Points that are far
    enough apart from the start are returned as they are.
    """
    placed = _without_heaps(points.astype(np.float64), size)
    return _spread(placed, None, size).astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Bodies:
    """Bodies (m), some of which are rectangles of many squares (n), as names are."""

    of: npt.NDArray[np.int64]  # (n,) the body of each square
    parts: ExactPoints  # (n, 2) from the middle of the body to that of the square
    halves: ExactPoints  # (m, 2) half the width and height


def _spread(middles: ExactPoints, bodies: _Bodies | None, size: float) -> ExactPoints:
    """Move squares, or *bodies*, apart, and tell where their middles (m, 2) are then."""
    while True:
        middles, closest = _push(middles, bodies, size)
        if closest >= NEARLY:
            break
        # More pushing would do as well, in ten times the time and with more disorder.
        middle = middles.mean(axis=0)
        middles = middle + (middles - middle) * GROWTH
    if closest < 1.0:
        middle = middles.mean(axis=0)
        middles = middle + (middles - middle) / closest
    return middles


def _push(middles: ExactPoints, bodies: _Bodies | None, size: float) -> tuple[ExactPoints, float]:
    """Push for ROUNDS, or until it is done; tell how close the closest are, as a share of size."""
    from scipy.spatial import cKDTree

    n = len(middles)
    closest = 1.0
    for _ in range(ROUNDS):
        placed = middles if bodies is None else middles[bodies.of] + bodies.parts
        # A hair less than size, or rounding alone would keep touching squares busy.
        pairs = cKDTree(placed).query_pairs(size * (1 - 1e-6), p=np.inf, output_type="ndarray")
        if bodies is not None:
            pairs = bodies.of[pairs]
            pairs = pairs[pairs[:, 0] != pairs[:, 1]]
        if not len(pairs):
            return middles, 1.0
        first, second = pairs[:, 0], pairs[:, 1]
        apart = middles[second] - middles[first]
        reach = np.maximum(np.abs(apart).max(axis=1), 1e-9 * size)
        push = apart * (np.maximum(size / reach - 1.0, 0.0) / 2)[:, np.newaxis]
        if bodies is not None:
            _push_rectangles(bodies, first, second, apart, reach, push)
        closest = float(reach.min()) / size
        if closest >= NEARLY:
            break
        moved = np.stack(
            [
                np.bincount(second, push[:, axis], n) - np.bincount(first, push[:, axis], n)
                for axis in (0, 1)
            ],
            axis=1,
        )
        # The mean of the pushes, twice as far: the sum would throw crowds about.
        pushes = np.bincount(pairs.ravel(), minlength=n)
        middles = middles + moved * (2.0 / np.maximum(pushes, 1))[:, np.newaxis]
    return middles, closest


def _push_rectangles(
    bodies: _Bodies,
    first: npt.NDArray[np.int64],
    second: npt.NDArray[np.int64],
    apart: ExactPoints,
    reach: npt.NDArray[np.float64],
    push: ExactPoints,
) -> None:
    """Push rectangles and what lies on them the shortest way out, in *push* and *reach*."""
    halves = bodies.halves[first] + bodies.halves[second]
    (wide,) = np.nonzero(halves.max(axis=1) > 1.0)
    over = halves[wide] - np.abs(apart[wide])
    axis = over.argmin(axis=1)
    rows = np.arange(len(wide))
    least = np.maximum(over[rows, axis], 0.0)
    push[wide] = 0.0
    push[wide, axis] = np.where(apart[wide, axis] < 0, -0.5, 0.5) * least
    reach[wide] = 1.0 - np.minimum(least, 1.0)


def _with_air(points: Points) -> Points:
    """Scale *points* so that their bounding box has room for unit squares and for some air."""
    n = len(points)
    reach = np.ptp(points, axis=0).astype(np.float64)
    if not reach.any():
        return points
    # Points in one line get a flat box, not one without area.
    x, y = np.maximum(reach, reach.max() / 2)
    air = 2.0 - 0.45 * min(1.0, np.log10(n) / 3)  # boxes' area over pictures' area
    # (s x + 1) (s y + 1) = air n
    root = np.sqrt((x + y) ** 2 + 4 * x * y * (air * n - 1))
    scale = (root - (x + y)) / (2 * x * y)
    return (points * np.float32(scale)).astype(np.float32)


def _without_heaps(points: ExactPoints, size: float) -> ExactPoints:
    """Lay equal points, which have no line to push along, out as a disc."""
    if len(points) < 2:
        return points
    _, heap, counts = np.unique(
        np.round(points / (1e-3 * size)), axis=0, return_inverse=True, return_counts=True
    )
    heap = heap.ravel()
    order = np.argsort(heap, kind="stable")
    place = np.empty(len(points), np.int64)  # of each point within its heap
    place[order] = np.arange(len(points)) - (np.cumsum(counts) - counts)[heap[order]]
    many = counts[heap]
    radius = np.where(many > 1, 0.55 * size * np.sqrt(many), 0.0)
    return points + radius[:, np.newaxis] * disc(place, many)
