"""Points brought into a grid without gaps, neighbours beside neighbours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vecsearch.layout.points import Points


def pack(points: Points) -> Points:
    """Return every point a cell of a grid that has hardly more cells than there are points.

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
    parts: list[tuple[npt.NDArray[np.int64], int, int, int, int]] = [
        (np.arange(n), 0, 0, columns, rows)
    ]
    while parts:
        members, x, y, across, down = parts.pop()
        if across == down == 1:
            cells[members] = x, y
            continue
        axis = 0 if across >= down else 1
        first = (across if axis == 0 else down) // 2
        rest = (across if axis == 0 else down) - first
        other = down if axis == 0 else across
        # Empty cells are shared out, and neither half has more points than cells.
        count = round(len(members) * first / (first + rest))
        count = min(max(count, len(members) - rest * other), first * other)
        order = members[np.argsort(points[members, axis], kind="stable")]
        for half, start, length in ((order[:count], 0, first), (order[count:], first, rest)):
            if len(half):
                box = (x + start, y, length, down) if axis == 0 else (x, y + start, across, length)
                parts.append((half, *box))
    middle = (points.max(axis=0) + points.min(axis=0)) / 2
    packed: Points = (cells - np.array([columns - 1, rows - 1]) / 2 + middle).astype(np.float32)
    return packed
