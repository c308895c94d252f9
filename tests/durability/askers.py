"""Many threads ask one opened index, while another process builds, removes and compacts.

Every committed generation is copied. Afterwards each question is asked alone of the copies, and
what a thread was told must be the answer of a generation that was there while it asked.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from threading import Barrier, Thread
from typing import Final
from unittest import mock

from question_kinds import Answer, Questions, agree
from samples import draw

import vecsearch
from durability.cycles import resident_bytes
from durability.real import NETWORK
from durability.references import acknowledging
from durability.trial import Outcome, Trial
from vecsearch import BuildOptions, Index, IndexOutdatedError, NotFoundError, RemoteIndex
from vecsearch.search import index_reader as opening

THREADS: Final = 16
KEPT: Final = 12
"""So many pictures stay as they are; they come first, so that these are their ids."""
MOVING: Final = 16
HUNG_S: Final = 120.0
_ATTEMPTS: Final = 100
MOST_FILES: Final = 200
LARGEST_GROWTH_BYTES: Final = 96 << 20

_SETTLED: Final = 0.25
"""After this share of the questions memory is to stay as it is."""

_PAUSE_S: Final = 0.05
"""Between two changes, so that questions outnumber generations."""


@dataclass(frozen=True, slots=True)
class Way:
    """A way in which an index is searched: how it is built, and what is too much for numpy."""

    name: str
    recipe: str
    few_values: int


WAYS: Final = (
    Way("in memory", "auto", opening._FEW_VALUES),
    Way("exact by FAISS", "Flat", 0),
    Way("by codes", "IVF4,SQ8", 0),
)


@dataclass(frozen=True, slots=True)
class Told:
    """What a thread was told: the question's number, when it asked and heard, the answer."""

    number: int
    start: float
    end: float
    answer: Answer


@dataclass(slots=True)
class Report:
    """What the threads saw."""

    told: list[Told] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    growth_bytes: int = 0
    most_files: int = 0


