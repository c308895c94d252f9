"""The command ``eval``: recall against exact search, latency, throughput and memory of an index."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from vecsearch.errors import UsageError
from vecsearch.index.search import CodedRows, Searcher
from vecsearch.index.settings import SearchSettings
from vecsearch.index.tune import judging_queries
from vecsearch.search.index import Index, open_index
from vecsearch.search.opened import Opened
from vecsearch.search.recall import (
    Interval,
    are_rows,
    found_shares,
    interval,
    living_rows,
    true_nearest,
)
from vecsearch.store.segments import Segment
from vecsearch.types import Progress, Rows, Vectors

K: Final = 10
SAMPLE: Final = 1000
"""So many queries at most, unless more are asked for."""

BATCH: Final = 256
_WARMING: Final = 3

Origin = Literal["held out", "file", "stored"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseFacts:
    """A FAISS base: its factory string, how many rows it has, how it is searched."""

    recipe: str
    rows: int
    settings: SearchSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateReport:
    """What was measured, over ``queries`` vectors; see `evaluate` for what each figure is of.

    ``origin`` is where the queries are from: ``held out`` of the bases, the user's ``file``, or
    ``stored`` vectors. ``left_out`` more were not used, because what is measured has them.
    ``measured_rows`` is how many rows ``recall`` is about, ``interval`` its 95% interval, over
    queries. ``single_rate`` and ``batch_rate`` are queries a second. ``memory_bytes`` is None
    where the system does not tell.
    """

    index: Path
    images: int
    dim: int
    k: int
    queries: int
    origin: Origin
    left_out: int
    measured_rows: int
    exact: bool
    recall: float
    interval: Interval
    p50_ms: float
    p95_ms: float
    p99_ms: float
    single_rate: float
    batch_rate: float
    memory_bytes: int | None
    bases: tuple[BaseFacts, ...]


@dataclass(frozen=True, slots=True)
class _Measured:
    """What recall is about: rows, and the search over exactly these."""

    segments: Sequence[Segment]
    search: Callable[[Vectors, int], tuple[npt.NDArray[np.float32], Rows]]


def evaluate(
    index: str | Path | None = None,
    *,
    k: int = K,
    queries: str | Path | Vectors | None = None,
    sample: int = SAMPLE,
    progress: Progress | None = None,
) -> EvaluateReport:
    """Measure how good and how fast the answers of *index* are; nothing is written.

    *Recall@k* is the mean share of a query's *k* true nearest rows that are found, the truth being
    exact search. Where every vector is compared, it is 1 by construction and not measured.

    Without *queries*, they are the judging half of the images held out of approximate bases: no
    base has them, and none was tuned with them. But they are images of the index, found by the
    exact search of what the bases lack, so counting them would flatter. Recall is therefore about
    what the approximate bases have, and about nothing else: the truth is over the living rows of
    all these bases, each query is asked of all of them, and the answers are theirs, merged. Its
    own row, the other held-out rows, exact bases and what was added since are in neither.
    The answers to real queries are at least as good, for all else is searched exactly.

    With *queries*, vectors of the user's own, (q, d) of any length, or a ``.npy`` file of them,
    recall is that of the whole index: all living rows, asked as `Index.search` asks them.

    A query that is to the bit a row of what is measured (a second copy of a picture, or a vector
    taken from the index) is left out and counted. At most *sample* queries are used, a seeded
    choice.

    *Latency* is the time of `Index.search` with one vector, the call that users make, in a process
    that has the index open, and warm; *throughput* that of the same call with one vector, and with
    `BATCH` vectors. An exact index is asked with stored vectors; how they find themselves is not
    judged. *Memory* is what this process holds after these, apart from the page cache, and before
    the exact search.

    Raises UsageError for queries that cannot be used, IndexFolderError and its kin.
    """
    if k < 1:
        raise UsageError(f"k is {k}", hint="ask for at least 1 neighbour")
    if sample < 1:
        raise UsageError(f"the sample is {sample}", hint="ask for at least 1 query")
    with open_index(index) as asked:
        opened = asked.opened()
        coded = [part for part in opened.parts if isinstance(part, CodedRows)]
        if queries is not None:
            origin: Origin = "file"
            measured = _Measured(opened.snapshot.segments, opened.search)
            xq = _own_queries(queries, opened.snapshot.dim, sample)
        elif coded:
            origin = "held out"
            measured = _Measured(_of_bases(opened, coded), Searcher(coded).search)
            xq = _held_out(opened, coded, sample)
        else:
            origin = "stored"
            measured = _Measured(opened.snapshot.segments, opened.search)
            xq = _stored(opened, sample)
        living = len(living_rows(measured.segments, opened.snapshot.dead_rows))
        if not living:
            raise UsageError(
                f"{opened.snapshot.folder} has no images that could be found",
                hint="vecsearch build takes them in",
            )
        xq, left_out = (xq, 0) if origin == "stored" else _unknown(xq, opened, measured, queries)
        times = _latencies(asked, xq, k, progress)
        batch_rate = len(xq) / _batch_seconds(asked, xq, k, progress)
        memory_bytes = anonymous_bytes()
        shares = np.ones(1)
        if coded:
            shares = _shares(opened, measured, xq, k, progress)
        p50, p95, p99 = (1e3 * np.percentile(times, [50, 95, 99])).tolist()
        return EvaluateReport(
            index=asked.path,
            images=len(opened),
            dim=opened.snapshot.dim,
            k=k,
            queries=len(xq),
            origin=origin,
            left_out=left_out,
            measured_rows=living,
            exact=not coded,
            recall=float(shares.mean()),
            interval=interval(shares) if coded else Interval(1.0, 1.0, "none"),
            p50_ms=p50,
            p95_ms=p95,
            p99_ms=p99,
            single_rate=len(xq) / sum(times),
            batch_rate=batch_rate,
            memory_bytes=memory_bytes,
            bases=tuple(
                BaseFacts(
                    recipe=base.recipe,
                    rows=base.row_count,
                    settings=SearchSettings.from_json(base.search),
                )
                for base in opened.snapshot.bases.values()
            ),
        )


def anonymous_bytes() -> int | None:
    """Tell the memory of this process without the files it has mapped; None if none says so."""
    try:
        with Path("/proc/self/status").open() as file:
            for line in file:
                if line.startswith("RssAnon:"):
                    return 1024 * int(line.split()[1])
    except OSError:
        pass
    return None


def _own_queries(queries: str | Path | Vectors, dim: int, sample: int) -> Vectors:
    """Load the user's queries, a seeded choice of them; raises UsageError."""
    name = "the queries"
    if isinstance(queries, str | Path):
        name = str(queries)
        try:
            loaded = np.load(queries, mmap_mode="r", allow_pickle=False)
        except OSError as error:
            raise UsageError(
                f"{name} cannot be read: {error.strerror or error}",
                hint=f"give a .npy file of shape (q, {dim})",
            ) from None
        except (ValueError, EOFError):
            loaded = None
        if not isinstance(loaded, np.ndarray):
            raise UsageError(
                f"{name} is not an array file of numpy", hint="save one with numpy.save"
            )
        queries = loaded
    if (
        queries.ndim != 2
        or queries.shape[1] != dim
        or not np.issubdtype(queries.dtype, np.floating)
    ):
        raise UsageError(
            f"{name} has {queries.dtype} of shape {queries.shape}",
            hint=f"float vectors of shape (q, {dim}) are needed",
        )
    if not len(queries):
        raise UsageError(f"{name} has no vectors", hint=f"give some, of shape (q, {dim})")
    chosen = np.asarray(queries[_choice(len(queries), sample)], np.float32)
    lengths = np.linalg.norm(chosen, axis=1)
    if not (np.isfinite(lengths).all() and lengths.all()):
        raise UsageError(f"{name} has a vector that is zero or not finite", hint="leave it out")
    return chosen


