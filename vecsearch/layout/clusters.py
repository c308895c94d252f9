"""Clusters of a map, and words that tell them apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.layout.points import Points
from vecsearch.spelling import composed
from vecsearch.types import Guess

Labels = npt.NDArray[np.int64]
"""(n,) int64: which cluster each picture is in, -1 for none."""

MOST: Final = 48
"""The most clusters: nobody reads more names. Clusters far apart on the map may share a colour."""
MOST_FOLDERS: Final = 12
"""Folders may lie anywhere on the map, so each has a colour of its own."""

_SAMPLE: Final = 4000
_LEAST: Final = 3
"""The fewest pictures in a cluster."""
_SHARE: Final = 80
"""The smallest cluster is at first this fraction, one in 80, of the collection."""
_COVERED: Final = 0.5
"""A word that names a cluster holds for at least this share of it."""
_COVERED_BY_TWO: Final = 0.6
"""Of two words, at least one holds for this share of the cluster."""
_SECOND: Final = 0.3
"""A second word holds for at least this share that the first does not hold for."""
_LIFT: Final = 1.2
"""A word that names a cluster is this many times as frequent there as in the collection."""
_LIKELY: Final = 0.1
"""A likely word holds for a picture from this share on."""
_WORD: Final = re.compile(r"[^\W\d_]{2,}")
_SAYS_NOTHING: Final = frozenset(
    ["", "copy", "dsc", "dscf", "dscn", "edited", "image", "img", "photo", "picture", "pxl",
     "resized", "scan"]
)  # fmt: skip
"""Names that cameras and programs give to files, whatever they show."""


@dataclass(frozen=True, slots=True)
class Group:
    """Pictures of one colour: their name, and how many they are.

    Where no word tells what they are, they are not ``named``, and the name is a number.
    """

    name: str
    size: int
    named: bool = True


def find_clusters(points: Points, seed: int = 0) -> Labels:
    """Find clusters of *points* (n, 2), numbered from the largest on, at most MOST of them.

    Source: Campello, Moulavi & Sander, Density-based clustering based on hierarchical density
    estimates, PAKDD 2013. Of a large map a sample is clustered, and the others follow the nearest.
    """
    n = len(points)
    if n < 2 * _LEAST or not np.ptp(points, axis=0).any():
        return np.full(n, -1)
    from scipy.spatial import cKDTree

    chosen = np.sort(np.random.RandomState(seed).permutation(n)[:_SAMPLE])
    found = _cluster(points[chosen].astype(np.float64))
    labels = found
    if len(chosen) < n:
        labels = found[cKDTree(points[chosen]).query(points)[1]]
    names, counts = np.unique(labels[labels >= 0], return_counts=True)
    ranks = np.full(int(found.max()) + 2, -1)  # its last place is for -1
    ranks[names[np.argsort(-counts, kind="stable")]] = np.arange(len(names))
    result: Labels = ranks[labels]
    return result


def _cluster(points: npt.NDArray[np.float64]) -> Labels:
    from sklearn.cluster import HDBSCAN

    least = max(_LEAST, len(points) // _SHARE)
    while True:
        model = HDBSCAN(min_cluster_size=least, min_samples=_LEAST, copy=True)
        labels: Labels = model.fit_predict(points).astype(np.int64)
        if labels.max() < MOST:
            return labels
        least = least * 5 // 4 + 1


def folders(paths: Sequence[Path]) -> tuple[Labels, list[str]]:
    """Number the folders that *paths* are in, from the largest on, and name them.

    The names begin below the folder that all are in; what MOST_FOLDERS does not reach is -1.
    """
    counts = Counter(path.parent for path in paths)
    largest = sorted(counts, key=lambda folder: (-counts[folder], str(folder)))[:MOST_FOLDERS]
    parts = [folder.parts for folder in counts]
    common = 0
    while len({part[: common + 1] for part in parts}) == 1 and common < len(parts[0]):
        common += 1
    ranks = {folder: rank for rank, folder in enumerate(largest)}
    labels = np.array([ranks.get(path.parent, -1) for path in paths], np.int64)
    names = ["/".join(folder.parts[common:]) or folder.name for folder in largest]
    for number, folder in enumerate(largest):
        if len(folder.parts) == common and names.count(names[number]) > 1:
            names[number] += "/."  # a folder below has its name
    return labels, names


def name_groups(
    labels: Labels,
    paths: Sequence[Path],
    names: Sequence[str] | None = None,
    guesses: Sequence[Sequence[Guess]] | None = None,
) -> list[Group]:
    """Return the name and the size of each cluster, by number; all names differ.

    Without *names*, a cluster is called by the word of file and folder names that it has most of
    and others have little of (class-based tf-idf, Grootendorst 2022), by two where it is of two
    kinds, and where these say nothing by likely words of its pictures in the same way. A word
    must hold for half of the cluster, and there more often than elsewhere. Where none does, or
    where another cluster has the name and nothing tells the two apart, it is called by its number.
    """
    count = int(labels.max(initial=-1)) + 1
    sizes = np.bincount(labels[labels >= 0], minlength=count).tolist()
    if names is not None:
        return [Group(name, size) for name, size in zip(names, sizes, strict=True)]
    written = _Words(labels, [_words_of(path) for path in paths], sizes)
    sources = [written]
    if guesses:
        sources.append(_Words(labels, [_likely_words(own) for own in guesses], sizes))
    found = [_name(sources, number) for number in range(count)]
    _tell_apart(found, sources, sizes)
    return [
        Group(", ".join(one.words), size) if one.words else Group(f"cluster {number}", size, False)
        for number, (one, size) in enumerate(zip(found, sizes, strict=True), start=1)
    ]


@dataclass(slots=True)
class _Name:
    words: tuple[str, ...] = ()
    covered: float = 0.0  # the share of the cluster that one of them holds for


class _Words:
    """Which words hold for each picture, counted by cluster."""

    def __init__(self, labels: Labels, words: Sequence[frozenset[str]], sizes: list[int]) -> None:
        self.sizes, self.total = sizes, len(labels)
        self.members: list[list[frozenset[str]]] = [[] for _ in sizes]
        self.overall = Counter[str]()
        for label, own in zip(labels.tolist(), words, strict=True):
            self.overall.update(own)
            if label >= 0:
                self.members[label].append(own)
        self.counts = [Counter(word for own in one for word in own) for one in self.members]

    def share(self, number: int, word: str) -> float:
        """Return the share of the cluster that *word* holds for."""
        return self.counts[number][word] / self.sizes[number]

    def telling(self, number: int, least: float) -> list[str]:
        """Return the words that hold for at least this share of the cluster, the best first."""
        scored = []
        for word in self.counts[number]:
            share = self.share(number, word)
            lift = share * self.total / self.overall[word]
            # Alone on the map, a cluster has nothing that it could be told from.
            alone = self.sizes[number] == self.total
            if share >= least and (lift > _LIFT or alone):
                # Of words that say the same, the longest: "joshua tree" rather than "tree".
                scored.append((-round(share * float(np.log(lift)), 9), -len(word), word))
        return [word for _, _, word in sorted(scored)]


def _words_of(path: Path) -> frozenset[str]:
    """Return the words of a file's name and of its folder's, and the latter as one."""
    folder = _WORD.findall(composed(path.parent.name).lower())
    file = _WORD.findall(composed(path.stem).lower())
    return frozenset([*folder, *file, " ".join(folder)]) - _SAYS_NOTHING


def _likely_words(guesses: Sequence[Guess]) -> frozenset[str]:
    # Where shares are not known, the first guess holds.
    return frozenset(
        guess.word
        for rank, guess in enumerate(guesses)
        if (rank == 0 if guess.share is None else guess.share >= _LIKELY)
    )


def _name(sources: Sequence[_Words], number: int) -> _Name:
    """Name a cluster by one word that holds for most of it, or by two that do together."""
    for source in sources:
        words = source.telling(number, _SECOND)
        if not words:
            continue
        best = max(words, key=lambda word: source.share(number, word) >= _COVERED)
        share = source.share(number, best)
        rest = Counter(word for own in source.members[number] if best not in own for word in own)
        second = max(
            (word for word in words if rest[word] >= _SECOND * source.sizes[number]),
            key=lambda word: rest[word],
            default=None,
        )
        if second is not None:
            both = share + rest[second] / source.sizes[number]
            if both >= _COVERED_BY_TWO:
                return _Name((best, second), both)
        if share >= _COVERED:
            return _Name((best,), share)
    return _Name()


def _tell_apart(found: list[_Name], sources: Sequence[_Words], sizes: Sequence[int]) -> None:
    """Add a word to names that another, surer cluster has, or else remove them."""
    order = sorted(range(len(found)), key=lambda one: (-found[one].covered, -sizes[one], one))
    taken: dict[frozenset[str], int] = {}
    for number in order:
        words = found[number].words
        if not words:
            continue
        other = taken.get(frozenset(words))
        if other is not None:
            further = (
                word
                for source in sources
                for word in source.telling(number, _SECOND)
                if not any(word in one or one in word for one in words)
                and source.share(number, word) > 2 * source.share(other, word)
            )
            words = next(
                (
                    longer
                    for longer in ((words[0], word) for word in further)
                    if frozenset(longer) not in taken
                ),
                (),
            )
            found[number] = _Name(words, found[number].covered)
        if words:
            taken[frozenset(words)] = number
