"""The command ``eval``: recall against exact search, latency, throughput and memory of an index."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from vecsearch.ann.searcher import CodedRows, Searcher
from vecsearch.ann.settings import SearchSettings
from vecsearch.arguments import checked
from vecsearch.errors import UsageError
from vecsearch.evaluation.confidence import Interval, interval
from vecsearch.evaluation.ground_truth import found_shares, live_rows, true_nearest
from vecsearch.evaluation.recall_queries import (
    Measured,
    held_out,
    of_bases,
    own_queries,
    stored,
    unknown,
)
from vecsearch.search.index import Index, open_index
from vecsearch.search.index_reader import IndexReader
from vecsearch.types import Progress, Vectors

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


@checked
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
    what the approximate bases have, and about nothing else: the truth is over the live rows of
    all these bases, each query is asked of all of them, and the answers are theirs, merged. Its
    own row, the other held-out rows, exact bases and what was added since are in neither.
    The answers to real queries are at least as good, for all else is searched exactly.

    With *queries*, vectors of the user's own, (q, d) of any length, or a ``.npy``, ``.npz`` or
    ``.parquet`` file of them, recall is that of the whole index: all live rows, asked as
    `Index.search` asks them.

    A query that is to the bit a row of what is measured (a second copy of a picture, or a vector
    taken from the index) is left out and counted. At most *sample* queries are used, a seeded
    choice.

    *Latency* is the time of `Index.search` with one vector, the call that users make, in a process
    that has the index open, and warm; *throughput* that of the same call with one vector, and with
    `BATCH` vectors. An exact index is asked with stored vectors; how they find themselves is not
    judged. *Memory* is what this process holds after these, apart from the page cache, and before
    the exact search.

    Raises UsageError for queries that cannot be used, IndexFolderError or a subclass.
    """
    if k < 1:
        raise UsageError(f"k is {k}", hint="ask for at least 1 neighbour")
    if sample < 1:
        raise UsageError(f"the sample is {sample}", hint="ask for at least 1 query")
    with open_index(index) as asked:
        reader = asked.reader()
        coded = [part for part in reader.parts if isinstance(part, CodedRows)]
        if queries is not None:
            origin: Origin = "file"
            measured = Measured(reader.snapshot.segments, reader.search)
            xq = own_queries(queries, reader.snapshot.dim, sample)
        elif coded:
            origin = "held out"
            measured = Measured(of_bases(reader, coded), Searcher(coded).search)
            xq = held_out(reader, coded, sample)
        else:
            origin = "stored"
            measured = Measured(reader.snapshot.segments, reader.search)
            xq = stored(reader, sample)
        live = len(live_rows(measured.segments, reader.snapshot.deleted_rows))
        if not live:
            raise UsageError(
                f"{reader.snapshot.folder} has no images that could be found",
                hint="vecsearch build adds them",
            )
        xq, left_out = (xq, 0) if origin == "stored" else unknown(xq, reader, measured, queries)
        times = _latencies(asked, xq, k, progress)
        batch_rate = len(xq) / _batch_seconds(asked, xq, k, progress)
        memory_bytes = anonymous_bytes()
        shares = np.ones(1)
        if coded:
            shares = _shares(reader, measured, xq, k, progress)
        p50, p95, p99 = (1e3 * np.percentile(times, [50, 95, 99])).tolist()
        return EvaluateReport(
            index=asked.path,
            images=len(reader),
            dim=reader.snapshot.dim,
            k=k,
            queries=len(xq),
            origin=origin,
            left_out=left_out,
            measured_rows=live,
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
                for base in reader.snapshot.bases.values()
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
    reader: IndexReader, measured: Measured, xq: Vectors, k: int, progress: Progress | None
) -> npt.NDArray[np.float64]:
    """Return the share of the truth that is found, for each of *xq*."""
    deleted = reader.snapshot.deleted_rows
    truth = true_nearest(xq, measured.segments, deleted, k, progress)
    # One more than k, as `Index.search` asks for: it is what its answers are cut from.
    found = [
        measured.search(xq[first : first + BATCH], min(k + 1, len(reader)))[1][:, :k]
        for first in range(0, len(xq), BATCH)
    ]
    return found_shares(xq, np.concatenate(found), truth, measured.segments)
