"""``make bench``: vecsearch against the straightforward program, as ratios of alternating runs.

    python benchmarks/bench.py [--quick] [--pairs N] [--only WORD] [--json FILE]

Prints a table and writes the figures as JSON. What depends on the machine is a ratio; both programs
get the same weights (seeded, in torchvision's format and size) and the same pictures. ``--quick``
takes fewer pictures and runs, for trying the benchmark itself.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import json
import os
import platform
import shutil
import sys
import tempfile
import threading
from pathlib import Path

from figures import Figure, figure, megabytes, seconds
from measure import Comparison, Run, alternate, run, spread

HERE = Path(__file__).parent
SMALL_MODEL = "efficientnet-lite0"
VECSEARCH = [sys.executable, "-m", "vecsearch.cli.main"]


class Bench:
    """The pictures, weights and indexes, and one method a figure."""

    def __init__(self, folder: Path, quick: bool) -> None:
        """Make what all figures share in *folder*."""
        self.folder = folder
        self.times = 2 if quick else 5
        self.long_times = 1 if quick else 2
        self.count = 40 if quick else 300
        os.environ["VECSEARCH_CACHE"] = str(folder / "cache")
        # In a process of its own: a child's peak memory begins with that of its parent.
        made = run([sys.executable, HERE / "checkpoint.py", folder])
        self.checkpoint = Path(made.output.strip())
        self.photographs = photographs(folder / "photographs", self.count, (500, 375))
        self.few = folder / "few"
        shutil.copytree(
            HERE.parent / "db", self.few, ignore=shutil.ignore_patterns("d*.py", "drawing")
        )
        self.new = photographs(folder / "new", 1, (500, 375)) / "photo00000.jpg"
        self.weights = keep_truncated(self.checkpoint, folder)
        self.build_ours(self.few, "few-auto")
        self.build_baseline(self.few, "few")

    def build_ours(self, pictures: Path, name: str, precision: str = "auto") -> Run:
        """Build an index from nothing."""
        target = self.folder / name
        shutil.rmtree(target, ignore_errors=True)
        options = ["--weights", self.weights, "--precision", precision, "--force"]
        return run([*VECSEARCH, "build", pictures, "-i", target, *options])

    def build_small(self, pictures: Path, name: str, precision: str = "auto") -> Run:
        """Build an index of the small network, whose weights are installed, from nothing."""
        target = self.folder / name
        shutil.rmtree(target, ignore_errors=True)
        options = ["--model", SMALL_MODEL, "--precision", precision]
        return run([*VECSEARCH, "build", pictures, "-i", target, *options])

    def build_baseline(self, pictures: Path, name: str) -> Run:
        """Build the straightforward program's index."""
        target = self.folder / f"{name}.faiss"
        return run([*self.baseline("build"), pictures, target, "--weights", self.checkpoint])

    def baseline(self, command: str) -> list[str | Path]:
        """Begin a command of the straightforward program."""
        return [sys.executable, HERE / "baseline.py", command]

    def query_baseline(self) -> Run:
        """Ask the straightforward program about a new picture."""
        index = self.folder / "few.faiss"
        return run([*self.baseline("query"), self.new, index, "--weights", self.checkpoint])

    def query_ours(self, query: str | Path, index: str) -> Run:
        """Ask an index."""
        return run([*VECSEARCH, "query", query, "-i", self.folder / index])

    def queries(self) -> list[Figure]:
        """Cold queries: a process each."""
        self.build_ours(self.few, "few-int8", "int8")
        new = alternate(
            self.query_baseline, lambda: self.query_ours(self.new, "few-auto"), self.times
        )
        int8 = alternate(
            self.query_baseline, lambda: self.query_ours(self.new, "few-int8"), self.times
        )
        known = alternate(
            self.query_baseline, lambda: self.query_ours("id:7", "few-auto"), self.times
        )
        return [
            seconds("cold query of a new picture, auto", new, 12),
            seconds("the same, int8 index", int8, 16),
            seconds("cold query id:N", known, 30),
            figure("peak memory of a query", new, 7, lambda one: one.peak_bytes, megabytes),
        ]

    def builds(self) -> list[Figure]:
        """Builds, against the straightforward program and against the engine alone, in turn.

        int8 also into an index that has been calibrated before, as every build after the first.
        """
        self.build_ours(self.few, "calibrated", "int8")
        figures = []
        for name, precision, target in (
            ("auto", "auto", 2.0),
            ("int8", "int8", 4.0),
            ("int8, calibrated before", "", 4.0),
        ):
            build, engine = Comparison(), Comparison()
            for _ in range(self.long_times):
                build.a.append(self.build_baseline(self.photographs, "photographs"))
                if precision:
                    ours = self.build_ours(self.photographs, "photographs-index", precision)
                else:
                    ours = self.add_to_calibrated()
                build.b.append(ours)
                engine.a.append(ours)
                engine.b.append(self.network_alone("photographs-index"))
            figures.append(seconds(f"build of {self.count} photographs, {name}", build, target))
            built = [self.count / one.seconds for one in engine.a]
            alone = [float(one.output) for one in engine.b]
            ratios = [a / b for a, b in zip(built, alone, strict=True)]
            rates = (f"{spread(rate)[0]:.2f} img/s" for rate in (built, alone))
            figures.append(Figure(f"build / the engine alone, {name}", ratios, 0.93, False, *rates))
        return figures

    def small_model(self) -> list[Figure]:
        """The small network: against VGG19, against its parts, against the other program, in int8.

        The network alone and the decoding alone have both cores; a build shares them, so that its
        rate cannot be above the third figure, which is what both take one after the other.
        """
        self.build_small(self.few, "few-small")  # keeps its weights in the cache
        models = Comparison()
        slower, shared, rates = [], [], []
        for _ in range(self.times):
            models.a.append(self.build_ours(self.photographs, "photographs-index"))
            models.b.append(self.build_small(self.photographs, "photographs-small"))
            built = self.count / models.b[-1].seconds
            decoding = run([sys.executable, HERE / "decoding.py", self.photographs])
            parts = [float(one.output) for one in
                     (decoding, self.network_alone("photographs-small"))]  # fmt: skip
            slower.append(built / min(parts))
            shared.append(built * sum(1 / part for part in parts))
            rates.append([built, *parts])
        build, decode, network = (spread(one)[0] for one in zip(*rates, strict=True))
        texts = f"{build:.0f} img/s", f"decoding {decode:.0f}, network {network:.0f} img/s"
        cold = alternate(
            self.query_baseline, lambda: self.query_ours(self.new, "few-small"), self.times
        )
        name = f"build of {self.count} photographs, vgg19 / {SMALL_MODEL}"
        return [
            seconds(name, models, 12),
            Figure(f"{SMALL_MODEL}: build / the slower part alone", slower, 0.85, False, *texts),
            Figure(f"{SMALL_MODEL}: build / the parts in turn", shared, 0.85, False, *texts),
            seconds(f"cold query of a new picture, {SMALL_MODEL}", cold, 20),
            *self.small_int8(),
        ]

    def small_int8(self) -> list[Figure]:
        """The small network in int8: its rate, and the nearest that it finds of the sample's."""
        self.build_small(self.few, "few-small-int8", "int8")
        pairs = [
            [float(self.network_alone(name).output) for name in ("few-small-int8", "few-small")]
            for _ in range(self.times)
        ]
        int8, auto = (f"{spread(one)[0]:.0f} img/s" for one in zip(*pairs, strict=True))
        info = run([*VECSEARCH, "info", "-i", self.folder / "few-small-int8", "--json"])
        agreement = json.loads(info.output)["agreement"]
        return [
            Figure(
                f"{SMALL_MODEL}: network in int8 / auto",
                [a / b for a, b in pairs], 1.4, False, int8, auto,
            ),
            Figure(
                f"{SMALL_MODEL}: nearest of fp32 that int8 finds",
                [agreement["overlap"]], 0.9, False,
                f"{agreement['pictures']} held-out pictures", f"{agreement['k']} nearest",
            ),
        ]  # fmt: skip

    def network_alone(self, index: str) -> Run:
        """Run the network of an index on noise."""
        return run([sys.executable, HERE / "engine.py", self.folder / index, str(self.count)])

    def add_to_calibrated(self) -> Run:
        """Add the photographs to an int8 index of other pictures."""
        target = self.folder / "photographs-index"
        shutil.rmtree(target)
        shutil.copytree(self.folder / "calibrated", target)
        return run([*VECSEARCH, "build", self.photographs, "-i", target])

    def large_pictures(self) -> list[Figure]:
        """JPEGs of 12 megapixels."""
        count = self.count // 5
        large = photographs(self.folder / "large", count, (4000, 3000))
        pair = alternate(
            lambda: self.build_baseline(large, "large"),
            lambda: self.build_ours(large, "large-auto"),
            self.long_times,
            warm_up=0,
        )
        return [seconds(f"build of {count} JPEGs of 12 megapixels", pair, 2.5)]

    def memory(self) -> list[Figure]:
        """Peak memory of a build as the collection grows tenfold."""
        many = photographs(self.folder / "many", 10 * self.count, (500, 375))
        pair = alternate(
            lambda: self.build_ours(many, "many-index"),
            lambda: self.build_ours(self.photographs, "photographs-index"),
            1,
            warm_up=0,
        )
        name = f"peak memory of a build, {10 * self.count} / {self.count} pictures"
        return [figure(name, pair, 1.1, lambda one: one.peak_bytes, megabytes, at_most=True)]

    def start_up(self) -> list[Figure]:
        """The command line's own start."""
        pair = alternate(
            lambda: run([*VECSEARCH, "--help"]),
            lambda: run([sys.executable, "-c", "pass"]),
            4 * self.times,
        )
        return [
            figure(
                "vecsearch --help / python -c pass",
                pair, 6, lambda one: one.seconds, lambda s: f"{s * 1000:.0f} ms", at_most=True,
            )
        ]  # fmt: skip