def _of_bases(opened: Opened, coded: Sequence[CodedRows]) -> list[Segment]:
    """Cut the segments of approximate bases down to the rows that these have."""
    counts = {part.rows.start: len(part.rows) for part in coded}
    return [
        replace(
            segment,
            halves=segment.halves[: counts[segment.first_row]],
            checksums=segment.checksums[: counts[segment.first_row]],
        )
        for segment in opened.snapshot.segments
        if segment.first_row in counts
    ]


def _held_out(opened: Opened, coded: Sequence[CodedRows], sample: int) -> Vectors:
    """Take the judging queries of all approximate bases, without those of images that are gone."""
    ends = {part.rows.start: part.rows.stop for part in coded}
    rows = [
        judging_queries(np.arange(ends[segment.first_row], segment.end_row))
        for segment in opened.snapshot.segments
        if segment.first_row in ends
    ]
    living = np.setdiff1d(np.concatenate(rows), opened.snapshot.dead_rows, assume_unique=True)
    if not len(living):
        raise UsageError(
            f"{opened.snapshot.folder} has no images held out of its approximate bases",
            hint="give vectors of your own with --queries",
        )
    return opened.gather(living[_choice(len(living), sample)])


def _stored(opened: Opened, sample: int) -> Vectors:
    living = living_rows(opened.snapshot.segments, opened.snapshot.dead_rows)
    return opened.gather(living[_choice(len(living), sample)])


