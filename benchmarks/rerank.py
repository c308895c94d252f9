"""How long re-ranking and expansion take: one indexed picture a query, warm, through Index.query.

    python benchmarks/rerank.py [COUNT]... [--dim 128] [--queries 50] [--json FILE]

Indexes of COUNT synthetic vectors (2,020 and 1,000,000; large_vectors.py) are made in a temporary
folder and deleted. The ways to ask take turns, so that other work on the machine falls on all; the
processor's time, of all threads, is told beside the clock's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from large_vectors import make_vectors

import vecsearch
from vecsearch import Index, QueryOptions

WAYS = {
    "plain": QueryOptions(),
    "expanded by 5": QueryOptions(expand=5),
    "200 re-ranked": QueryOptions(rerank=200),
    "expanded by 5, 200 re-ranked": QueryOptions(expand=5, rerank=200),
    "1,000 re-ranked": QueryOptions(rerank=1000),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("counts", nargs="*", type=int, default=[2_020, 1_000_000])
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = {}
    for count in given.counts:
        with tempfile.TemporaryDirectory() as folder:
            index = make_index(Path(folder), count, given.dim)
            with vecsearch.open_index(index) as opened:
                times = measure(opened, given.queries)
        found[count] = {way: _figures(some) for way, some in times.items()}
        print(f"{count:,} images, d = {given.dim}, {given.queries} queries")
        for way, figures in found[count].items():
            print(
                f"  {way:<30}" + "  ".join(f"{name} {ms:6.1f} ms" for name, ms in figures.items())
            )
    if given.json:
        given.json.write_text(json.dumps({"dim": given.dim, "ms": found}, indent=2) + "\n")


def make_index(folder: Path, count: int, dim: int) -> Path:
    """Import *count* vectors into an index in *folder*."""
    file = folder / "vectors.npy"
    vectors = np.lib.format.open_memmap(file, "w+", np.float16, (count, dim))
    first = 0
    for block in make_vectors(count, dim):
        vectors[first : first + len(block)] = block
        first += len(block)
    vectors.flush()
    del vectors
    report = vecsearch.import_vectors(file, index=folder / "index")
    file.unlink()
    return report.index


def measure(opened: Index, queries: int) -> dict[str, list[tuple[float, float]]]:
    """Time every way for each query, by the clock and the processor, in milliseconds.

    The first three queries do not count.
    """
    times: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    ids = np.random.default_rng(0).choice(len(opened), queries + 3, replace=False) + 1
    for number, one in enumerate(ids.tolist()):
        for way, options in WAYS.items():
            start, worked = time.perf_counter(), time.process_time()
            opened.query(f"id:{one}", options=options)
            took = time.perf_counter() - start, time.process_time() - worked
            if number >= 3:
                times[way].append((1e3 * took[0], 1e3 * took[1]))
    return times


def _figures(times: list[tuple[float, float]]) -> dict[str, float]:
    clock, processor = zip(*times, strict=True)
    return {
        "median": statistics.median(clock),
        "least": min(clock),
        "most": max(clock),
        "processor": statistics.median(processor),
    }


if __name__ == "__main__":
    main()
