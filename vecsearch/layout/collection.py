"""The map of a collection: the place of every picture, and the groups of one colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from vecsearch.arguments import check_fields, checked
from vecsearch.errors import UsageError
from vecsearch.layout.clusters import Group, Labels, find_clusters, folders, name_groups
from vecsearch.layout.methods import lay_out
from vecsearch.layout.points import Features, Points
from vecsearch.types import Guess, Image, Progress

COLOURS: Final = ("cluster", "folder", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOptions:
    """How a collection is laid out and coloured: by ``method``, and by ``color``, one of COLOURS.

    Another ``seed`` is another arrangement. ``perplexity`` is t-SNE's.
    """

    method: str = "tsne"
    color: str = "cluster"
    seed: int = 0
    perplexity: float | None = None

    def __post_init__(self) -> None:
        """Raise UsageError for a value of another type."""
        check_fields(self)


@dataclass(frozen=True, slots=True)
class CollectionMap:
    """Images (n), their places (n, 2) float32, and the group of each (n), -1 for none.

    ``groups`` has the groups by number. All points are 0 where the features of all are equal.
    ``encoder`` is what made the features, in a line, for whoever looks at the map, ``guesses`` the
    likeliest words of each image, if there are any.
    """

    images: Sequence[Image]
    points: Points
    labels: Labels
    groups: Sequence[Group]
    options: MapOptions
    encoder: str = ""
    guesses: Sequence[Sequence[Guess]] | None = None


def _is_usable(features: np.ndarray[Any, Any]) -> bool:
    """Return whether an array is of the shape (n, d), and of finite numbers."""
    numbers = features.dtype.kind in "fiu" and features.ndim == 2
    return numbers and bool(np.isfinite(features).all())


@checked
def map_collection(
    features: Features,
    images: Sequence[Image],
    options: MapOptions = MapOptions(),
    *,
    encoder: str = "",
    guesses: Sequence[Sequence[Guess]] | None = None,
    progress: Progress | None = None,
) -> CollectionMap:
    """Lay *images* out by their *features*, (n, d), that *encoder* made: a line for the title.

    *guesses* are the likeliest words of each, as `Index.guess` returns them; clusters are named
    after them where file names say nothing.

    Raises UsageError for an option that cannot be meant, or where there is nothing to lay out.
    """
    if options.color not in COLOURS:
        raise UsageError(
            f"unknown colouring {options.color!r}", hint=f"known are {', '.join(COLOURS)}"
        )
    if not isinstance(images, list | tuple) or not all(isinstance(one, Image) for one in images):
        raise UsageError("images are no list of Image", hint="Index.vectors returns one")
    if type(features).__module__ == "builtins" or not hasattr(features, "__getitem__"):
        raise UsageError(f"{features!r:.100} are no features", hint="Index.vectors returns some")
    if isinstance(features, np.ndarray) and not _is_usable(features):
        raise UsageError("features are no finite array (n, d)", hint="Index.vectors returns one")
    if not len(images):
        raise UsageError("there are no pictures to lay out", hint="vecsearch build adds some")
    if len(images) != len(features):
        raise UsageError(
            f"a map needs a picture for each vector: {len(images)} and {len(features)} given"
        )
    if guesses is not None and not (
        isinstance(guesses, list | tuple) and len(guesses) == len(images)
    ):
        raise UsageError("guesses are not the words of each picture", hint="see Index.guess")
    points = lay_out(
        features, options.method, seed=options.seed, perplexity=options.perplexity,
        progress=progress,
    )  # fmt: skip
    paths = [image.path for image in images]
    labels, names = np.full(len(images), -1), None
    if options.color == "folder":
        labels, names = folders(paths)
    elif options.color == "cluster":
        labels = find_clusters(points, options.seed)
    groups = name_groups(labels, paths, names, guesses)
    return CollectionMap(images, points, labels, groups, options, encoder, guesses)
