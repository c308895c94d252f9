"""Which pairs of pictures are worth looking at: those with similar features or small pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.ann.searcher import CodedRows
from vecsearch.deduplication.ranked_images import Numbers, RankedImages
from vecsearch.deduplication.ranked_vectors import RankedVectors
from vecsearch.deduplication.scaled_pictures import ScaledPictures
from vecsearch.deduplication.template_matching import Floats, whole
from vecsearch.search.index_reader import IndexReader
from vecsearch.types import Progress

MOST: Final = 16
"""So many of the most similar pictures are candidates for each picture, in either way."""

_LEAST_CORRELATION: Final = 0.85
"""Of 16 x 16 grey pixels: in 240 of 200,000 pairs of different photographs it is that or more."""

_ASKING: Final = 2048
_ANSWERING: Final = 4096
_BATCH: Final = 256

Pairs = npt.NDArray[np.int32]
"""(m, 2), ranks of images, the better one first."""


class _Nearest:
    """The `MOST` most similar others of each of n images."""

    def __init__(self, count: int) -> None:
        self._others: Numbers = np.full((count, MOST), -1, np.int32)
        self._scores: Floats = np.full((count, MOST), -np.inf, np.float32)

    def offer(self, ranks: Numbers, others: Numbers, scores: Floats) -> None:
        """Take up others, (m,), if they are among the most similar of *ranks*, (m,)."""
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
    opened: IndexReader,
    ranked: RankedImages,
    vectors: RankedVectors,
    looks: ScaledPictures,
    ranks: Numbers,
    least: float,
    progress: Progress | None = None,
) -> Pairs:
    """Return the pairs of *ranks* that could be copies of each other, each once.

    Those are pictures with a cosine of at least *least*, or whose small pictures agree roughly; of
    each picture the `MOST` most similar ones in either way. In an approximate index the first are
    what the index finds. Raises IndexDamagedError.
    """
    by_vector = _Nearest(len(ranked))
    if any(isinstance(part, CodedRows) for part in opened.parts):
        _ask(opened, ranked, by_vector, ranks, least, progress)
    else:
        vectors.check()
        size = vectors.at_once(_ANSWERING)
        _sweep(by_vector, ranks, vectors.of, least, size, ("comparing", progress))
    by_look = _Nearest(len(ranked))
    seen = ranks[looks.seen[ranks]]
    _sweep(
        by_look,
        seen,
        lambda some: whole(looks.small[some].astype(np.float32)),
        _LEAST_CORRELATION,
        _ANSWERING,
        ("comparing small pictures", progress),
    )
    return np.unique(np.concatenate([by_vector.pairs(), by_look.pairs()]), axis=0)


def _sweep(
    nearest: _Nearest,
    ranks: Numbers,
    vectors_of: Callable[[Numbers], Floats],
    least: float,
    size: int,
    report: tuple[str, Progress | None],
) -> None:
    """Multiply all pairs of *ranks*, in blocks."""
    phase, progress = report
    asking = min(size, _ASKING)
    for start in range(0, len(ranks), asking):
        asked = ranks[start : start + asking]
        xq = vectors_of(asked)
        for first in range(start, len(ranks), size):
            answering = ranks[first : first + size]
            scores = xq @ vectors_of(answering).T
            rows, columns = np.nonzero(scores >= least)
            later = answering[columns] > asked[rows]
            for row, column, found in _some(rows[later], columns[later], scores):
                nearest.offer(asked[row], answering[column], found)
                nearest.offer(answering[column], asked[row], found)
        if progress:
            progress(phase, min(start + asking, len(ranks)), len(ranks))


def _some(
    rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp], scores: Floats
) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Floats]]:
    """Hand out found pairs, a million at a time."""
    for start in range(0, len(rows), 1 << 20):
        row, column = rows[start : start + (1 << 20)], columns[start : start + (1 << 20)]
        yield row, column, scores[row, column]


def _ask(
    opened: IndexReader,
    ranked: RankedImages,
    nearest: _Nearest,
    ranks: Numbers,
    least: float,
    progress: Progress | None,
) -> None:
    """Ask an approximate index for the neighbours of all *ranks*."""
    by_row = np.argsort(ranked.rows).astype(np.int32)
    rows = ranked.rows[by_row]
    chosen = np.zeros(len(ranked), np.bool_)
    chosen[ranks] = True
    for start in range(0, len(ranks), _BATCH):
        asked = ranks[start : start + _BATCH]
        stored = opened.gather(ranked.rows[asked])
        D, I = opened.search(stored, min(MOST + 1, len(ranked)))  # noqa: N806, E741
        others = by_row[np.minimum(np.searchsorted(rows, I), len(rows) - 1)]
        found = (I >= 0) & (least <= D) & (others != asked[:, None]) & chosen[others]
        row, column = np.nonzero(found)
        nearest.offer(asked[row], others[row, column], D[row, column].astype(np.float32))
        if progress:
            progress("comparing", min(start + _BATCH, len(ranks)), len(ranks))
