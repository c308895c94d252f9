"""``make bench-large``: vecsearch's approximate search against other libraries', in turn.

    python benchmarks/large.py [--count N] [--vectors FOLDER] [--cache FOLDER]
        [--peers-python PYTHON] [--prepare] [--picked FILE] [--entries NAME...] [--rounds N]
        [--json FILE]

Builds every entry of the grid of `large_peers`, finds the least effort with which it reaches
recall@10 of 0.95 over 2,000 queries that are none of the collection, and takes of each library the
point with the most queries a second in batch and the one that is fastest with one at a time. Then
these and vecsearch take turns, each in a process of its own. The cache keeps what does not depend
on what else the machine does: indexes and efforts; ``--prepare`` makes them and times nothing.
``--picked`` takes the entries that such a run picked, for another ``--count``; ``--entries`` names
them.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench import machine
from large_ours import LAYERS
from large_peers import GRID, PEERS, Entry
from large_process import Contender, build, efforts, tune
from large_vectors import write_vectors

_TARGET: Final = 0.95
_PACKAGES: Final = ("hnswlib==0.8.0", "usearch==2.26.6", "scann==1.4.2", "numpy")
_GRAPHS: Final = ("hnswlib", "usearch", "faiss")

Effort = tuple[int, ...] | str
"""Of a peer what `Peer.search` takes, of vecsearch the layer that is asked."""


@dataclass(frozen=True, slots=True)
class Point:
    """An entry of the grid with an effort that is enough, and its first figures."""

    entry: str
    library: str
    effort: Effort
    recall: float
    queries_per_second: float
    median_ms: float

    def __str__(self) -> str:
        """Write it as a line."""
        figures = f"{self.queries_per_second:8.0f} q/s {self.median_ms:7.3f} ms"
        return f"{self.label:<44} {self.recall:.4f} {figures}"

    @property
    def label(self) -> str:
        """Name it in the table."""
        effort = " ".join(map(str, self.effort)) if isinstance(self.effort, tuple) else self.effort
        return f"{self.entry} ({effort})"


class Bench:
    """The vectors, the cache and the Pythons."""

    def __init__(self, given: argparse.Namespace) -> None:
        """Make what is not there yet."""
        self.cache: Path = given.cache / str(given.count)
        self.vectors: Path = given.vectors or self.cache / "vectors"
        if not (self.vectors / "gt.npy").exists():
            write_vectors(self.vectors, given.count)
        self.peers_python: Path = given.peers_python or self._environment(given.cache / "peers")
        self.rounds: int = given.rounds

    def _environment(self, folder: Path) -> Path:
        python = folder / "bin" / "python"
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", *_PACKAGES], check=True)
        return python

    def python(self, library: str) -> Path:
        """Return which Python has *library*."""
        return Path(sys.executable) if library in ("vecsearch", "faiss") else self.peers_python

    def build(self, entry: Entry) -> dict[str, Any]:
        """Build an entry if the cache lacks it."""
        library, path = entry.library, self.cache / entry.name
        return build(self.python(library), library, entry.parameters, self.vectors, path)

    def start(self, library: str, name: str) -> Contender:
        """Start the process of a contender."""
        return Contender(self.python(library), library, self.vectors, self.cache / name)

    def tune(self) -> dict[str, Any]:
        """Tune vecsearch's index: by time, too, so on a machine with nothing else to do."""
        return tune(self.python("vecsearch"), _TARGET, self.vectors, self.cache / "vecsearch")

    def efforts(self, entry: Entry) -> list[tuple[tuple[int, ...], float]]:
        """Find the efforts of an entry that are enough, unless the cache has them; and recalls."""
        kept = self.cache / entry.name / "efforts.json"
        if not kept.exists():
            print("searching efforts of", entry.name, flush=True)
            peer = PEERS[entry.library]()
            with self.start(entry.library, entry.name) as contender:
                found = list(efforts(contender, peer.most, peer.second, _TARGET))
            kept.write_text(json.dumps(found) + "\n")
        return [(tuple(effort), recall) for effort, recall in json.loads(kept.read_text())]

    def points(self, entry: Entry) -> list[Point]:
        """Time each of the efforts of an entry once."""
        found, enough = [], self.efforts(entry)
        with self.start(entry.library, entry.name) as contender:
            for effort, recall in enough:
                batch = contender.ask("batch", effort)["queries_per_second"]
                single = contender.ask("single", effort)["median_ms"]
                found.append(Point(entry.name, entry.library, effort, recall, batch, single))
                print(f"{found[-1]}", flush=True)
        return found

    def rounds_of(self, points: list[Point]) -> dict[str, Any]:
        """Let the points take turns; give medians, and memory at the end."""
        seen: dict[str, dict[str, list[dict[str, Any]]]] = {}
        with ExitStack() as stack:
            running: dict[str, Contender] = {}
            for point in points:
                # Effort is set anew for each request, so an entry needs but one process.
                if point.entry not in running:
                    running[point.entry] = stack.enter_context(
                        self.start(point.library, point.entry)
                    )
                recall = running[point.entry].ask("recall", point.effort)
                seen[point.label] = {"recall": [recall], "batch": [], "single": []}
            for number in range(self.rounds):
                print("round", number + 1, flush=True)
                for do in ("batch", "single"):
                    for point in points:
                        answer = running[point.entry].ask(do, point.effort)
                        seen[point.label][do].append(answer)
            memory = {name: contender.ask("memory") for name, contender in running.items()}
        return {
            point.label: _summary(seen[point.label]) | {"memory": memory[point.entry]}
            for point in points
        }


