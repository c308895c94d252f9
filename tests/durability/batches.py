"""Hostile content, a batch after another: what dies, hangs, grows or raises is told of its number.

A worker process is at one number at a time, which its parent sees, so that it is known what a
process died of; the rest of its batch goes to another one.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final

from durability.trial import Outcome

WORKERS: Final = 2
LONGEST_S: Final = 10.0
LARGEST_BYTES: Final = 1 << 30
HUNG_S: Final = 60.0
BATCH: Final = 250

Attempt = Callable[[], tuple[str, str]]
"""Tries one; tells what became of it in a word, and what is wrong, or nothing."""

Prepare = Callable[[int], tuple[str, Attempt]]
"""Makes one, by its number: what it is called, and the attempt, which alone is measured."""

Work = Callable[[Connection, Any, int, Path], None]
"""What a process does with a pipe, a shared number, the seed and the folder: `attempt_batches`."""


@dataclass(slots=True)
class Report:
    """What became of a batch."""

    failures: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    peak_bytes: int = 0


def attempt_batches(
    pipe: Connection, current: Any, prepare: Prepare, largest_bytes: int | None = None
) -> None:
    """Attempt the batches that come through *pipe*, and tell by *current* which number it is at.

    The process is to stay below *largest_bytes*, or `LARGEST_BYTES`.
    """
    warnings.simplefilter("ignore")  # as the command line does
    with _caught_stderr() as caught:
        while (batch := pipe.recv()) is not None:
            report = Report()
            for number in range(*batch):
                current.value = number
                _attempt_one(*prepare(number), caught, report, largest_bytes or LARGEST_BYTES)
            pipe.send(report)


def _attempt_one(label: str, attempt: Attempt, caught: Any, report: Report, largest: int) -> None:
    before = _peak_bytes()
    start = time.monotonic(), time.process_time()
    what, wrong = attempt()
    # The lesser of the two: neither other programs nor a decoder's own threads make it slower.
    seconds = min(time.monotonic() - start[0], time.process_time() - start[1])
    peak = _peak_bytes()
    report.counts[what] += 1
    report.slowest_s = max(report.slowest_s, seconds)
    report.peak_bytes = peak
    if wrong:
        report.failures.append(f"{label}: {wrong}")
    if seconds > LONGEST_S:
        report.failures.append(f"{label}: took {seconds:.1f} s")
    if peak > max(largest, before):
        report.failures.append(f"{label}: {peak >> 20} MiB of memory by now")
    if said := caught.read():
        report.failures.append(f"{label}: wrote to stderr: {said!r}")


@contextmanager
def _caught_stderr() -> Iterator[Any]:
    """Send this process's stderr, that of C code too, into a file and give it to read."""
    with tempfile.TemporaryFile("w+b", buffering=0) as file:
        reader = open(f"/proc/self/fd/{file.fileno()}", "rb", buffering=0)  # noqa: PTH123, SIM115
        sys.stderr.flush()
        before = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield reader
        finally:
            os.dup2(before, 2)
            os.close(before)
            reader.close()


def _peak_bytes() -> int:
    # Not getrusage: its maximum counts the parent's memory too, which a child has until exec.
    with open("/proc/self/status") as status:  # noqa: PTH123
        kib = next(line.split()[1] for line in status if line.startswith("VmHWM"))
    return 1024 * int(kib)


class Worker:
    """A process, and what of its batch is still to do if it dies."""

    def __init__(self, work: Work, seed: int, folder: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.current = context.Value("q", -1, lock=False)
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, self.current, seed, folder))
        self.process.start()
        theirs.close()
        self.batch = (0, 0)
        self._seen = (-1, time.monotonic())

    def give(self, batch: tuple[int, int]) -> None:
        self.batch = batch
        self.current.value = batch[0]
        self._seen = (batch[0], time.monotonic())
        self.pipe.send(batch)

    def hangs(self) -> bool:
        """Return whether it has been at one number for too long."""
        if self.current.value != self._seen[0]:
            self._seen = (self.current.value, time.monotonic())
        return time.monotonic() - self._seen[1] > HUNG_S

    def end(self) -> None:
        if self.process.is_alive():
            self.pipe.send(None)
        self.process.join()
        self.pipe.close()


def run_batches(work: Work, times: int, seed: int, folder: Path) -> Outcome:
    """Attempt the numbers below *times* in processes of their own."""
    total, deaths = Report(), 0
    todo = [(start, min(start + BATCH, times)) for start in range(0, times, BATCH)][::-1]
    workers: list[Worker] = []
    while todo or workers:
        while todo and len(workers) < WORKERS:
            workers.append(Worker(work, seed, folder))
            workers[-1].give(todo.pop())
        wait([worker.pipe for worker in workers], timeout=1.0)
        for worker in list(workers):
            if worker.hangs():
                worker.process.kill()
                worker.process.join()
            if worker.pipe.poll():
                try:
                    _add(total, worker.pipe.recv())
                except EOFError:
                    deaths += 1
                    at = int(worker.current.value)
                    worker.process.join()
                    code = worker.process.exitcode
                    total.failures.append(f"number {at}: the process died or hung ({code})")
                    if at + 1 < worker.batch[1]:
                        todo.append((at + 1, worker.batch[1]))
                    workers.remove(worker)
                else:
                    if todo:
                        worker.give(todo.pop())
                        continue
                    workers.remove(worker)
                worker.end()
    facts = {
        **{what: f"{count:,}" for what, count in sorted(total.counts.items())},
        "deaths": str(deaths),
        "slowest": f"{total.slowest_s:.2f} s",
        "peak": f"{total.peak_bytes >> 20} MiB",
    }
    return Outcome(times, total.failures, facts)


def _add(total: Report, part: Report) -> None:
    total.failures += part.failures
    total.counts += part.counts
    total.slowest_s = max(total.slowest_s, part.slowest_s)
    total.peak_bytes = max(total.peak_bytes, part.peak_bytes)
