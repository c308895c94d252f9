"""Template matching: windows of one picture that are like the other picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from vecsearch.deduplication.arrays import Flags, Floats, Indices

SIDE: Final = 32
"""Pictures are compared at 32 x 32 grey pixels first, whatever their shape."""

_CELLS: Final = 16
_WINDOWS: Final = ((1.0, 1), (0.9, 2), (0.8, 4), (0.7, 5))
"""The sides of a window, as a share, and the number of its places on each axis."""

_FLAT: Final = 1.0
"""Added to the length of a vector of grey values, so that noise is not magnified."""


@dataclass(frozen=True, slots=True)
class Starts:
    """For each pair of pictures, where the inner one may lie in the outer one, (p,) each.

    ``swapped`` tells that the first picture of a pair is the inner one; ``mirrored`` that the inner
    one is. ``scale`` is the share of the outer picture's sides that it covers, ``x`` and ``y`` are
    where its middle lies, from -1 to 1.
    """

    swapped: Flags
    mirrored: Flags
    scale: Floats
    x: Floats
    y: Floats


def as_unit_vectors(looks: Floats) -> Floats:
    """Return (n, 256) unit vectors of pictures, (n, 32, 32): their product is a correlation.

    A picture of one grey has a vector of almost no length.
    """
    cells = looks.reshape(len(looks), _CELLS, 2, _CELLS, 2).mean((2, 4)).reshape(len(looks), -1)
    return _standardised(cells)


def find_starts(first: Floats, second: Floats) -> list[Starts]:
    """Return the likeliest places of one picture in another for p pairs, both (p, 32, 32).

    Three for each pair, (p,) each: those of the two likeliest ways, of which picture is the inner
    one and whether it is mirrored, and the whole of one upon the whole of the other.
    """
    windows = _cut(first), _cut(second)
    mirrored = [one[:, 0].reshape(-1, _CELLS, _CELLS)[:, :, ::-1] for one in windows]
    scores = np.stack(
        [
            _products(outer, inner)
            for outer, inners in (
                (windows[0], (windows[1][:, 0], mirrored[1])),
                (windows[1], (windows[0][:, 0], mirrored[0])),
            )
            for inner in inners
        ],
        axis=1,
    )
    pairs = np.arange(len(first))
    ways = np.argsort(-scores.max(axis=2), axis=1, kind="stable")
    starts = [_starts(way, scores[pairs, way].argmax(axis=1)) for way in (ways[:, 0], ways[:, 1])]
    upon = np.where(scores[:, 0, 0] >= scores[:, 1, 0], 0, 1)
    return [*starts, _starts(upon, np.zeros(len(first), np.intp))]


def _starts(way: Indices, window: Indices) -> Starts:
    scale, x, y = _PLACES[window].T
    return Starts(way >= 2, way % 2 == 1, scale, x, y)


def _products(outer: Floats, inner: Floats) -> Floats:
    flat = np.ascontiguousarray(inner).reshape(len(inner), -1, 1)
    products: Floats = np.matmul(outer, flat)[:, :, 0]
    return products


def _cut(looks: Floats) -> Floats:
    """Cut all windows, (n, windows, 256), each a unit vector; the first is the whole picture."""
    found = []
    for rows in _REDUCERS:
        bands = np.einsum("pik,nkl->npil", rows, looks, optimize=True)
        cells = np.einsum("npil,qjl->npqij", bands, rows, optimize=True)
        found.append(cells.reshape(len(looks), -1, _CELLS * _CELLS))
    return _standardised(np.concatenate(found, axis=1))


def _standardised(cells: Floats) -> Floats:
    cells = cells - cells.mean(axis=-1, keepdims=True)
    cells /= np.sqrt((cells * cells).sum(axis=-1, keepdims=True)) + np.float32(_FLAT)
    return cells


def _offsets(scale: float, count: int) -> Floats:
    return np.linspace(0.0, 1.0 - scale, count, dtype=np.float32)


def _reducer(low: float, high: float) -> Floats:
    """Make the matrix that averages the stretch *low* to *high*, of 0..1, of 32 pixels into 16."""
    edges = SIDE * np.linspace(low, high, _CELLS + 1)
    pixels = np.arange(SIDE)
    shares = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    shares = np.clip(shares, 0, None)
    shares /= shares.sum(axis=1, keepdims=True)
    return np.asarray(shares, np.float32)


_REDUCERS: Final = [
    np.stack([_reducer(low, low + scale) for low in _offsets(scale, count).tolist()])
    for scale, count in _WINDOWS
]
_PLACES: Final[Floats] = np.array(
    [
        (scale, 2 * left + scale - 1, 2 * top + scale - 1)
        for scale, count in _WINDOWS
        for top in _offsets(scale, count).tolist()
        for left in _offsets(scale, count).tolist()
    ],
    np.float32,
)
"""(windows, 3): scale, x and y of each, in the order of `_cut`."""
