"""Trial 6: every operation refused once, or from then on: no space, no quota, a broken disk."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from durability.faults import Operation, watching
from durability.references import (
    acknowledging,
    check_interrupted,
    in_order,
    load,
    place,
)
from durability.trial import Outcome, Trial
from durability.workers import Breakage, fork, pool, sample

_ERRORS: Final = (errno.ENOSPC, errno.EIO, errno.EDQUOT)
_NEEDS_SPACE: Final = ("create", "write", "mkdir")
_WAYS: Final = ("once", "lasting", "short", "late")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An operation that fails, and how.

    ``once`` it is refused before it does anything, ``late`` after it did all; ``lasting``: from
    then on whatever needs space fails too; ``short``: half of a write passes, and what follows it
    in this file is refused.
    """

    folder: Path
    number: int
    error: int
    way: str

    def __str__(self) -> str:
        operation = load(self.folder).operations()[self.number]
        name = Path(operation.path).name
        return (
            f"{load(self.folder).scenario.name}, {errno.errorcode[self.error]} {self.way} at "
            f"operation {self.number} ({operation.kind} {name})"
        )


def run(times: int, seed: int, folder: Path, breakage: Breakage | None = None) -> Outcome:
    """Refuse operations, so many or each in every way, and check what is left after each."""
    with pool(folder, breakage) as workers:
        every = [
            Refusal(place, operation.number, error, way)
            for place, reference in workers.references.items()
            for operation in reference.operations().values()
            for error in _ERRORS
            for way in _ways(operation)
        ]
        refusals = sample(every, times, random.Random(seed))
        outcome = Outcome(tried=len(refusals))
        for one, failures in zip(refusals, workers.run(try_refusal, refusals), strict=True):
            outcome.failures.extend(f"{one}: {failure}" for failure in failures)
    outcome.facts["of all"] = f"{len(every):,}"
    return outcome


def _ways(operation: Operation) -> tuple[str, ...]:
    if operation.kind == "write":
        return ("once", "lasting", "short")
    if operation.kind in ("create", "mkdir"):
        return ("once", "lasting")
    return ("once", "late")


def try_refusal(refusal: Refusal, folder: Path) -> list[str]:
    """Run the command, refuse an operation, and check what is left."""
    reference = load(refusal.folder)
    index = place(reference, folder)
    short_of = ""

    def work(acknowledge: Callable[[], None]) -> None:
        with in_order(), acknowledging(acknowledge), watching(folder, before, after):
            reference.scenario.command(reference.pictures, index)

    def before(operation: Operation) -> int | None:
        nonlocal short_of
        here = operation.number == refusal.number
        if here and refusal.way == "short":
            short_of = operation.path
            return len(operation.data) // 2
        if (
            (here and refusal.way in ("once", "lasting"))
            or (operation.path == short_of and operation.kind == "write")
            or (
                refusal.way == "lasting"
                and operation.number > refusal.number
                and operation.kind in _NEEDS_SPACE
            )
        ):
            raise OSError(refusal.error, os.strerror(refusal.error), operation.path)
        return None

    def after(operation: Operation) -> None:
        if operation.number == refusal.number and refusal.way == "late":
            raise OSError(refusal.error, os.strerror(refusal.error), operation.path)

    ending = fork(work)
    if ending.signal:
        return [f"ended by signal {ending.signal}"]
    if ending.error and not ending.error.startswith("refused: "):
        return [ending.error]
    if "\n" in ending.error:
        return [f"an error of several lines: {ending.error!r}"]
    if ending.error:
        return check_interrupted(reference, index, ending.acknowledged)
    return check_interrupted(reference, index, len(reference.states) - 1)


TRIAL: Final = Trial(6, "every operation refused in every way", 30_000, run)
