"""How fast this machine makes and searches a base, measured on random vectors in a few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np

from vecsearch.ann.base import sample_count
from vecsearch.ann.memory_map import as_index
from vecsearch.ann.recipes import (
    CANDIDATES,
    EF_SEARCH,
    GRAPH,
    INVERTED,
    MEASURED_DIM,
    PROBED_SHARE,
    Rates,
)
from vecsearch.ann.searcher import CodedRows
from vecsearch.ann.settings import SearchSettings
from vecsearch.planning.base_size import (
    BaseSize,
    fill_centroids,
    inner_of,
    random_vectors,
    shorten_training,
    size_of,
    transforms,
    untrained,
)
from vecsearch.types import Vectors
from vecsearch.unit_length import unit_length

_EXACT_BYTES: Final = 64 << 20
_ROWS: Final = 8192
_ROWS_BYTES: Final = 64 << 20
_LEAST_ROWS: Final = 1000
_ITERATIONS: Final = 2
_LEAST_CALLS: Final = 3
_MOST_CALLS: Final = 200
_MEASURED_S: Final = 0.5
_MULTIPLIED: Final = 256
_APART: Final = 0.5
_NOISE: Final = 0.05

TUNING_QUERIES: Final = 500
TUNING_SEARCHES: Final = 35
"""Seven numbers of candidates, ten trials each, which look at half as much as what is found."""


def built_in(size: BaseSize, dim: int) -> Rates:
    """Return the figures that were measured elsewhere, in proportion to the dimensions."""
    known = GRAPH if size.is_graph else INVERTED
    scale = dim / MEASURED_DIM
    return replace(known, train_row_s=scale * known.train_row_s, add_row_s=scale * known.add_row_s)


def measure_exact(dim: int) -> Rates:
    """Measure what needs no base: exact search of float16 rows, and products in batches.

    The rows are as they lie in a mapped segment, and too many for a processor's own memory.
    """
    halves = random_vectors(max(_MULTIPLIED, _EXACT_BYTES // (2 * dim)), dim, 0).astype(np.float16)
    index = as_index(halves)
    xq = random_vectors(_MULTIPLIED, dim, 1)
    one_s = _query_s(lambda number: index.search(xq[number % len(xq)][None], 10))
    return replace(
        INVERTED, exact_bytes_per_ms=halves.nbytes / (1e3 * one_s), flops=_flops(xq, halves)
    )


def measure_base(factory: str, dim: int, rows: int, exact: Rates) -> Rates:
    """Measure the parts of the work on a base *factory* of *rows*, by a small one.

    It has all the cells of the large one, most of them empty and with random centroids in the place
    of those that k-means would find. Some lie close together and have as many rows as they would:
    what a query looks at. So assigning, coding and scanning take what they would. Quantisers train
    by few iterations, which are scaled up. A graph is measured as it is.
    """
    size = size_of(factory, dim)
    base = untrained(factory, dim)
    count = min(_ROWS, max(_LEAST_ROWS, _ROWS_BYTES // (4 * dim)), rows)
    xb = random_vectors(count, dim, 3)
    trained_on = sample_count(base, rows, dim)
    filled = min(size.cells, max(2, round(count * size.cells / rows)))
    xb[:filled] = _around(xb[:1], filled, _APART)
    inner = inner_of(base)
    train_s = 0.0
    if not base.is_trained:
        scale = _shortened(base)
        start = time.perf_counter()
        inside = xb
        for transform in transforms(base):
            if not transform.is_trained:
                transform.train(inside)
            inside = transform.apply(inside)
        # FAISS takes no more than 256 rows a centroid, and leaves the others of a sample alone.
        used = min(trained_on, 256 * inner.pq.ksub) if hasattr(inner, "pq") else trained_on
        train_s = (time.perf_counter() - start) * scale * used / count
        if size.cells:
            centroids = random_vectors(size.cells, size.inner_dim, 2)
            centroids[:filled] = inside[:filled]
            fill_centroids(base, centroids)
        start = time.perf_counter()
        base.train(xb)
        train_s += (time.perf_counter() - start) * scale * used / count
    around = _around(xb[:filled], count, _NOISE) if size.cells else xb
    start = time.perf_counter()
    base.add(around)
    add_s = (time.perf_counter() - start) / count
    query_s, probe_row_s = _search_times(base, around, size, filled)
    if size.is_graph:
        add_s /= float(np.log2(count))
        query_s, probe_row_s = 0.0, query_s / float(np.log2(count))
    return replace(
        exact,
        train_row_s=train_s / trained_on,
        add_row_s=add_s,
        query_s=query_s,
        probe_row_s=probe_row_s,
    )


def indexing_seconds(factory: str, dim: int, rows: int, rates: Rates) -> float:
    """Estimate how long the base *factory* of *rows* takes: training, adding, tuning.

    k-means is iterations x sample x cells x dimensions products; a graph's additions grow by
    n log n; tuning compares its queries with all rows once, and searches the base again and again.
    """
    import faiss

    size = size_of(factory, dim)
    base = untrained(factory, dim)
    sampled = 0 if base.is_trained else sample_count(base, rows, dim)
    seconds = sampled * rates.train_row_s
    if size.cells:
        iterations = faiss.try_extract_index_ivf(base).cp.niter
        seconds += 2.0 * iterations * sampled * size.cells * size.inner_dim / rates.flops
    added = rows * np.log2(max(2, rows)) if size.is_graph else rows
    seconds += added * rates.add_row_s
    seconds += 2.0 * TUNING_QUERIES * rows * dim / rates.flops
    seconds += TUNING_QUERIES * TUNING_SEARCHES * query_ms(factory, dim, rows, rates) / 1e3
    return float(seconds)


def query_ms(factory: str, dim: int, rows: int, rates: Rates) -> float:
    """Estimate how long one query of a base *factory* over *rows* takes.

    Of an inverted file the share `PROBED_SHARE` is looked at, of codes without one everything, of
    a graph what its logarithm says.
    """
    size = size_of(factory, dim)
    if size.is_graph:
        looked_at = float(np.log2(max(2, rows)))
    else:
        looked_at = rows * (PROBED_SHARE if size.cells else 1.0)
    return 1e3 * (rates.query_s + looked_at * rates.probe_row_s)


def exact_ms(rows: int, dim: int, rates: Rates) -> float:
    """Estimate how long one query over *rows* takes that is compared with all of them."""
    return 2 * rows * dim / rates.exact_bytes_per_ms


def _search_times(base: Any, xb: Vectors, size: BaseSize, filled: int) -> tuple[float, float]:
    """Time a query that looks at the least, and each row that it looks at besides."""
    coded = CodedRows(base, xb.astype(np.float16), 0, np.empty(0, np.int64), SearchSettings())
    candidates = min(CANDIDATES, len(xb) // 2)

    def timed(nprobe: int) -> float:
        settings = SearchSettings(candidates=candidates, nprobe=nprobe, ef_search=EF_SEARCH)
        return _query_s(lambda number: coded.candidates(xb[number % len(xb)][None], 10, settings))

    if not size.cells:
        seconds = timed(1)
        return (seconds, 0.0) if size.is_graph else (0.0, seconds / len(xb))
    least, all_of_it = timed(1), timed(filled)
    return least, max(0.0, all_of_it - least) / (len(xb) * (1 - 1 / max(2, filled)))


def _around(centres: Vectors, count: int, distance: float) -> Vectors:
    """Draw *count* unit vectors about as far from *centres*, each in turn."""
    noise = random_vectors(count, centres.shape[1], 4)
    xb = centres[np.arange(count) % len(centres)] + np.float32(distance) * noise
    return unit_length(xb)


def _flops(xq: Vectors, halves: Any) -> float:
    import faiss

    xb = halves[: max(1, _ROWS_BYTES // (4 * halves.shape[1]))].astype(np.float32)
    seconds = _least_s(lambda _: faiss.knn(xq, xb, 10, faiss.METRIC_INNER_PRODUCT))
    return float(2.0 * len(xq) * xb.size / seconds)


def _shortened(base: Any) -> float:
    """Shorten the training of *base*; return the factor by which its time grows without that."""
    inner = inner_of(base)
    if not hasattr(inner, "pq"):
        return 1.0
    planned = int(inner.pq.cp.niter)
    shorten_training(base, _ITERATIONS)
    return planned / _ITERATIONS


def _query_s(work: Callable[[int], object]) -> float:
    """Time *work* by one thread, for FAISS gives no more to a query; others would only wait."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return _least_s(work)


def _least_s(work: Callable[[int], object]) -> float:
    """Time *work*, called with numbers: the least of some calls, for other work only adds to it."""
    taken: list[float] = []
    while len(taken) < _LEAST_CALLS or (len(taken) < _MOST_CALLS and sum(taken) < _MEASURED_S):
        start = time.perf_counter()
        work(len(taken))
        taken.append(time.perf_counter() - start)
    return min(taken)