class Builder:
    """Changes pictures and the index, and copies every generation; ``ends`` are when it was so."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.photos, self.index = folder / "photos", folder / "index"
        self.copies = folder / "generations"
        self.random = random.Random(seed)
        self.ends: list[float] = []
        self.clock = 0
        self.counts: Counter[str] = Counter()

    def first(self, recipe: str) -> None:
        """Build the first generation."""
        for number in range(KEPT):
            draw(self.photos / f"p{number:02}.png", number)
        for number in range(0, MOVING, 2):
            self.change(number)
        options = BuildOptions(recipe=recipe)
        vecsearch.build(self.photos, index=self.index, encoder=NETWORK, options=options)
        vecsearch.compact(self.index)
        self.keep()

    def change(self, number: int) -> None:
        """Return a picture another content, and a time that it never had."""
        self.clock += 1
        path = draw(
            self.photos / f"q{number:02}.png", 1000 + 100 * number + self.random.randrange(4)
        )
        os.utime(path, (self.clock, self.clock))

    def keep(self) -> None:
        """Copy the generation that was just committed."""
        shutil.copytree(self.index, self.copies / str(len(self.ends)))
        self.ends.append(time.monotonic())

    def turn(self) -> None:
        """Change the index once."""
        what = self.random.choice(("build", "build", "build", "remove", "compact"))
        if what == "build":
            for number in self.random.sample(range(MOVING), self.random.randint(1, 4)):
                path = self.photos / f"q{number:02}.png"
                if path.exists() and self.random.random() < 0.4:
                    path.unlink()
                else:
                    self.change(number)
            vecsearch.build(index=self.index)
        elif what == "remove":
            try:
                vecsearch.remove(f"*q{self.random.randrange(MOVING):02}.png", index=self.index)
            except NotFoundError:
                return
        else:
            vecsearch.compact(self.index)
        self.counts[what] += 1


def build_beside(pipe: Connection, folder: Path, seed: int, recipe: str) -> None:
    """Be the process that changes the index until it is told to stop."""
    builder = Builder(folder, seed)
    builder.first(recipe)
    pipe.send("built")
    failure = ""
    try:
        with acknowledging(builder.keep):
            pipe.recv()
            while not pipe.poll(_PAUSE_S):
                builder.turn()
    except Exception:  # noqa: BLE001 - none may come out
        failure = f"the builder: {traceback.format_exc()[-500:]}"
    pipe.send((builder.ends, builder.counts, failure))


def ask_beside(pipe: Connection, folder: Path, seed: int, times: int, few_values: int) -> None:
    """Be the process whose threads ask one index; tell now and then how far they are."""
    opening._FEW_VALUES = few_values  # type: ignore[misc]
    faulthandler.register(signal.SIGUSR1)
    sys.setswitchinterval(1e-5)  # as if there were a processor for each thread
    questions = Questions(folder)
    order = random.Random(seed).choices(range(len(questions)), k=times)
    pipe.recv()
    with vecsearch.open_index(folder / "index") as index:
        ask_together(pipe, index, questions, order)


def ask_together(
    pipe: Connection,
    index: Index | RemoteIndex,
    questions: Questions,
    order: list[int],
    asked_process: int | str = "self",
) -> None:
    """Ask *order*, a part in each thread; the memory that grows is that of *asked_process*."""
    report, times = Report(), len(order)
    start = Barrier(THREADS)

    def work(mine: list[int]) -> None:
        start.wait()  # nothing is open yet, so that all of them open it
        for number in mine:
            _ask(index, questions, number, report)

    parts = [order[part::THREADS] for part in range(THREADS)]
    threads = [Thread(target=work, args=(part,), daemon=True) for part in parts]
    began, settled = time.monotonic(), 0
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        threads[0].join(0.2)
        files = len(os.listdir(f"/proc/{asked_process}/fd"))  # noqa: PTH208
        report.most_files = max(report.most_files, files)
        done = len(report.told) + len(report.failures)
        if not settled and done > times * _SETTLED:
            settled = resident_bytes(asked_process)
        pipe.send(done)
    report.seconds = time.monotonic() - began
    report.growth_bytes = resident_bytes(asked_process) - settled if settled else 0
    pipe.send(report)


def _ask(index: Index | RemoteIndex, questions: Questions, number: int, report: Report) -> None:
    start = time.monotonic()
    try:
        for attempt in range(_ATTEMPTS):
            try:
                told = questions.ask(index, number)
                break
            except IndexOutdatedError:  # as an iteration says that a compaction overtook
                if attempt == _ATTEMPTS - 1:
                    raise
                report.counts["asked again"] += 1
                start = time.monotonic()
    except BaseException as error:  # noqa: BLE001 - none may come out
        report.failures.append(f"{questions.all[number].kind}: {error!r:.300}")
    else:
        report.told.append(Told(number, start, time.monotonic(), told))


Work = Callable[..., None]


def run(times: int, seed: int, folder: Path, ask: Work | None = None) -> Outcome:
    """Let threads ask *times* questions, a third of them in each way."""
    outcome, total = Outcome(), Counter[str]()
    facts = []
    for place, way in enumerate(WAYS):
        share = times // len(WAYS) + (place < times % len(WAYS))
        home = folder / str(place)
        home.mkdir()
        report, builder = _run_beside(share, seed, home, way, ask or ask_beside)
        outcome.failures += [f"{way.name}: {one}" for one in report.failures]
        if builder is not None:
            ends, counts, failure = builder
            outcome.failures += [f"{way.name}: {failure}"] if failure else []
            outcome.failures += _check(report, ends, home, way)
            total += counts
            total["generations"] += len(ends)
        total += report.counts
        facts.append(
            f"{way.name}: {len(report.told) / max(report.seconds, 1e-3):.0f}/s, "
            f"{report.growth_bytes >> 20:+} MiB, {report.most_files} files"
        )
        outcome.tried += share
        shutil.rmtree(home)
    outcome.facts = {
        **{what: f"{count:,}" for what, count in sorted(total.items())},
        "questions": "; ".join(facts),
    }
    return outcome


def _run_beside(
    times: int, seed: int, folder: Path, way: Way, ask: Work
) -> tuple[Report, tuple[list[float], Counter[str], str] | None]:
    """Run the two processes; the asking one is killed if it gets nowhere."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = zip(*(context.Pipe() for _ in range(2)), strict=True)
    processes = [
        context.Process(target=build_beside, args=(theirs[0], folder, seed, way.recipe)),
        context.Process(target=ask, args=(theirs[1], folder, seed, times, way.few_values)),
    ]
    report, builder = Report(), None
    try:
        for process, pipe in zip(processes, theirs, strict=True):
            process.start()
            pipe.close()
        ours[0].recv()
        for pipe in ours:
            pipe.send("go")
        report = _watch(ours[1], processes[1])
        ours[0].send("stop")
        if ours[0].poll(HUNG_S):
            builder = ours[0].recv()
        else:
            report.failures.append("the builder hung")
    except (EOFError, OSError) as error:
        report.failures.append(f"a process died: {error!r}")
    finally:
        for process in processes:
            process.kill()
            process.join()
    return report, builder


