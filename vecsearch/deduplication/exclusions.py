"""Pairs of pictures that the user has said are not copies of each other, by rank."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from vecsearch.deduplication.arrays import Flags, Indices, Ranks

_NONE: Final = -1


class Exclusions:
    """Which of n images are not copies of each other, by their contents.

    Memory grows with the images and the pairs of contents, however many images have one content.
    """

    def __init__(self, contents: Ranks, pairs: Sequence[tuple[int, int]]) -> None:
        """Take the number of each image's content, (n,), -1 if no pair has it, and the pairs."""
        self._contents = contents
        self._count = len(pairs)
        others: defaultdict[int, list[int]] = defaultdict(list)
        for first, second in pairs:
            others[first].append(second)
            others[second].append(first)
        self._others = {one: np.array(some, np.int32) for one, some in others.items()}

    def __len__(self) -> int:
        """Count the pairs of contents."""
        return self._count

    def are_excluded(self, pairs: Ranks) -> Flags:
        """Return which of *pairs* (m, 2) of ranks are not copies, (m,)."""
        found = np.zeros(len(pairs), np.bool_)
        if self._others:
            contents = self._contents[pairs]
            for place in np.flatnonzero((contents != _NONE).all(axis=1)).tolist():
                first, second = contents[place].tolist()
                found[place] = first in self._others and bool((self._others[first] == second).any())
        return found

    def excluded_from(self, rank: int, among: Ranks) -> Flags:
        """Return which of the images *among*, (m,), are not copies of the one with *rank*, (m,)."""
        content = int(self._contents[rank])
        if content not in self._others:
            return np.zeros(len(among), np.bool_)
        found: Flags = np.isin(self._contents[among], self._others[content])
        return found


def find_exclusions(
    hashes: dict[bytes, list[int]],
    ranks: Indices,
    pairs: Iterable[tuple[bytes, bytes]],
) -> Exclusions:
    """Make the exclusions of those *pairs* of content hashes of which both are in the index.

    *hashes* has the images, in any order, of each hash; *ranks* (n,) are their ranks.
    """
    numbers = {one: number for number, one in enumerate(hashes)}
    contents = np.full(len(ranks), _NONE, np.int32)
    for one, images in hashes.items():
        contents[ranks[images]] = numbers[one]
    both = [(numbers[a], numbers[b]) for a, b in pairs if a in numbers and b in numbers]
    return Exclusions(contents, both)
