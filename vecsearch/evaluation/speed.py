"""Latency and throughput of queries by vector, and the memory of this process."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from vecsearch.search.index import Index
from vecsearch.types import Progress, Vectors

BATCH: Final = 256
_WARM_UP: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Percentiles of the latency of one query, queries a second, and memory if it is known."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    single_rate: float
    batch_rate: float
    memory_bytes: int | None


def speed_of(index: Index, xq: Vectors, k: int, progress: Progress | None) -> Speed:
    """Measure `Index.search` with each of *xq*, (q, d), by itself and in batches."""
    times = _latencies(index, xq, k, progress)
    batch_rate = len(xq) / _batch_seconds(index, xq, k, progress)
    p50, p95, p99 = (1e3 * np.percentile(times, [50, 95, 99])).tolist()
    return Speed(
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
        single_rate=len(xq) / sum(times),
        batch_rate=batch_rate,
        memory_bytes=anonymous_bytes(),
    )


def anonymous_bytes() -> int | None:
    """Return the memory of this process without the files it has mapped; None if it is unknown."""
    try:
        with Path("/proc/self/status").open() as file:
            for line in file:
                if line.startswith("RssAnon:"):
                    return 1024 * int(line.split()[1])
    except OSError:
        pass
    return None


def _latencies(index: Index, xq: Vectors, k: int, progress: Progress | None) -> list[float]:
    """Time each of *xq* by itself, in seconds, after some that open what the first ones open."""
    for query in xq[:_WARM_UP]:
        index.search(query[None], k=k)
    times = []
    for number, query in enumerate(xq):
        if progress:
            progress("one query at a time", number, len(xq))
        start = time.perf_counter()
        index.search(query[None], k=k)
        times.append(time.perf_counter() - start)
    if progress:
        progress("one query at a time", len(xq), len(xq))
    return times


def _batch_seconds(index: Index, xq: Vectors, k: int, progress: Progress | None) -> float:
    """Time all of *xq* in batches."""
    seconds = 0.0
    for first in range(0, len(xq), BATCH):
        if progress:
            progress("in batches", first, len(xq))
        start = time.perf_counter()
        index.search(xq[first : first + BATCH], k=k)
        seconds += time.perf_counter() - start
    if progress:
        progress("in batches", len(xq), len(xq))
    return seconds
