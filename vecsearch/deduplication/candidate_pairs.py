"""Candidate pairs: pictures with similar features, or whose small versions are similar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.deduplication.arrays import Floats, Ranks
from vecsearch.deduplication.ranked_vectors import RankedVectors
from vecsearch.deduplication.scaled_pictures import ScaledPictures
from vecsearch.deduplication.template_matching import as_unit_vectors
from vecsearch.types import Progress, no_progress

MOST: Final = 16
"""How many of the most similar pictures are candidates for each picture, in either way."""

_LEAST_CORRELATION: Final = 0.85
"""Of 16 x 16 grey pixels: in 240 of 200,000 pairs of different photographs it is that or more."""

_ASKING: Final = 2048
_ANSWERING: Final = 4096
_BATCH: Final = 256
_TAKEN_IN: Final = 1 << 20
"""How many found pairs are taken in at a time."""

Pairs = npt.NDArray[np.int32]
"""(m, 2), ranks of images, the better one first."""


class _Nearest:
    """The `MOST` most similar others of each of n images."""

    def __init__(self, count: int) -> None:
        self._others: Ranks = np.full((count, MOST), -1, np.int32)
        self._scores: Floats = np.full((count, MOST), -np.inf, np.float32)

    def offer(self, ranks: Ranks, others: Ranks, scores: Floats) -> None:
        """Take in *others*, (m,), that are among the most similar to *ranks*, (m,)."""
        asked = np.unique(ranks)
        if not len(asked):
            return
        ranks = np.concatenate([ranks, np.repeat(asked, MOST)])
        others = np.concatenate([others, self._others[asked].ravel()])
        scores = np.concatenate([scores, self._scores[asked].ravel()])
        order = np.lexsort((others, -scores, ranks))
        ranks, others, scores = ranks[order], others[order], scores[order]
        place = np.arange(len(ranks)) - np.searchsorted(ranks, ranks)
        best = place < MOST
        self._others[ranks[best], place[best]] = others[best]
        self._scores[ranks[best], place[best]] = scores[best]

    def pairs(self) -> Pairs:
        ranks, places = np.nonzero(self._others >= 0)
        found = np.stack([ranks.astype(np.int32), self._others[ranks, places]], axis=1)
        found.sort(axis=1)
        return found


def find_candidate_pairs(
    vectors: RankedVectors,
    pictures: ScaledPictures,
    ranks: Ranks,
    least: float,
    progress: Progress | None = None,
) -> Pairs:
    """Return the pairs of *ranks* that could be copies of each other, each once.

    These are pictures with a cosine of at least *least*, or whose small versions agree roughly; of
    each picture the `MOST` most similar ones in either way. In an approximate index the first are
    what the index finds. Raises IndexDamagedError.
    """
    by_vector = _Nearest(len(vectors.ranked))
    if vectors.are_approximate:
        _ask_index(by_vector, vectors, ranks, least, progress)
    else:
        vectors.check()
        size = vectors.at_once(_ANSWERING)
        report = partial(progress or no_progress, "comparing")
        _compare_all(by_vector, ranks, _Features(vectors.of, least, size), report)
    by_picture = _Nearest(len(vectors.ranked))
    _compare_all(
        by_picture,
        ranks[pictures.seen[ranks]],
        _Features(
            lambda some: as_unit_vectors(pictures.small[some].astype(np.float32)),
            _LEAST_CORRELATION,
            _ANSWERING,
        ),
        partial(progress or no_progress, "comparing small pictures"),
    )
    return np.unique(np.concatenate([by_vector.pairs(), by_picture.pairs()]), axis=0)


@dataclass(frozen=True, slots=True)
class _Features:
    """Unit vectors (n, d) of images by rank, at most ``at_once`` of them in memory at a time.

    Products of at least ``least`` make a pair a candidate.
    """

    of: Callable[[Ranks], Floats]
    least: float
    at_once: int


def _compare_all(
    nearest: _Nearest, ranks: Ranks, features: _Features, report: Callable[[int, int], None]
) -> None:
    """Multiply all pairs of *ranks*, in blocks."""
    size = features.at_once
    asking = min(size, _ASKING)
    for start in range(0, len(ranks), asking):
        asked = ranks[start : start + asking]
        xq = features.of(asked)
        for first in range(start, len(ranks), size):
            answering = ranks[first : first + size]
            scores = xq @ features.of(answering).T
            rows, columns = np.nonzero(scores >= features.least)
            later = answering[columns] > asked[rows]
            rows, columns = rows[later], columns[later]
            for at in range(0, len(rows), _TAKEN_IN):
                row, column = rows[at : at + _TAKEN_IN], columns[at : at + _TAKEN_IN]
                found = scores[row, column]
                nearest.offer(asked[row], answering[column], found)
                nearest.offer(answering[column], asked[row], found)
        report(min(start + asking, len(ranks)), len(ranks))


def _ask_index(
    nearest: _Nearest,
    vectors: RankedVectors,
    ranks: Ranks,
    least: float,
    progress: Progress | None,
) -> None:
    """Ask an approximate index for the neighbours of all *ranks*."""
    chosen = np.zeros(len(vectors.ranked), np.bool_)
    chosen[ranks] = True
    for start in range(0, len(ranks), _BATCH):
        asked = ranks[start : start + _BATCH]
        answer = vectors.nearest(asked, MOST + 1)
        others = answer.ranks
        found = (others >= 0) & (least <= answer.scores) & (others != asked[:, None])
        row, column = np.nonzero(found & chosen[others])
        nearest.offer(
            asked[row], others[row, column], answer.scores[row, column].astype(np.float32)
        )
        if progress:
            progress("comparing", min(start + _BATCH, len(ranks)), len(ranks))
