"""The map of a large collection against scikit-learn's t-SNE of the same points.

    python benchmarks/layout.py VECTORS.npy COUNT [--sklearn]

VECTORS.npy is what `large_vectors.py` writes. Of each layout it prints the time, and the mean share
of the ten nearest by the principal components that are among the ten, and the hundred, nearest on
the map, over 2,000 points. scikit-learn takes most of an hour for 100,000 points.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors

from vecsearch.layout.methods import lay_out
from vecsearch.layout.principal import principal
from vecsearch.types import Vectors

_ASKED: Final = 2000
_Floats = npt.NDArray[np.float32]


def kept(scores: _Floats, points: _Floats, reach: int) -> float:
    """Return the mean share of the ten nearest by *scores* among the *reach* nearest *points*."""
    asked = np.random.RandomState(1).permutation(len(scores))[:_ASKED]
    true, found = (
        NearestNeighbors(n_neighbors=count + 1).fit(rows).kneighbors(rows[asked])[1][:, 1:]
        for rows, count in ((scores, 10), (points, reach))
    )
    return float(np.mean([np.isin(a, b).mean() for a, b in zip(true, found, strict=True)]))


def measure(name: str, scores: _Floats, layout: Callable[[], _Floats]) -> None:
    """Run one layout and print what it took and kept."""
    clock, processor = time.perf_counter(), time.process_time()
    points = layout()
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    near, far = (kept(scores, points, reach) for reach in (10, 100))
    print(
        f"{name}: {clock:.0f} s ({processor:.0f} s of processor time), kept {near:.3f}, {far:.3f}"
    )


if __name__ == "__main__":
    rows = np.load(sys.argv[1], mmap_mode="r")[: int(sys.argv[2])].astype(np.float32)
    vectors: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    components = principal(vectors, 0)
    measure("vecsearch", components, lambda: lay_out(vectors))
    if "--sklearn" in sys.argv:
        start = components[:, :2] * np.float32(1e-4)
        model = TSNE(init=start, random_state=0)
        measure("scikit-learn", components, lambda: model.fit_transform(components))
