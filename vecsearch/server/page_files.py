"""The page: its files, as they are in the package, with what lets a browser keep them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vecsearch.server.endpoint import matches

_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
}


def page_routes() -> Iterator[Route]:
    """Return the routes of the files; ``index.html`` is at the root as well."""
    for file in files("vecsearch.server").joinpath("web").iterdir():
        ending = file.name.rpartition(".")[2]
        if ending in _TYPES:
            data = file.read_bytes()
            yield _file_route(f"/{file.name}", data, _TYPES[ending])
            if file.name == "index.html":
                yield _file_route("/", data, _TYPES[ending])


def _file_route(path: str, data: bytes, media_type: str) -> Route:
    tag = f'"{hashlib.sha256(data).hexdigest()[:20]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}

    async def answer(request: Request) -> Response:
        request.scope["kind"] = "page"
        if matches(request, tag):
            return Response(status_code=304, headers=headers)
        return Response(data, headers=headers, media_type=media_type)

    return Route(path, answer)