def _summary(answers: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    batch = [one["queries_per_second"] for one in answers["batch"]]
    single = [one["median_ms"] for one in answers["single"]]
    return {
        "recall": answers["recall"][0]["recall"],
        "batch_queries_per_second": statistics.median(batch),
        "batch_cpu_ms": statistics.median(one["cpu_ms"] for one in answers["batch"]),
        "single_ms": statistics.median(single),
        "single_cpu_ms": statistics.median(one["cpu_ms"] for one in answers["single"]),
        "single_p95_ms": statistics.median(one["p95_ms"] for one in answers["single"]),
        "rounds": {"batch_queries_per_second": batch, "single_ms": single},
    }


def pick(points: list[Point]) -> list[Point]:
    """Take of each library the fastest in batch and the fastest one at a time."""
    chosen: dict[Point, None] = {}
    for library in PEERS:
        of_it = [one for one in points if one.library == library]
        if of_it:
            chosen[max(of_it, key=lambda one: one.queries_per_second)] = None
            chosen[min(of_it, key=lambda one: one.median_ms)] = None
    return list(chosen)


def compare(results: dict[str, Any], points: list[Point]) -> dict[str, Any]:
    """Return the ratios of ours to the best of others, round by round, as medians."""
    ours, found = results["vecsearch (arrays)"]["rounds"], {}
    for name, libraries in (("graphs", _GRAPHS), ("scann", ("scann",))):
        others = [results[one.label]["rounds"] for one in points if one.library in libraries]
        if others:
            batch = zip(*(one["batch_queries_per_second"] for one in others), strict=True)
            single = zip(*(one["single_ms"] for one in others), strict=True)
            mine = ours["batch_queries_per_second"], ours["single_ms"]
            found[f"batch, ours / best of {name}"] = [
                a / max(b) for a, b in zip(mine[0], batch, strict=True)
            ]
            found[f"single, ours / best of {name}"] = [
                min(b) / a for a, b in zip(mine[1], single, strict=True)
            ]
    bare = results["vecsearch (faiss)"]["rounds"]
    for layer in ("arrays", "hits"):
        upper = results[f"vecsearch ({layer})"]["rounds"]
        for key, name in (("batch_queries_per_second", "batch"), ("single_ms", "single")):
            pairs = [
                a / b if name == "batch" else b / a
                for a, b in zip(bare[key], upper[key], strict=True)
            ]
            found[f"{name}, time of {layer} / bare FAISS call"] = pairs
    return {
        name: {"median": statistics.median(values), "rounds": values}
        for name, values in found.items()
    }


def chosen_entries(given: argparse.Namespace) -> list[Entry]:
    """Return which entries of the grid this run looks at."""
    names: list[str] | None = given.entries
    if names is None and given.picked:
        record = json.loads(given.picked.read_text())
        names = [point["entry"] for point in next(iter(record.values()))["picks"]]
    return [entry for entry in GRID if names is None or entry.name in names]


def main() -> None:
    """Build, find efforts, take turns, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--vectors", type=Path, help="what large_vectors.py wrote")
    parser.add_argument("--cache", type=Path, default=Path("output/large"))
    parser.add_argument("--peers-python", type=Path, help="a Python that has the other libraries")
    parser.add_argument("--prepare", action="store_true", help="fill the cache, time nothing")
    parser.add_argument("--picked", type=Path, help="the JSON of a run: only what it picked")
    parser.add_argument("--entries", nargs="+", help="only these of the grid, by name")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, default=Path("output/large.json"))
    given = parser.parse_args()
    bench, entries = Bench(given), chosen_entries(given)
    print(machine(), flush=True)
    ours = Entry("vecsearch", {})
    builds = {entry.name: bench.build(entry) for entry in [ours, *entries]}
    if given.prepare:
        for entry in entries:
            print(entry.name, bench.efforts(entry), flush=True)
        return
    tuned = bench.tune()
    print("vecsearch", tuned, flush=True)
    found = [point for entry in entries for point in bench.points(entry)]
    picks = pick(found)
    layers = [Point("vecsearch", "vecsearch", layer, 0.0, 0.0, 0.0) for layer in LAYERS]
    results = bench.rounds_of([*layers, *picks])
    ratios = compare(results, picks)
    for name, one in results.items():
        now, before = (one["memory"][when]["anonymous_bytes"] for when in ("now", "before"))
        print(
            f"{name:<44} {one['recall']:.4f} {one['batch_queries_per_second']:8.0f} q/s"
            f" {one['single_ms']:7.3f} ms {(now - before) / 1e6:6.0f} MB"
        )
    for name, ratio in ratios.items():
        low, high = min(ratio["rounds"]), max(ratio["rounds"])
        print(f"{name:<44} {ratio['median']:.2f} ({low:.2f} to {high:.2f})")
    record = {
        "command": shlex.join(["python", "benchmarks/large.py", *sys.argv[1:]]),
        "machine": machine(),
        "target_recall": _TARGET,
        "builds": builds,
        "tuned": tuned,
        "points": [_plain(one) for one in found],
        "picks": [_plain(one) for one in picks],
        "results": results,
        "ratios": ratios,
    }
    given.json.parent.mkdir(parents=True, exist_ok=True)
    before = json.loads(given.json.read_text()) if given.json.exists() else {}
    given.json.write_text(json.dumps(before | {str(given.count): record}, indent=1) + "\n")


def _plain(point: Point) -> dict[str, Any]:
    return {name: getattr(point, name) for name in Point.__slots__}


if __name__ == "__main__":
    main()
