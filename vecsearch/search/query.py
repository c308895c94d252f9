"""Questions -> results: each by itself, a chunk at a time, or all as one query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from vecsearch.errors import ImageError, UsageError, VecsearchError
from vecsearch.search.combine import is_zero, rocchio, unit
from vecsearch.search.hits import Candidates
from vecsearch.search.index_reader import IndexReader
from vecsearch.search.query_options import QueryOptions
from vecsearch.search.query_vectors import Embedded, Embedder
from vecsearch.search.ranker import Apart
from vecsearch.search.resolve import Meant
from vecsearch.types import Hit, Progress, QueryImage, Result, Vectors

CHUNK: Final = 256
"""So many questions are answered together; no more of them are held as vectors."""

_NAMED: Final = 4
"""Of more pictures in one query, the label names the first and counts the others."""


@dataclass(frozen=True, slots=True)
class _Minus:
    """What hits should not be like: pictures, the mean of their vectors (d,), rows of the index."""

    meant: Sequence[Meant]
    vector: Vectors
    rows: frozenset[int]


class Answers:
    """The way from questions to results, by one generation of an index."""

    def __init__(
        self,
        opened: IndexReader,
        embedder: Embedder,
        k: int,
        options: QueryOptions,
        progress: Progress | None,
    ) -> None:
        """Find the images that may be hits; raises NotFoundError if there are none."""
        self._opened, self._embedder, self._options = opened, embedder, options
        self._candidates = Candidates(opened, k, options)
        self._progress = progress
        self._done = self._total = 0

    def each(
        self, questions: Sequence[QueryImage], minus: Sequence[QueryImage], *, first: int = 0
    ) -> Iterator[Result]:
        """Answer every question from the *first* on by itself.

        What is wrong with a single one is raised; of several, it is the result of that one.
        """
        unlike = self._begin(questions, minus)
        for embedded in self._chunks(questions[first:]):
            xq, nothing = self._steered(embedded.vectors, unlike)
            refused = {number: _nothing_left() for number in nothing} | embedded.refused
            if refused and len(questions) == 1:
                raise named(embedded.meant[0].asked, refused[0])
            good = [number for number in range(len(xq)) if number not in refused]
            apart = [self._apart([embedded.meant[number]], unlike) for number in good]
            found = self._candidates.nearest(xq[good], apart) if good else ()
            hits = dict(zip(good, found, strict=True))
            for number, meant in enumerate(embedded.meant):
                error = str(refused[number]) if number in refused else ""
                yield self._result([meant], unlike, hits.get(number, ()), error)

    def combined(self, questions: Sequence[QueryImage], minus: Sequence[QueryImage]) -> Result:
        """Answer all questions as one; raises what is wrong with any."""
        largest = self._options.combine == "max"
        if largest and 0 < sum(bool(one.word) for one in questions) < len(questions):
            raise UsageError(
                "max does not combine words with pictures: cosines with words are lower, so "
                "words would never count",
                hint="combine them by mean",
            )
        unlike = self._begin(questions, minus)
        meant: list[Meant] = []
        vectors: list[Vectors] = []
        total = np.zeros(self._embedder.dim, np.float64)
        for embedded in self._sound_chunks(questions):
            meant += embedded.meant
            if largest:
                vectors.append(embedded.vectors)
            else:
                total += embedded.vectors.sum(axis=0, dtype=np.float64)
        if not largest:
            mean = np.asarray(total / len(meant), np.float32)
            if is_zero(mean):
                raise UsageError(
                    "the query pictures cancel out: the mean of their vectors is zero",
                    hint="combine them by max",
                )
            vectors = [mean[None]]
        steered = []
        for part in vectors:
            xq, nothing = self._steered(part, unlike)
            if nothing:
                raise _nothing_left()
            steered.append(xq)
        apart = self._apart(meant, unlike)
        if largest:
            hits = self._candidates.nearest_to_any(steered, apart)
        else:
            (hits,) = self._candidates.nearest(steered[0], [apart])
        return self._result(meant, unlike, hits)

    def _begin(self, questions: Sequence[QueryImage], minus: Sequence[QueryImage]) -> _Minus | None:
        """Take up the pictures that hits should not be like; raises what is wrong with any."""
        self._done, self._total = 0, len(questions) + len(minus)
        if not minus:
            return None
        meant: list[Meant] = []
        total = np.zeros(self._embedder.dim, np.float64)
        for embedded in self._sound_chunks(minus):
            meant += embedded.meant
            total += embedded.vectors.sum(axis=0, dtype=np.float64)
        rows = frozenset(one.image.row for one in meant if one.image)
        return _Minus(meant, np.asarray(total / len(meant), np.float32), rows)

    def _chunks(self, questions: Sequence[QueryImage]) -> Iterator[Embedded]:
        for start in range(0, len(questions), CHUNK):
            chunk = questions[start : start + CHUNK]
            yield self._embedder.embed(self._opened, chunk, self._candidates.prepare, self._step)

    def _sound_chunks(self, questions: Sequence[QueryImage]) -> Iterator[Embedded]:
        for embedded in self._chunks(questions):
            for number, error in sorted(embedded.refused.items()):
                raise named(embedded.meant[number].asked, error)
            yield embedded

    def _step(self, count: int) -> None:
        self._done += count
        if self._progress:
            self._progress("embedding", self._done, self._total)

    def _steered(self, vectors: Vectors, unlike: _Minus | None) -> tuple[Vectors, list[int]]:
        """Lead queries away from the minus pictures; give the places where nothing is left."""
        # Without any, vectors stay as they are stored, to the bit.
        single = self._options.combine != "mean"
        if unlike is None:
            return vectors if single else unit(vectors), []
        return rocchio(vectors, unlike.vector)

    def _apart(self, meant: Sequence[Meant], unlike: _Minus | None) -> Apart:
        """Return which rows are no hits, of the query's own pictures and minus ones, or its own."""
        own = frozenset(one.row for one in meant if one.row is not None)
        excluded = unlike.rows if unlike else frozenset()
        if not self._options.include_self:
            excluded |= {one.image.row for one in meant if one.image}
        return Apart(excluded, own)

    def _result(
        self, meant: Sequence[Meant], unlike: _Minus | None, hits: tuple[Hit, ...], error: str = ""
    ) -> Result:
        pictures = [one.asked for one in meant]
        minus = [one.asked for one in unlike.meant] if unlike else []
        path = pictures[0].path if len(pictures) == 1 and not minus else None
        label = _listed(pictures, " + ") + (" - " + _listed(minus, " - ") if minus else "")
        options = self._options
        asked = (*pictures, *minus)
        made = options.expand, options.rerank, self._embedder.encoder
        return Result(label, path, hits, asked, error, *made)


def _listed(pictures: Sequence[QueryImage], sign: str) -> str:
    named = [picture.query for picture in pictures[:_NAMED]]
    if len(pictures) > len(named):
        named.append(f"{len(pictures) - len(named)} more")
    return sign.join(named)


def named(asked: QueryImage, error: VecsearchError) -> VecsearchError:
    """Say which query an error is about, if it does not say so itself."""
    message = f"query {asked.query}: {error}"
    if isinstance(error, UsageError):
        return UsageError(message)
    if not isinstance(error, ImageError):
        return error
    hint = "give a picture file, or id:N for a picture of the index"
    if asked.query.startswith("id:"):
        message = f"query {asked.query}: {asked.path}: {error}"
        hint = "without a box it is answered from its stored vector"
    return ImageError(message, hint=hint, path=asked.path)


def _nothing_left() -> UsageError:
    return UsageError(
        "the pictures to be like and those to be unlike are the same",
        hint="change one of the two",
    )
