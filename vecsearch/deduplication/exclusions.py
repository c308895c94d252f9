"""Pictures that somebody has said to be no copies of each other, by rank."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

Flags = npt.NDArray[np.bool_]
_Ranks = npt.NDArray[np.int32]

_NONE: Final = -1


class Apart:
    """Which of n images are no copies of each other, by their contents.

    Memory grows with the images and the pairs of contents, however many images have one content.
    """

    def __init__(self, contents: _Ranks, pairs: Iterable[tuple[int, int]]) -> None:
        """Take the number of each image's content, (n,), -1 if no pair has it, and the pairs."""
        self._contents = contents
        others: defaultdict[int, list[int]] = defaultdict(list)
        for first, second in pairs:
            others[first].append(second)
            others[second].append(first)
        self._others = {one: np.array(some, np.int32) for one, some in others.items()}

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return bool(self._others)

    def are_apart(self, pairs: _Ranks) -> Flags:
        """Return which of *pairs* (m, 2) of ranks are no copies, (m,)."""
        found = np.zeros(len(pairs), np.bool_)
        if self._others:
            contents = self._contents[pairs]
            for place in np.flatnonzero((contents != _NONE).all(axis=1)).tolist():
                first, second = contents[place].tolist()
                found[place] = first in self._others and bool((self._others[first] == second).any())
        return found

    def from_rank(self, rank: int, among: _Ranks) -> Flags:
        """Return which of the images *among*, (m,), are no copies of the one with *rank*, (m,)."""
        content = int(self._contents[rank])
        if content not in self._others:
            return np.zeros(len(among), np.bool_)
        found: Flags = np.isin(self._contents[among], self._others[content])
        return found


def find_apart(
    hashes: dict[bytes, list[int]],
    places: npt.NDArray[np.intp],
    pairs: Iterable[tuple[bytes, bytes]],
) -> tuple[Apart, int]:
    """Make `Apart` of *pairs* of content hashes, and count those of which both are in the index.

    *hashes* tells which images, in any order, have a hash; *places* (n,) are their ranks.
    """
    numbers = {one: number for number, one in enumerate(hashes)}
    contents = np.full(len(places), _NONE, np.int32)
    for one, images in hashes.items():
        contents[places[images]] = numbers[one]
    both = [(numbers[a], numbers[b]) for a, b in pairs if a in numbers and b in numbers]
    return Apart(contents, both), len(both)
