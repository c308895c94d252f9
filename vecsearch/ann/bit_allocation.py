"""Sharing out principal components among the sub-quantisers of a product quantiser.

PCA orders components by variance, so the first sub-quantisers would have almost all of it, with as
few codes as the others. Ge, He, Ke and Sun, "Optimized Product Quantization" (PAMI 2014), section
3.2, give every one about the same product of variances: each component, from the largest on, goes
to the sub-quantiser with room whose product is smallest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def allocate_components(base: Any, sample: npt.NDArray[np.float32]) -> None:
    """Train the PCA that *base* begins with, if it does, and reorder it for the PQ that follows.

    Distances stay as they are: the components only change places.
    """
    import faiss

    if not isinstance(base, faiss.IndexPreTransform) or not base.chain.size():
        return
    pca = faiss.downcast_VectorTransform(base.chain.at(0))
    inner = faiss.downcast_index(base.index)
    quantizer = getattr(inner, "pq", None)
    if not isinstance(pca, faiss.PCAMatrix) or quantizer is None:
        return
    pca.train(sample)
    variances = np.maximum(faiss.vector_to_array(pca.eigenvalues)[: pca.d_out], 1e-30)
    order = allocation(variances, quantizer.M)
    matrix = faiss.vector_to_array(pca.A).reshape(-1, pca.d_in)[: pca.d_out]
    faiss.copy_array_to_vector(np.ascontiguousarray(matrix[order]).ravel(), pca.A)
    faiss.copy_array_to_vector(faiss.vector_to_array(pca.b)[: pca.d_out][order], pca.b)


def allocation(variances: npt.NDArray[np.float32], parts: int) -> npt.NDArray[np.int64]:
    """Order components, given by falling variance, so that *parts* equal runs are balanced."""
    room = len(variances) // parts
    products = np.zeros(parts)
    members: list[list[int]] = [[] for _ in range(parts)]
    for number, variance in enumerate(np.log(variances.astype(np.float64))):
        open_parts = [part for part in range(parts) if len(members[part]) < room]
        smallest = min(open_parts, key=lambda part: (len(members[part]) > 0, products[part]))
        members[smallest].append(number)
        products[smallest] += variance
    return np.array([number for part in members for number in part], dtype=np.int64)
