"""The lines of the table: ratios of two programs' figures, with a target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from measure import Comparison, Run, spread


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: a ratio with its spread, the target, and the medians behind it."""

    name: str
    ratios: list[float]
    target: float
    at_most: bool
    a: str
    b: str

    @property
    def reached(self) -> bool:
        """Return whether the median reaches the target."""
        middle = spread(self.ratios)[0]
        return middle <= self.target if self.at_most else middle >= self.target


def figure(
    name: str,
    pair: Comparison,
    target: float,
    value: Callable[[Run], float],
    unit: Callable[[float], str],
    at_most: bool = False,
) -> Figure:
    """Make a line of a comparison."""
    a, b = (unit(spread([value(one) for one in side])[0]) for side in (pair.a, pair.b))
    return Figure(name, pair.ratio(value), target, at_most, a, b)


def seconds(name: str, pair: Comparison, target: float) -> Figure:
    """Make a line of how many times as long A takes as B."""
    return figure(name, pair, target, lambda one: one.seconds, lambda s: f"{s:.2f} s")


def megabytes(size_bytes: float) -> str:
    """Write a size."""
    return f"{size_bytes / 1e6:.0f} MB"
