"""The queries that recall is measured with, and the rows it is about, which never have them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from vecsearch.ann.searcher import CodedRows, Searcher
from vecsearch.ann.tuning import judging_queries
from vecsearch.errors import SourceError, UsageError
from vecsearch.evaluation.ground_truth import are_rows, live_rows
from vecsearch.search.index_reader import IndexReader
from vecsearch.store.segments import Segment
from vecsearch.transfer.formats.blocks import as_numbers, is_numbers
from vecsearch.transfer.formats.npy import map_array
from vecsearch.transfer.formats.vectors import read_vectors
from vecsearch.types import Rows, Vectors
from vecsearch.unit_length import lengths_of, unit_length

Origin = Literal["held out", "file", "stored"]

Search = Callable[[Vectors, int], tuple[npt.NDArray[np.float32], Rows]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecallQueries:
    """What recall is measured with, ``xq`` (q, d) of unit length, and what it is about.

    These are ``rows`` live rows of ``segments``, and ``search`` is over exactly these. ``origin``
    is where the queries are from; ``left_out`` more are not used, because the segments have them.
    """

    origin: Origin
    xq: Vectors
    left_out: int
    segments: Sequence[Segment]
    rows: int
    search: Search


def coded_parts(reader: IndexReader) -> list[CodedRows]:
    """Return the parts of the search that are approximate."""
    return [part for part in reader.parts if isinstance(part, CodedRows)]


def recall_queries(
    reader: IndexReader, queries: str | Path | Vectors | None, sample: int
) -> RecallQueries:
    """Choose at most *sample* queries: the user's own, else those held out, else stored vectors.

    Raises UsageError where there are none that can be used.
    """
    coded = coded_parts(reader)
    segments = reader.snapshot.segments
    search: Search = reader.search
    origin: Origin = "stored"
    if queries is not None:
        origin = "file"
        xq = own_queries(queries, reader.snapshot.dim, sample)
    elif coded:
        origin = "held out"
        segments, search = of_bases(reader, coded), Searcher(coded).search
        xq = held_out(reader, coded, sample)
    else:
        xq = stored(reader, sample)
    live = len(live_rows(segments, reader.snapshot.deleted_rows))
    if not live:
        raise UsageError(
            f"{reader.snapshot.folder} has no images that could be found",
            hint="vecsearch build adds them",
        )
    left_out = 0
    if origin != "stored":
        xq, left_out = unknown(xq, reader, segments, queries)
    return RecallQueries(
        origin=origin, xq=xq, left_out=left_out, segments=segments, rows=live, search=search
    )


def own_queries(queries: str | Path | Vectors, dim: int, sample: int) -> Vectors:
    """Load the user's queries, a seeded choice of them; raises UsageError."""
    name = str(queries) if isinstance(queries, str | Path) else "the queries"
    array: npt.NDArray[Any]
    try:
        array = _read(Path(queries)) if isinstance(queries, str | Path) else queries
    except SourceError as error:
        raise UsageError(str(error), hint=f"give vectors of shape (q, {dim})") from None
    if not isinstance(array, np.ndarray):
        raise UsageError(f"{array!r:.100} are no queries", hint=f"give an array (q, {dim})")
    if array.ndim != 2 or array.shape[1] != dim or not is_numbers(array.dtype):
        raise UsageError(
            f"{name} has {array.dtype} of shape {array.shape}",
            hint=f"vectors of shape (q, {dim}) are needed",
        )
    if not len(array):
        raise UsageError(f"{name} has no vectors", hint=f"give some, of shape (q, {dim})")
    with np.errstate(over="ignore"):  # what is too large is refused below
        chosen = np.asarray(array[_choice(len(array), sample)], np.float32)
    lengths = lengths_of(chosen)
    if not (np.isfinite(lengths).all() and lengths.all()):
        raise UsageError(f"{name} has a vector that is zero or not finite", hint="leave it out")
    return chosen


def _read(path: Path) -> npt.NDArray[Any]:
    """Read a file of vectors; a .npy is mapped, for only a choice of it may be used."""
    return as_numbers(map_array(path)) if path.suffix.lower() == ".npy" else read_vectors(path)


def of_bases(reader: IndexReader, coded: Sequence[CodedRows]) -> list[Segment]:
    """Cut the segments of approximate bases down to the rows that these have."""
    counts = {part.rows.start: len(part.rows) for part in coded}
    return [
        replace(
            segment,
            halves=segment.halves[: counts[segment.first_row]],
            checksums=segment.checksums[: counts[segment.first_row]],
        )
        for segment in reader.snapshot.segments
        if segment.first_row in counts
    ]


def held_out(reader: IndexReader, coded: Sequence[CodedRows], sample: int) -> Vectors:
    """Take the judging queries of all approximate bases, without those of images that are gone."""
    ends = {part.rows.start: part.rows.stop for part in coded}
    rows = [
        judging_queries(np.arange(ends[segment.first_row], segment.end_row))
        for segment in reader.snapshot.segments
        if segment.first_row in ends
    ]
    live = np.setdiff1d(np.concatenate(rows), reader.snapshot.deleted_rows, assume_unique=True)
    if not len(live):
        raise UsageError(
            f"{reader.snapshot.folder} has no images held out of its approximate files",
            hint="give vectors of your own with --vectors",
        )
    return reader.gather(live[_choice(len(live), sample)])


def stored(reader: IndexReader, sample: int) -> Vectors:
    """Take some of the index's own vectors."""
    live = live_rows(reader.snapshot.segments, reader.snapshot.deleted_rows)
    return reader.gather(live[_choice(len(live), sample)])


def unknown(
    xq: Vectors,
    reader: IndexReader,
    segments: Sequence[Segment],
    queries: str | Path | Vectors | None,
) -> tuple[Vectors, int]:
    """Return those of *xq* that are in no segment, at unit length, and how many are in one."""
    unit = unit_length(xq)
    known = np.zeros(len(xq), dtype=np.bool_)
    with np.errstate(over="ignore"):  # what is too long for float16 is no row as it is
        forms = xq.astype(np.float16), unit.astype(np.float16)
    for halves in forms:
        known |= are_rows(halves, segments, reader.snapshot.deleted_rows)
    if known.all():
        name = queries if isinstance(queries, str | Path) else "the queries"
        raise UsageError(
            f"all {len(xq)} vectors of {name} are in {reader.snapshot.folder}"
            if queries is not None
            else f"all {len(xq)} images held out of the bases of {reader.snapshot.folder} have "
            "copies in them",
            hint="give vectors with --vectors that it does not have",
        )
    return unit[~known], int(known.sum())


def _choice(count: int, sample: int) -> npt.NDArray[np.int64]:
    """Choose *sample* of *count*, the same every time, in order."""
    return np.sort(np.random.RandomState(0).permutation(count)[:sample])
