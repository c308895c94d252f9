"""Other libraries for approximate search: built, kept, loaded and searched in one way.

Each is imported where it is used, for the Python that runs this may lack the others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Found = npt.NDArray[np.int64]
Parameters = dict[str, Any]

THREADS: Final = os.cpu_count() or 1
_BLOCK: Final = 1 << 16


class Peer(Protocol):
    """A library with one index: ``effort`` is what decides between recall and time.

    Effort has an entry or two: the first grows with recall and is searched for by bisection, the
    second is tried at each of ``second``.
    """

    most: int
    second: tuple[int, ...]

    def build(self, xb: npt.NDArray[Any], parameters: Parameters, path: Path) -> None:
        """Make an index of *xb*, (n, d) float32 or float16, and write it to *path*."""

    def load(self, path: Path) -> None:
        """Load it."""

    def search(self, xq: Vectors, k: int, effort: list[int], threads: int) -> Found:
        """Find *k* rows for each of *xq*."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the grid: a library and what it builds with."""

    library: str
    parameters: Parameters

    @property
    def name(self) -> str:
        """Name it, and the file that it is kept in."""
        values = (f"{key}{value}" for key, value in self.parameters.items())
        return "-".join([self.library, *values]).replace(",", "_")


GRID: Final = (
    Entry("hnswlib", {"M": 16, "ef": 100}),
    Entry("hnswlib", {"M": 16, "ef": 200}),
    Entry("hnswlib", {"M": 32, "ef": 200}),
    Entry("usearch", {"dtype": "f16", "M": 16, "ef": 128}),
    Entry("usearch", {"dtype": "f16", "M": 32, "ef": 128}),
    Entry("usearch", {"dtype": "f32", "M": 16, "ef": 128}),
    Entry("faiss", {"factory": "HNSW32,SQ8", "ef": 40}),
    Entry("faiss", {"factory": "HNSW32,SQfp16", "ef": 80}),
    Entry("scann", {"leaves": 1, "dims": 2}),
    Entry("scann", {"leaves": 2, "dims": 2}),
    Entry("scann", {"leaves": 2, "dims": 2, "soar": 1.5}),
)


def recall(found: Found, gt: Found) -> float:
    """Return the mean share of each line of *gt* (q, k) that the same line of *found* has."""
    return float((found[:, :, None] == gt[:, None, :]).any(axis=1).mean())


def blocks(xb: npt.NDArray[Any]) -> Iterator[tuple[int, Vectors]]:
    """Return float32 blocks of *xb* and where each begins."""
    for start in range(0, len(xb), _BLOCK):
        yield start, np.asarray(xb[start : start + _BLOCK], np.float32)


class Hnswlib:
    """hnswlib: float32, inner product."""

    most = 8192
    second: tuple[int, ...] = ()

    def build(self, xb: npt.NDArray[Any], parameters: Parameters, path: Path) -> None:
        """Make it with M and ef_construction."""
        import hnswlib

        index = hnswlib.Index("ip", xb.shape[1])
        index.init_index(len(xb), M=parameters["M"], ef_construction=parameters["ef"])
        for start, block in blocks(xb):
            ids = np.arange(start, start + len(block))
            index.add_items(block, ids, num_threads=THREADS)
        index.save_index(str(path))

    def load(self, path: Path) -> None:
        """Load it into memory; it cannot be mapped."""
        import hnswlib

        self.index = hnswlib.Index("ip", 512)
        self.index.load_index(str(path))

    def search(self, xq: Vectors, k: int, effort: list[int], threads: int) -> Found:
        """Search with ef."""
        self.index.set_ef(effort[0])
        return np.asarray(self.index.knn_query(xq, k, num_threads=threads)[0], np.int64)