def _watch(pipe: Connection, process: SpawnProcess) -> Report:
    """Wait for the report as long as the threads get on; else let them tell where they are."""
    done, since = -1, time.monotonic()
    while time.monotonic() - since < HUNG_S:
        if not pipe.poll(1):
            continue
        if isinstance(said := pipe.recv(), Report):
            return said
        if said != done:
            done, since = said, time.monotonic()
    os.kill(process.pid or 0, signal.SIGUSR1)
    process.join(1)
    return Report(failures=[f"the threads hung after {done} questions"])


def _check(report: Report, ends: list[float], folder: Path, way: Way) -> list[str]:
    """Compare what was told with what each generation that was there says when asked alone."""
    failures = []
    if report.growth_bytes > LARGEST_GROWTH_BYTES:
        failures.append(f"{way.name}: the process grew by {report.growth_bytes >> 20} MiB")
    if report.most_files > MOST_FILES:
        failures.append(f"{way.name}: {report.most_files} files were open at once")
    return failures + [f"{way.name}: {one}" for one in _ask_alone(report.told, ends, folder, way)]


def _ask_alone(told: list[Told], ends: list[float], folder: Path, way: Way) -> list[str]:
    """Ask each generation what it may have told; describe what none of them says."""
    questions = Questions(folder)
    alone = folder / "alone"
    waiting: dict[int, list[Told]] = {}
    for one in told:
        waiting.setdefault(_there(ends, one)[0], []).append(one)
    wrong = []
    index: Index | None = None
    with mock.patch.object(opening, "_FEW_VALUES", way.few_values), ExitStack() as stack:
        for generation in range(len(ends)):
            copy = folder / "generations" / str(generation)
            copy.rename(alone)
            index = index or stack.enter_context(vecsearch.open_index(alone))
            known: dict[int, Answer] = {}
            for one in waiting.pop(generation, []):
                if one.number not in known:
                    known[one.number] = questions.ask(index, one.number)
                if agree(one.answer, known[one.number]):
                    continue
                if generation + 1 in _there(ends, one):
                    waiting.setdefault(generation + 1, []).append(one)
                    continue
                kind = questions.all[one.number].kind
                wrong.append(
                    f"{kind} {one.number}: none of {_there(ends, one)} says {one.answer!r:.300}; "
                    f"the last says {known[one.number]!r:.300}"
                )
            alone.rename(copy)
    return wrong


def _there(ends: list[float], told: Told) -> list[int]:
    """List the generations that were the newest at any time of a question.

    Each was so from some time after the one before it was acknowledged until the next one was.
    """
    last = len(ends) - 1
    return [
        one
        for one in range(len(ends))
        if (one == 0 or ends[one - 1] <= told.end) and (one == last or ends[one + 1] >= told.start)
    ]


TRIAL = Trial(14, "threads at one index (questions)", 10_000, run)
