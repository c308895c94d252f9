"""What layouts work on: vectors that are fetched when they are needed, and points in the plane."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from vecsearch.types import Vectors

Points = npt.NDArray[np.float32]
"""(n, 2) float32."""

ExactPoints = npt.NDArray[np.float64]
"""(n, 2) float64."""

Places = npt.NDArray[np.int64]
"""(m,) int64, places in the collection that is laid out, from 0."""


class Features(Protocol):
    """The vectors of a collection; an array (n, d) is one, and so is an index on the disk."""

    def __len__(self) -> int:
        """Count the vectors."""

    def __getitem__(self, places: Places, /) -> Vectors:
        """Fetch the vectors at *places*, (len(places), d) float32."""


def turned(points: npt.NDArray[np.floating]) -> Points:
    """Centre *points* and turn them so that they reach farthest along x."""
    centred = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    result: ExactPoints = centred @ axes.T
    return result.astype(np.float32)


def disc(k: npt.NDArray[np.int64], of: npt.NDArray[np.int64]) -> ExactPoints:
    """Return the place of the k-th of several points that fill the unit disc evenly.

    Source: Vogel, A better way to construct the sunflower head, 1979.
    """
    angle = k * (np.pi * (3.0 - np.sqrt(5.0)))
    directions: ExactPoints = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return directions * np.sqrt((k + 0.5) / of)[:, np.newaxis]
