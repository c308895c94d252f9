"""What a trial is, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Outcome:
    """What a trial found: how many times it was tried, what went wrong, and figures to print."""

    tried: int = 0
    failures: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial: its number, its name, how often it is to be tried, and how.

    ``run`` is given a number of times, a seed, and an empty folder to work in.
    """

    number: int
    name: str
    times: int
    run: Callable[[int, int, Path], Outcome]