def photographs(folder: Path, count: int, size: tuple[int, int]) -> Path:
    """Make photographs in a process of its own, for the same reason as the checkpoint."""
    run([sys.executable, HERE / "photographs.py", folder, str(count), *map(str, size)])
    return folder


def keep_truncated(checkpoint: Path, folder: Path) -> str:
    """Let vecsearch download the checkpoint from loopback once, as it does the pretrained one."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(checkpoint.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/{checkpoint.name}"
        one = photographs(folder / "one", 1, (300, 200))
        run([*VECSEARCH, "build", one, "-i", folder / "one-index", "--weights", url])
        server.shutdown()
    return url


def machine() -> str:
    """Describe the machine."""
    model = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(
            (x.partition(":")[2].strip() for x in lines if x.startswith("model name")), model
        )
    return f"{os.cpu_count()} x {model}, {platform.system()}, Python {platform.python_version()}"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument(
        "--only",
        default="",
        help="start_up, queries, builds, small_model, large_pictures, memory",
    )
    parser.add_argument("--pairs", type=int, default=2, help="how many pairs of long builds")
    parser.add_argument("--json", type=Path, default=Path("output/bench.json"))
    given = parser.parse_args()
    names = ("start_up", "queries", "builds", "small_model", "large_pictures", "memory")
    figures: list[Figure] = []
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), given.quick)
        bench.long_times = min(bench.long_times, given.pairs)
        for name in names:
            if given.only in name:
                for one in getattr(bench, name)():
                    figures.append(one)
                    middle, low, high = spread(one.ratios)
                    print(
                        f"{one.name:<52} {middle:7.2f}  ({low:.2f} to {high:.2f}, "
                        f"{len(one.ratios)} pairs)  target {'<=' if one.at_most else '>='} "
                        f"{one.target:g}  {'reached' if one.reached else 'MISSED'}  "
                        f"[{one.a} / {one.b}]",
                        flush=True,
                    )
    given.json.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "machine": machine(),
        "figures": [
            {
                "name": one.name, "median": spread(one.ratios)[0], "ratios": one.ratios,
                "target": one.target, "at_most": one.at_most, "reached": one.reached,
                "a": one.a, "b": one.b,
            }
            for one in figures
        ],
    }  # fmt: skip
    given.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
