"""Squares on a map moved apart until none is hidden."""

from __future__ import annotations

from typing import Final

import numpy as np

from vecsearch.layout.points import ExactPoints, Points, disc

ROUNDS: Final = 25
GROWTH: Final = 1.02
"""After so many rounds of pushing, a map that is jammed grows by this factor."""
NEARLY: Final = 0.97
"""`spread` stops at this share of the wanted distance; a small magnification gives the rest."""


def arrange(points: Points) -> Points:
    """Give every point a unit square of its own: those of a crowd move apart, the gaps stay.

    What comes back is a little looser than it must be, so that shapes can be seen.
    """
    return spread(_with_air(points), 1.0)


def spread(points: Points, size: float) -> Points:
    """Move *points* apart until squares of side *size* around them do not overlap.

    Squares that overlap push each other along the line between their centres, over and over; so
    crowds grow while their neighbourhoods, and the gaps between crowds, stay. Points that are far
    enough apart from the start are returned as they are.
    """
    placed = _without_heaps(points.astype(np.float64), size)
    while True:
        placed, closest = _push(placed, size)
        if closest >= NEARLY:
            break
        # More pushing would do as well, in ten times the time and with more disorder.
        middle = placed.mean(axis=0)
        placed = middle + (placed - middle) * GROWTH
    if closest < 1.0:
        middle = placed.mean(axis=0)
        placed = middle + (placed - middle) / closest
    return placed.astype(np.float32)


def _push(placed: ExactPoints, size: float) -> tuple[ExactPoints, float]:
    """Push for ROUNDS, or until it is done; tell how close the closest are, as a share of size."""
    from scipy.spatial import cKDTree

    n = len(placed)
    closest = 1.0
    for _ in range(ROUNDS):
        # A hair less than size, or rounding alone would keep touching squares busy.
        pairs = cKDTree(placed).query_pairs(size * (1 - 1e-6), p=np.inf, output_type="ndarray")
        if not len(pairs):
            return placed, 1.0
        first, second = pairs[:, 0], pairs[:, 1]
        apart = placed[second] - placed[first]
        reach = np.maximum(np.abs(apart).max(axis=1), 1e-9 * size)
        closest = float(reach.min()) / size
        if closest >= NEARLY:
            break
        push = apart * (np.maximum(size / reach - 1.0, 0.0) / 2)[:, np.newaxis]
        moved = np.stack(
            [
                np.bincount(second, push[:, axis], n) - np.bincount(first, push[:, axis], n)
                for axis in (0, 1)
            ],
            axis=1,
        )
        # The mean of the pushes, twice as far: the sum would throw crowds about.
        pushes = np.bincount(pairs.ravel(), minlength=n)
        placed = placed + moved * (2.0 / np.maximum(pushes, 1))[:, np.newaxis]
    return placed, closest


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
    """Lay points that are equal, between which there is no line to push along, out as a disc."""
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
