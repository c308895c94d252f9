"""Training a PCA: seconds and memory, vecsearch's way and faiss.PCAMatrix's, on the same vectors.

python benchmarks/projection.py COUNT [--features 100352] [--dim 512] [--folder .] [--faiss]

Vectors are synthetic: 800 seeded directions of falling variance, noise, no negative components,
unit length. Linux only: the peak is reset before what is measured. With --faiss both train, FAISS
after, with all vectors in memory, and the least cosine between the two subspaces is printed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vecsearch.embed.feature_file import FeatureFile
from vecsearch.embed.pca import train_projection
from vecsearch.indexing.agreement import overlap_when_reduced
from vecsearch.types import Vectors

_STATUS = Path("/proc/self/status")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    parser.add_argument("--features", type=int, default=100_352)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--faiss", action="store_true")
    given = parser.parse_args()
    with FeatureFile(given.folder, given.count, given.features) as file:
        for place, vector in enumerate(_vectors(given.count, given.features)):
            file.put(place, vector)
        rows = file.rows()
        stop = Stopwatch()
        projection, kept = train_projection(rows, given.dim)
        print("vecsearch", stop(), f"keeps {kept:.4f}")
        stop = Stopwatch()
        share = overlap_when_reduced(rows, projection, min(400, given.count), 10)
        print("overlap  ", stop(), f"{share:.4f}")
    if given.faiss:
        import faiss

        stop = Stopwatch()
        vectors = np.stack(list(_vectors(given.count, given.features)))
        print("vectors  ", stop())
        stop = Stopwatch()
        pca = faiss.PCAMatrix(given.features, given.dim)
        pca.train(vectors)
        print("faiss    ", stop(), "vectors included")
        axes = faiss.vector_to_array(pca.A).reshape(-1, given.features)[: given.dim]
        cosines = np.linalg.svd(projection.matrix @ axes.T, compute_uv=False)
        print(f"least cosine between the subspaces: {cosines.min():.7f}")


class Stopwatch:
    """Seconds by the clock and of the processors, and the largest resident memory, since then."""

    def __init__(self) -> None:
        """Start."""
        Path("/proc/self/clear_refs").write_text("5")
        self._start = time.perf_counter(), time.process_time()

    def __call__(self) -> str:
        """Say what it took."""
        clock, cpu = time.perf_counter() - self._start[0], time.process_time() - self._start[1]
        (peak,) = (line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return f"{clock:7.1f} s, {cpu:7.1f} s CPU, {int(peak.split()[1]) / 1e3:7,.0f} MB at most"


def _vectors(count: int, features: int) -> Iterator[Vectors]:
    generator = np.random.default_rng(0)
    directions = generator.standard_normal((800, features), dtype=np.float32)
    directions /= np.sqrt(np.arange(1, 801, dtype=np.float32))[:, None]
    for first in range(0, count, 32):
        mixture = generator.standard_normal((min(32, count - first), 800), dtype=np.float32)
        for vector in np.abs(mixture @ directions):
            vector += 0.1 * generator.random(features, dtype=np.float32)
            yield vector / np.linalg.norm(vector)


if __name__ == "__main__":
    main()
