"""Query images -> results: each by itself, a batch at a time, or all as one query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from vecsearch.errors import ImageError, UsageError, VecsearchError
from vecsearch.search.combine import is_zero, rocchio
from vecsearch.search.generations import Generations
from vecsearch.search.hits import HitFinder
from vecsearch.search.index_reader import IndexReader
from vecsearch.search.query_options import QueryOptions
from vecsearch.search.query_vectors import EmbeddedQuery, mean_query, stacked
from vecsearch.search.ranker import Apart
from vecsearch.types import Hit, Progress, QueryImage, Result, Vectors
from vecsearch.unit_length import unit_length

BATCH: Final = 256
"""The number of queries that are answered together, and held as vectors."""

_NAMED: Final = 4
"""Of more pictures in one query, the label names the first and counts the others."""


class QueryRun:
    """Answers query images from one generation of an index."""

    def __init__(
        self,
        generations: Generations,
        reader: IndexReader,
        k: int,
        options: QueryOptions,
        progress: Progress | None,
    ) -> None:
        """Find the images that may be hits; raises NotFoundError if there are none."""
        self._reader, self._embedder, self._options = reader, generations.embedder, options
        self._observer = generations.observer
        self._finder = HitFinder(reader, k, options, observer=self._observer)
        self._progress = progress
        self._done = self._total = 0

    def each(
        self, queries: Sequence[QueryImage], minus: Sequence[QueryImage], *, first: int = 0
    ) -> Iterator[Result]:
        """Answer every query from the *first* on by itself.

        What is wrong with a single one is raised; of several, it is the result of that one.
        """
        unlike = self._begin(queries, minus)
        for batch in self._batches(queries[first:]):
            xq, nothing = self._steered(stacked(batch), unlike)
            errors: dict[int, VecsearchError] = {number: _nothing_left() for number in nothing}
            errors |= {number: one.error for number, one in enumerate(batch) if one.error}
            if errors and len(queries) == 1:
                raise named(batch[0].query_images[0], errors[0])
            good = [number for number in range(len(batch)) if number not in errors]
            apart = [self._apart(batch[number], unlike) for number in good]
            found = self._finder.nearest(xq[good], apart) if good else ()
            hits = dict(zip(good, found, strict=True))
            for number, query in enumerate(batch):
                error = str(errors[number]) if number in errors else ""
                yield self._result(query, unlike, hits.get(number, ()), error)

    def combined(self, queries: Sequence[QueryImage], minus: Sequence[QueryImage]) -> Result:
        """Answer all queries as one; raises what is wrong with any."""
        if self._options.combine == "max":
            return self._by_largest(queries, minus)
        unlike = self._begin(queries, minus)
        query = mean_query(self._sound_batches(queries), self._embedder.dim)
        if is_zero(query.vector):
            raise UsageError(
                "the query pictures cancel out: the mean of their vectors is zero",
                hint="combine them by max",
            )
        xq = self._all_steered(query.vector[None], unlike)
        (hits,) = self._finder.nearest(xq, [self._apart(query, unlike)])
        return self._result(query, unlike, hits)

    def _by_largest(self, queries: Sequence[QueryImage], minus: Sequence[QueryImage]) -> Result:
        """Answer all queries as one, by the largest cosine with any."""
        if 0 < sum(bool(one.word) for one in queries) < len(queries):
            raise UsageError(
                "max does not combine words with pictures: cosines with words are lower, so "
                "words would never count",
                hint="combine them by mean",
            )
        unlike = self._begin(queries, minus)
        batches = list(self._sound_batches(queries))
        query = mean_query(batches, self._embedder.dim)
        xqs = [self._all_steered(stacked(batch), unlike) for batch in batches]
        hits = self._finder.nearest_to_any(xqs, self._apart(query, unlike))
        return self._result(query, unlike, hits)

    def _begin(
        self, queries: Sequence[QueryImage], minus: Sequence[QueryImage]
    ) -> EmbeddedQuery | None:
        """Return what hits should not be like, as one query; raises what is wrong with any."""
        self._done, self._total = 0, len(queries) + len(minus)
        return mean_query(self._sound_batches(minus), self._embedder.dim) if minus else None

    def _batches(self, queries: Sequence[QueryImage]) -> Iterator[list[EmbeddedQuery]]:
        for start in range(0, len(queries), BATCH):
            batch = queries[start : start + BATCH]
            yield self._embedder.embed(
                self._reader, batch, self._finder.prepare, self._step, self._observer
            )

    def _sound_batches(self, queries: Sequence[QueryImage]) -> Iterator[list[EmbeddedQuery]]:
        for batch in self._batches(queries):
            check_embedded(batch)
            yield batch

    def _step(self, count: int) -> None:
        self._done += count
        if self._progress:
            self._progress("embedding", self._done, self._total)

    def _steered(self, xq: Vectors, unlike: EmbeddedQuery | None) -> tuple[Vectors, list[int]]:
        """Lead queries away from *unlike*; return the places where nothing is left, too."""
        if unlike is not None:
            return rocchio(xq, unlike.vector)
        # Vectors that are no mean stay as they are stored, to the bit.
        return (unit_length(xq) if self._options.combine == "mean" else xq), []

    def _all_steered(self, xq: Vectors, unlike: EmbeddedQuery | None) -> Vectors:
        xq, nothing = self._steered(xq, unlike)
        if nothing:
            raise _nothing_left()
        return xq

    def _apart(self, query: EmbeddedQuery, unlike: EmbeddedQuery | None) -> Apart:
        """Return which rows are no hits, of the query's own images and minus ones, or its own."""
        excluded = unlike.image_rows if unlike else frozenset()
        if not self._options.include_self:
            excluded |= query.image_rows
        return Apart(excluded, query.whole_rows)

    def _result(
        self,
        query: EmbeddedQuery,
        unlike: EmbeddedQuery | None,
        hits: tuple[Hit, ...],
        error: str = "",
    ) -> Result:
        plus = query.query_images
        minus = unlike.query_images if unlike else ()
        return Result(
            query=_listed(plus, " + ") + (" - " + _listed(minus, " - ") if minus else ""),
            path=plus[0].path if len(plus) == 1 and not minus else None,
            hits=hits,
            asked=(*plus, *minus),
            error=error,
            expand=self._options.expand,
            rerank=self._options.rerank,
            encoder=self._embedder.encoder,
        )


def check_embedded(batch: Sequence[EmbeddedQuery]) -> None:
    """Raise what is wrong with the first query that has no vector."""
    for one in batch:
        if one.error:
            raise named(one.query_images[0], one.error)


def named(query_image: QueryImage, error: VecsearchError) -> VecsearchError:
    """Say which query an error is about, if it does not say so itself."""
    message = f"query {query_image.query}: {error}"
    if isinstance(error, UsageError):
        return UsageError(message)
    if not isinstance(error, ImageError):
        return error
    hint = "give a picture file, or id:N for a picture of the index"
    if query_image.query.startswith("id:"):
        message = f"query {query_image.query}: {query_image.path}: {error}"
        hint = "without a box it is answered from its stored vector"
    return ImageError(message, hint=hint, path=query_image.path)


def _listed(query_images: Sequence[QueryImage], sign: str) -> str:
    names = [one.query for one in query_images[:_NAMED]]
    if len(query_images) > len(names):
        names.append(f"{len(query_images) - len(names)} more")
    return sign.join(names)


def _nothing_left() -> UsageError:
    return UsageError(
        "the pictures to be like and those to be unlike are the same",
        hint="change one of the two",
    )
