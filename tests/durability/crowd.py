"""A crowd of writers and readers at one index: no torn read, no lost change, no long wait.

Every picture's content follows from its path and a version, so that anyone can tell, without a
word from its writer, whether a vector belongs to a path.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import numpy as np

import vecsearch
from durability.stub import expected_vector, save_picture, stubbed
from durability.trial import Outcome, Trial
from vecsearch import Index, IndexFolderError, IndexLockedError, NotFoundError
from vecsearch.search import index_reader as opening
from vecsearch.types import Vectors

WRITERS: Final = 4
READERS: Final = 4
PICTURES: Final = 16
VERSIONS: Final = 8
LONGEST_WAIT_S: Final = 5.0
PATIENCE_S: Final = 120.0

_ONE_S: Final = 10**9

Table = dict[Path, list[bytes]]
"""For each path that there may be, the vectors of all its versions."""


@dataclass(slots=True)
class Report:
    """What one process saw."""

    failures: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    longest_refusal_s: float = 0.0
    longest_turn_s: float = 0.0


def home_of(folder: Path, writer: int) -> Path:
    """Name the source folder of a writer."""
    return folder / f"source{writer}"


def put(path: Path, version: int, time_ns: int) -> None:
    """Write a version of a picture, with a time that it never had."""
    writer, number = int(path.parent.name.removeprefix("source")), int(path.stem)
    save_picture(path, (writer * PICTURES + number) * VERSIONS + version)
    os.utime(path, ns=(time_ns, time_ns))


def versions(folder: Path) -> Table:
    """Compute the table for the sources in *folder*."""
    scratch = folder / "scratch"
    table: Table = {}
    for writer in range(WRITERS):
        for number in range(PICTURES):
            here = home_of(scratch, writer) / f"{number}.png"
            there = home_of(folder, writer) / here.name
            table[there] = []
            for version in range(VERSIONS):
                put(here, version, _ONE_S)
                table[there].append(expected_vector(here).tobytes())
    return table


class WriterProcess:
    """Changes its own folder and brings the index up to date with it."""

    def __init__(self, folder: Path, table: Table, number: int, seed: int) -> None:
        self.table = table
        self.home = home_of(folder, number)
        self.index = folder / "index"
        self.random = np.random.RandomState([seed, number])
        self.report = Report()
        self.versions = {path: 0 for path in table if path.parent == self.home}
        self.there = set(self.versions)
        self.removed: set[tuple[Path, int]] = set()
        self.clock = 10

    def run(self, end: float) -> None:
        """Write until *end*."""
        with stubbed() as config:
            while time.monotonic() < end:
                what = self.random.randint(10)
                if what < 7:
                    self.change_pictures()
                    done = self.in_turn(
                        lambda: vecsearch.build(self.home, index=self.index, encoder=config), end
                    )
                    self.report.counts["builds"] += done
                    if done:
                        self.check()
                elif what < 9:
                    self.remove(end)
                else:
                    done = self.in_turn(lambda: vecsearch.compact(self.index), end)
                    self.report.counts["compactions"] += done

    def change_pictures(self) -> None:
        """Add, change and delete a few pictures; one is always left."""
        for path in self.random.permutation(sorted(self.versions))[: self.random.randint(1, 5)]:
            if path in self.there and len(self.there) > 1 and self.random.randint(3) == 0:
                path.unlink()
                self.there.discard(path)
            else:
                self.clock += 1
                self.versions[path] = (self.versions[path] + 1) % VERSIONS
                put(path, self.versions[path], self.clock * _ONE_S)
                self.there.add(path)

    def indexed(self) -> set[Path]:
        """Return the pictures that the index should have: a version that was removed stays out."""
        return {path for path in self.there if (path, self.versions[path]) not in self.removed}

    def remove(self, end: float) -> None:
        """Remove a picture from the index that it has as it is."""
        with stubbed() as config:
            build = self.in_turn(
                lambda: vecsearch.build(self.home, index=self.index, encoder=config), end
            )
        known = sorted(self.indexed())
        if build and len(known) > 1:
            path = known[self.random.randint(len(known))]
            if self.in_turn(lambda: vecsearch.remove(path, index=self.index), end):
                self.removed.add((path, self.versions[path]))
                self.report.counts["removals"] += 1
                self.check()

    def in_turn(self, doing: Callable[[], object], end: float) -> bool:
        """Do something when no other writer is at it; False if it was not done before *end*."""
        while True:
            start = time.monotonic()
            try:
                doing()
            except IndexLockedError:
                self.report.counts["refusals"] += 1
                waited = time.monotonic() - start
                self.report.longest_refusal_s = max(self.report.longest_refusal_s, waited)
                if waited > LONGEST_WAIT_S:
                    self.report.failures.append(f"a writer was refused after {waited:.1f} s")
            else:
                waited = time.monotonic() - start
                self.report.longest_turn_s = max(self.report.longest_turn_s, waited)
                return True
            if time.monotonic() > end:
                return False
            time.sleep(0.02 * self.random.random_sample())

    def check(self) -> None:
        """Compare what the index has of this folder, which nobody else changes."""
        due = {path: self.table[path][self.versions[path]] for path in self.indexed()}
        with vecsearch.open_index(self.index) as index:
            images, vectors = index.vectors()
        found = {
            image.path: vector.tobytes()
            for image, vector in zip(images, vectors, strict=True)
            if image.path.parent == self.home
        }
        if found != due:
            names = sorted(p.name for p in due.keys() | found.keys() if due.get(p) != found.get(p))
            self.report.failures.append(f"after a commit {self.home.name} differs at {names}")


class ReaderProcess:
    """Reads the index in every way, and knows a torn read when it sees one."""

    def __init__(self, folder: Path, table: Table, number: int, seed: int) -> None:
        self.index = folder / "index"
        self.table = table
        self.random = np.random.RandomState([seed, 100 + number])
        self.report = Report()
        self.ids: dict[int, Path] = {}
        if number % 2:
            opening._FEW_VALUES = 0  # type: ignore[misc]  # this one searches with FAISS

    def run(self, end: float) -> None:
        """Read until *end*, half of the time with an index that stays open."""
        while time.monotonic() < end:
            with vecsearch.open_index(self.index) as index:
                for _ in range(int(self.random.choice([1, 50]))):
                    self.read(index)
                    if time.monotonic() > end:
                        break

    def read(self, index: Index) -> None:
        """Read once in one way."""
        ways = (self.iterate, self.compare_vectors, self.search, self.query, self.recommend)
        self.report.counts["reads"] += 1
        try:
            ways[self.random.randint(len(ways))](index)
        except NotFoundError:
            self.report.counts["ids that were gone"] += 1
        except IndexFolderError as error:
            if "open it again" not in str(error):
                raise
            self.report.counts["open it again"] += 1

    def iterate(self, index: Index) -> None:
        last = 0
        for image in index:
            self.expect(image.id > last, f"id {image.id} after {last}")
            last = image.id
            self.note(image.id, image.path)

    def compare_vectors(self, index: Index) -> None:
        images, vectors = index.vectors()
        for image, vector in zip(images, vectors, strict=True):
            self.note(image.id, image.path)
            self.expect_vector(image.path, vector)
        paths = {image.path for image in images}
        self.expect(len(paths) == len(images), "a path is there twice")

    def search(self, index: Index) -> None:
        """Search for versions of pictures; a hit so near must be of that very picture."""
        paths = list(self.table)
        chosen = [paths[i] for i in self.random.randint(len(paths), size=4)]
        wanted = [self.table[path][self.random.randint(VERSIONS)] for path in chosen]
        queries = np.stack([np.frombuffer(vector, np.float32) for vector in wanted])
        for path, result in zip(chosen, index.search(queries, k=3), strict=True):
            for hit in result.hits:
                self.note(hit.id, hit.path)
                self.expect(hit.score < 0.99 or hit.path == path, f"{hit.path} found for {path}")

    def query(self, index: Index) -> None:
        number = int(self.random.choice(list(self.ids))) if self.ids else 1
        (result,) = index.query(f"id:{number}", k=4)
        if result.path is not None:
            self.note(number, result.path)
        for hit in result.hits:
            self.expect(hit.id != number, f"id {number} is its own hit")
            self.note(hit.id, hit.path)

    def recommend(self, index: Index) -> None:
        for result in index.recommend(k=2):
            number = int(result.query.removeprefix("id:"))
            self.expect(all(hit.id != number for hit in result.hits), f"id {number} hits itself")

    def note(self, number: int, path: Path) -> None:
        """Hold an id to the path that it was seen with first."""
        known = self.ids.setdefault(number, path)
        self.expect(known == path, f"id {number} is {path}, and was {known}")
        self.expect(path in self.table, f"unknown path {path}")

    def expect_vector(self, path: Path, vector: Vectors) -> None:
        self.expect(vector.tobytes() in self.table.get(path, ()), f"torn: vector of {path}")

    def expect(self, right: bool, otherwise: str) -> None:
        if not right:
            self.report.failures.append(otherwise)


def work(pipe: Connection, seconds: int, kind: type, *given: Any) -> None:
    """Be one of the crowd, and report."""
    import faiss

    faiss.omp_set_num_threads(1)
    one = kind(*given)
    pipe.send("ready")
    pipe.recv()
    try:
        one.run(time.monotonic() + seconds)
    except Exception as error:  # noqa: BLE001 - none may come out
        one.report.failures.append(f"a {kind.__name__}: {error!r}")
    pipe.send(one.report)


def run(times: int, seed: int, folder: Path) -> Outcome:
    """Let the crowd at an index for *times* seconds."""
    table = versions(folder)
    for path in table:
        put(path, 0, _ONE_S)
    with stubbed() as config:
        homes = [home_of(folder, writer) for writer in range(WRITERS)]
        vecsearch.build(*homes, index=folder / "index", encoder=config)
    context = multiprocessing.get_context("spawn")
    crowd = []
    for kind, count in ((WriterProcess, WRITERS), (ReaderProcess, READERS)):
        for number in range(count):
            ours, theirs = context.Pipe()
            given = theirs, times, kind, folder, table, number, seed
            process = context.Process(target=work, args=given)
            process.start()
            theirs.close()
            crowd.append((f"{kind.__name__} {number}", process, ours))
    outcome, total = Outcome(tried=times), Report()
    for _, _, pipe in crowd:
        pipe.poll(PATIENCE_S)  # it is ready, or dead
    for _, _, pipe in crowd:
        with contextlib.suppress(BrokenPipeError):
            pipe.send("go")
    for name, process, pipe in crowd:
        try:
            pipe.recv()
            if pipe.poll(times + PATIENCE_S):
                _add(total, pipe.recv())
            else:
                process.kill()
                total.failures.append(f"{name} hung")
        except (EOFError, OSError):
            total.failures.append(f"{name} died")
        finally:
            process.join()
            pipe.close()
    outcome.failures = total.failures
    outcome.facts = {
        "processes": str(len(crowd)),
        **{what: f"{count:,}" for what, count in sorted(total.counts.items())},
        "longest refusal": f"{total.longest_refusal_s:.2f} s",
        "longest turn": f"{total.longest_turn_s:.2f} s",
    }
    return outcome


def _add(total: Report, part: Report) -> None:
    total.failures += part.failures
    total.counts += part.counts
    total.longest_refusal_s = max(total.longest_refusal_s, part.longest_refusal_s)
    total.longest_turn_s = max(total.longest_turn_s, part.longest_turn_s)


TRIAL = Trial(7, "a crowd of writers and readers (seconds)", 600, run)
