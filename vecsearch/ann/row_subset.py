"""Exact search among chosen rows of a mapped segment, however few or many they are."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

import numpy as np

from vecsearch.ann.memory_map import as_index
from vecsearch.ann.searcher import Scores, best_of, products
from vecsearch.types import Float16Vectors, Rows, Vectors

_FEW_VALUES: Final = 1 << 22
"""Rows of at most this many float16 values, 8,192 x 512, are copied and multiplied. More are
searched where they lie by FAISS, which skips the others: of a million in 0.05 to 0.2 s."""


class ChosenRows:
    """Rows that are searched among those of a segment, each compared."""

    def __init__(self, rows: Float16Vectors, first_row: int, places: Rows) -> None:
        """Search the *places*, sorted and counted from 0, of *rows*, (n, d) from *first_row* on."""
        self._rows, self._first, self._places = rows, first_row, places

    def search(self, xq: Vectors, k: int) -> tuple[Scores, Rows]:
        """Find up to *k* of the chosen rows, as `Searcher.search` does."""
        k = min(k, len(self._places))
        if self._places.size * self._rows.shape[1] > _FEW_VALUES:
            index, parameters = self._selected
            D, I = index.search(np.ascontiguousarray(xq), k, params=parameters)  # noqa: N806, E741
            return D, I + self._first
        D, order = best_of(products(xq, self._copied), k)  # noqa: N806
        return D, self._places[order] + self._first

    @cached_property
    def _copied(self) -> Vectors:
        return self._rows[self._places].astype(np.float32)

    @cached_property
    def _selected(self) -> tuple[Any, Any]:
        import faiss

        bits = np.zeros(len(self._rows), np.bool_)
        bits[self._places] = True
        selector = faiss.IDSelectorBitmap(np.packbits(bits, bitorder="little"))
        return as_index(self._rows), faiss.SearchParameters(sel=selector)
