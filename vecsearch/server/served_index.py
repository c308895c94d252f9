"""An index that is served: what is asked of it, gathered and answered on threads of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vecsearch.errors import VecsearchError
from vecsearch.search.query_options import QueryOptions
from vecsearch.server.changes import Change, run_changes
from vecsearch.server.lane import Lane
from vecsearch.server.request_limits import MOST_HITS_TOGETHER
from vecsearch.types import Result, Vectors

if TYPE_CHECKING:
    from vecsearch.search.query_image import Query
    from vecsearch.search.queryable import Queryable

_MOST_CHANGES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryJob:
    """Queries with their options. ``key`` is equal where these are; None for what goes alone."""

    queries: Sequence[Query]
    k: int
    options: QueryOptions
    key: object = None

    @property
    def weight(self) -> int:
        """How many hits it may have."""
        return self.k * len(self.queries)


class ServedIndex:
    """An open index by its name, which ``has_edits`` if it may be changed.

    Pictures may be added to the folder ``additions``, if it has one. Queries for what the index has
    do not wait for those for new pictures, which take longer.
    """

    def __init__(
        self,
        name: str,
        index: Queryable,
        *,
        wait_s: float = 0.0,
        has_edits: bool = False,
        additions: Path | None = None,
        told: Callable[[str, int], object] = lambda lane, count: None,
    ) -> None:
        """Start the lanes; how many requests each answers together, is *told*."""
        info = index.info()
        self.name, self.index, self.encoder = name, index, info.encoder
        self.has_words = info.words > 0
        self.has_edits, self.additions = has_edits, additions

        def queries(lane: str) -> Lane[QueryJob, list[Result]]:
            return Lane(
                f"{name} {lane}",
                self._answer,
                most=MOST_HITS_TOGETHER,
                weigh=lambda job: job.weight,
                wait_s=wait_s,
                told=partial(told, lane),
            )

        self.stored, self.pictures = queries("stored"), queries("pictures")
        self.changes: Lane[Change, object] = Lane(
            f"{name} changes", run_changes, most=_MOST_CHANGES
        )
        """EditOptions, one after the other; those that want the same are done by one."""

    @property
    def can_embed(self) -> bool:
        """Return whether it takes pictures that it does not have."""
        return self.encoder.is_current and not self.encoder.is_external

    def search(self, vectors: Vectors, k: int, options: QueryOptions) -> list[Result]:
        """Find the *k* images nearest to each of *vectors*, (q, d)."""
        return self.index.search(vectors, k=k, options=options)

    def close(self) -> None:
        """Answer what waits, and close the index."""
        self.stored.close()
        self.pictures.close()
        self.changes.close()
        self.index.close()

    def _answer(self, jobs: Sequence[QueryJob]) -> list[list[Result] | BaseException]:
        """Answer jobs, those of one key by one call."""
        groups: dict[object, list[int]] = {}
        for number, job in enumerate(jobs):
            groups.setdefault(object() if job.key is None else job.key, []).append(number)
        answers: dict[int, list[Result] | BaseException] = {}
        for numbers in groups.values():
            found = self._answer_together([jobs[number] for number in numbers])
            answers.update(zip(numbers, found, strict=True))
        return [answers[number] for number in range(len(jobs))]

    def _answer_together(self, jobs: Sequence[QueryJob]) -> list[list[Result] | BaseException]:
        if len(jobs) == 1:
            return [self._answer_alone(jobs[0])]
        queries = [query for job in jobs for query in job.queries]
        try:
            results = iter(self.index.query(queries, k=jobs[0].k, options=jobs[0].options))
        except VecsearchError as error:  # what concerns all
            return [error] * len(jobs)
        answers: list[list[Result] | BaseException] = []
        for job in jobs:
            own = [next(results) for _ in job.queries]
            # A single query that has no answer is asked again alone, which raises the reason.
            answers.append(self._answer_alone(job) if len(own) == 1 and own[0].error else own)
        return answers

    def _answer_alone(self, job: QueryJob) -> list[Result] | BaseException:
        try:
            return self.index.query(job.queries, k=job.k, options=job.options)
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            return error
