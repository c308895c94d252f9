"""Nearest rows: the FAISS base and the newest rows behind it, answered as one."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vecsearch.types import Rows, Vectors

Scores = npt.NDArray[np.float32]

_CHUNK_BYTES: Final = 64 << 20


class Searcher:
    """Searches a base over rows from *first_row* on and *tail* blocks, without dead rows.

    ``base`` is a FAISS index or None; each tail block is (first row, (n, d) float16).
    """

    def __init__(
        self,
        base: Any,
        first_row: int,
        tail: list[tuple[int, npt.NDArray[np.float16]]],
        dead_rows: Rows,
    ) -> None:
        """Keep the parts; nothing is copied."""
        self._base = base
        self._first_row = first_row
        self._tail = tail
        self._dead = dead_rows

    def search(self, xq: Vectors, k: int) -> tuple[Scores, Rows]:
        """Find the *k* rows of largest inner product with each of *xq*, (q, d) float32.

        Returns D (q, k) and I (q, k), best first, equal scores by row; where fewer than *k* rows
        live, I is -1 and D is -inf.
        """
        parts = [self._search_tail(xq, k, first, block) for first, block in self._tail]
        if self._base is not None:
            parts.append(self._search_base(xq, k))
        D = np.concatenate([np.full((len(xq), k), -np.inf, np.float32), *(d for d, _ in parts)], 1)  # noqa: N806
        I = np.concatenate([np.full((len(xq), k), -1), *(i for _, i in parts)], 1)  # noqa: N806, E741
        order = np.lexsort((I, -D), axis=1)[:, :k]
        return np.take_along_axis(D, order, 1), np.take_along_axis(I, order, 1)

    def _search_base(self, xq: Vectors, k: int) -> tuple[Scores, Rows]:
        parameters = None
        if len(self._dead):
            import faiss

            dead = faiss.IDSelectorBatch(self._dead - self._first_row)
            parameters = faiss.SearchParameters(sel=faiss.IDSelectorNot(dead))  # type: ignore[call-arg]
        k = min(k, self._base.ntotal)
        D, I = self._base.search(np.ascontiguousarray(xq), k, params=parameters)  # noqa: N806, E741
        rows = np.where(I < 0, -1, I + self._first_row)
        return np.where(I < 0, -np.inf, D).astype(np.float32), rows

    def _search_tail(
        self, xq: Vectors, k: int, first: int, block: npt.NDArray[np.float16]
    ) -> tuple[Scores, Rows]:
        best_d: list[Scores] = []
        best_i: list[Rows] = []
        step = max(1, _CHUNK_BYTES // (4 * block.shape[1]))
        for start in range(0, len(block), step):
            chunk = block[start : start + step].astype(np.float32)
            rows = np.arange(first + start, first + start + len(chunk))
            scores = xq @ chunk.T
            scores[:, np.isin(rows, self._dead, assume_unique=True)] = -np.inf
            order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
            best_d.append(np.take_along_axis(scores, order, 1))
            best_i.append(rows[order])
        D, I = np.concatenate(best_d, 1), np.concatenate(best_i, 1)  # noqa: N806, E741
        return D, np.where(np.isneginf(D), -1, I)
