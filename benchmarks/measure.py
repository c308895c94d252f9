"""Timing whole processes, two in turn."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Run:
    """One finished process: seconds from start to exit, and its largest resident memory."""

    seconds: float
    peak_bytes: int
    output: str


@dataclass(slots=True)
class Comparison:
    """Runs of A and B in turn, and the ratio of a figure of theirs, pair by pair."""

    a: list[Run] = field(default_factory=list)
    b: list[Run] = field(default_factory=list)

    def ratio(self, figure: Callable[[Run], float]) -> list[float]:
        """Return A's figure over B's, pair by pair."""
        return [figure(x) / figure(y) for x, y in zip(self.a, self.b, strict=True)]


def run(command: Sequence[str | Path], environment: dict[str, str] | None = None) -> Run:
    """Run *command* to its end; raises CalledProcessError if it fails."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    output = process.stdout.read()
    complaint = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    process.stderr.close()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args, output, complaint)
    return Run(seconds, usage.ru_maxrss * 1024, output)


def alternate(
    a: Callable[[], Run], b: Callable[[], Run], times: int, warm_up: int = 1
) -> Comparison:
    """Run A, B, A, B ..., after *warm_up* pairs that do not count."""
    found = Comparison()
    for number in range(-warm_up, times):
        first, second = a(), b()
        if number >= 0:
            found.a.append(first)
            found.b.append(second)
    return found


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the median, the least and the greatest."""
    return statistics.median(values), min(values), max(values)
