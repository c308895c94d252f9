"""The map of a collection as a page: to move about in, to search, and to select from."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.layout.collection import CollectionMap
from vecsearch.layout.grid import pack
from vecsearch.layout.points import Points
from vecsearch.layout.separate import arrange
from vecsearch.types import Progress, no_progress
from vecsearch.view.document import (
    Document,
    encode,
    encode_guesses,
    split_root,
    write_document,
)
from vecsearch.view.map import subtitle
from vecsearch.view.palette import GROUPS, ON_DARK, colours_of, letters_on
from vecsearch.view.picture_names import picture_names
from vecsearch.view.sprites import SpriteSheets, sprite_side
from vecsearch.view.text import counted

MOST_THUMBNAILS: Final = 20_000
"""Of a larger collection a sample has thumbnails, and all others are dots."""
_SAMPLE: Final = 12_000
_AIR: Final = 1.5
_LARGEST: Final = 280
_LARGEST_OF_MANY: Final = 64
"""Pixels on the screen: what overlaps on the map of many comes apart as one zooms in."""

MAP_SCRIPTS: Final = ("tiles", "map")

Near = tuple[npt.NDArray[np.uint32], npt.NDArray[np.float32]]
"""The nearest others of each picture, best first: places (n, k), n where there are fewer, and
cosines (n, k)."""


def write_page(
    collection: CollectionMap, near: Near, out: Path, *, progress: Progress | None = None
) -> None:
    """Write the map of *collection* as a page that needs nothing but itself.

    *near* has each picture's nearest others. Raises VecsearchError where the file cannot be
    written.
    """
    write_document(map_document(collection, near), out, progress or no_progress)


def map_document(collection: CollectionMap, near: Near) -> Document:
    """Return the map of *collection* as a page, whose thumbnails are drawn later."""
    n = len(collection.images)
    paths = [image.path for image in collection.images]
    shown = np.arange(n)
    if n > MOST_THUMBNAILS:
        generator = np.random.RandomState(collection.options.seed)
        shown = np.sort(generator.permutation(n)[:_SAMPLE])
        placed = _scaled(collection.points)
    else:
        placed = arrange(collection.points)
    packed = placed if n > MOST_THUMBNAILS else pack(placed)
    colours = colours_of(placed, collection.labels, len(collection.groups))
    sprites = np.full(n, -1, np.int32)
    sprites[shown] = np.arange(len(shown))
    root, rest = split_root(paths)
    names = picture_names(paths)
    parts = np.array([names[path].count("/") + 1 for path in paths])
    places, scores = near
    data = {
        "root": root,
        "paths": rest,
        "parts": encode(parts.clip(max=255).astype(np.uint8)),
        "words": encode_guesses(collection.guesses or ()),
        "color": collection.options.color,
        "largest": _LARGEST if len(shown) == n else _LARGEST_OF_MANY,
        "x": encode(placed[:, 0]),
        "y": encode(placed[:, 1]),
        "packed_x": encode(packed[:, 0]),
        "packed_y": encode(packed[:, 1]),
        "labels": encode(collection.labels.astype(np.int8)),
        "near": encode(places.astype(np.uint32)),
        "scores": encode(np.rint((scores.clip(-1, 1) + 1) / 2 * 65535).astype(np.uint16)),
        "groups": [
            {"name": group.name, "named": group.named, "size": group.size,
             "light": _colours(GROUPS[colours[number]]), "dark": _colours(ON_DARK[colours[number]])}
            for number, group in enumerate(collection.groups)
        ],
        "sprites": {"of": encode(sprites)},
    }  # fmt: skip
    title = counted(n, "picture")
    thumbnails = SpriteSheets([paths[one] for one in shown.tolist()], sprite_side(len(shown)))
    return Document(
        kind="map",
        title=title,
        subtitle=subtitle(collection),
        data=data,
        sprites=thumbnails,
        scripts=MAP_SCRIPTS,
    )


def _scaled(points: Points) -> Points:
    """Scale *points* so that the map has room for the unit squares of those with thumbnails."""
    area = max(1e-9, float(np.prod(np.ptp(points, axis=0).astype(np.float64))))
    return (points * np.float32(np.sqrt(_AIR * _SAMPLE / area))).astype(np.float32)


def _colours(fill: str) -> list[str]:
    return [fill, letters_on(fill)]
