"""The FAISS inner-product index over rows of a segment: made, written, compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from vecsearch.ann.bit_allocation import allocate_components
from vecsearch.ann.memory_map import as_index
from vecsearch.ann.recipes import FLAT, empty_index, is_possible
from vecsearch.errors import UsageError
from vecsearch.types import Float16Vectors, Progress, Vectors

_CHUNK_BYTES: Final = 64 << 20
_SAMPLE_BYTES: Final = 256 << 20
_SAMPLE_PER_CELL: Final = 64
_SAMPLE_LEAST: Final = 65_536
_WRITE_BYTES: Final = 1 << 20
_KMEANS_ROUNDS: Final = 10  # FAISS's own are 25; what is measured of recipes is measured with these


def make_base(rows: Float16Vectors, factory: str, progress: Progress | None = None) -> Any:
    """Make the index *factory* over *rows*, (n, d) unit vectors; FAISS ids count from 0.

    An exact one is by inner product. An approximate one, which proposes candidates, is by L2, the
    same order for unit vectors: |x - y|² = 2 - 2xy. PCA, which centres, keeps distances and not
    inner products. It is trained on a seeded sample. Rows are read a block at a time.
    """
    import faiss

    if factory == FLAT:
        return as_index(rows)
    if not is_possible(factory, *rows.shape):
        raise UsageError(
            f"the recipe {factory!r:.100} does not fit {len(rows)} x {rows.shape[1]} vectors",
            hint="vecsearch reindex --recipe auto chooses another one",
        )
    base = empty_index(factory, rows.shape[1], faiss.METRIC_L2)
    if not base.is_trained:
        if progress:
            progress("training", 0, len(rows))
        _train(base, factory, _sample(rows, sample_count(base, *rows.shape)))
    done = 0
    for block in blocks(rows):
        base.add(block)
        done += len(block)
        if progress:
            progress("indexing", done, len(rows))
    return base


def _train(base: Any, factory: str, sample: Vectors) -> None:
    import faiss

    # FAISS would print what it thinks of few points.
    inverted = faiss.try_extract_index_ivf(base)
    if inverted:
        inverted.cp.min_points_per_centroid = 1
        inverted.cp.niter = _KMEANS_ROUNDS
    quantizer = getattr(faiss.downcast_index(inverted or base), "pq", None)
    if quantizer:
        quantizer.cp.min_points_per_centroid = 1
    try:
        allocate_components(base, sample)
        base.train(sample)
    except RuntimeError as error:
        reason = " ".join(str(error).split()).rpartition(": ")[2]
        raise UsageError(
            f"FAISS cannot train the recipe {factory} on {len(sample)} vectors ({reason})",
            hint="vecsearch reindex --recipe auto chooses one that FAISS can train",
        ) from None


def blocks(rows: Float16Vectors) -> Iterator[Vectors]:
    """Read *rows* as float32, a bounded number at a time."""
    step = max(1, _CHUNK_BYTES // (4 * rows.shape[1]))
    for start in range(0, len(rows), step):
        yield rows[start : start + step].astype(np.float32)


def write_base(base: Any, write: Callable[[bytes], object]) -> None:
    """Serialise *base* through *write*, which raises what the disk refuses.

    FAISS's own ``write_index`` can end well on a full disk, so the bytes go through Python.
    """
    import faiss

    def take(data: bytes) -> int:
        write(data)
        return len(data)

    faiss.write_index(base, faiss.PyCallbackIOWriter(take, _WRITE_BYTES))


def count_differing(base: Any, rows: Float16Vectors) -> int:
    """Count the *rows* that differ in *base*, an exact index of them."""
    differing = first = 0
    for block in blocks(rows):
        found = base.reconstruct_n(first, len(block))
        differing += int((found != block).any(axis=1).sum())
        first += len(block)
    return differing


def sample_count(base: Any, rows: int, dim: int) -> int:
    """Return how many of (*rows*, *dim*) to train on: some for each cell, within bounded memory."""
    import faiss

    inverted = faiss.try_extract_index_ivf(base)
    wanted = _SAMPLE_PER_CELL * inverted.nlist if inverted else 0
    most = _SAMPLE_BYTES // (4 * dim)
    return int(min(rows, most, max(wanted, _SAMPLE_LEAST)))


def _sample(rows: Float16Vectors, count: int) -> Vectors:
    chosen = np.sort(np.random.RandomState(0).permutation(len(rows))[:count])
    return rows[chosen].astype(np.float32)
