"""Reading the body of a request: so much of it, and in so much time."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request

from vecsearch.server.problems import RequestError


async def read_body(request: Request, most_bytes: int, seconds: float) -> bytes:
    """Return the body; raises RequestError for one that is too large or comes too slowly."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > most_bytes:
        raise _too_large(most_bytes)
    parts, size = [], 0
    try:
        async with asyncio.timeout(seconds):
            async for part in request.stream():
                size += len(part)
                if size > most_bytes:
                    raise _too_large(most_bytes)
                parts.append(part)
    except TimeoutError:
        raise RequestError(
            HTTPStatus.REQUEST_TIMEOUT, "slow_request", f"the body took more than {seconds:g} s"
        ) from None
    except ClientDisconnect:
        raise RequestError(
            HTTPStatus.BAD_REQUEST, "disconnected", "the connection ended within the body"
        ) from None
    return b"".join(parts)


def _too_large(most_bytes: int) -> RequestError:
    return RequestError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too_large",
        f"the body is larger than {most_bytes:,} bytes",
        hint="send a smaller picture; --max-body raises the limit",
    )
