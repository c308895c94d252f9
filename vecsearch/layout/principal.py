"""The principal components of a collection, trained on a sample where it is large."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.layout.points import Features

DIMENSIONS: Final = 50
"""What t-SNE's authors bring vectors to first: less noise, and much less time."""

_SAMPLE_VALUES: Final = 1 << 24
"""Of the sample that the components are trained on: 32,768 x 512, 64 MiB."""
_LEAST_SAMPLE: Final = 20 * DIMENSIONS
_BLOCK_VALUES: Final = 1 << 22
_EQUAL: Final = 1e-5
"""Equal unit vectors differ by rounding only, which must not be blown up to a map."""

Components = npt.NDArray[np.float32]


def principal(features: Features, seed: int) -> Components:
    """Return principal components, (n, at least 2) float32, the first of variance 1.

    All are 0 where the vectors are equal. At most a sample of the vectors is in memory.
    """
    n = len(features)
    if n < 2:
        return np.zeros((n, 2), np.float32)
    d = features[np.zeros(1, np.int64)].shape[1]
    places = _sample(n, max(_LEAST_SAMPLE, _SAMPLE_VALUES // d), seed)
    sample = features[places]
    count = min(len(sample), d, DIMENSIONS)
    scores = np.zeros((n, max(2, count)), np.float32)
    if float(np.ptp(sample, axis=0).max()) < _EQUAL:
        return scores
    from sklearn.decomposition import PCA

    model = PCA(count, random_state=seed)
    if len(sample) == n:
        scores[:, :count] = model.fit_transform(sample)
    else:
        model.fit(sample)
        step = max(1, _BLOCK_VALUES // d)
        for start in range(0, n, step):
            block = np.arange(start, min(n, start + step))
            scores[block, :count] = model.transform(features[block])
    scores /= scores[:, 0].std()
    return scores


def _sample(n: int, size: int, seed: int) -> npt.NDArray[np.int64]:
    if n <= size:
        return np.arange(n)
    return np.sort(np.random.RandomState(seed).permutation(n)[:size])
