"""Time to find that nothing has changed in a large folder, against ``find`` over the same folder.

    python benchmarks/large_update.py [--files 100000] [--folder FOLDER] [--rounds 3] [--shuffled]

The tree has files of a few bytes, a thousand to a folder, and the index has an image of each with a
random vector: nothing is decoded or embedded. ``find`` prints path, size and time of every file to
/dev/null; ``vecsearch build`` is the whole process. With ``--shuffled`` the ids are in no order of
the paths, as in an index that has grown in another way than its folders.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np
from measure import alternate, run

import vecsearch
from vecsearch.embed.spec import EncoderSpec
from vecsearch.store.change import Change, NewIndex
from vecsearch.store.writer import open_writer
from vecsearch.types import ImageFile

DIM: Final = 8
A_FOLDER: Final = 1000
A_COMMIT: Final = 50_000
SPEC: Final = EncoderSpec(
    layers=("block5_pool",),
    pool="gem",
    weights="none",
    weights_hash="",
    precision="fp32",
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
    dim=DIM,
)


def main() -> None:
    """Make tree and index in a temporary folder, time both in turn, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="where to make the tree")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shuffled", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        tree, index = Path(folder, "tree"), Path(folder, "index")
        # In a process of its own: a child's peak of memory begins with what its parent held.
        making = get_context("spawn").Process(
            target=make, args=(tree, index, given.files, given.shuffled)
        )
        making.start()
        making.join()
        if making.exitcode:
            sys.exit(making.exitcode)
        found = compare(tree, index, given.rounds)
    print(json.dumps({"files": given.files, "shuffled": given.shuffled, **found}, indent=2))


def make(tree: Path, index: Path, count: int, shuffled: bool) -> None:
    """Make both."""
    make_tree(tree, count)
    make_index(index, tree, shuffled)


def make_tree(tree: Path, count: int) -> None:
    """Write *count* files called like pictures, a thousand to a folder."""
    for number in range(count):
        path = tree / f"{number // A_FOLDER // 100:03d}" / f"{number // A_FOLDER % 100:02d}"
        if number % A_FOLDER == 0:
            path.mkdir(parents=True)
        (path / f"picture-{number:09d}.jpg").write_bytes(b"x" * (number % 50))


def make_index(index: Path, tree: Path, shuffled: bool) -> None:
    """Make an index that has an image of every file below *tree*."""
    generator = np.random.RandomState(0)
    with open_writer(index, NewIndex(SPEC.to_json(), DIM, b"", b"")) as writer:
        for facts in commits_of(tree, shuffled):
            vectors = generator.standard_normal((len(facts), DIM)).astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            embedded: list[tuple[int | None, ImageFile]] = [(None, one) for one in facts]
            writer.commit(Change(embedded=embedded, vectors=vectors, sources=[tree]))
    vecsearch.compact(index)


def commits_of(tree: Path, shuffled: bool) -> Iterator[list[ImageFile]]:
    """Return the files below *tree*, by path or shuffled, as many as a commit takes at a time."""
    paths = sorted(tree.rglob("*.jpg"))
    if shuffled:
        random.Random(0).shuffle(paths)
    for start in range(0, len(paths), A_COMMIT):
        facts: list[ImageFile] = []
        for path in paths[start : start + A_COMMIT]:
            stat = path.stat()
            content = bytes.fromhex(f"{len(facts) + start:032x}")
            facts.append(ImageFile(path, stat.st_size, stat.st_mtime_ns, content, 64, 48))
        yield facts


def compare(tree: Path, index: Path, rounds: int) -> dict[str, object]:
    """Run ``find`` and ``vecsearch build`` in turn."""
    list_all = ["sh", "-c", f"find '{tree}' -printf '%p %s %T@\\n' > /dev/null"]
    build: list[str | Path] = [
        sys.executable,
        "-m",
        "vecsearch.cli.main",
        "build",
        tree,
        "-i",
        index,
        "--json",
    ]
    found = alternate(lambda: run(list_all), lambda: run(build), rounds)
    counts = json.loads(found.b[-1].output)["counts"]
    assert counts.pop("unchanged")
    assert not any(counts.values())
    return {
        "find_seconds": statistics.median(one.seconds for one in found.a),
        "build_seconds": statistics.median(one.seconds for one in found.b),
        "ratio": statistics.median(1 / ratio for ratio in found.ratio(lambda one: one.seconds)),
        "build_peak_mb": max(one.peak_bytes for one in found.b) / 1e6,
        "catalog_mb": (index / "catalog.sqlite").stat().st_size / 1e6,
        "folder": str(tree.parent.parent),
        "load": os.getloadavg()[0],
        "time": time.strftime("%Y-%m-%d"),
    }


if __name__ == "__main__":
    main()
