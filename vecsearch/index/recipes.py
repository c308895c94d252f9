"""Recipes: which FAISS index a number of vectors calls for, as a factory string and a reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from vecsearch.errors import UsageError

FLAT: Final = "SQfp16"
"""Exact search over the very float16 values that the segments hold; half of IndexFlatIP's size
and measured 3.7 times as fast for one query over 200,000 x 512."""

AUTO: Final = "auto"

LATENCY_MS: Final = 20.0
"""How long one query may take before exact search is given up."""

BYTES_PER_MS: Final = 20e6
"""How much of FLAT two cores search in a millisecond: 200 MB in 10 ms."""


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
    return Recipe(
        _ann_factory(rows, dim), f"exact search would take about {exact_ms:.0f} ms a query"
    )


def check_recipe(wanted: str, dim: int) -> None:
    """Raise UsageError if FAISS cannot make *wanted* for inner products of *dim* dimensions."""
    if wanted == AUTO:
        return
    import faiss

    try:
        index = faiss.index_factory(dim, wanted, faiss.METRIC_INNER_PRODUCT)
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split()).rpartition(": ")[2]
        raise UsageError(
            f"FAISS cannot make --recipe {wanted} for {dim} dimensions ({reason})",
            hint=f"give auto, {FLAT} or another factory string",
        ) from None
    if index.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise UsageError(f"--recipe {wanted} is not for inner products", hint="give another one")


def _ann_factory(rows: int, dim: int) -> str:
    return f"IVF{2 ** round(np.log2(4 * rows**0.5))},PQ{dim // 4}x4fs"
