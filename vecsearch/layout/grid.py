"""Points moved into a grid without gaps, neighbours beside neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vecsearch.layout.points import Points


def pack(points: Points) -> Points:
    """Give every point a cell of a grid that has few more cells than there are points.

    The grid has about the shape of the map. The points are halved by their place along its longer
    side, over and over, until each has a cell: so neighbours stay near each other. The middle of
    what comes back is that of *points*.
    """
    n = len(points)
    if not n:
        return points
    wide, high = np.maximum(np.ptp(points, axis=0).astype(np.float64), 1e-9)
    columns = int(np.clip(round(np.sqrt(n * wide / high)), 1, max(1, n)))
    rows = -(-n // columns)
    cells = np.zeros((n, 2), np.float64)
    parts = [_Part(np.arange(n), (0, 0), (columns, rows))]
    while parts:
        part = parts.pop()
        members = part.members
        if part.size == (1, 1):
            cells[members] = part.corner
            continue
        axis = 0 if part.size[0] >= part.size[1] else 1
        first = part.size[axis] // 2
        rest = part.size[axis] - first
        other = part.size[1 - axis]
        # Empty cells are shared out, and neither half has more points than cells.
        count = round(len(members) * first / (first + rest))
        count = min(max(count, len(members) - rest * other), first * other)
        order = members[np.argsort(points[members, axis], kind="stable")]
        for half, start, length in ((order[:count], 0, first), (order[count:], first, rest)):
            if len(half):
                parts.append(part.cut(half, axis, start, length))
    middle = (points.max(axis=0) + points.min(axis=0)) / 2
    packed: Points = (cells - np.array([columns - 1, rows - 1]) / 2 + middle).astype(np.float32)
    return packed


@dataclass(frozen=True, slots=True)
class _Part:
    """Points, by their places, and the rectangle of cells for them: its corner and its sides."""

    members: npt.NDArray[np.int64]
    corner: tuple[int, int]
    size: tuple[int, int]

    def cut(self, members: npt.NDArray[np.int64], axis: int, start: int, length: int) -> _Part:
        """Return the part of *length* cells along *axis*, from *start* on, for *members*."""
        (x, y), (across, down) = self.corner, self.size
        if axis == 0:
            return _Part(members, (x + start, y), (length, down))
        return _Part(members, (x, y + start), (across, length))
