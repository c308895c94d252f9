"""Vectors to measure large indexes on: seeded, streamed, and hard in the ways of CNN features.

    python benchmarks/large_vectors.py FOLDER COUNT

writes FOLDER/xb.npy (COUNT, 512) float16, FOLDER/xq.npy (2,000, 512) float32 queries that are none
of them, and FOLDER/gt.npy (2,000, 10) int64, their true nearest by inner product, best first.

A picture shows a few things at once. What it shows is drawn from a tree of topics whose sizes
follow Zipf's law, so that there is structure at every scale and no level at which the collection
falls into separate balls; everything that no topic explains is spread along axes of power-law
variance, which correlates the channels. The exponential makes activations non-negative and long-
tailed, as pooled ones are, and the bias per channel makes some channels busy and most quiet.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

BLOCK: Final = 8192
"""Rows that are made at a time; part of what the vectors are, for a block has its own seed."""

_COLLECTION, _QUERIES, _MODEL = range(3)


@dataclass(frozen=True, slots=True)
class Shape:
    """What decides how hard the vectors are; the defaults are what the figures were measured on."""

    latent: int = 256  # axes of variation
    decay: float = 0.32  # a standard deviation along axis j is (j + 1) ** -decay
    branches: tuple[int, ...] = (24, 16, 12)  # children of a topic, from the root down
    spread: tuple[float, ...] = (0.35, 0.30, 0.30)  # size of a level's own offset
    noise: float = 1.0  # size of what no topic explains
    gain: float = 0.7  # standard deviation of a channel's logarithm
    contrast: float = 0.08  # of a row's logarithmic contrast: plain rows become hubs


_SHAPE: Final = Shape()


class _Model:
    """The topics and the channels: everything that all blocks of a seed share."""

    def __init__(self, dim: int, seed: int, shape: Shape) -> None:
        generator = np.random.default_rng([seed, _MODEL])
        scale = np.arange(1, shape.latent + 1, dtype=np.float32) ** np.float32(-shape.decay)
        self.scale = scale / np.sqrt(np.square(scale).sum())
        self.noise = np.float32(shape.noise)
        self.contrast = np.float32(shape.contrast)
        topics = np.zeros((1, shape.latent), np.float32)
        weights = np.ones(1)
        for branches, spread in zip(shape.branches, shape.spread, strict=True):
            offsets = generator.standard_normal((len(topics), branches, shape.latent), np.float32)
            topics = (topics[:, None] + spread * self.scale * offsets).reshape(-1, shape.latent)
            # Zipf's law within each family, in an order of its own.
            sizes = generator.permuted(
                np.broadcast_to(1 / np.arange(1.0, branches + 1), (len(weights), branches)), axis=1
            )
            weights = (weights[:, None] * sizes / sizes[0].sum()).ravel()
        self.topics = topics
        self.edges = np.cumsum(weights / weights.sum())
        mixing = generator.standard_normal((shape.latent, dim), np.float32)
        mixing *= self.scale[:, None]
        mixing /= np.sqrt(np.square(mixing).sum(axis=0))
        self.mixing = (mixing * np.float32(shape.gain) / self.scale[:, None]).astype(np.float32)
        self.bias = generator.normal(0, 0.5, dim).astype(np.float32)

    def block(self, generator: np.random.Generator, rows: int) -> npt.NDArray[np.float32]:
        shares = generator.dirichlet((1.5, 0.5), rows).astype(np.float32)
        drawn = np.minimum(
            np.searchsorted(self.edges, generator.random((rows, 2))), len(self.topics) - 1
        )
        latent = (
            self.noise * self.scale * generator.standard_normal((rows, len(self.scale)), np.float32)
        )
        for place in range(2):
            latent += shares[:, place, None] * self.topics[drawn[:, place]]
        latent *= np.exp(
            self.contrast * generator.standard_normal((rows, 1), np.float32), dtype=np.float32
        )
        x: npt.NDArray[np.float32] = np.exp(latent @ self.mixing + self.bias)
        x /= np.sqrt(np.einsum("ij,ij->i", x, x))[:, None]
        return x


def make_vectors(
    n: int, dim: int = 512, seed: int = 0, *, queries: bool = False, shape: Shape = _SHAPE
) -> Iterator[npt.NDArray[np.float32]]:
    """Make *n* unit vectors, (m, dim) float32 a block; block i depends on *seed* and i alone.

    The first vectors of a seed are the same for every *n* up to whole blocks; *queries* are drawn
    from the same distribution and are none of the collection.
    """
    model = _Model(dim, seed, shape)
    stream = _QUERIES if queries else _COLLECTION
    for number, start in enumerate(range(0, n, BLOCK)):
        # A whole block is made even where less is wanted, so that its rows do not depend on n.
        x = model.block(np.random.default_rng([seed, stream, number]), BLOCK)
        yield x[: n - start]


def true_nearest(
    xq: npt.NDArray[np.float32], blocks: Iterator[npt.NDArray[np.float32]], k: int = 10
) -> npt.NDArray[np.int64]:
    """Find the *k* rows of largest inner product with each of *xq*, exactly: (q, k) int64."""
    import faiss

    heap = faiss.ResultHeap(len(xq), k, keep_max=True)
    first = 0
    for block in blocks:
        D, I = faiss.knn(xq, block, k, metric=faiss.METRIC_INNER_PRODUCT)  # noqa: N806, E741
        heap.add_result(D, I + first)
        first += len(block)
    heap.finalize()
    return np.asarray(heap.I, np.int64)


def write_vectors(folder: Path, count: int, dim: int = 512, seed: int = 0) -> None:
    """Write xb.npy, xq.npy and gt.npy into *folder*; only a block at a time is held."""
    from numpy.lib.format import open_memmap

    folder.mkdir(parents=True, exist_ok=True)
    xq = np.concatenate(list(make_vectors(2000, dim, seed, queries=True)))
    xb = open_memmap(folder / "xb.npy", "w+", np.float16, (count, dim))

    def stored() -> Iterator[npt.NDArray[np.float32]]:
        first = 0
        for block in make_vectors(count, dim, seed):
            xb[first : first + len(block)] = block
            # What is true is judged by the values that were stored.
            yield xb[first : first + len(block)].astype(np.float32)
            first += len(block)

    np.save(folder / "gt.npy", true_nearest(xq, stored()))
    np.save(folder / "xq.npy", xq)
    xb.flush()


if __name__ == "__main__":
    write_vectors(Path(sys.argv[1]), int(sys.argv[2]))
