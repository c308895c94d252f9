"""The application: endpoints, page, and what watches over them, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from vecsearch.errors import VecsearchError
from vecsearch.server import (
    duplicates_endpoints,
    edit_endpoints,
    image_endpoints,
    index_endpoints,
    map_endpoints,
    query_endpoints,
)
from vecsearch.server.access_log import AccessLog
from vecsearch.server.endpoint import JSON, PREFIX
from vecsearch.server.guards import Guards
from vecsearch.server.openapi import describe
from vecsearch.server.page_files import page_routes
from vecsearch.server.problems import RequestError, encode, response_to
from vecsearch.server.state import State

ENDPOINTS: Final = (
    *index_endpoints.ENDPOINTS,
    *query_endpoints.ENDPOINTS,
    *image_endpoints.ENDPOINTS,
    *edit_endpoints.ENDPOINTS,
    *map_endpoints.ENDPOINTS,
    *duplicates_endpoints.ENDPOINTS,
)


def make_app(
    state: State,
    *,
    hosts: Sequence[str] = (),
    token: str = "",
    log: str = "none",
    on_start: Callable[[], None] = lambda: None,
) -> ASGIApp:
    """Put the application together; it closes the indexes when it ends."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        on_start()
        yield
        state.close()

    description = encode(describe(ENDPOINTS))

    async def openapi(_: Request) -> Response:
        return Response(description, media_type=JSON)

    async def metrics(request: Request) -> Response:
        request.scope["kind"] = "metrics"
        text = await state.in_thread(state.metrics.text)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    async def healthz(request: Request) -> Response:
        request.scope["kind"] = "health"
        return PlainTextResponse("ok\n")

    async def readyz(request: Request) -> Response:
        request.scope["kind"] = "health"
        return await _ready(state)

    routes = [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        Route(f"{PREFIX}/openapi.json", openapi),
        *_routes(state),
        *page_routes(),
    ]
    handlers = {HTTPException: _told}
    app: ASGIApp = Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)
    return AccessLog(Guards(app, hosts=hosts, token=token), state, log=log)


def _routes(state: State) -> Iterator[Route]:
    """Return a route for each address: where the method is another, it names all that there are."""
    by_path: dict[str, dict[str, Route]] = {}
    for one in ENDPOINTS:
        by_path.setdefault(one.path, {})[one.method] = one.route(state)
    for routes in by_path.values():
        yield _united(routes)


def _united(routes: Mapping[str, Route]) -> Route:
    first = next(iter(routes.values()))
    if len(routes) == 1:
        return first
    endpoints = {method: route.endpoint for method, route in routes.items()}

    async def answer(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        made: Response = await endpoints[method](request)
        return made

    return Route(first.path, answer, methods=[*routes])


async def _ready(state: State) -> Response:
    """Tell whether every index answers, and which does not."""

    def problems() -> list[str]:
        found = []
        for name, one in state.indexes.items():
            try:
                len(one.index)
            except (VecsearchError, OSError) as error:
                found.append(f"{name}: {error}")
        return found

    found = await state.in_thread(problems)
    text = "".join(f"{one}\n" for one in found) or "ready\n"
    return PlainTextResponse(text, 503 if found else 200, {"Cache-Control": "no-store"})


async def _told(_: Request, error: Exception) -> Response:
    """Tell what the framework raises (no such address, no such method) as a problem."""
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    code = {404: "no_such_address", 405: "method"}.get(status.value, "request")
    response = response_to(RequestError(status, code, error.detail, hint="see api/docs"))
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response
