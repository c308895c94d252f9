"""``make bench-serve``: the server under load by wrk, on the cores that wrk has too.

    python benchmarks/serving.py FOLDER [--seconds 10] [--rounds 3] [--large 1000000] [--json FILE]

FOLDER keeps the indexes: 10,000 images x 1,280 and --large x 512 of `large_vectors`, the latter
tuned for a recall of 0.95, and the sample pictures by EfficientNet-Lite0. In each round the server
and a plain Flask program (`serving_peer`) are asked in turn. Then what is asked of a warm server is
compared with `Index.query` in this process, and well-behaved clients ask while 10,000 slow
connections, uploads without end and decompression bombs are there.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import re
import resource
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
from large_serve import resident
from large_vectors import write_vectors
from PIL import Image

import vecsearch
from vecsearch import EncoderConfig

HERE: Final = Path(__file__).parent
SAMPLES: Final = HERE.parent / "db"
IDS, PICTURES = HERE / "serving_ids.lua", HERE / "serving_pictures.lua"
SMALL: Final = 10_000
PEER_LARGE: Final = ("IVF1024,Flat", "32")
SLOW: Final = 10_000


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk saw."""

    requests_s: float
    p50_ms: float
    p99_ms: float
    failed: int

    def __str__(self) -> str:
        """Write it as a line."""
        failed = f"   {self.failed} failed" if self.failed else ""
        times = f"p50 {self.p50_ms:7.1f} ms   p99 {self.p99_ms:7.1f} ms"
        return f"{self.requests_s:8.1f} a second   {times}{failed}"


def wrk(script: Path, url: str, callers: int, seconds: float, *arguments: object) -> Load:
    """Ask with *callers* connections of one thread, for so many seconds."""
    command = ["wrk", "-t1", f"-c{callers}", f"-d{seconds:g}s", "--timeout", "30s", "--latency"]
    given = [*command, "-s", str(script), url, "--", *map(str, arguments)]
    said = subprocess.run(given, check=True, capture_output=True, text=True).stdout
    failed = sum(map(int, re.findall(r"Non-2xx or 3xx responses: (\d+)", said)))
    failed += sum(map(int, re.findall(r"(?:connect|read|write|timeout) (\d+)", said)))
    (rate,) = re.findall(r"Requests/sec: +([\d.]+)", said)
    return Load(float(rate), milliseconds(said, "50%"), milliseconds(said, "99%"), failed)


def milliseconds(said: str, part: str) -> float:
    """Read a percentile."""
    ((number, unit),) = re.findall(rf"{part} +([\d.]+)(us|ms|s|m)\b", said)
    return float(number) * {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}[unit]


@contextmanager
def process(*command: object) -> Iterator[tuple[str, int]]:
    """Run a server, and give its address and its number."""
    with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, text=True) as started:
        try:
            assert started.stdout is not None
            yield started.stdout.readline().strip(), started.pid
        finally:
            started.terminate()


@contextmanager
def served(*indexes: Path) -> Iterator[tuple[str, int]]:
    """Run vecsearch's server."""
    code = (
        "import sys, vecsearch; from vecsearch import ServeOptions, open_index;"
        "vecsearch.serve([open_index(one) for one in sys.argv[1:]],"
        " ServeOptions(port=0, log='none'), started=lambda url: print(url, flush=True))"
    )
    with process(sys.executable, "-c", code, *indexes) as started:
        yield started