class Usearch:
    """usearch: inner product, loaded into memory (it can be mapped, too)."""

    most = 8192
    second: tuple[int, ...] = ()

    def build(self, xb: npt.NDArray[Any], parameters: Parameters, path: Path) -> None:
        """Make it with connectivity and expansion_add."""
        from usearch.index import Index

        index = Index(
            ndim=xb.shape[1],
            metric="ip",
            dtype=parameters["dtype"],
            connectivity=parameters["M"],
            expansion_add=parameters["ef"],
        )
        for start, block in blocks(xb):
            index.add(np.arange(start, start + len(block)), block, threads=THREADS)
        index.save(str(path))

    def load(self, path: Path) -> None:
        """Load it."""
        from usearch.index import Index

        index = Index.restore(str(path), view=False)
        assert index is not None
        self.index = index

    def search(self, xq: Vectors, k: int, effort: list[int], threads: int) -> Found:
        """Search with expansion_search."""
        self.index.expansion_search = effort[0]
        found = self.index.search(xq if len(xq) > 1 else xq[0], k, threads=threads)
        return np.asarray(found.keys, np.int64).reshape(len(xq), -1)


class Faiss:
    """FAISS's own graphs over codes, inner product."""

    most = 8192
    second: tuple[int, ...] = ()

    def build(self, xb: npt.NDArray[Any], parameters: Parameters, path: Path) -> None:
        """Make it from a factory string."""
        import faiss

        index = faiss.index_factory(xb.shape[1], parameters["factory"], faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = parameters["ef"]
        index.train(np.asarray(xb[:100_000], np.float32))
        for _, block in blocks(xb):
            index.add(block)
        faiss.write_index(index, str(path))

    def load(self, path: Path) -> None:
        """Load it."""
        import faiss

        self.index = faiss.read_index(str(path))

    def search(self, xq: Vectors, k: int, effort: list[int], threads: int) -> Found:
        """Search with efSearch."""
        import faiss

        if faiss.omp_get_max_threads() != threads:
            faiss.omp_set_num_threads(threads)
        chosen = faiss.SearchParametersHNSW(efSearch=effort[0])
        return np.asarray(self.index.search(xq, k, params=chosen)[1], np.int64)


class Scann:
    """ScaNN: a tree, anisotropic codes, and the vectors themselves for the best of them."""

    most = 4096
    second: tuple[int, ...] = (50, 75, 100, 150, 200, 300)

    def build(self, xb: npt.NDArray[Any], parameters: Parameters, path: Path) -> None:
        """Make it; *leaves* is in square roots of the number of rows."""
        from scann.scann_ops.py import scann_ops_pybind

        leaves = round(parameters["leaves"] * len(xb) ** 0.5)
        more = {"soar_lambda": parameters["soar"]} if "soar" in parameters else {}
        builder = scann_ops_pybind.builder(np.asarray(xb, np.float32), 10, "dot_product")
        index = (
            builder.set_n_training_threads(THREADS)
            .tree(
                num_leaves=leaves,
                num_leaves_to_search=100,
                training_sample_size=min(len(xb), 100_000),
                **more,
            )
            .score_ah(parameters["dims"], anisotropic_quantization_threshold=0.2)
            .reorder(100)
            .build()
        )
        path.mkdir(exist_ok=True)
        index.serialize(str(path))

    def load(self, path: Path) -> None:
        """Load it."""
        from scann.scann_ops.py import scann_ops_pybind

        self.index = scann_ops_pybind.load_searcher(str(path))

    def search(self, xq: Vectors, k: int, effort: list[int], threads: int) -> Found:
        """Search that many leaves and re-score that many rows."""
        leaves, rescored = effort
        if threads == 1 and len(xq) == 1:
            one, _ = self.index.search(
                xq[0], k, leaves_to_search=leaves, pre_reorder_num_neighbors=rescored
            )
            return np.asarray(one, np.int64)[None]
        many = self.index.search_batched if threads == 1 else self.index.search_batched_parallel
        found, _ = many(xq, k, leaves_to_search=leaves, pre_reorder_num_neighbors=rescored)
        return np.asarray(found, np.int64)


PEERS: Final[dict[str, Callable[[], Peer]]] = {
    "hnswlib": Hnswlib,
    "usearch": Usearch,
    "faiss": Faiss,
    "scann": Scann,
}
