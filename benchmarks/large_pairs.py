"""What a command costs on a large index against a small one: a cold query, and adding 100 vectors.

python benchmarks/large_pairs.py LARGE SMALL, two indexes of one encoder; both get new vectors.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

import vecsearch

_QUERIES = 9
_ADDITIONS = 5
_ADDED = 100


def seconds(*arguments: str) -> float:
    """Run the command line once, as a process."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "vecsearch.cli.main", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def query(index: Path, generator: np.random.Generator) -> float:
    """Ask for the neighbours of a random image."""
    with vecsearch.open_index(index) as opened:
        image = int(generator.integers(1, len(opened)))
    return seconds("query", f"id:{image}", "-i", str(index))


def add(index: Path, generator: np.random.Generator) -> float:
    """Import random vectors under names that no image has."""
    with vecsearch.open_index(index) as opened:
        dim = opened.encoder.dim
    with tempfile.TemporaryDirectory() as name:
        vectors, ids = Path(name) / "new.npy", Path(name) / "new.txt"
        np.save(vectors, generator.standard_normal((_ADDED, dim)).astype(np.float32))
        ids.write_text("".join(f"new-{time.time_ns()}-{n}\n" for n in range(_ADDED)))
        encoder = ("--encoder", str(index))
        return seconds("import", str(vectors), "--ids", str(ids), "-i", str(index), *encoder)


if __name__ == "__main__":
    folders = [Path(argument) for argument in sys.argv[1:3]]
    random = np.random.default_rng()
    for folder in folders:
        query(folder, random)  # brings programs into the page cache
    for what, rounds in ((query, _QUERIES), (add, _ADDITIONS)):
        taken = [[what(folder, random) for folder in folders] for _ in range(rounds)]
        large, small = (median(column) for column in zip(*taken, strict=True))
        print(f"{what.__name__}: {large:.3f} s / {small:.3f} s = {large / small:.2f}")
