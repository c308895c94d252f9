"""An endpoint of the API as data: what it takes and gives, from which it is run and described."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final, Literal
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vecsearch.errors import NotFoundError
from vecsearch.server import messages
from vecsearch.server.problems import RequestError, encode, response_to
from vecsearch.server.request_limits import MOST_ID, MOST_JSON_BYTES
from vecsearch.server.served_index import ServedIndex
from vecsearch.server.state import State

PREFIX: Final = "/api/v1"
JSON: Final = "application/json"
PICTURE: Final = "picture"
_MOST_QUERY_STRING: Final = 16 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that was understood."""

    request: Request
    state: State
    parameters: Any
    body: Any
    served: ServedIndex
    """The index that it is about; endpoints without one do not look."""


Handler = Callable[[Call], Awaitable[Response | msgspec.Struct]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An address and what is behind it.

    ``parameters`` is the type of what comes in the query string, ``body`` that of the JSON in the
    body, or PICTURE for the bytes of one, ``answer`` that of the JSON that goes out, or a media
    type. ``errors`` are the statuses of problems beside those that all have. It may take
    ``limit_s``, if that is not what all may. ``meanwhile`` is what is answered, with status 202,
    while the answer is being made.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    kind: str
    summary: str
    handler: Handler
    answer: type[msgspec.Struct] | str
    parameters: type[messages.Request] | None = None
    body: type[messages.Request] | Literal["picture"] | None = None
    errors: tuple[int, ...] = ()
    status: int = 200
    limit_s: float | None = None
    meanwhile: type[msgspec.Struct] | None = None

    def route(self, state: State) -> Route:
        """Return what answers it."""
        decoder = (
            msgspec.json.Decoder(self.body)
            if self.body is not None and self.body != PICTURE
            else None
        )
        takes_index = "{index}" in self.path

        async def answer(request: Request) -> Response:
            request.scope["kind"] = self.kind
            try:
                served: Any = None
                if takes_index:
                    served = state.served(request.path_params["index"])
                if request.path_params.get("id", 0) > MOST_ID:
                    raise NotFoundError("there is no image with this id")
                call = Call(
                    request=request,
                    state=state,
                    parameters=_parameters(request, self.parameters),
                    body=None,
                    served=served,
                )
                made = await self._answer(call, decoder)
            except TimeoutError:
                what = f"this takes more than {state.limits.answer_s:g} s"
                error = RequestError(HTTPStatus.SERVICE_UNAVAILABLE, "too_slow", what, retry_s=1)
                return response_to(error)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told as a problem
                return response_to(error)
            return made if isinstance(made, Response) else respond(request, made, self.status)

        path = self.path.replace("{id}", "{id:int}")
        return Route(f"{PREFIX}{path}", answer, methods=[self.method])

    async def _answer(
        self, call: Call, decoder: msgspec.json.Decoder[Any] | None
    ) -> Response | msgspec.Struct:
        """Read the body, if there is to be one, then count as worked on, and answer."""
        state = call.state
        limit_s = self.limit_s or state.limits.answer_s
        if self.body is None:
            with state.admitted():
                async with asyncio.timeout(limit_s):
                    return await self.handler(call)
        media_type = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        most = state.limits.body_bytes
        if decoder is not None:
            most = min(most, MOST_JSON_BYTES)
        takes_any = media_type.startswith("image/") or media_type == "application/octet-stream"
        if not (takes_any if decoder is None else media_type == JSON):
            raise _unsupported("image/* or application/octet-stream" if decoder is None else JSON)
        start = time.perf_counter()
        async with state.receiving.read(call.request, most) as data:
            state.metrics.phases.labels("receive").observe(time.perf_counter() - start)
            body = _decoded(data, decoder)
            with state.admitted():
                async with asyncio.timeout(limit_s):
                    return await self.handler(replace(call, body=body))


def _decoded(data: bytes, decoder: msgspec.json.Decoder[Any] | None) -> Any:
    """Return what a body says; raises RequestError."""
    if decoder is None:
        if not data:
            raise RequestError(HTTPStatus.BAD_REQUEST, "empty", "the body is empty")
        return data
    try:
        try:
            return decoder.decode(data)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            # A path that is no text has halves of surrogates in JSON, which msgspec refuses.
            if b"\\ud" not in data.lower():
                raise
            return msgspec.convert(json.loads(data), decoder.type)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise RequestError(HTTPStatus.BAD_REQUEST, "usage", f"the body: {error}") from None


def respond(request: Request, message: msgspec.Struct, status: int = 200) -> Response:
    """Return a message as JSON; for GET with an ETag, so that it is not sent twice."""
    body = encode(message)
    if request.method != "GET":
        return Response(body, status, {"Cache-Control": "no-store"}, JSON)
    tag = f'"{hashlib.sha1(body, usedforsecurity=False).hexdigest()[:20]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if matches(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=JSON)


def matches(request: Request, tag: str) -> bool:
    """Return whether the client has what *tag* names."""
    given = request.headers.get("if-none-match", "")
    return any(one.strip().removeprefix("W/") == tag for one in given.split(","))


def _unsupported(wanted: str) -> RequestError:
    return RequestError(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "media_type",
        f"the Content-Type is not {wanted}",
        hint="bodies are sent as they are, not as forms",
    )


def _parameters(request: Request, kind: type[messages.Request] | None) -> Any:
    """Read the query string; raises RequestError."""
    if len(request.scope["query_string"]) > _MOST_QUERY_STRING:
        raise RequestError(HTTPStatus.REQUEST_URI_TOO_LONG, "too_long", "the address is too long")
    # A path that is no text is written as the bytes that it is.
    text = request.scope["query_string"].decode("latin-1")
    pairs = parse_qsl(text, keep_blank_values=True, errors="surrogateescape")
    if kind is None:
        pairs = [(name, value) for name, value in pairs if name != "v"]
        if pairs:
            raise _usage(f"there is no parameter {pairs[0][0]!r:.100} here")
        return None
    given: dict[str, Any] = {}
    for name, value in pairs:
        if name in ("under", "glob", "keep"):
            given.setdefault(name, []).append(value)
        elif name in given:
            raise _usage(f"{name!r:.100} is given twice")
        elif name == "box":
            given[name] = value.split(",")
        else:
            given[name] = value
    try:
        made = msgspec.convert(given, kind, strict=False)
    except UnicodeError:
        raise _usage("a parameter is no text") from None
    except msgspec.ValidationError as error:
        where = re.sub(r"\s*- at `\$\.?(\w*).*", r" (\1)", str(error))
        raise _usage(where) from None
    for name in given:
        if getattr(made, name) is None:  # "null" counts as a number that is none
            raise _usage(f"{name} is null")
    return made


def _usage(detail: str) -> RequestError:
    return RequestError(
        HTTPStatus.BAD_REQUEST,
        "usage",
        detail,
        hint="api/docs describes the parameters",
    )
