"""Exact nearest neighbours of many queries, block by block: the ground truth."""

from __future__ import annotations

import numpy as np

from vecsearch.ann.base import blocks
from vecsearch.types import Float16Vectors, Rows, Vectors


def exact_search(
    xq: Vectors, rows: Float16Vectors, k: int
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float32]], Rows]:
    """Find the *k* of *rows*, (n, d), of largest inner product with each of *xq*, (q, d).

    Returns D (q, k) and I (q, k), places in *rows*, best first.
    """
    import faiss

    heap = faiss.ResultHeap(len(xq), k, keep_max=True)
    first = 0
    for block in blocks(rows):
        D, I = faiss.knn(xq, block, min(k, len(block)), faiss.METRIC_INNER_PRODUCT)  # noqa: N806, E741
        heap.add_result(D, I + first)
        first += len(block)
    heap.finalize()
    return heap.D, heap.I
