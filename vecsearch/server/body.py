"""Reading the body of a request: so much of it, and in so much time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request

from vecsearch.server.limits import Limits
from vecsearch.server.problems import RequestError, busy


class Receiving:
    """The bodies that are being read: all together take so much memory."""

    def __init__(self, limits: Limits) -> None:
        """Start with none."""
        self._limits, self._bytes = limits, 0

    @asynccontextmanager
    async def read(self, request: Request, most_bytes: int) -> AsyncIterator[bytes]:
        """Read the body, which counts until the context ends.

        Raises RequestError for one that is too large or comes too slowly, or if all that are read
        are too large together: what has come counts, and not what was announced.
        """
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > most_bytes:
            raise _too_large(most_bytes)
        parts: list[bytes] = []
        try:
            await self._receive(request, most_bytes, parts)
            yield b"".join(parts)
        finally:
            self._bytes -= sum(map(len, parts))

    async def _receive(self, request: Request, most_bytes: int, parts: list[bytes]) -> None:
        size = 0
        try:
            async with asyncio.timeout(self._limits.request_s):
                async for part in request.stream():
                    size += len(part)
                    if size > most_bytes:
                        raise _too_large(most_bytes)
                    if self._bytes + len(part) > self._limits.bodies_bytes:
                        raise busy()
                    self._bytes += len(part)
                    parts.append(part)
        except TimeoutError:
            seconds = f"{self._limits.request_s:g} s"
            raise RequestError(
                HTTPStatus.REQUEST_TIMEOUT, "slow_request", f"the body took more than {seconds}"
            ) from None
        except ClientDisconnect:
            raise RequestError(
                HTTPStatus.BAD_REQUEST, "disconnected", "the connection ended within the body"
            ) from None


def _too_large(most_bytes: int) -> RequestError:
    return RequestError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "too_large",
        f"the body is larger than {most_bytes:,} bytes",
        hint="send a smaller picture; --max-body raises the limit",
    )
