"""The command ``eval``: recall against exact search, latency, throughput and memory of an index."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from vecsearch.ann.recall import Shares
from vecsearch.ann.settings import SearchSettings
from vecsearch.arguments import checked
from vecsearch.cluster.open_index import open_index
from vecsearch.errors import UsageError
from vecsearch.evaluation.confidence import Interval, interval
from vecsearch.evaluation.ground_truth import found_shares, true_nearest
from vecsearch.evaluation.recall_queries import (
    Origin,
    RecallQueries,
    coded_parts,
    recall_queries,
)
from vecsearch.evaluation.speed import BATCH, Speed, speed_of
from vecsearch.search.index_reader import IndexReader
from vecsearch.types import Progress, Vectors

K: Final = 10
SAMPLE: Final = 1000
"""The default limit of queries."""


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
    all these bases, each query searches all of them, and the answers are theirs, merged. Its
    own row, the other held-out rows, exact bases and what was added since are in neither.
    The answers to real queries are at least as good, for all else is searched exactly.

    With *queries*, vectors of the user's own, (q, d) of any length, or a ``.npy``, ``.npz`` or
    ``.parquet`` file of them, recall is that of the whole index: all live rows, searched as
    `Index.search` does.

    A query that is to the bit a row of what is measured (a second copy of a picture, or a vector
    taken from the index) is left out and counted. At most *sample* queries are used, a seeded
    choice.

    *Latency* is the time of `Index.search` with one vector, the call that users make, in a process
    that has the index open, and warm; *throughput* that of the same call with one vector, and with
    `BATCH` vectors. The queries of an exact index are stored vectors; that they find themselves is
    not judged. *Memory* is what this process holds after these, apart from the page cache, and
    before the exact search.

    Raises UsageError for queries that cannot be used, IndexFolderError or a subclass.
    """
    if k < 1:
        raise UsageError(f"k is {k}", hint="ask for at least 1 neighbour")
    if sample < 1:
        raise UsageError(f"the sample is {sample}", hint="ask for at least 1 query")
    with open_index(index) as opened:
        reader = opened.reader()
        measured = recall_queries(reader, queries, sample)
        speed = speed_of(opened, measured.xq, k, progress)
        exact = not coded_parts(reader)
        shares = None if exact else _shares(reader, measured, k, progress)
        return _report(reader, k, measured, speed, shares)


def _report(
    reader: IndexReader, k: int, measured: RecallQueries, speed: Speed, shares: Shares | None
) -> EvaluateReport:
    """Sum up what was measured; without *shares* the search is exact."""
    return EvaluateReport(
        index=reader.snapshot.folder,
        images=len(reader),
        dim=reader.snapshot.dim,
        k=k,
        queries=len(measured.xq),
        origin=measured.origin,
        left_out=measured.left_out,
        measured_rows=measured.rows,
        exact=shares is None,
        recall=1.0 if shares is None else float(shares.mean()),
        interval=Interval(1.0, 1.0, "none") if shares is None else interval(shares),
        p50_ms=speed.p50_ms,
        p95_ms=speed.p95_ms,
        p99_ms=speed.p99_ms,
        single_rate=speed.single_rate,
        batch_rate=speed.batch_rate,
        memory_bytes=speed.memory_bytes,
        bases=tuple(
            BaseFacts(
                recipe=base.recipe,
                rows=base.row_count,
                settings=SearchSettings.from_json(base.search),
            )
            for base in reader.snapshot.bases.values()
        ),
    )


def _shares(
    reader: IndexReader, measured: RecallQueries, k: int, progress: Progress | None
) -> Shares:
    """Return the share of the truth that is found, for each query."""
    xq, deleted = measured.xq, reader.snapshot.deleted_rows
    truth = true_nearest(xq, measured.segments, deleted, k, progress)
    # One more than k, as `Index.search` asks for: it is what its answers are cut from.
    found = [
        measured.search(xq[first : first + BATCH], min(k + 1, len(reader)))[1][:, :k]
        for first in range(0, len(xq), BATCH)
    ]
    return found_shares(xq, np.concatenate(found), truth, measured.segments)
