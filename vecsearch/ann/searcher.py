"""Nearest rows: every segment searched in its own way, the results merged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from vecsearch.ann.blas_threads import ONE_THREAD
from vecsearch.ann.memory_map import as_index
from vecsearch.ann.settings import SearchSettings, parameters, widened
from vecsearch.once import Once
from vecsearch.types import Float16Vectors, Rows, Vectors

Scores = npt.NDArray[np.float32]

_FEW_PAIRS: Final = 20_000
"""The number of pairs of vectors that are compared in a millisecond."""

_MANY_PRODUCTS: Final = 1 << 31
_SEVERAL: Final = 2
_MULTIPLIED_VALUES: Final = 1 << 25
"""From so many queries on, and up to so many values of rows (128 MiB as float32), BLAS is faster
than FAISS over float16: see docs/experiments/serve.md."""

_SCORES: Final = 1 << 24
"""So many scores are held at once (64 MiB, twice while they are turned), of as many queries as that
allows."""


@contextmanager
def _one_thread(wanted: bool) -> Iterator[None]:
    """Keep FAISS from waking other threads for what takes a millisecond."""
    import faiss

    if not wanted:
        yield
        return
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)  # for this thread of Python alone
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)


class Part(Protocol):
    """Rows that are searched together."""

    def search(self, xq: Vectors, k: int) -> tuple[Scores, Rows]:
        """Find up to *k* of its live rows for each of *xq*; -1 and -inf where there are fewer."""


class Searcher:
    """Searches parts, each with rows of its own, as one."""

    def __init__(self, parts: Sequence[Part]) -> None:
        """Keep the parts."""
        self._parts = parts

    def search(self, xq: Vectors, k: int) -> tuple[Scores, Rows]:
        """Find the *k* rows of largest inner product with each of *xq*, (q, d) float32.

        Returns D (q, k) and I (q, k), best first, equal scores by row; where fewer than *k* rows
        live, I is -1 and D is -inf.
        """
        found = [part.search(xq, k) for part in self._parts]
        if sum(d.shape[1] for d, _ in found) < k:
            found.append((np.full((len(xq), k), -np.inf, np.float32), np.full((len(xq), k), -1)))
        D = np.concatenate([d for d, _ in found], 1)  # noqa: N806
        I = np.concatenate([i for _, i in found], 1)  # noqa: N806, E741
        order = np.lexsort((I, -D), axis=1)[:, :k]
        lines = np.arange(len(xq))[:, None]
        return D[lines, order], I[lines, order]


def products(xq: Vectors, rows: Vectors) -> Scores:
    """Return the inner products (q, n) of *xq* (q, d) and *rows* (n, d).

    For a single query all there is to do is reading the rows. BLAS would wake its threads for that,
    and where a machine has other things to do, wait for them ten times as long as it takes. So it
    is with less than about a tenth of a second's work.
    """
    if len(xq) == 1:
        return np.asarray(np.einsum("nd,d->n", rows, xq[0])[None])
    with ONE_THREAD if xq.size * len(rows) < _MANY_PRODUCTS else nullcontext():
        # Few queries on the right: BLAS reads the rows once, and does not copy them into its order.
        return np.ascontiguousarray((rows @ xq.T).T)


def best_of(scores: Scores, k: int) -> tuple[Scores, Rows]:
    """Find the *k* largest of each line of *scores* (q, n), or all: them and their places.

    Best first, equal ones by place. What cannot be among them is not sorted.
    """
    lines, n = scores.shape
    if k >= n:
        order = np.argsort(-scores, axis=1, kind="stable")
        return np.take_along_axis(scores, order, 1), order
    least = np.partition(scores, n - k, axis=1)[:, n - k]
    places = np.empty((lines, k), np.int64)
    for line, row in enumerate(scores):
        candidates = np.flatnonzero(row >= least[line])
        places[line] = candidates[np.argsort(-row[candidates], kind="stable")[:k]]
    return np.take_along_axis(scores, places, 1), places


class FewRows:
    """Rows that are multiplied before FAISS is loaded; the first search makes them float32."""

    def __init__(self, rows: Float16Vectors, first_row: int, deleted: Rows) -> None:
        """Keep *rows*, (n, d) from *first_row* on, without the *deleted* ones (row numbers)."""
        self._first = first_row
        self._deleted = deleted - first_row
        self._vectors: Once[Vectors] = Once(lambda: rows.astype(np.float32))

    def search(self, xq: Vectors, k: int) -> tuple[Scores, Rows]:
        """Find up to *k* rows, equal scores by row."""
        step = max(1, _SCORES // max(1, len(self._vectors())))
        found = [
            self._best(xq[start : start + step], k) for start in range(0, max(1, len(xq)), step)
        ]
        scores, rows = zip(*found, strict=True)
        return np.concatenate(scores), np.concatenate(rows)

    def _best(self, xq: Vectors, k: int) -> tuple[Scores, Rows]:
        scores = products(xq, self._vectors())
        scores[:, self._deleted] = -np.inf
        D, order = best_of(scores, k)  # noqa: N806
        return D, np.where(np.isneginf(D), -1, order + self._first)


class ExactRows:
    """Rows of an exact FAISS index: a base, or a view of a mapped segment."""

    def __init__(self, index: Any, rows: Float16Vectors, first_row: int, deleted: Rows) -> None:
        """Search *index*, made of *rows*, (n, d) from *first_row* on, without the *deleted* ones.

        Of not too many rows, several queries are answered by multiplying, which takes less time,
        and the memory for float32 values, which are kept.
        """
        self._index, self._first, self._deleted = index, first_row, deleted
        self._multiplies = rows.size <= _MULTIPLIED_VALUES
        self._multiplied = FewRows(rows, first_row, deleted)

    @cached_property
    def _parameters(self) -> Any:
        if not len(self._deleted):
            return None
        import faiss

        deleted = faiss.IDSelectorBatch(self._deleted - self._first)
        return faiss.SearchParameters(sel=faiss.IDSelectorNot(deleted))

    def search(self, xq: Vectors, k: int) -> tuple[Scores, Rows]:
        """Find up to *k* rows."""
        if self._multiplies and len(xq) >= _SEVERAL:
            return self._multiplied.search(xq, k)
        with _one_thread(len(xq) * self._index.ntotal < _FEW_PAIRS):
            D, I = self._index.search(  # noqa: N806, E741
                np.ascontiguousarray(xq), min(k, self._index.ntotal), params=self._parameters
            )
        return np.where(I < 0, -np.inf, D).astype(np.float32), np.where(I < 0, -1, I + self._first)


class CodedRows:
    """Rows of an approximate base, whose candidates are scored with the vectors themselves."""

    def __init__(
        self,
        base: Any,
        rows: Float16Vectors,
        first_row: int,
        deleted: Rows,
        settings: SearchSettings,
    ) -> None:
        """Search *base*, made of *rows* (n, d), which lie from *first_row* on."""
        import faiss

        self._first, self._deleted, self._settings = first_row, deleted, settings
        # IndexRefine wants one metric and would order by it. The candidates' own order does not
        # matter to it, so an outermost layer, which passes queries on, may name the other.
        outermost = faiss.downcast_index(base)
        if not isinstance(outermost, faiss.IndexPreTransform):
            outermost = faiss.IndexPreTransform(outermost)
        outermost.metric_type = faiss.METRIC_INNER_PRODUCT
        self._base, self._owner = outermost, base
        self._chosen: tuple[tuple[SearchSettings, int] | None, Any] = (None, None)
        self._refine = faiss.IndexRefine(outermost, as_index(rows))

    @property
    def rows(self) -> range:
        """The rows that it searches, the deleted among them."""
        return range(self._first, self._first + self._base.ntotal)

    def search(self, xq: Vectors, k: int) -> tuple[Scores, Rows]:
        """Find up to *k* rows; where the deleted are many among the candidates, look further."""
        k = min(k, self._base.ntotal)
        wanted = k if not len(self._deleted) else min(2 * k + 64, self._base.ntotal)
        while True:
            settings = widened(self._settings, wanted)
            D, I = self.candidates(xq, wanted, settings)  # noqa: N806, E741
            if len(self._deleted):
                deleted = np.isin(I, self._deleted)
                D, I = np.where(deleted, -np.inf, D), np.where(deleted, -1, I)  # noqa: N806, E741
            few = np.count_nonzero(I >= 0, axis=1) < k
            if wanted == self._base.ntotal or not few.any():
                return D, I
            wanted = min(4 * wanted, self._base.ntotal)

    def _parameters(self, settings: SearchSettings, k: int) -> Any:
        import faiss

        candidates = min(settings.candidates, self._base.ntotal)
        return faiss.IndexRefineSearchParameters(
            k_factor=max(1.0, candidates / k),
            base_index_params=parameters(self._base, settings),
        )

    def candidates(self, xq: Vectors, k: int, settings: SearchSettings) -> tuple[Scores, Rows]:
        """Find up to *k* rows, the deleted among them, as *settings* tell."""
        known, chosen = self._chosen  # another thread may choose others meanwhile
        if known != (settings, k):
            chosen = self._parameters(settings, k)
            self._chosen = (settings, k), chosen
        with _one_thread(len(xq) == 1):
            D, I = self._refine.search(np.ascontiguousarray(xq), k, params=chosen)  # noqa: N806, E741
        return np.where(I < 0, -np.inf, D), np.where(I < 0, -1, I + self._first)
