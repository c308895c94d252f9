"""A query over HTTP: in so many requests as it takes, with the errors that it has here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from vecsearch.errors import VecsearchError
from vecsearch.search.query_options import QueryOptions
from vecsearch.server import received
from vecsearch.server.asking import Asked, Asker, query_fields, retold, told_as_given
from vecsearch.server.channel import Channel, GoneError
from vecsearch.server.request_limits import MOST_HITS, MOST_HITS_TOGETHER, MOST_QUERIES
from vecsearch.types import QueryImage, Result

_SENDINGS: Final = 3
"""How often pictures are sent that the server does not keep until they are asked with."""


class RemoteQueryRun:
    """Asks with query images for one index of a server."""

    def __init__(
        self,
        channel: Channel,
        address: str,
        asker: Asker,
        k: int,
        options: QueryOptions,
        *,
        page: int = MOST_HITS,
    ) -> None:
        """Ask for *k* hits, at most a *page* at a time; boxes are those of the query images."""
        self._channel, self._address, self._asker = channel, address, asker
        self._k, self._options, self._page = k, options, page

    def batches(self, given: Sequence[QueryImage]) -> Iterator[list[Asked]]:
        """Find out what queries are, as many at a time as are asked together."""
        if self._options.combine is None:
            yield from self._asker.batches(given, at_once(self._k))
        elif given:
            yield self._asker.all(given)

    def answered(
        self, asked: Sequence[Asked], minus: Sequence[QueryImage], *, alone: bool
    ) -> Sequence[Result]:
        """Answer a batch; what is wrong with a query that is *alone* is raised."""
        unlike = self._asker.all(minus)
        for sending in range(1, _SENDINGS + 1):
            try:
                return self._in_pages(asked, unlike, alone=alone)
            except GoneError:
                if sending == _SENDINGS:
                    raise
                asked = self._asker.all([one.given for one in asked])
                unlike = self._asker.all(minus)
        raise AssertionError

    def _in_pages(
        self, asked: Sequence[Asked], unlike: Sequence[Asked], *, alone: bool
    ) -> list[Result]:
        """Ask for all hits, in several requests where they are too many for one."""
        found: list[Result] = []
        for start in range(0, self._k, self._page):
            part = replace(self._options, offset=self._options.offset + start)
            most = min(self._k - start, self._page)
            results = self._ask(asked, unlike, part, most, alone=alone)
            if start:
                pairs = zip(found, results, strict=True)
                results = [replace(one, hits=one.hits + more.hits) for one, more in pairs]
            found = results
            if all(len(one.hits) < start + self._page for one in found):
                break
        return found

    def _ask(
        self,
        asked: Sequence[Asked],
        unlike: Sequence[Asked],
        options: QueryOptions,
        k: int,
        *,
        alone: bool,
    ) -> list[Result]:
        messages = [one.message for one in asked]
        if len(messages) == 1 and not (alone or options.combine):
            messages *= 2  # what is wrong with a single one would be raised
        body = query_fields(options, k, imported=self._asker.imported)
        body |= {"queries": messages, "minus": [one.message for one in unlike]}
        try:
            with told_as_given(options.filter):
                answer = self._channel.post(f"{self._address}/query", body)
        except GoneError:
            raise
        except VecsearchError as error:
            raise retold(error, [*unlike, *asked]) from None
        others = [one.given for one in unlike]
        made_of = [[one.given, *others] for one in asked]
        if options.combine:
            made_of = [[*(one.given for one in asked), *others]]
        results = [
            received.to_result(one, answer["encoder"], own)
            for one, own in zip(answer["results"], made_of, strict=False)
        ]
        if options.combine:
            return results
        return [
            replace(result, error=str(one.error)) if result.error and one.error else result
            for result, one in zip(results, asked, strict=True)
        ]


def at_once(k: int) -> int:
    """Return how many queries for *k* hits a request may have."""
    return max(1, min(MOST_QUERIES, MOST_HITS_TOGETHER // min(k, MOST_HITS)))
