"""Trial 1: processes killed in the midst of every command, at every operation and at any moment."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from durability import real
from durability.faults import Operation, watching
from durability.references import (
    Reference,
    acknowledging,
    check_completed,
    check_interrupted,
    in_order,
    load,
    place,
)
from durability.trial import Outcome, Trial
from durability.workers import Breakage, Ending, Pool, fork, pool

_BOUNDARIES: Final = 0.8
"""The share of the trials that kill at an operation; the others do at a random moment."""

_TWICE: Final = 0.3
"""The share of those whose next run is killed too."""

_REAL: Final = 0.02
"""The share of the trials that use the real network, in processes of their own."""


@dataclass(frozen=True, slots=True)
class Kill:
    """Where to kill: *before*, *after* or *within* an operation, or *at* so many seconds.

    With ``again``, no reader looks before the command is run once more, and that is killed too
    after so many seconds.
    """

    folder: Path
    when: str
    number: int = 0
    seconds: float = 0.0
    again: float | None = None

    def __str__(self) -> str:
        place = f"{self.seconds:.4f} s" if self.when == "at" else f"operation {self.number}"
        return f"{load(self.folder).scenario.name}, killed {self.when} {place}"


def run(times: int, seed: int, folder: Path, breakage: Breakage | None = None) -> Outcome:
    """Kill so many times, and check what is left after each."""
    chance = random.Random(seed)
    networks = 0 if breakage else round(_REAL * times)
    with pool(folder / "stub", breakage) as workers:
        kills = _choose(workers, times - networks, chance)
        outcome = Outcome(tried=len(kills))
        for kill, failures in zip(kills, workers.run(try_kill, kills), strict=True):
            outcome.failures.extend(f"{kill}: {failure}" for failure in failures)
    outcome.facts["at an operation"] = str(sum(kill.when != "at" for kill in kills))
    if networks:
        outcome.failures += real.run(networks, seed, folder / "real")
        outcome.tried += networks
        outcome.facts["with the real network"] = str(networks)
    return outcome


def _choose(workers: Pool, times: int, chance: random.Random) -> list[Kill]:
    boundaries = [
        Kill(place, when, operation.number, again=_again(reference, chance))
        for place, reference in workers.references.items()
        for operation in reference.operations().values()
        for when in ("before", "after", *(["within"] if operation.kind == "write" else []))
    ]
    boundaries.sort(key=lambda kill: chance.random() / _weight(workers, kill))
    kills = boundaries[: round(_BOUNDARIES * times)]
    while len(kills) < times:
        place, reference = chance.choice(list(workers.references.items()))
        # The clock of a forked child under load runs slower than the reference's.
        seconds = chance.uniform(0, 1.5 * reference.seconds)
        kills.append(Kill(place, "at", seconds=seconds, again=_again(reference, chance)))
    return kills


def _again(reference: Reference, chance: random.Random) -> float | None:
    return chance.uniform(0, reference.seconds) if chance.random() < _TWICE else None


def _weight(workers: Pool, kill: Kill) -> int:
    """Return how much sooner a kill is tried: most operations are writes, and much alike."""
    operation = workers.references[kill.folder].operations()[kill.number]
    return 1 if operation.kind == "write" else 5


def try_kill(kill: Kill, folder: Path) -> list[str]:
    """Run the command, kill it, and check what is left."""
    reference = load(kill.folder)
    index = place(reference, folder)

    def work(acknowledge: Callable[[], None]) -> None:
        with in_order(), acknowledging(acknowledge), watching(folder, before, after):
            reference.scenario.command(reference.pictures, index)

    def before(operation: Operation) -> int | None:
        if operation.number == kill.number:
            if kill.when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            if kill.when == "within":
                return len(operation.data) // 2
        return None

    def after(operation: Operation) -> None:
        if operation.number == kill.number and kill.when in ("within", "after"):
            os.kill(os.getpid(), signal.SIGKILL)

    ending = fork(work, kill.seconds if kill.when == "at" else None)
    if failures := _check_ending(kill, ending):
        return failures
    if kill.again is None:
        return check_interrupted(reference, index, ending.acknowledged)
    fork(lambda _: reference.scenario.command(reference.pictures, index), kill.again)
    return check_completed(reference, index)


def _check_ending(kill: Kill, ending: Ending) -> list[str]:
    if ending.error:
        return [ending.error]
    expected = (0, signal.SIGKILL) if kill.when == "at" else (signal.SIGKILL,)
    return [] if ending.signal in expected else [f"ended by signal {ending.signal}"]


TRIAL: Final = Trial(1, "killed at any operation or moment", 5000, run)
