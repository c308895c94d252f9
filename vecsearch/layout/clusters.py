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
from vecsearch.types import Guess

Labels = npt.NDArray[np.int64]
"""(n,) int64: which cluster each picture is in, -1 for none."""

MOST: Final = 12
"""Clusters: more colours are not told apart."""

_SAMPLE: Final = 4000
_LEAST: Final = 3
"""Pictures in a cluster."""
_SHARE: Final = 40
"""The smallest cluster is a collection's so-manieth part at first."""
_COVERED: Final = 0.4
"""A word that names a cluster is in the names of at least this share of it."""
_LIKELY: Final = 0.02
"""A likely word that names a cluster has at least this share of it, on average."""
_SECOND: Final = 0.75
"""A second word names it too if it is nearly as telling as the first."""
_WORD: Final = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True, slots=True)
class Group:
    """Pictures that are coloured alike: what they are called, and how many they are."""

    name: str
    size: int


def find_clusters(points: Points, seed: int = 0) -> Labels:
    """Find crowds of *points* (n, 2): by number from the largest on, at most MOST of them.

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

    The names begin below the folder that all are in; what MOST does not reach is -1.
    """
    counts = Counter(path.parent for path in paths)
    largest = sorted(counts, key=lambda folder: (-counts[folder], str(folder)))[:MOST]
    parts = [folder.parts for folder in counts]
    common = 0
    while len({part[: common + 1] for part in parts}) == 1 and common < len(parts[0]):
        common += 1
    ranks = {folder: rank for rank, folder in enumerate(largest)}
    labels = np.array([ranks.get(path.parent, -1) for path in paths], np.int64)
    return labels, ["/".join(folder.parts[common:]) or folder.name for folder in largest]


def describe(
    labels: Labels,
    paths: Sequence[Path],
    names: Sequence[str] | None = None,
    guesses: Sequence[Sequence[Guess]] | None = None,
) -> list[Group]:
    """Tell of each cluster, by number, its name and its size.

    Without *names*, a cluster is called by the word of file and folder names that it has most of
    and others have little of (class-based tf-idf, Grootendorst 2022). Where these say nothing, it
    is called by the likeliest words of its pictures in the same way, else by its number.
    """
    count = int(labels.max(initial=-1)) + 1
    if names is None:
        found = _characteristic(labels, paths, count)
        likely = _likely(labels, guesses, count) if guesses else [""] * count
        numbered = [f"cluster {number}" for number in range(1, count + 1)]
        names = [
            one or other or last for one, other, last in zip(found, likely, numbered, strict=True)
        ]
    sizes = np.bincount(labels[labels >= 0], minlength=count)
    return [Group(name, size) for name, size in zip(names, sizes.tolist(), strict=True)]


def _characteristic(labels: Labels, paths: Sequence[Path], count: int) -> list[str]:
    within = [Counter[str]() for _ in range(count)]
    for label, path in zip(labels.tolist(), paths, strict=True):
        if label >= 0:
            named = f"{path.parent.name} {path.stem}".lower()
            within[label].update(set(_WORD.findall(named)))
    overall = Counter[str]()
    for one in within:
        overall.update(one)
    sizes = np.bincount(labels[labels >= 0], minlength=count)
    names: list[str] = []
    for number, counts in enumerate(within):
        share = sizes[number] / max(1, sizes.sum())
        scored = [
            (hits / sizes[number] * np.log(hits / (overall[word] * share)), word)
            for word, hits in counts.items()
            if hits >= _COVERED * sizes[number] and hits > 1.2 * overall[word] * share
        ]
        best = max(scored, key=lambda one: (one[0], one[1]), default=(0.0, ""))[1]
        names.append(best)
    return names


def _likely(labels: Labels, guesses: Sequence[Sequence[Guess]], count: int) -> list[str]:
    """Name each cluster by one or two likely words of its pictures; empty where none is."""
    within = [Counter[str]() for _ in range(count)]
    for label, own in zip(labels.tolist(), guesses, strict=True):
        if label >= 0:
            for rank, guess in enumerate(own, start=1):
                within[label][guess.word] += guess.share if guess.share is not None else 1 / rank
    overall = Counter[str]()
    for one in within:
        overall.update(one)
    sizes = np.bincount(labels[labels >= 0], minlength=count)
    names: list[str] = []
    for number, shares in enumerate(within):
        size, share = sizes[number], sizes[number] / max(1, sizes.sum())
        scored = [
            (weight / size * np.log(weight / (overall[word] * share)), word)
            for word, weight in shares.items()
            if weight >= _LIKELY * size and weight > 1.2 * overall[word] * share
        ]
        best = sorted(scored, reverse=True)[:2]
        names.append(", ".join(word for score, word in best if score >= _SECOND * best[0][0]))
    return names
