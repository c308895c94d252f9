"""Which recipe fits a budget of memory and time, before there is a vector."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from vecsearch.ann.base import sample_count
from vecsearch.ann.recipes import AUTO, LATENCY_MS, Rates, Recipe, choose_recipe
from vecsearch.arguments import check_fields
from vecsearch.errors import UsageError
from vecsearch.indexing.compaction import HELD_OUT, LEAST_STRIDE, most_rows
from vecsearch.planning.base_size import size_of, untrained
from vecsearch.planning.base_speed import (
    built_in,
    exact_ms,
    indexing_seconds,
    measure_base,
    measure_exact,
    query_ms,
)
from vecsearch.store.segments import segment_bytes
from vecsearch.types import Progress

_WRITTEN_BYTES_S: Final = 200e6
"""How fast vectors are checksummed, hashed and written: segments twice, bases once."""

_LEAST_DIM: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """How much memory and time for a query a plan may use; None for no limit.

    ``recipe`` is ``auto`` or a FAISS factory string. Without ``calibrate`` nothing is measured on
    this machine.
    """

    recipe: str = AUTO
    memory_bytes: float | None = None
    latency_ms: float | None = None
    calibrate: bool = True

    def __post_init__(self) -> None:
        """Raise UsageError for a budget that is not positive."""
        check_fields(self)
        for option, value in (("memory", self.memory_bytes), ("latency", self.latency_ms)):
            if value is not None and not 0 < value < math.inf:
                raise UsageError(f"--{option} is {value}", hint="give more than 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBases:
    """``count`` FAISS bases of ``rows`` each: recipe, reason, and what all of them take.

    ``mapped`` ones lie in the page cache, others in memory. ``training_bytes`` is what making one
    takes.
    """

    count: int
    rows: int
    recipe: str
    exact: bool
    reason: str
    size_bytes: int
    mapped: bool
    training_bytes: int
    latency_ms: float
    indexing_seconds: float


@dataclass(slots=True)
class Measurements:
    """How fast this machine is: measured once for each recipe, or known beforehand."""

    calibrate: bool
    progress: Progress | None = None
    _exact: dict[int, Rates] = field(default_factory=dict)
    _known: dict[tuple[str, int], Rates] = field(default_factory=dict)

    def rates(self, recipe: Recipe, rows: int, dim: int) -> Rates:
        """Return the figures for a base of *rows*."""
        if not self.calibrate:
            return built_in(size_of(recipe.factory, dim), dim)
        if dim not in self._exact:
            self._tell("measuring exact search")
            self._exact[dim] = measure_exact(dim)
        if recipe.is_exact:
            return self._exact[dim]
        key = recipe.factory, dim
        if key not in self._known:
            self._tell(f"measuring {recipe.factory}")
            self._known[key] = measure_base(recipe.factory, dim, rows, self._exact[dim])
        return self._known[key]

    def _tell(self, phase: str) -> None:
        if self.progress:
            self.progress(phase, 0, 0)


@dataclass(frozen=True, slots=True)
class _Segments:
    """``count`` segments of ``rows`` each, and the recipe of their bases."""

    recipe: Recipe
    rows: int
    count: int


@dataclass(frozen=True, slots=True)
class _Choice:
    """Recipes for all segments, and the ``option`` by which a build makes this choice.

    The option is empty if a build chooses the same by itself.
    """

    segments: Sequence[_Segments]
    option: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """``images`` vectors of ``dim`` dimensions, asked by a process that takes memory of its own."""

    images: int
    dim: int
    process_bytes: int
    options: PlanOptions
    measurements: Measurements

    def choose(self) -> tuple[tuple[PlannedBases, ...], str]:
        """Plan the bases by the first recipe that fits, and say what a build must be told of it.

        That is nothing where it chooses the same by itself. Raises UsageError if nothing fits.
        """
        failed = []
        for choice in self._possible():
            bases = tuple(map(self._planned, choice.segments))
            if not self._excess(bases):
                return bases, choice.option
            failed.append(bases)
        told = dict.fromkeys(self._excess(bases) for bases in failed)
        raise UsageError(
            f"nothing fits {self.images} images of {self.dim} dimensions: {'; '.join(told)}",
            hint=self._way_out(failed),
        )

    def needed_bytes(self, bases: Sequence[PlannedBases]) -> int:
        """Return what *bases* and a process that searches them should have, page cache included."""
        return self.process_bytes + sum(one.size_bytes for one in bases)

    def _possible(self) -> Iterator[_Choice]:
        """Return recipes for the segments, the preferred first."""
        wanted, limit, sizes = self.options.recipe, self.options.latency_ms, self._sizes()
        most, _ = sizes[0]

        def same(recipe: Recipe) -> _Choice:
            return _Choice([_Segments(recipe, *size) for size in sizes], recipe.factory)

        if wanted != AUTO:
            yield same(choose_recipe(wanted, most, self.dim))
            return
        if limit is not None and limit > LATENCY_MS:
            yield same(choose_recipe(AUTO, most, self.dim, math.inf))
        by_build = [_Segments(choose_recipe(AUTO, rows, self.dim), rows, n) for rows, n in sizes]
        yield _Choice(by_build)
        if any(one.recipe.is_exact for one in by_build):
            approximate = choose_recipe(AUTO, most, self.dim, 0.0)
            if _is_makeable(approximate, self.dim):  # what is for many rows may not be for few
                yield same(replace(approximate, reason="exact search does not fit the budget"))

    def _sizes(self) -> list[tuple[int, int]]:
        """Divide the rows into segments as full as they may be: (rows, how many of these)."""
        most = most_rows(self.dim)
        full, rest = divmod(self.images, most)
        return [(rows, count) for rows, count in ((most, full), (rest, 1)) if rows and count]

    def _planned(self, segments: _Segments) -> PlannedBases:
        recipe, rows, count = segments.recipe, segments.rows, segments.count
        size = size_of(recipe.factory, self.dim)
        rates = self.measurements.rates(recipe, rows, self.dim)
        held = 0 if recipe.is_exact else held_rows(rows)
        base_bytes = size.total_bytes(rows - held)
        seconds = (2 * segment_bytes(rows, self.dim) + base_bytes) / _WRITTEN_BYTES_S
        latency_ms = exact_ms(held, self.dim, rates)
        training_bytes = 0
        if recipe.is_exact:
            latency_ms += exact_ms(rows, self.dim, rates)
        else:
            latency_ms += query_ms(recipe.factory, self.dim, rows, rates)
            seconds += indexing_seconds(recipe.factory, self.dim, rows, rates)
            base = untrained(recipe.factory, self.dim)
            sampled = 0 if base.is_trained else sample_count(base, rows, self.dim)
            training_bytes = base_bytes + 4 * sampled * (self.dim + size.inner_dim)
        return PlannedBases(
            count=count,
            rows=rows,
            recipe=recipe.factory,
            exact=recipe.is_exact,
            reason=recipe.reason,
            size_bytes=count * base_bytes,
            mapped=size.mapped,
            training_bytes=training_bytes,
            latency_ms=count * latency_ms,
            indexing_seconds=count * seconds,
        )

    def _excess(self, bases: Sequence[PlannedBases]) -> str:
        """Return the reason why *bases* are too much, empty if they fit."""
        memory, limit = self.options.memory_bytes, self.options.latency_ms
        needed, taken_ms = self.needed_bytes(bases), sum(one.latency_ms for one in bases)
        parts = []
        if memory is not None and needed > memory:
            parts.append(f"{_gigabytes(needed)} of memory, not {_gigabytes(memory)}")
        if limit is not None and taken_ms > limit:
            parts.append(f"about {taken_ms:.1f} ms a query, not {limit:g}")
        names = " and ".join(dict.fromkeys(one.recipe for one in bases))
        return f"{names} takes {' and '.join(parts)}" if parts else ""

    def _way_out(self, failed: Sequence[Sequence[PlannedBases]]) -> str:
        """Return a hint about what would fit: fewer dimensions, more memory or more time."""
        least_bytes = min(self.needed_bytes(bases) for bases in failed)
        least_ms = min(sum(one.latency_ms for one in bases) for bases in failed)
        memory, limit = self.options.memory_bytes, self.options.latency_ms
        more = []
        if memory is not None and least_bytes > memory:
            more.append(f"--memory {math.ceil(least_bytes / 1e8) / 10:g}G")
        if limit is not None and least_ms > limit:
            more.append(f"--latency {math.ceil(1.2 * least_ms)}ms")
        dim = self._fitting_dim()
        ways = [f"--dim {dim}"] if dim else []
        ways.append(
            " with ".join(more)
            or "allow more memory or more time: each recipe exceeds only one of the two"
        )
        return f"try {', or '.join(ways)}"

    def _fitting_dim(self) -> int:
        """Find by halving the most dimensions that fit, by built-in figures; 0 for none."""
        dim = self.dim // 2
        while dim >= _LEAST_DIM:
            smaller = replace(self, dim=dim, measurements=Measurements(calibrate=False))
            for choice in smaller._possible():
                makeable = all(_is_makeable(one.recipe, dim) for one in choice.segments)
                if makeable and not smaller._excess(list(map(smaller._planned, choice.segments))):
                    return dim
            dim //= 2
        return 0


def _is_makeable(recipe: Recipe, dim: int) -> bool:
    try:
        size_of(recipe.factory, dim)
    except UsageError:
        return False
    return True


def held_rows(rows: int) -> int:
    """Return how many of *rows* are held out of an approximate base."""
    return -(-rows // max(LEAST_STRIDE, rows // HELD_OUT))


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:.2g} GB" if count < 1e10 else f"{count / 1e9:.0f} GB"