def prepare(folder: Path, large: int) -> tuple[Path, Path, Path]:
    """Make the three indexes that are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    food, small, big = folder / "food", folder / "small", folder / f"large-{large}"
    if not food.exists():
        vecsearch.build(SAMPLES, index=food, encoder=EncoderConfig(model="efficientnet-lite0"))
    if not small.exists():
        rows = np.random.default_rng(0).standard_normal((SMALL, 1280), np.float32)
        np.save(folder / "small.npy", rows)
        vecsearch.import_vectors(folder / "small.npy", index=small)
    vectors = folder / f"vectors-{large}"
    if not vectors.exists():
        write_vectors(vectors, large)
    if not big.exists():
        vecsearch.import_vectors(vectors / "xb.npy", index=big)
        vecsearch.reindex(big, recipe="auto")
        vecsearch.tune(big, recall=0.95)
    return food, small, big


def by_id(given: argparse.Namespace, index: Path, count: int, peer: Sequence[object]) -> Any:
    """Ask both by id, in turn."""
    ours: list[Load] = []
    others: list[Load] = []
    path = f"/api/v1/indexes/{index.name}/images/%d/similar?k=10"
    with served(index) as (url, pid), process(sys.executable, *peer) as (other, _):
        for number in range(given.rounds + 1):
            seconds = given.seconds if number else 2
            ours.append(wrk(IDS, url, 16, seconds, path, count))
            others.append(wrk(IDS, other, 16, seconds, "/similar/%d", count))
            if number:
                print(
                    f"{count:>9,} vecsearch {ours[-1]}\n{'':9} Flask     {others[-1]}", flush=True
                )
        held = memory(pid)
    print(f"{'':9} memory {held}")
    return {"ours": [*map(asdict, ours[1:])], "flask": [*map(asdict, others[1:])], "memory": held}


def memory(pid: int) -> dict[str, int]:
    """Return the MiB that a process has of its own, and that it maps of files."""
    return {name.removesuffix("_bytes"): size >> 20 for name, size in resident(pid).items()}


def new_pictures(given: argparse.Namespace, food: Path, peer: Sequence[object]) -> Any:
    """Ask both with 32 callers, and run the network alone, in turn."""
    files = sorted(SAMPLES.glob("*.jpg"))
    found: dict[str, list[Any]] = {"ours": [], "flask": [], "network": []}
    path = f"/api/v1/indexes/{food.name}/query/picture?k=10"
    with served(food) as (url, _), process(sys.executable, *peer) as (other, _):
        for number in range(given.rounds + 1):
            seconds = given.seconds if number else 2
            ours = wrk(PICTURES, url, 32, seconds, path, *files)
            flask = wrk(PICTURES, other, 32, seconds, "/query", *files)
            alone = subprocess.run(
                [sys.executable, HERE / "engine.py", food, "1000"],
                check=True, capture_output=True, text=True,
            )  # fmt: skip
            network = float(alone.stdout)
            if number:
                found["ours"].append(asdict(ours))
                found["flask"].append(asdict(flask))
                found["network"].append(network)
                print(f" pictures vecsearch {ours}\n{'':9} Flask     {flask}")
                print(f"{'':9} network   {network:8.1f} a second", flush=True)
    return found


def one_picture(given: argparse.Namespace, food: Path) -> Any:
    """Ask one picture at a time, over HTTP and in this process, in turn."""
    pictures = [one.read_bytes() for one in sorted(SAMPLES.glob("*.jpg"))]
    times: list[tuple[float, float]] = []
    path = f"/api/v1/indexes/{food.name}/query/picture?k=10"
    with served(food) as (url, _), vecsearch.open_index(food) as index:
        connection = http.client.HTTPConnection(urlsplit(url).netloc)
        for number in range(20 + 100 * given.rounds):
            picture = pictures[number % len(pictures)]
            start = time.perf_counter()
            connection.request("POST", path, picture, {"Content-Type": "image/jpeg"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
            between = time.perf_counter()
            index.query([picture])
            if number >= 20:
                times.append((between - start, time.perf_counter() - between))
    over, within = (1e3 * statistics.median(one) for one in zip(*times, strict=True))
    ratio = statistics.median(a / b for a, b in times)
    print(
        f"      one HTTP {over:.2f} ms   Index.query {within:.2f} ms   ratio {ratio:.2f}",
        flush=True,
    )
    return {"http_ms": over, "query_ms": within, "ratio": ratio}


def among_hostile(given: argparse.Namespace, small: Path, food: Path) -> Any:
    """Ask by id while others hold connections, send without end, and send bombs."""
    path = f"/api/v1/indexes/{small.name}/images/%d/similar?k=10"
    found: dict[str, Any] = {"before": [], "among": []}
    for _ in range(given.rounds):
        with served(small, food) as (url, pid):
            wrk(IDS, url, 4, 2, path, SMALL)
            found["before"].append(asdict(quiet := wrk(IDS, url, 4, given.seconds, path, SMALL)))
            held = memory(pid)
            command = [sys.executable, __file__, "--hostile", url, food.name]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as hostile:
                assert hostile.stdout is not None
                opened = hostile.stdout.readline().strip()
                among = wrk(IDS, url, 4, given.seconds, path, SMALL)
                hostile.terminate()
                said = hostile.stdout.read().strip()
            found["among"].append(asdict(among))
            found["memory"] = [held, memory(pid)]
            print(f"   before {quiet}\n    among {among}\n{'':10}{opened} {said} {found['memory']}")
            after = wrk(IDS, url, 4, 2, path, SMALL)
            assert not after.failed
    return found


def be_hostile(url: str, name: str) -> None:
    """Hold connections that send a byte now and then, send 4 GiB, and send bombs, until killed."""
    netloc = urlsplit(url).netloc
    host, _, port = netloc.partition(":")
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    slow: list[socket.socket] = []
    for _ in range(SLOW):
        try:
            connection = socket.create_connection((host, int(port)), timeout=5)
            connection.sendall(b"GET /api/v1/indexes HTTP/1.1\r\n")
        except OSError:
            continue
        slow.append(connection)
    bomb = io.BytesIO()
    Image.new("1", (60_000, 60_000)).save(bomb, "PNG", compress_level=9)
    path = f"/api/v1/indexes/{name}/query/picture"

    def send_bombs() -> None:
        while True:
            ask(bomb.getvalue())

    def send_without_end() -> None:
        while True:
            ask(iter(lambda: bytes(1 << 20), None), {"Content-Length": str(4 << 30)})
            ask(iter(lambda: bytes(1 << 20), None), {"Transfer-Encoding": "chunked"})

    def ask(body: Any, headers: dict[str, str] | None = None) -> None:
        connection = http.client.HTTPConnection(netloc, timeout=30)
        try:
            given = {"Content-Type": "image/png", **(headers or {})}
            chunked = "Transfer-Encoding" in given
            connection.request("POST", path, body, given, encode_chunked=chunked)
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
            time.sleep(0.1)

    for work in (send_bombs, send_without_end):
        threading.Thread(target=work, daemon=True).start()
    print(f"{len(slow)} slow connections, bomb of {len(bomb.getvalue())} bytes", flush=True)
    while True:
        for connection in slow:
            try:
                connection.sendall(b"X")
            except OSError:
                continue
        time.sleep(1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--hostile", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.hostile:
        be_hostile(*given.hostile)
    food, small, big = prepare(given.folder, given.large)
    peer = HERE / "serving_peer.py"
    vectors = given.folder / f"vectors-{given.large}" / "xb.npy"
    found = {
        "small": by_id(given, small, SMALL, (peer, given.folder / "small.npy")),
        "large": by_id(given, big, given.large, (peer, vectors, *PEER_LARGE)),
        "pictures": new_pictures(given, food, (peer, given.folder / "small.npy")),
        "one": one_picture(given, food),
        "hostile": among_hostile(given, small, food),
    }
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
