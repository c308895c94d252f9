"""Recipes: which FAISS index a number of vectors calls for, as a factory string and a reason."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from vecsearch.errors import UsageError

FLAT: Final = "SQfp16"
"""Exact search over the very float16 values that the segments hold; half of IndexFlatIP's size
and measured 3.7 times as fast for one query over 200,000 x 512."""

AUTO: Final = "auto"

LATENCY_MS: Final = 20.0
"""How long one query may take before exact search is given up."""

BYTES_PER_MS: Final = 20e6
"""How much of FLAT two cores search in a millisecond: 200 MB in 10 ms."""


_CELLS: Final = 2.3
_LEAST_PCA: Final = 128
_MOST_PCA: Final = 256
_MOST_DIM: Final = 4096


@dataclass(frozen=True, slots=True)
class Recipe:
    """A FAISS factory string and why it was chosen."""

    factory: str
    reason: str

    @property
    def is_exact(self) -> bool:
        """Tell whether it compares a query with every vector."""
        return self.factory == FLAT


def choose_recipe(wanted: str, rows: int, dim: int, latency_ms: float = LATENCY_MS) -> Recipe:
    """Choose for *rows* vectors of *dim* dimensions; *wanted* is ``auto`` or a factory string."""
    if wanted != AUTO:
        return Recipe(wanted, "asked for")
    exact_ms = 2 * rows * dim / BYTES_PER_MS
    if exact_ms <= latency_ms:
        return Recipe(FLAT, f"exact search takes about {exact_ms:.1f} ms a query")
    if dim > _MOST_DIM:
        return Recipe(FLAT, f"of {dim} dimensions no codes are made: reduce them by --dim")
    return Recipe(
        _ann_factory(rows, dim), f"exact search would take about {exact_ms:.0f} ms a query"
    )


def check_recipe(wanted: str, dim: int) -> None:
    """Raise UsageError if FAISS cannot make *wanted* for *dim* dimensions."""
    if wanted == AUTO:
        return
    import faiss

    try:
        faiss.index_factory(dim, wanted)
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split()).rpartition(": ")[2]
        raise UsageError(
            f"FAISS cannot make --recipe {wanted} for {dim} dimensions ({reason})",
            hint=f"give auto, {FLAT} or another factory string",
        ) from None


def _ann_factory(rows: int, dim: int) -> str:
    """Give PCA, cells and 4-bit codes that are summed in registers (fast scan).

    Measured on vectors like pooled features, see benchmarks/large.json.
    """
    cells = 2 ** round(math.log2(_CELLS * rows**0.5))
    if dim < _LEAST_PCA:
        return f"IVF{cells},PQ{dim // 2 if dim % 2 == 0 else dim}x4fs"
    reduced = min(_MOST_PCA, dim // 2 // 8 * 8)
    return f"PCA{reduced},IVF{cells},PQ{reduced // 2}x4fs"
