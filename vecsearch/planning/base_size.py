"""What a recipe takes before there is a base of it: bytes, as FAISS itself writes them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np

from vecsearch.ann.base import write_base
from vecsearch.errors import UsageError
from vecsearch.types import Vectors

_TRAIN_ROWS: Final = 1000
"""Enough for a PCA to as many dimensions, and for the 256 centroids of a quantiser."""

_BLOCK: Final = 64
_ADDED: Final = 1024
_ADDED_VALUES: Final = 1 << 23
"""So many rows are added, or what has as many values: whole blocks of fast-scan codes."""

_TABLE_BYTES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseSize:
    """The bytes of a base of any number of rows.

    ``cells`` is 0 without an inverted file, ``inner_dim`` the dimensions that its centroids have.
    Cells of a fast-scan code are filled up to whole blocks, ``cell_bytes`` on average. The file is
    ``mapped``, so that it lies in the page cache, or it is read into memory. ``is_graph`` tells
    that the work of a query grows with the logarithm of the rows.
    """

    fixed_bytes: int
    row_bytes: float
    cells: int
    cell_bytes: float
    inner_dim: int
    mapped: bool
    is_graph: bool

    def total_bytes(self, rows: int) -> int:
        """Return how long the file over *rows* is, and how much memory searching it takes."""
        return round(self.fixed_bytes + self.cells * self.cell_bytes + self.row_bytes * rows)


@cache
def size_of(factory: str, dim: int) -> BaseSize:
    """Find out what a base *factory* over vectors of *dim* dimensions takes.

    A small one is made of random vectors, its centroids without k-means, and written. What each row
    adds is the difference that rows make. Raises UsageError if FAISS cannot make it.
    """
    import faiss

    try:
        base = _trained_at_once(factory, dim)
    except RuntimeError as error:
        reason = " ".join(str(error).split()).rpartition("Error: ")[2]
        raise UsageError(
            f"FAISS cannot make --recipe {factory} for {dim} dimensions ({reason})",
            hint="give auto or another factory string",
        ) from None
    inverted = faiss.try_extract_index_ivf(base)
    empty = _written_bytes(base)
    # All into one cell of an inverted file, so that no other has a block that is not full.
    added = max(_BLOCK, min(_ADDED, _ADDED_VALUES // dim // _BLOCK * _BLOCK))
    rows = random_vectors(1 if inverted else added, dim, 1)
    rows = np.repeat(rows, added, axis=0) if inverted else rows
    base.add(rows)
    once = _written_bytes(base)
    base.add(rows)
    row_bytes = (_written_bytes(base) - once) / added
    inner = inner_of(base)
    block = getattr(inner, "bbs", 0)
    lists = faiss.downcast_InvertedLists(inner.invlists) if inverted else None
    return BaseSize(
        # Of an index without lists, what the first rows added beyond their like.
        fixed_bytes=empty if inverted else round(once - added * row_bytes),
        row_bytes=row_bytes,
        cells=inverted.nlist if inverted else 0,
        cell_bytes=_TABLE_BYTES + block / 2 * inner.code_size if inverted else 0.0,
        inner_dim=inverted.quantizer.d if inverted else dim,
        mapped=not isinstance(lists, faiss.BlockInvertedLists),
        is_graph=isinstance(inner, faiss.IndexHNSW),
    )


def _trained_at_once(factory: str, dim: int) -> Any:
    """Make an empty index *factory* that is trained after a fashion."""
    from threadpoolctl import threadpool_limits

    base = untrained(factory, dim)
    if not base.is_trained:
        fill_centroids(base)
        shorten_training(base, 1)
        with threadpool_limits(1):  # for so little work, threads only wait for each other
            base.train(random_vectors(_TRAIN_ROWS, dim, 0))
    return base


def untrained(factory: str, dim: int) -> Any:
    """Return an empty index *factory* for inner products."""
    import faiss

    return faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT)


def fill_centroids(base: Any, centroids: Vectors | None = None) -> None:
    """Set the centroids of the inverted file in *base*, if it has one; random ones by default.

    Those that it has already it does not look for: this takes the place of k-means.
    """
    import faiss

    inverted = faiss.try_extract_index_ivf(base)
    if not inverted or not inverted.quantizer.is_trained:
        return
    if centroids is None:
        centroids = random_vectors(inverted.nlist, inverted.quantizer.d, 2)
    inverted.quantizer.add(centroids)


def shorten_training(base: Any, iterations: int) -> None:
    """Limit product quantisers in *base* to *iterations*, without a warning about few rows."""
    import faiss

    for transform in transforms(base):
        if isinstance(transform, faiss.OPQMatrix):
            # Its own would warn, on stderr, that the rows are few.
            transform.quantizer = faiss.ProductQuantizer(transform.d_out, transform.M, 4)
            transform.pq = transform.quantizer
            transform.niter = transform.niter_pq = transform.niter_pq_0 = iterations
            _shorten(transform.pq, iterations)
    index = inner_of(base)
    if hasattr(index, "pq"):
        _shorten(index.pq, iterations)
    if hasattr(index, "do_polysemous_training"):
        index.do_polysemous_training = False  # takes minutes, and changes but the order of codes


def _shorten(quantizer: Any, iterations: int) -> None:
    quantizer.cp.niter, quantizer.cp.min_points_per_centroid = iterations, 1


def transforms(base: Any) -> list[Any]:
    """List what vectors go through before *base* looks at them."""
    import faiss

    index = faiss.downcast_index(base)
    if isinstance(index, faiss.IndexRefine):
        return transforms(index.base_index)
    if not isinstance(index, faiss.IndexPreTransform):
        return []
    chain = index.chain
    return [faiss.downcast_VectorTransform(chain.at(number)) for number in range(chain.size())]


def inner_of(base: Any) -> Any:
    """Return the index that codes are in, behind transforms and without refinement."""
    import faiss

    index = faiss.downcast_index(base)
    while True:
        if isinstance(index, faiss.IndexRefine):
            index = faiss.downcast_index(index.base_index)
        elif isinstance(index, faiss.IndexPreTransform | faiss.IndexIDMap):
            index = faiss.downcast_index(index.index)
        else:
            return index


def random_vectors(n: int, d: int, seed: int) -> Vectors:
    """Return (n, d) vectors of unit length in random directions."""
    vectors = np.random.default_rng(seed).standard_normal((n, d), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def _written_bytes(base: Any) -> int:
    sizes: list[int] = []
    write_base(base, lambda data: sizes.append(len(data)))
    return sum(sizes)
