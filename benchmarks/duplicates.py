"""`vecsearch duplicates` over collections with planted copies: time, memory, what is found.

    python benchmarks/duplicates.py FOLDER [COUNT]... [--recipe FACTORY]

Of COUNT vectors (25,000, 50,000 and 100,000 of 512 dimensions by default) a tenth are near copies,
in groups of 2 to 5, and 2,000 are copies of one. The indexes are made in FOLDER, once. The command
runs in a process of its own; its peak memory counts mapped vectors that it has touched.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from large_vectors import make_vectors
from measure import run

import vecsearch

DIM: Final = 512
BLOB: Final = 2000
SHARE: Final = 0.1
NOISE: Final = 0.03
"""The length of what is added to a copy: two copies of one have a cosine of 0.9991."""


COMMAND: Final = """
from pathlib import Path
from vecsearch.cli.main import cli
cli(standalone_mode=False)
print("VmHWM:" + Path("/proc/self/status").read_text().partition("VmHWM:")[2])
"""
"""The command, and then its own peak: that of a finished process may be its parent's."""


def plant(count: int, seed: int = 0) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Make (count, d) vectors, shuffled, and (count,) which group each is in, -1 for none."""
    generator = np.random.default_rng(seed)
    vectors = np.concatenate(list(make_vectors(count, DIM, seed)))
    groups = np.full(count, -1, np.int64)
    sizes = [BLOB]
    while sum(sizes) < BLOB + SHARE * count:
        sizes.append(int(generator.integers(2, 6)))
    at = 0
    for number, size in enumerate(sizes):
        members = slice(at, at + size)
        noise = generator.standard_normal((size, DIM), np.float32) * np.float32(NOISE / DIM**0.5)
        vectors[members] = vectors[at] + noise
        groups[members] = number
        at += size
    order = generator.permutation(count)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors[order], groups[order]


def make(folder: Path, count: int, recipe: str | None) -> Path:
    """Make the index, unless it is there."""
    index = folder / f"{count}-{(recipe or 'auto').replace(',', '-')}"
    if not (index / "catalog.sqlite").exists():
        folder.mkdir(parents=True, exist_ok=True)
        vectors, _ = plant(count)
        np.save(folder / "xb.npy", vectors)
        vecsearch.import_vectors(folder / "xb.npy", index=index)
        vecsearch.compact(index)
        if recipe:
            vecsearch.reindex(index, recipe=recipe)
    return index


def measure(index: Path, count: int) -> None:
    """Run the command and compare what it finds with what was planted."""
    done = run([sys.executable, "-c", COMMAND, "duplicates", "-i", index, "--json"])
    _, planted = plant(count)
    text, _, peak = done.output.rpartition("VmHWM:")
    facts = json.loads(text)
    found = {
        frozenset(one["id"] - 1 for one in (group["kept"], *group["others"]))
        for group in facts["groups"]
    }
    wanted = [frozenset(np.flatnonzero(planted == n).tolist()) for n in range(planted.max() + 1)]
    print(
        f"{count:>9,}  {done.seconds:7.1f} s  {int(peak.split()[0]) * 1024 / 1e6:6.0f} MB  "
        f"{len(wanted)} groups planted, {len(found.intersection(wanted))} found as they are, "
        f"{len(found.difference(wanted))} others; largest {max(map(len, found))}",
        flush=True,
    )


def main() -> None:
    """Make and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("counts", type=int, nargs="*", default=[25_000, 50_000, 100_000])
    parser.add_argument("--recipe")
    given = parser.parse_args()
    for count in given.counts:
        measure(make(given.folder, count, given.recipe), count)


if __name__ == "__main__":
    main()
