"""A process that holds one index and answers requests: a line of JSON in, a line of JSON out.

    python benchmarks/large_serve.py build LIBRARY PARAMETERS VECTORS PATH
    python benchmarks/large_serve.py tune RECALL VECTORS PATH
    python benchmarks/large_serve.py serve LIBRARY VECTORS PATH

Every contender has such a process, which stays while the others have their turns.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from large_peers import PEERS, THREADS, Found, Peer, Vectors, recall

_K: Final = 10
_ONE_BY_ONE: Final = 1000
_WARM_UP: Final = 100
_LEAST_SECONDS: Final = 1.0


def resident(process: int | str = "self") -> dict[str, int]:
    """Read how much memory a process has: its own, and what it maps of files."""
    lines = (line.split() for line in Path(f"/proc/{process}/status").read_text().splitlines())
    found = {words[0]: int(words[1]) * 1024 for words in lines if words[0].startswith("Rss")}
    return {"anonymous_bytes": found["RssAnon:"], "file_bytes": found["RssFile:"]}


class _Peer:
    """A peer behind the two functions that a server needs."""

    def __init__(self, library: str) -> None:
        self.peer: Peer = PEERS[library]()

    def load(self, path: Path) -> None:
        self.peer.load(path)

    def find(self, xq: Vectors, effort: Any, threads: int) -> Found:
        return self.peer.search(xq, _K, effort, threads)

    def ask(self, xq: Vectors, effort: Any, threads: int) -> None:
        self.peer.search(xq, _K, effort, threads)


class _Ours:
    """vecsearch behind the same functions; effort is the layer that is asked."""

    def load(self, path: Path) -> None:
        from large_ours import Ours

        self.ours = Ours()
        self.ours.load(path)

    def find(self, xq: Vectors, effort: Any, threads: int) -> Found:
        return self.ours.search(xq, _K, effort)

    def ask(self, xq: Vectors, effort: Any, threads: int) -> None:
        import faiss

        # The library takes one thread for one query itself; the bare call must be told.
        wanted = threads if effort == "faiss" else THREADS
        if faiss.omp_get_max_threads() != wanted:
            faiss.omp_set_num_threads(wanted)
        self.ours.timed(xq, _K, effort)


class Server:
    """An index with the queries that it is asked."""

    def __init__(self, library: str, vectors: Path, path: Path) -> None:
        """Load it, and look at what that takes."""
        self.xq: Vectors = np.load(vectors / "xq.npy")
        self.gt: Found = np.load(vectors / "gt.npy")
        self.held: _Peer | _Ours = _Ours() if library == "vecsearch" else _Peer(library)
        _import(library)
        self.before = resident()
        start = time.perf_counter()
        self.held.load(path)
        self.load_seconds = time.perf_counter() - start
        self.after: dict[str, int] | None = None
        if library == "vecsearch":
            # Before other layers open it a second time.
            self.batch("arrays")
            self.single("arrays")
            self.after = resident()

    def recall(self, effort: Any) -> dict[str, Any]:
        """Measure recall@10 over all queries, asked in one call."""
        start = time.perf_counter()
        found = self.held.find(self.xq, effort, THREADS)
        return {"recall": recall(found, self.gt), "seconds": time.perf_counter() - start}

    def batch(self, effort: Any) -> dict[str, Any]:
        """Time all queries in one call with all threads, some calls."""
        self.held.ask(self.xq, effort, THREADS)
        calls, start, cpu = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() - start < _LEAST_SECONDS:
            self.held.ask(self.xq, effort, THREADS)
            calls += 1
        queries = calls * len(self.xq)
        seconds = time.perf_counter() - start
        used = time.process_time() - cpu
        return {"queries_per_second": queries / seconds, "cpu_ms": 1e3 * used / queries}

    def single(self, effort: Any) -> dict[str, Any]:
        """Time queries one at a time with one thread."""
        ones = [self.xq[i : i + 1] for i in range(_ONE_BY_ONE)]
        for one in ones[:_WARM_UP]:
            self.held.ask(one, effort, 1)
        cpu, taken = time.process_time(), []
        for one in ones:
            start = time.perf_counter()
            self.held.ask(one, effort, 1)
            taken.append(time.perf_counter() - start)
        used = time.process_time() - cpu
        return {
            "median_ms": 1e3 * float(np.median(taken)),
            "p95_ms": 1e3 * float(np.percentile(taken, 95)),
            "cpu_ms": 1e3 * used / len(ones),
        }

    def memory(self, _: Any) -> dict[str, Any]:
        """Return what the process has now, and what it had before the index was loaded."""
        return {
            "now": self.after or resident(),
            "before": self.before,
            "load_seconds": self.load_seconds,
        }


def _import(library: str) -> None:
    """Load the library's code, which is no part of the index."""
    if library == "vecsearch":
        import faiss

        import vecsearch.search.index  # noqa: F401
    elif library == "usearch":
        import usearch.index  # noqa: F401
    elif library == "scann":
        from scann.scann_ops.py import scann_ops_pybind  # noqa: F401
    elif library == "hnswlib":
        import hnswlib  # noqa: F401
    else:
        import faiss  # noqa: F401


def build(library: str, parameters: dict[str, Any], vectors: Path, path: Path) -> dict[str, Any]:
    """Build an index into the folder *path*."""
    path.mkdir(parents=True, exist_ok=True)
    start, cpu = time.perf_counter(), time.process_time()
    if library == "vecsearch":
        from large_ours import build as build_ours

        return build_ours(vectors / "xb.npy", path / "index")
    xb = np.load(vectors / "xb.npy", mmap_mode="r")
    PEERS[library]().build(xb, parameters, path / "index")
    return {
        "build_seconds": time.perf_counter() - start,
        "build_cpu_seconds": time.process_time() - cpu,
    }


def main() -> None:
    """Build, or answer until there are no more requests."""
    # What libraries print must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if sys.argv[1] == "build":
        library, parameters, vectors, path = sys.argv[2:]
        made = build(library, json.loads(parameters), Path(vectors), Path(path))
        print(json.dumps(made), file=answers, flush=True)
        return
    library, vectors, path = sys.argv[2:]
    if sys.argv[1] == "tune":
        from large_ours import tune_to

        xq, gt = (np.load(Path(vectors) / name) for name in ("xq.npy", "gt.npy"))
        tuned = tune_to(Path(path) / "index", xq, gt, float(library))
        print(json.dumps(tuned), file=answers, flush=True)
        return
    server = Server(library, Path(vectors), Path(path) / "index")
    does: dict[str, Callable[[Any], dict[str, Any]]] = {
        "recall": server.recall,
        "batch": server.batch,
        "single": server.single,
        "memory": server.memory,
    }
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(does[request["do"]](request["effort"])), file=answers, flush=True)


if __name__ == "__main__":
    main()