def _unknown(
    xq: Vectors, opened: Opened, measured: _Measured, queries: str | Path | Vectors | None
) -> tuple[Vectors, int]:
    """Give the *xq* that are not in what is measured, at unit length, and how many are."""
    unit = xq / np.linalg.norm(xq, axis=1, keepdims=True)
    known = np.zeros(len(xq), dtype=np.bool_)
    for halves in (xq.astype(np.float16), unit.astype(np.float16)):
        known |= are_rows(halves, measured.segments, opened.snapshot.dead_rows)
    if known.all():
        name = queries if isinstance(queries, str | Path) else "the queries"
        raise UsageError(
            f"all {len(xq)} vectors of {name} are in {opened.snapshot.folder}"
            if queries is not None
            else f"all {len(xq)} images held out of the bases of {opened.snapshot.folder} have "
            "copies in them",
            hint="give vectors with --queries that it does not have",
        )
    return unit[~known], int(known.sum())


def _latencies(asked: Index, xq: Vectors, k: int, progress: Progress | None) -> list[float]:
    """Time each of *xq* by itself, in seconds, after some that open what is opened lazily."""
    for query in xq[:_WARMING]:
        asked.search(query[None], k=k)
    times = []
    for number, query in enumerate(xq):
        if progress:
            progress("one query at a time", number, len(xq))
        start = time.perf_counter()
        asked.search(query[None], k=k)
        times.append(time.perf_counter() - start)
    if progress:
        progress("one query at a time", len(xq), len(xq))
    return times


def _batch_seconds(asked: Index, xq: Vectors, k: int, progress: Progress | None) -> float:
    """Time all of *xq* in batches."""
    seconds = 0.0
    for first in range(0, len(xq), BATCH):
        if progress:
            progress("in batches", first, len(xq))
        start = time.perf_counter()
        asked.search(xq[first : first + BATCH], k=k)
        seconds += time.perf_counter() - start
    if progress:
        progress("in batches", len(xq), len(xq))
    return seconds


def _shares(
    opened: Opened, measured: _Measured, xq: Vectors, k: int, progress: Progress | None
) -> npt.NDArray[np.float64]:
    """Give the share of the truth that is found, for each of *xq*."""
    dead = opened.snapshot.dead_rows
    truth = true_nearest(xq, measured.segments, dead, k, progress)
    # One more than k, as `Index.search` asks for: it is what its answers are cut from.
    found = [
        measured.search(xq[first : first + BATCH], min(k + 1, len(opened)))[1][:, :k]
        for first in range(0, len(xq), BATCH)
    ]
    return found_shares(xq, np.concatenate(found), truth, measured.segments)


def _choice(count: int, sample: int) -> npt.NDArray[np.int64]:
    """Choose *sample* of *count*, the same every time, in order."""
    return np.sort(np.random.RandomState(0).permutation(count)[:sample])
