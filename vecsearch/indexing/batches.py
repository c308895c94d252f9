"""Pictures in batches, as the network wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np

from vecsearch.images.reader import ReadImage
from vecsearch.types import Pixels

T = TypeVar("T")


def batched(
    images: Iterable[tuple[T, ReadImage]], size: Callable[[], int]
) -> Iterator[tuple[list[tuple[T, ReadImage]], Pixels]]:
    """Group images that were decoded: (the group, (n, side, side, 3) uint8).

    *size* is called after the first image, for it may start an engine.
    """
    group: list[tuple[T, ReadImage]] = []
    for tag, image in images:
        group.append((tag, image))
        if len(group) == size():
            yield group, _stack(group)
            group = []
    if group:
        yield group, _stack(group)


def _stack(group: list[tuple[T, ReadImage]]) -> Pixels:
    pixels = [image.pixels for _, image in group if image.pixels is not None]
    assert len(pixels) == len(group)
    return np.stack(pixels)
