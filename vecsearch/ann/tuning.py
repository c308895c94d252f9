"""Tuning: the cheapest way to search a base that reaches a recall, measured on vectors outside it.

Recall@k (`vecsearch.ann.recall`) is over queries that the base does not hold.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from vecsearch.ann.exact import exact_search
from vecsearch.ann.recall import recall
from vecsearch.ann.searcher import CodedRows
from vecsearch.ann.settings import SearchSettings
from vecsearch.types import Float16Vectors, Progress, Rows, Vectors

Held = TypeVar("Held", bound=npt.NDArray[Any])

K: Final = 10
"""The k of the recall that is measured."""

_CANDIDATES: Final = (20, 40, 80, 160, 320, 640, 1280)
_MOST_EF: Final = 4096
_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Trial:
    """A base with queries outside it, (q, d) float32, and their true nearest rows, (q, K)."""

    coded: CodedRows
    queries: Vectors
    truth: Rows

    def recall(self, settings: SearchSettings) -> float:
        """Measure recall@K over the queries."""
        _, found = self.coded.candidates(self.queries, K, settings)
        return recall(found, self.truth)

    def seconds(self, settings: SearchSettings) -> float:
        """Time the queries in one batch: the median of some rounds."""
        taken = []
        for _ in range(_ROUNDS):
            start = time.perf_counter()
            self.coded.candidates(self.queries, K, settings)
            taken.append(time.perf_counter() - start)
        return float(np.median(taken))


def tuning_queries(held: Held) -> Held:
    """Return the half of what is *held* out of a base that it is tuned with."""
    return held[::2]  # type: ignore[return-value]


def judging_queries(held: Held) -> Held:
    """Return the other half, which it is judged by."""
    return held[1::2]  # type: ignore[return-value]


def tune(
    base: Any,
    rows: Float16Vectors,
    queries: Float16Vectors,
    target: float,
    progress: Progress | None = None,
) -> SearchSettings:
    """Find the fastest settings of *base*, made of *rows*, whose recall@10 reaches *target*.

    For each number of candidates, the least ``nprobe`` or ``efSearch`` that reaches it is found by
    bisection, and the fastest of these pairs is taken. Where none reaches it, the best there is.
    """
    xq = queries.astype(np.float32)
    coded = CodedRows(base, rows, 0, np.empty(0, np.int64), SearchSettings())
    _, truth = exact_search(xq, rows, min(K, len(rows)))
    trial = Trial(coded, xq, truth)
    kind, most = effort_of(base)
    best: SearchSettings | None = None
    least = np.inf
    reached = []
    for number, candidates in enumerate(_CANDIDATES):
        if progress:
            progress("tuning", number, len(_CANDIDATES))
        start = SearchSettings(candidates=min(candidates, len(rows)), k=K, queries=len(xq))
        found = _least_effort(trial, start, kind, most, target)
        reached.append(found)
        if found.recall >= target:
            seconds = trial.seconds(found)
            if best is not None and seconds > 1.5 * least:
                break
            if seconds < least:
                best, least = found, seconds
        if candidates >= len(rows):
            break
    if progress:
        progress("tuning", len(_CANDIDATES), len(_CANDIDATES))
    return best or max(reached, key=lambda one: one.recall)


def effort_of(base: Any) -> tuple[str, int]:
    """Return which setting says how much of *base* is looked at, and the most that makes sense."""
    import faiss

    inverted = faiss.try_extract_index_ivf(base)
    if inverted:
        return "nprobe", int(inverted.nlist)
    index = faiss.downcast_index(base)
    while isinstance(index, faiss.IndexPreTransform | faiss.IndexIDMap):
        index = faiss.downcast_index(index.index)
    if isinstance(index, faiss.IndexHNSW):
        return "ef_search", _MOST_EF
    return "", 1


def _least_effort(
    trial: Trial, settings: SearchSettings, kind: str, most: int, target: float
) -> SearchSettings:
    """Find the least effort that reaches *target*; the most there is if none does."""

    def measured(effort: int) -> SearchSettings:
        tried = _with_effort(settings, kind, effort)
        return replace(tried, recall=trial.recall(tried))

    low, high = 0, 1
    found = measured(high)
    while found.recall < target and high < most:
        low, high = high, min(4 * high, most)
        found = measured(high)
    if found.recall < target or not kind:
        return found
    while high - low > max(1, high // 32):
        middle = (low + high) // 2
        tried = measured(middle)
        if tried.recall >= target:
            high, found = middle, tried
        else:
            low = middle
    return found


def _with_effort(settings: SearchSettings, kind: str, effort: int) -> SearchSettings:
    match kind:
        case "nprobe":
            return replace(settings, nprobe=effort)
        case "ef_search":
            return replace(settings, ef_search=max(effort, settings.candidates))
        case _:
            return settings
