"""Endpoints: which indexes there are, what is in them, and their words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from importlib.metadata import version
from itertools import islice
from typing import Final

from starlette.responses import Response, StreamingResponse

from vecsearch.search.list import ListOptions
from vecsearch.search.query_options import check_k
from vecsearch.server import messages
from vecsearch.server.conversions import (
    to_description,
    to_facts,
    to_listed,
    to_message,
    to_options,
    to_record,
)
from vecsearch.server.endpoint import Call, Endpoint
from vecsearch.server.problems import encode

LINES: Final = "application/jsonl"


async def _indexes(call: Call) -> messages.Indexes:
    def facts() -> tuple[messages.IndexFacts, ...]:
        return tuple(map(to_facts, call.state.indexes.values()))

    found = await call.state.in_thread(facts)
    return messages.Indexes(version=version("vecsearch"), indexes=found)


async def _describe(call: Call) -> messages.IndexDescription:
    info = await call.state.in_thread(call.served.index.info)
    return to_description(call.served, info)


async def _info(call: Call) -> messages.IndexRecord:
    return to_record(await call.state.in_thread(call.served.index.info))


def _list_options(
    given: messages.SortParameters, limit: int | None, offset: int = 0
) -> ListOptions:
    return ListOptions(
        under=given.under,
        glob=given.glob,
        since=given.since,
        until=given.until,
        sort=given.sort,
        reverse=given.reverse,
        limit=limit,
        offset=offset,
        words=given.words,
        dates=given.dates,
    )


async def _list(call: Call) -> messages.Listing:
    given: messages.ListParameters = call.parameters
    options = _list_options(given, given.limit + 1, given.after)

    def read() -> list[messages.ListedImage]:
        return [to_listed(one) for one in call.served.index.list_images(options)]

    found = await call.state.in_thread(read)
    more = len(found) > given.limit
    return messages.Listing(
        images=tuple(found[: given.limit]), next=given.after + given.limit if more else None
    )


async def _words(call: Call) -> messages.Words:
    given: messages.WordParameters = call.parameters
    found = await call.state.in_thread(call.served.index.words, given.prefix, count=given.count)
    words = tuple(messages.Word(word=one.word, images=one.images) for one in found)
    return messages.Words(words=words)


async def _recommend(call: Call) -> Response:
    given: messages.QueryParameters = call.parameters
    check_k(given.k)
    options = to_options(given)
    options.check_no_pictures()

    def results() -> Iterator[messages.Result]:
        return map(to_message, call.served.index.recommend(k=given.k, options=options))

    return await _lines(call, results)


async def _list_lines(call: Call) -> Response:
    given: messages.LineParameters = call.parameters
    options = _list_options(given, given.limit)

    def images() -> Iterator[messages.ListedImage]:
        return map(to_listed, call.served.index.list_images(options))

    return await _lines(call, images)


async def _lines(call: Call, make: Callable[[], Iterator[messages.Answer]]) -> Response:
    """Send each message as a line, as they come; what is wrong with the first is told as such."""

    def parts() -> Iterator[bytes]:
        made = make()
        while part := list(islice(made, 64)):
            yield b"".join(encode(one) + b"\n" for one in part)

    made = parts()
    first = await call.state.in_thread(lambda: next(made, b""))

    async def send() -> AsyncIterator[bytes]:
        part = first
        while part:
            yield part
            part = await call.state.in_thread(lambda: next(made, b""))

    return StreamingResponse(send(), media_type=LINES, headers={"Cache-Control": "no-store"})


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/indexes",
        kind="indexes",
        summary="List the indexes.",
        handler=_indexes,
        answer=messages.Indexes,
    ),
    Endpoint(
        method="GET",
        path="/indexes/{index}",
        kind="describe",
        summary="Describe an index in figures.",
        handler=_describe,
        answer=messages.IndexDescription,
        errors=(404,),
    ),
    Endpoint(
        method="GET",
        path="/indexes/{index}/info",
        kind="info",
        summary="Tell all that an index says of itself.",
        handler=_info,
        answer=messages.IndexRecord,
        errors=(404,),
    ),
    Endpoint(
        method="GET",
        path="/indexes/{index}/list",
        kind="list_lines",
        summary="List images: a line of JSON each.",
        handler=_list_lines,
        parameters=messages.LineParameters,
        answer=LINES,
        errors=(404,),
    ),
    Endpoint(
        method="GET",
        path="/indexes/{index}/images",
        kind="list",
        summary="List images, some at a time.",
        handler=_list,
        parameters=messages.ListParameters,
        answer=messages.Listing,
        errors=(404,),
    ),
    Endpoint(
        method="GET",
        path="/indexes/{index}/words",
        kind="words",
        summary="List the words that an index can be asked with.",
        handler=_words,
        parameters=messages.WordParameters,
        answer=messages.Words,
        errors=(404,),
    ),
    Endpoint(
        method="GET",
        path="/indexes/{index}/recommend",
        kind="recommend",
        summary="For every image, find its most similar others: a line of JSON each, by id.",
        handler=_recommend,
        parameters=messages.QueryParameters,
        answer=LINES,
        errors=(404,),
    ),
)
