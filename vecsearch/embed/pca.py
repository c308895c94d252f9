"""PCA: a linear map from long feature vectors to short ones, trained on a sample.

Jégou and Chum, "Negative evidences and co-occurrences in image retrieval: the benefit of PCA and
whitening" (ECCV 2012), section 3.1, without the whitening: centre, rotate, cut, normalise again.

Of n vectors of length d, the smaller of two symmetric matrices is decomposed: d x d, the products
of columns, or n x n, those of pictures, from whose eigenvectors v the axes are X^T v / sigma (Turk
and Pentland, "Eigenfaces for recognition", Journal of Cognitive Neuroscience 3(1), 1991, p. 74).

Memory: the resulting matrix, dim x d float32; the decomposed one, min(n, d) squared in float64,
which `sample_size` keeps at 128 MiB or else at twice the resulting one; and four panels.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vecsearch.embed.feature_file import FeaturePanels
from vecsearch.errors import UsageError, WeightsError
from vecsearch.types import Progress, Vectors

Doubles = npt.NDArray[np.float64]

LARGEST_ORDER: Final = 4096
"""Of the matrix to decompose: 14 s on two cores, which grow with the third power."""

_NEGLIGIBLE: Final = 1e-10
"""An axis with this share of the first one's variance is rounding, magnified."""

_ROUNDING: Final = 1e-11
"""Or with this variance for vectors of length 1: one picture, embedded twice, differs as much."""


@dataclass(frozen=True, slots=True)
class Projection:
    """``matrix`` (dim, d) and ``bias`` (dim,), float32: y = matrix x + bias.

    ``mean`` (d,) is that of the sample, and ``spread`` how long y is, by the root mean square over
    the sample. Neither changes a vector.
    """

    matrix: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    mean: npt.NDArray[np.float32]
    spread: float

    def sha256(self) -> str:
        """Return the SHA-256 of matrix and bias."""
        digest = hashlib.sha256(np.ascontiguousarray(self.matrix, dtype="<f4").data)
        digest.update(np.ascontiguousarray(self.bias, dtype="<f4").data)
        return digest.hexdigest()


def sample_size(dim: int, feature_dim: int) -> int:
    """Return how many vectors to train on: 8 an axis and at least 1024.

    Where vectors are longer than `LARGEST_ORDER`, no more than that, unless *dim* needs more.
    """
    wanted = max(8 * dim, 1024)
    if feature_dim <= LARGEST_ORDER:
        return wanted
    return min(wanted, max(LARGEST_ORDER, dim + 1))


def check_dim(dim: int, feature_dim: int, samples: int) -> None:
    """Raise UsageError if *dim* axes cannot be had from *samples* vectors of *feature_dim*."""
    if not 1 <= dim <= feature_dim:
        raise UsageError(
            f"--dim {dim} is too large",
            hint=f"this layer and pooling give {feature_dim} dimensions; give fewer",
        )
    if samples <= dim:
        raise UsageError(
            f"--dim {dim} needs at least {dim + 1} readable pictures, there are {samples}",
            hint="give a smaller --dim",
        )


def train_projection(
    features: FeaturePanels, dim: int, progress: Progress | None = None
) -> tuple[Projection, float]:
    """Train a PCA to *dim* dimensions on *features*; return it and the variance kept.

    The axes come in order of their variance and are orthonormal; the largest component of each is
    positive, so the same vectors give the same axes. Raises UsageError if there are not *dim*,
    because there are too few vectors or too few that differ, WeightsError for NaN or infinity.
    """
    n, d = features.shape
    check_dim(dim, d, n)
    steps = _Steps(features, progress, passes=2 if n < d else 1)
    products, means = (_between_rows if n < d else _between_columns)(features, steps)
    total = float(np.trace(products))
    if not np.isfinite(total):
        raise WeightsError("the network gives vectors that are not numbers, so it has no PCA")
    values, vectors = _largest(products, dim)
    del products
    rank = int(np.count_nonzero(values > max(_NEGLIGIBLE * values[0], _ROUNDING * n)))
    if rank < dim:
        raise UsageError(
            f"--dim {dim} needs pictures that differ in as many ways; the {n} of the sample "
            + (f"differ in {rank}" if rank else "are all alike"),
            hint=f"give --dim {rank} or less" if rank else "leave --dim out",
        )
    if n < d:
        matrix = _axes(features, (vectors / np.sqrt(values)).T, means, steps)
    else:
        matrix = vectors.T.astype(np.float32)
    del vectors
    bias = np.empty(dim, np.float32)
    for place, row in enumerate(matrix):
        if row[np.abs(row).argmax()] < 0:
            np.negative(row, out=row)
        bias[place] = -(row.astype(np.float64) @ means)
    spread = float(np.sqrt(values.sum() / n))
    projection = Projection(matrix, bias, means.astype(np.float32), spread)
    return projection, min(1.0, float(values.sum()) / total)


class _Steps:
    """Reports the progress in panels."""

    def __init__(self, features: FeaturePanels, progress: Progress | None, passes: int) -> None:
        self._progress = progress
        self._total = passes * features.shape[1]
        self._done = 0

    def __call__(self, panel: npt.NDArray[Any]) -> None:
        self._done += panel.shape[1]
        if self._progress:
            self._progress("training PCA", self._done, self._total)


def _centred(panel: Vectors) -> tuple[Doubles, Doubles]:
    """Return a panel without its means in float64, and the means; all rows are in it."""
    x = panel.astype(np.float64)
    means = x.mean(axis=0)
    x -= means
    return x, means


def _between_rows(features: FeaturePanels, steps: _Steps) -> tuple[Doubles, Doubles]:
    """Return the lower half of X X^T, (n, n), for centred X, and the means."""
    from scipy.linalg.blas import dsyrk

    n, d = features.shape
    products = np.zeros((n, n), order="F")
    means = np.empty(d)
    for first, panel in features.panels():
        x, means[first : first + panel.shape[1]] = _centred(panel)
        # x in C order is x^T in Fortran's; added in place, with no second (n, n).
        products = dsyrk(1.0, x.T, trans=1, beta=1.0, c=products, lower=1, overwrite_c=1)
        steps(panel)
    return products, means


def _between_columns(features: FeaturePanels, steps: _Steps) -> tuple[Doubles, Doubles]:
    """Return the lower half of X^T X, (d, d), for centred X, and the means."""
    _, d = features.shape
    products = np.zeros((d, d), order="F")
    means = np.empty(d)
    for first, panel in features.panels():
        x, means[first : first + panel.shape[1]] = _centred(panel)
        for second, other in features.panels():
            y = x if second == first else _centred(other)[0]
            products[first : first + x.shape[1], second : second + y.shape[1]] = x.T @ y
            if second == first:
                break
        steps(panel)
    return products, means


def _largest(products: Doubles, count: int) -> tuple[Doubles, Doubles]:
    """Return the largest eigenvalues, in descending order, and their vectors as columns.

    *products*, of which the lower half is read, is overwritten.
    """
    from scipy.linalg import eigh

    order = len(products)
    values, vectors = eigh(
        products, lower=True, subset_by_index=(order - count, order - 1), overwrite_a=True
    )
    return values[::-1], vectors[:, ::-1]


def _axes(features: FeaturePanels, weights: Doubles, means: Doubles, steps: _Steps) -> Vectors:
    """Return *weights* (dim, n) times the centred vectors, (dim, d) float32."""
    matrix = np.empty((len(weights), len(means)), np.float32)
    for first, panel in features.panels():
        columns = slice(first, first + panel.shape[1])
        matrix[:, columns] = weights @ (panel - means[columns])
        steps(panel)
    return matrix
