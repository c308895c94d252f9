"""Recipes: the FAISS index for a number of vectors, as a factory string and a reason."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Final

from vecsearch.errors import UsageError

FLAT: Final = "SQfp16"
"""Exact search over the very float16 values that the segments hold; half of IndexFlatIP's size
and measured 3.7 times as fast for one query over 200,000 x 512."""

AUTO: Final = "auto"

LATENCY_MS: Final = 20.0
"""How long one query may take before exact search is given up."""

BYTES_PER_MS: Final = 20e6
"""How much of FLAT two cores search in a millisecond: 200 MB in 10 ms."""

PROBED_SHARE: Final = 0.15
"""The share of an inverted file's cells that is looked at for a recall of 0.95; tuning finds out,
and both more and less is common: 256 of 1,788 for 0.96 over 200,000 x 512."""

CANDIDATES: Final = 320
EF_SEARCH: Final = 128
"""How many candidates are scored exactly, and how wide a graph is searched, as a rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How fast a machine makes and searches bases, for one number of dimensions.

    ``exact_bytes_per_ms`` of FLAT are searched in a millisecond by one query; ``flops`` a second
    are done in batches. An approximate base of a kind takes ``train_row_s`` for a row to train on,
    apart from k-means, and ``add_row_s`` for one to add; a query takes ``query_s``, and
    ``probe_row_s`` for every row that is looked at. In a graph, what is looked at and what is added
    to grow with the logarithm: there both are for one doubling of the rows.
    """

    exact_bytes_per_ms: float
    flops: float
    train_row_s: float
    add_row_s: float
    query_s: float
    probe_row_s: float


INVERTED: Final = Rates(
    exact_bytes_per_ms=BYTES_PER_MS,
    flops=5e10,
    train_row_s=5e-5,
    add_row_s=1.5e-5,
    query_s=1.2e-4,
    probe_row_s=1.5e-9,
)
GRAPH: Final = Rates(
    exact_bytes_per_ms=BYTES_PER_MS,
    flops=5e10,
    train_row_s=1e-6,
    add_row_s=2e-5,
    query_s=0.0,
    probe_row_s=3.5e-5,
)
"""Measured on two cores for 512 dimensions: PCA64,IVF4096,PQ32x4fs and HNSW32,SQ8."""

MEASURED_DIM: Final = 512


_L2: Final = 1  # FAISS's METRIC_L2
_LONGEST: Final = 200
_SHOWN: Final = 40
_TINY_GRAPH: Final = re.compile(r"(?:HNSW|NSG)0*[1-3](?![0-9])")
"""With so few neighbours FAISS ends the process, or looks for paths for ever."""

_MOST_CELLS: Final = 1 << 22
_DIGITS: Final = 10
_LEAST_NUMBER: Final = 4096

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
        """Return whether it compares a query with every vector."""
        return self.factory == FLAT


def choose_recipe(wanted: str, rows: int, dim: int, latency_ms: float = LATENCY_MS) -> Recipe:
    """Choose for *rows* vectors of *dim* dimensions; *wanted* is ``auto`` or a factory string."""
    if wanted != AUTO:
        return Recipe(wanted, "asked for")
    exact_ms = 2 * rows * dim / BYTES_PER_MS
    if exact_ms <= latency_ms:
        return Recipe(FLAT, f"exact search takes about {exact_ms:.1f} ms a query")
    if dim > _MOST_DIM:
        return Recipe(
            FLAT, f"vectors of {dim} dimensions are not made into codes: reduce them with --dim"
        )
    return Recipe(
        _ann_factory(rows, dim), f"exact search would take about {exact_ms:.0f} ms a query"
    )


def is_possible(factory: str, rows: int, dim: int) -> bool:
    """Return whether *factory* may be handed to FAISS, which allocates what its numbers say.

    No part of an index has more cells, neighbours or dimensions than there are vectors or values.
    """
    numbers = re.findall(r"[0-9]+", factory)
    most = max(rows, dim, _LEAST_NUMBER)
    if _TINY_GRAPH.search(factory) or len(factory) > _LONGEST:
        return False
    return all(len(one) <= _DIGITS and 0 < int(one) <= most for one in numbers)


def check_recipe(wanted: str, dim: int) -> None:
    """Raise UsageError if FAISS cannot make *wanted* for *dim* dimensions."""
    if wanted == AUTO:
        return
    # FAISS recurses over its letters until the stack ends, and allocates what its numbers say.
    is_text = wanted.isascii() and wanted.isprintable()
    if not (is_text and is_possible(wanted, _MOST_CELLS, dim)):
        raise UsageError(
            f"--recipe {wanted[:_SHOWN]!r} is not a recipe",
            hint=f"give auto, {FLAT} or a factory string of FAISS: up to {_LONGEST} ASCII letters, "
            f"with numbers from 1 to {_MOST_CELLS:,}",
        )
    if re.search("IDMap", wanted):
        raise UsageError(
            f"--recipe {wanted} keeps ids, which the catalog does already",
            hint="leave IDMap out",
        )
    empty_index(wanted, dim)


def empty_index(factory: str, dim: int, metric: int = _L2) -> Any:
    """Let FAISS make the index *factory* for *dim* dimensions; raises UsageError."""
    import faiss

    try:
        return faiss.index_factory(dim, factory, metric)
    except (RuntimeError, ValueError, MemoryError) as error:
        reason = " ".join(str(error).split()).rpartition(": ")[2]
        raise UsageError(
            f"FAISS cannot make --recipe {factory} for {dim} dimensions ({reason})",
            hint=f"give auto, {FLAT} or another factory string",
        ) from None


def _ann_factory(rows: int, dim: int) -> str:
    """Return PCA, cells and 4-bit codes that are summed in registers (fast scan).

    Measured on vectors like pooled features, see benchmarks/large.json.
    """
    cells = 2 ** round(math.log2(_CELLS * rows**0.5))
    if dim < _LEAST_PCA:
        return f"IVF{cells},PQ{dim // 2 if dim % 2 == 0 else dim}x4fs"
    reduced = min(_MOST_PCA, dim // 2 // 8 * 8)
    return f"PCA{reduced},IVF{cells},PQ{reduced // 2}x4fs"
