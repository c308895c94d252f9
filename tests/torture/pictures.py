"""Damaged pictures: each is read or refused in one line, and the process stays alive and small."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final

import numpy as np

from torture.gallery import gallery, huge, huge_names
from torture.mutate import mutate
from torture.trial import Outcome, Trial
from vecsearch import ImageError
from vecsearch.images.decode import read_thumbnail
from vecsearch.images.frames import frames, has_frames
from vecsearch.images.read import read_image

WORKERS: Final = 2
LONGEST_S: Final = 10.0
LARGEST_BYTES: Final = 1 << 30
HUNG_S: Final = 60.0
BATCH: Final = 250
HUGE_EVERY: Final = 400
THUMBNAIL: Final = 96

_SIDE = 224
_FRAME_PIXELS = 10**7


@dataclass(slots=True)
class Report:
    """What became of a batch of pictures."""

    failures: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    peak_bytes: int = 0


def picture(seed: int, number: int, folder: Path) -> tuple[str, bytes]:
    """Make damaged picture *number*: its name and its content; huge ones lie in *folder*."""
    random = np.random.RandomState([seed, number])
    small, names = gallery(), list(gallery())
    other = small[names[random.randint(len(names))]]
    if number % HUGE_EVERY == HUGE_EVERY - 1:
        known = huge_names()
        name = known[number // HUGE_EVERY % len(known)]
        # Every other one is whole, for damage mostly keeps a picture from being decoded at all.
        whole = number // HUGE_EVERY // len(known) % 2 == 0
        data = (folder / name).read_bytes()
        return name, data if whole else mutate(data, other, random)
    name = names[number % len(names)]
    return name, mutate(small[name], other, random)


def read(path: Path) -> tuple[str, str]:
    """Read a picture as builds and sheets do; tell what became of it, and what is wrong."""
    try:
        pixels = read_image(path, _SIDE).pixels
        small = read_thumbnail(path, THUMBNAIL)
        _read_frames(path.read_bytes())
    except ImageError as error:
        reason = str(error)
        wrong = "" if reason and "\n" not in reason else f"the reason is not one line: {reason!r}"
        return "refused", wrong
    except Exception as error:  # noqa: BLE001 - these are what is looked for
        return "raised", f"raised {error!r}"
    if pixels is None or pixels.shape != (_SIDE, _SIDE, 3) or pixels.dtype != np.uint8:
        return "read", "the pixels are not (224, 224, 3) uint8"
    if small.mode != "RGB" or max(small.size) > THUMBNAIL:
        return "read", f"the thumbnail is {small.mode} {small.size}"
    return "read", ""


def _read_frames(data: bytes) -> None:
    """Read the frames of a film or a document, as a comparison of copies does."""
    if has_frames(data):
        with contextlib.suppress(ImageError):  # who can read the first has read the picture
            for _ in frames(data, most=50, most_pixels=_FRAME_PIXELS):
                pass


def work(pipe: Connection, current: Any, seed: int, folder: Path) -> None:
    """Read the batches that come through *pipe*, and tell by *current* which picture it is at."""
    warnings.simplefilter("ignore")  # as the command line does
    path = folder / f"{os.getpid()}.picture"
    with _caught_stderr() as caught:
        while (batch := pipe.recv()) is not None:
            report = Report()
            for number in range(*batch):
                current.value = number
                name, data = picture(seed, number, folder)
                path.write_bytes(data)
                _read_one(path, f"picture {number} ({name})", caught, report)
            pipe.send(report)


def _read_one(path: Path, label: str, caught: Any, report: Report) -> None:
    before = _peak_bytes()
    start = time.monotonic(), time.process_time()
    what, wrong = read(path)
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
    if peak > max(LARGEST_BYTES, before):
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
    """A process that reads pictures, and what of its task is still to do if it dies."""

    def __init__(self, seed: int, folder: Path) -> None:
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
        """Tell whether it has been at one picture for too long."""
        if self.current.value != self._seen[0]:
            self._seen = (self.current.value, time.monotonic())
        return time.monotonic() - self._seen[1] > HUNG_S

    def end(self) -> None:
        if self.process.is_alive():
            self.pipe.send(None)
        self.process.join()
        self.pipe.close()


def run(times: int, seed: int, folder: Path) -> Outcome:
    """Read *times* damaged pictures in processes of their own."""
    outcome, total, deaths = Outcome(), Report(), 0
    for name in huge_names()[: times // HUGE_EVERY]:
        (folder / name).write_bytes(huge(name))  # here, for making it takes more than reading it
    todo = [(start, min(start + BATCH, times)) for start in range(0, times, BATCH)][::-1]
    workers: list[Worker] = []
    while todo or workers:
        while todo and len(workers) < WORKERS:
            workers.append(Worker(seed, folder))
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
                    total.failures.append(f"picture {at}: the process died or hung ({code})")
                    if at + 1 < worker.batch[1]:
                        todo.append((at + 1, worker.batch[1]))
                    workers.remove(worker)
                else:
                    if todo:
                        worker.give(todo.pop())
                        continue
                    workers.remove(worker)
                worker.end()
    outcome.tried, outcome.failures = times, total.failures
    outcome.facts = {
        "kinds": str(len(gallery()) + len(huge_names())),
        **{what: f"{count:,}" for what, count in sorted(total.counts.items())},
        "deaths": str(deaths),
        "slowest": f"{total.slowest_s:.2f} s",
        "peak": f"{total.peak_bytes >> 20} MiB",
    }
    return outcome


def _add(total: Report, part: Report) -> None:
    total.failures += part.failures
    total.counts += part.counts
    total.slowest_s = max(total.slowest_s, part.slowest_s)
    total.peak_bytes = max(total.peak_bytes, part.peak_bytes)


TRIAL = Trial(5, "damaged pictures", 100_000, run)
