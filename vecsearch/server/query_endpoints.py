"""Endpoints: queries by what the index has, by pictures that are sent, and by vectors."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from vecsearch.errors import UsageError
from vecsearch.images.decoders.to_rgb import decode_thumbnail
from vecsearch.server import messages
from vecsearch.server.conversions import to_known, to_message, to_options, to_query
from vecsearch.server.endpoint import PICTURE, Call, Endpoint
from vecsearch.server.request_limits import MOST_HITS_TOGETHER
from vecsearch.server.served_index import QueryJob
from vecsearch.types import QueryImage, Result

if TYPE_CHECKING:
    from vecsearch.search.query_image import Query


async def _query(call: Call) -> messages.Results:
    given: messages.QueryRequest = call.body
    queries = await _asked(call, [*given.queries, *given.minus])
    count = len(given.queries)
    return await _answer(call, given, queries[:count], tuple(queries[count:]))


async def _look(call: Call) -> messages.KnownPictures:
    given: messages.LookRequest = call.body
    queries = await _asked(call, given.queries)
    with call.state.metrics.phase("query"):
        found = await call.state.in_thread(call.served.index.look, queries)
    return messages.KnownPictures(pictures=tuple(map(to_known, found)))


async def _asked(call: Call, asked: Sequence[messages.Asked]) -> list[Query]:
    def convert() -> list[Query]:
        return [to_query(one, call.served, call.state.sent) for one in asked]

    looks_up = any(one.path is not None for one in asked)
    return await call.state.in_thread(convert) if looks_up else convert()


async def _query_picture(call: Call) -> messages.Results:
    return await _answer(call, call.parameters, [call.body])


async def _similar(call: Call) -> messages.Results:
    return await _answer(call, call.parameters, [f"id:{call.request.path_params['id']}"])


async def _query_vectors(call: Call) -> messages.Results:
    given: messages.VectorRequest = call.body
    dim = call.served.encoder.dim
    if any(len(one) != dim for one in given.vectors):
        raise UsageError(f"a vector has not {dim} numbers", hint=f"the index has d = {dim}")
    _check_hits(given, len(given.vectors))
    vectors = np.array(given.vectors, np.float32)
    options = to_options(given)
    with call.state.metrics.phase("query"):
        found = await call.state.in_thread(
            call.served.index.search, vectors, k=given.k, options=options
        )
    return _results(call, found)


async def _answer(
    call: Call,
    given: messages.QueryParameters,
    queries: Sequence[Query],
    minus: tuple[Query, ...] = (),
) -> messages.Results:
    """Answer queries together with what else is asked now."""
    _check_hits(given, len(queries))
    options = to_options(given, minus)
    alone = given.combine is not None or minus
    job = QueryJob(
        queries=queries,
        k=given.k,
        options=options,
        key=None if alone else _key(given),
    )
    has_picture = given.box is not None or any(map(_is_picture, (*queries, *minus)))
    served = call.served
    start = time.perf_counter()
    found = await (served.pictures if has_picture else served.stored).submit(job)
    call.state.metrics.phases.labels("query").observe(time.perf_counter() - start)
    return _results(call, found)


def _is_picture(query: Query) -> bool:
    """Return whether a query has to be embedded."""
    if isinstance(query, QueryImage):
        return query.data is not None or query.box is not None
    return isinstance(query, bytes)


def _key(given: messages.QueryParameters) -> object:
    """Return what is equal for options that are equal."""
    return tuple(getattr(given, name) for name in messages.QueryParameters.__struct_fields__)


def _check_hits(given: messages.QueryParameters, count: int) -> None:
    if given.k * count > MOST_HITS_TOGETHER:
        raise UsageError(
            f"{count} queries for {given.k} hits each are too many at once",
            hint=f"ask for at most {MOST_HITS_TOGETHER:,} hits in a request, and page by offset",
        )


def _results(call: Call, found: Sequence[Result]) -> messages.Results:
    return messages.Results(
        encoder=call.served.encoder.title, results=tuple(map(to_message, found))
    )


async def _keep_picture(call: Call) -> messages.Picture:
    given: messages.SendParameters = call.parameters
    width = height = 0
    if given.look:
        with call.state.metrics.phase("decode"):
            width, height = (await call.state.in_thread(decode_thumbnail, call.body, 16)).size
    return messages.Picture(picture=call.state.sent.keep(call.body), width=width, height=height)


ENDPOINTS: Final = (
    Endpoint(
        method="POST",
        path="/indexes/{index}/query",
        kind="query",
        summary="Find the images most similar to images, pictures, or words.",
        handler=_query,
        body=messages.QueryRequest,
        answer=messages.Results,
        errors=(404, 409, 410, 422),
    ),
    Endpoint(
        method="POST",
        path="/indexes/{index}/query/picture",
        kind="query_picture",
        summary="Find the images most similar to the picture in the body.",
        handler=_query_picture,
        parameters=messages.QueryParameters,
        body=PICTURE,
        answer=messages.Results,
        errors=(404, 409, 422),
    ),
    Endpoint(
        method="POST",
        path="/indexes/{index}/query/vectors",
        kind="query_vectors",
        summary="Find the images whose vectors are nearest to vectors.",
        handler=_query_vectors,
        body=messages.VectorRequest,
        answer=messages.Results,
        errors=(404,),
    ),
    Endpoint(
        method="POST",
        path="/indexes/{index}/look",
        kind="look",
        summary="Tell what an index knows of pictures, its own and others.",
        handler=_look,
        body=messages.LookRequest,
        answer=messages.KnownPictures,
        errors=(404, 409, 410, 422),
    ),
    Endpoint(
        method="GET",
        path="/indexes/{index}/images/{id}/similar",
        kind="similar",
        summary="Find the images most similar to an image of the index.",
        handler=_similar,
        parameters=messages.QueryParameters,
        answer=messages.Results,
        errors=(404,),
    ),
    Endpoint(
        method="POST",
        path="/pictures",
        kind="send_picture",
        summary="Send a picture once, to ask with it several times.",
        handler=_keep_picture,
        parameters=messages.SendParameters,
        body=PICTURE,
        answer=messages.Picture,
        errors=(422,),
    ),
)
