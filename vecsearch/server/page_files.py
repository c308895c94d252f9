"""The pages: their files, as they are in the package, with what lets a browser keep them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vecsearch.server.endpoint import matches
from vecsearch.server.long_pages import LONG_PAGES, SHARED

_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
}

_PLACES: Final = {"index.html": "/", "api_docs.html": "/api/docs"}
"""Files that have another address, beside that of their name."""


def page_routes() -> Iterator[Route]:
    """Return the routes of the files; that of the start is at the root as well."""
    for file in files("vecsearch.server").joinpath("web").iterdir():
        ending = file.name.rpartition(".")[2]
        if ending in _TYPES:
            data = file.read_bytes()
            for path in (_PLACES.get(file.name), f"/{file.name}"):
                if path is not None:
                    yield _file_route(path, data, _TYPES[ending])
    for file in files("vecsearch.view").joinpath("web").iterdir():
        ending = file.name.rpartition(".")[2]
        if ending in ("css", "js"):
            yield _file_route(f"/{SHARED}{file.name}", file.read_bytes(), _TYPES[ending])
    for name, shell in LONG_PAGES.items():
        yield _file_route(f"/{name}", shell.markup().encode(), _TYPES["html"])


def _file_route(path: str, data: bytes, media_type: str) -> Route:
    tag = f'"{hashlib.sha256(data).hexdigest()[:20]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}

    async def answer(request: Request) -> Response:
        request.scope["kind"] = "page"
        if matches(request, tag):
            return Response(status_code=304, headers=headers)
        return Response(data, headers=headers, media_type=media_type)

    return Route(path, answer)
