"""PCA: a linear map from long feature vectors to short ones, trained by FAISS on a sample.

Jégou and Chum, "Negative evidences and co-occurrences in image retrieval: the benefit of PCA and
whitening" (ECCV 2012), section 3.1, without the whitening: centre, rotate, cut, normalise again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vecsearch.errors import UsageError
from vecsearch.types import Vectors

_SAMPLE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Projection:
    """``matrix`` (dim, d) and ``bias`` (dim,), float32: y = matrix x + bias."""

    matrix: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]

    def sha256(self) -> str:
        """Give the SHA-256 of both arrays."""
        digest = hashlib.sha256(np.ascontiguousarray(self.matrix, dtype="<f4").data)
        digest.update(np.ascontiguousarray(self.bias, dtype="<f4").data)
        return digest.hexdigest()


def sample_size(dim: int, feature_dim: int) -> int:
    """Tell how many vectors to train on: 8 an axis, within 1 GiB unless *dim* needs more."""
    return min(max(8 * dim, 1024), max(_SAMPLE_BYTES // (4 * feature_dim), dim + 1))


def check_dim(dim: int, feature_dim: int, samples: int) -> None:
    """Raise UsageError if *dim* axes cannot be had from *samples* vectors of *feature_dim*."""
    if not 1 <= dim <= feature_dim:
        raise UsageError(
            f"--dim {dim} is impossible", hint=f"this layer and pooling give {feature_dim}"
        )
    if samples <= dim:
        raise UsageError(
            f"--dim {dim} needs at least {dim + 1} readable pictures, there are {samples}",
            hint="give a smaller --dim",
        )


def train_projection(vectors: Vectors, dim: int) -> tuple[Projection, float]:
    """Train a PCA to *dim* dimensions on (n, d) *vectors*; return it and the variance kept."""
    import faiss

    check_dim(dim, vectors.shape[1], len(vectors))
    pca = faiss.PCAMatrix(vectors.shape[1], dim)
    pca.train(np.ascontiguousarray(vectors))
    matrix = faiss.vector_to_array(pca.A).reshape(-1, vectors.shape[1])[:dim].copy()
    bias = faiss.vector_to_array(pca.b)[:dim].copy()
    projected = vectors @ matrix.T + bias
    total = float(vectors.var(axis=0).sum())
    kept = min(1.0, float(projected.var(axis=0).sum()) / total) if total > 0 else 1.0
    return Projection(matrix, bias), kept
