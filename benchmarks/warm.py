"""How long a question takes in a process that stays: against the bare FAISS index, and by threads.

    python benchmarks/warm.py [--queries 100] [--pictures 200] [--json FILE]

Indexes of synthetic vectors are asked for 10 hits of one vector at a time: IndexFlatIP, the search
over the rows, and `Index.search` with ids and paths take turns. The first question is told apart,
for it opens what the others use. Then an index of the sample pictures, by the small network, is
asked by 1 to 16 threads with pictures that it does not have.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import faiss
import numpy as np
from PIL import Image

import vecsearch
from vecsearch import EncoderConfig

SIZES = (
    *((1_000, 128), (1_000, 512), (2_020, 1280), (8_000, 512), (8_400, 512)),
    *((30_000, 128), (30_000, 512), (65_000, 64), (100_000, 128), (100_000, 512)),
)
"""Up to 4,194,304 values are kept as float32 and multiplied, more are searched by FAISS."""

THREADS = (1, 2, 4, 16)
SAMPLES = Path(__file__).parent.parent / "db"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    vectors: list[dict[str, float]] = []
    for count, dim in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            figures = {"count": count, "dim": dim, **compare(Path(folder), count, dim, given)}
        vectors.append(figures)
        flat, rows, asked, first = (figures[one] for one in ("flat", "rows", "asked", "first"))
        print(
            f"{count:>8,} x {dim:<5} IndexFlatIP {flat:6.2f} ms   rows {rows:6.2f} ms "
            f"({figures['ratio']:.2f})   Index.search {asked:6.2f} ms   first {first:6.1f} ms",
            flush=True,
        )
    with tempfile.TemporaryDirectory() as folder:
        rates = by_threads(Path(folder), given.pictures)
        for count, rate in rates.items():
            print(f"{count:>8} threads   {rate:6.1f} new pictures a second", flush=True)
    if given.json:
        given.json.write_text(json.dumps({"vectors": vectors, "threads": rates}, indent=2) + "\n")


def compare(folder: Path, count: int, dim: int, given: argparse.Namespace) -> dict[str, float]:
    """Ask the same in three ways; give medians in ms, and the median ratio of rows to flat."""
    generator = np.random.default_rng(0)
    vectors = generator.standard_normal((count, dim), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.save(folder / "x.npy", vectors)
    index = vecsearch.import_vectors(folder / "x.npy", index=folder / "index").index
    flat = faiss.IndexFlatIP(dim)
    flat.add(vectors)
    queries = generator.standard_normal((given.queries, 1, dim), dtype=np.float32)
    queries /= np.linalg.norm(queries, axis=2, keepdims=True)
    with vecsearch.open_index(index) as opened:
        first = timed(lambda: opened.search(queries[0], k=10))
        rows = opened.reader()
        times = [
            (
                timed(lambda: flat.search(query, 10)),  # noqa: B023
                timed(lambda: rows.search(query, 10)),  # noqa: B023
                timed(lambda: opened.search(query, k=10)),  # noqa: B023
            )
            for query in queries
        ]
    flats, own, asked = (statistics.median(one) for one in zip(*times, strict=True))
    ratio = statistics.median(b / a for a, b, _ in times)
    return {"flat": flats, "rows": own, "asked": asked, "first": first, "ratio": ratio}


def by_threads(folder: Path, pictures: int) -> dict[int, float]:
    """Return how many new pictures a second are answered to so many threads, the best of three."""
    config = EncoderConfig(model="efficientnet-lite0")
    index = vecsearch.build(SAMPLES, index=folder / "index", encoder=config).index
    generator = np.random.default_rng(1)
    data = []
    for _ in range(pictures):
        small = Image.fromarray(generator.integers(0, 256, (30, 40, 3), dtype=np.uint8))
        out = io.BytesIO()
        small.resize((640, 480)).save(out, "JPEG")
        data.append(out.getvalue())
    rates = dict.fromkeys(THREADS, 0.0)
    with vecsearch.open_index(index) as opened:
        opened.query([data[0]])
        for _ in range(3):
            for count in THREADS:
                with ThreadPoolExecutor(count) as pool:
                    ms = timed(lambda: list(pool.map(lambda one: opened.query([one]), data)))
                rates[count] = max(rates[count], 1e3 * pictures / ms)
    return rates


def timed(work: Callable[[], object]) -> float:
    """Return how many ms *work* takes."""
    start = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - start)


if __name__ == "__main__":
    main()
