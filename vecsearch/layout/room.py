"""Free room on a map for the names of its crowds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.layout.clusters import Labels

_REACH: Final = 0.2
"""How far a name may be from its crowd, as a share of the map's width."""


def find_room(
    middles: npt.NDArray[np.int64],
    reach: npt.NDArray[np.int64],
    labels: Labels,
    boxes: Mapping[int, tuple[float, float]],
    canvas: tuple[int, int],
    *,
    top: int = 0,
) -> dict[int, tuple[float, float]]:
    """Find for the name of each crowd the middle of the nearest free place on *canvas*.

    *middles* (n, 2) and *reach* (n, 2) are what is to be seen: a rectangle of half the size
    ``reach`` around each middle. *boxes* tell width and height of the name of some crowds, by their
    numbers; those that come first choose first. What has no free room near its crowd is left out.
    Nothing is above *top*.
    """
    if not boxes:
        return {}
    step = max(4, int(min(height for _, height in boxes.values()) / 4))
    wide, high = (length // step + 1 for length in canvas)
    taken = np.zeros((high, wide), np.bool_)
    low = (middles - reach) // step
    far = (middles + reach) // step
    for (x0, y0), (x1, y1) in zip(low.tolist(), far.tolist(), strict=True):
        taken[max(0, y0) : y1 + 1, max(0, x0) : x1 + 1] = True
    taken[: top // step + 1] = True
    found: dict[int, tuple[float, float]] = {}
    for crowd, (width, height) in boxes.items():
        across, down = int(width / step) + 3, int(height / step) + 3
        crowded = labels == crowd
        if across >= wide or down >= high or not crowded.any():
            continue
        sums = np.pad(taken.astype(np.int32), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
        covered = (
            sums[down:, across:] - sums[:-down, across:] - sums[down:, :-across]
            + sums[:-down, :-across]
        )  # fmt: skip
        y, x = np.nonzero(covered == 0)
        if not len(x):
            continue
        members = middles[crowded] / step
        middle = np.median(members, axis=0)
        away = np.hypot(x + across / 2 - middle[0], (y + down / 2 - middle[1]) * 1.5)
        best = int(away.argmin())
        spread = np.abs(members - middle).mean(axis=0).sum()
        if away[best] > 2 * spread + _REACH * wide:
            continue
        found[crowd] = ((x[best] + across / 2) * step, (y[best] + down / 2) * step)
        taken[y[best] : y[best] + down, x[best] : x[best] + across] = True
    return found
