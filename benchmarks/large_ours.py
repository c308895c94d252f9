"""vecsearch itself: an index folder, made and tuned by the library, searched through its layers."""

from __future__ import annotations

import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from large_peers import Found, Vectors, recall

if TYPE_CHECKING:
    from vecsearch import Index
    from vecsearch.ann.searcher import CodedRows

LAYERS: Final = ("arrays", "hits", "faiss")
"""What is timed: `IndexReader.search`, which returns rows and scores as the peers do;
`Index.search`, which returns hits with ids, paths and scores; and the FAISS call below both."""

_TARGETS: Final = (0.95, 0.955, 0.96, 0.965, 0.97)


def build(vectors: Path, folder: Path) -> dict[str, Any]:
    """Import *vectors* (a .npy file) into *folder* and make its approximate FAISS file."""
    from vecsearch import import_vectors, reindex
    from vecsearch.ann.recipes import choose_recipe

    rows, dim = np.load(vectors, mmap_mode="r").shape
    # What the library chooses by itself once exact search takes too long, asked for by name.
    recipe = choose_recipe("auto", rows, dim, latency_ms=0.0).factory
    start, cpu = time.perf_counter(), time.process_time()
    import_vectors(vectors, index=folder)
    imported, imported_cpu = time.perf_counter(), time.process_time()
    reindex(folder, recipe=recipe)
    return {
        "recipe": recipe,
        "import_seconds": imported - start,
        "import_cpu_seconds": imported_cpu - cpu,
        "build_seconds": time.perf_counter() - imported,
        "build_cpu_seconds": time.process_time() - imported_cpu,
    }


def tune_to(folder: Path, xq: Vectors, gt: Found, wanted: float) -> dict[str, Any]:
    """Tune by the index's own held-out rows, for more than *wanted* if queries *xq* find less."""
    from vecsearch import tune

    for target in _TARGETS:
        start = time.perf_counter()
        report = tune(folder, recall=target)
        settings = report.bases[0].settings
        ours = Ours()
        ours.load(folder)
        found = recall(ours.search(xq, 10, "arrays"), gt)
        if found >= wanted:
            break
    return {
        "tuned_for": target,
        "recall": found,
        "nprobe": settings.nprobe,
        "candidates": settings.candidates,
        "tune_seconds": time.perf_counter() - start,
    }


class Ours:
    """An open index."""

    def load(self, folder: Path) -> None:
        """Open it, as the layer does that is compared; what others need is made when they ask."""
        from vecsearch.search.index_reader import IndexReader
        from vecsearch.store.snapshot import Snapshot

        self.folder = folder
        self.opened = IndexReader(Snapshot(folder))
        _ = self.opened.searcher

    @cached_property
    def index(self) -> Index:
        """The index as its users open it."""
        from vecsearch import open_index

        return open_index(self.folder)

    @cached_property
    def place(self) -> Found:
        """Which of the vectors that were imported each row is."""
        ids = np.array([(one.row, one.id - 1) for one in self.opened.snapshot.images()])
        place = np.full(ids[:, 0].max() + 1, -1)
        place[ids[:, 0]] = ids[:, 1]
        return place

    @cached_property
    def part(self) -> CodedRows:
        """What searches the FAISS file."""
        from vecsearch.ann.searcher import CodedRows

        part = self.opened.searcher._parts[0]
        assert isinstance(part, CodedRows)
        return part

    @cached_property
    def parameters(self) -> Any:
        """How the library searches the FAISS file."""
        import faiss

        from vecsearch.ann.settings import parameters

        settings = self.part._settings
        return faiss.IndexRefineSearchParameters(
            k_factor=settings.candidates / 10,
            base_index_params=parameters(self.part._base, settings),
        )

    def search(self, xq: Vectors, k: int, layer: str) -> Found:
        """Search through a layer; rows of the vectors that were imported."""
        if layer == "hits":
            found = self.index.search(xq, k=k)
            return np.array([[hit.id - 1 for hit in one.hits] for one in found], np.int64)
        if layer == "arrays":
            return np.asarray(self.place[self.opened.search(xq, k)[1]], np.int64)
        _, places = self.part._refine.search(xq, k, params=self.parameters)
        return np.asarray(self.place[self.part._first + places], np.int64)

    def timed(self, xq: Vectors, k: int, layer: str) -> None:
        """Search, and leave the answer as the layer gives it."""
        if layer == "hits":
            self.index.search(xq, k=k)
        elif layer == "arrays":
            self.opened.search(xq, k)
        else:
            self.part._refine.search(xq, k, params=self.parameters)
