"""Connections that are bounded: in number, in the time for a request, and in its head's size."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from vecsearch.server.limits import Limits
from vecsearch.server.problems import RequestError, response_to

MOST_HEAD_BYTES: Final = 32 << 10
"""The request line and all headers together."""

_TOO_LARGE: Final = RequestError(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "head_too_large",
    f"the head of the request is larger than {MOST_HEAD_BYTES:,} bytes",
)
_TOO_SLOW: Final = RequestError(
    HTTPStatus.REQUEST_TIMEOUT, "slow_request", "the request did not come in time"
)

_LEAST_TAKEN_BYTES: Final = 64 << 10
"""So much of an answer has to be taken in the time for a request."""

_log = logging.getLogger("vecsearch.server")


class Connection(HttpToolsProtocol):
    """A connection whose next request has to be there in time, up to the end of its body.

    The server underneath waits for ever, as long as something comes now and then, and for heads of
    any size. Where there are too many connections, the one goes that has kept us waiting longest:
    so who is slow makes room for who is not.
    """

    limits: ClassVar[Limits]
    _waiting: ClassVar[dict[Connection, None]]
    """Connections from which something is awaited, the longest first."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._head_bytes = self._trailer_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None
        self._await()
        if len(self.connections) > self.limits.connections:
            slowest = next(iter(self._waiting))
            slowest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._rest()
        self._stop_watching()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; a head that is too long ends the connection."""
        if self._head_bytes >= 0:
            self._head_bytes += len(data)
        in_head = self._head_bytes >= 0
        super().data_received(data)
        if in_head and self._head_bytes > MOST_HEAD_BYTES:
            self._refuse(_TOO_LARGE)

    def on_message_begin(self) -> None:
        """Wait for the rest of a request."""
        super().on_message_begin()
        if self._deadline is None:
            self._await()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, but none that comes after the body: nobody looks at it then."""
        if self._head_bytes >= 0:
            super().on_header(name, value)
            return
        self._trailer_bytes += len(name) + len(value)
        if self._trailer_bytes > MOST_HEAD_BYTES:
            self._refuse(_TOO_LARGE)

    def on_headers_complete(self) -> None:
        """Count no further; refuse a head that came at once, and is too long."""
        self._head_bytes, self._trailer_bytes = -1, 0
        lengths = (len(name) + len(value) + 4 for name, value in self.headers)
        if len(self.url) + sum(lengths) > MOST_HEAD_BYTES:
            self._refuse(_TOO_LARGE)
        if not self.transport.is_closing():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Rest while the request is answered."""
        self._head_bytes = 0
        self._rest()
        if not self.transport.is_closing():
            super().on_message_complete()

    def pause_writing(self) -> None:
        """Wait for who does not take what is sent, which is kept in memory meanwhile."""
        super().pause_writing()
        self._watch_writing(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Wait no longer."""
        self._stop_watching()
        super().resume_writing()

    def _watch_writing(self, left: int) -> None:
        """Look again in a while whether enough of what was *left* is gone."""

        def look() -> None:
            now = self.transport.get_write_buffer_size()
            if now > left - _LEAST_TAKEN_BYTES:
                self.transport.abort()
            else:
                self._watch_writing(now)

        self._writing = self.loop.call_later(self.limits.request_s, look)

    def _stop_watching(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    def _await(self) -> None:
        self._waiting[self] = None
        self._deadline = self.loop.call_later(self.limits.request_s, self._give_up)

    def _rest(self) -> None:
        self._waiting.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        self._waiting.pop(self, None)
        if self.cycle is not None and not self.cycle.response_complete:
            return  # whoever reads the body has a limit of its own, and says so
        self._refuse(_TOO_SLOW)

    def _refuse(self, error: RequestError) -> None:
        """Say why a request is not taken, and end the connection."""
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.abort()  # what is written now would be a part of another answer
            return
        response = response_to(error)
        lines = [f"HTTP/1.1 {error.status.value} {error.status.phrase}".encode()]
        lines += [name + b": " + value for name, value in response.raw_headers]
        lines += [b"connection: close", b"", bytes(response.body)]
        self.transport.write(b"\r\n".join(lines))
        self.transport.close()


def bounded(limits: Limits) -> type[Connection]:
    """Return the kind of connection that keeps to *limits*."""
    members: dict[str, Any] = {"limits": limits, "_waiting": {}}
    return type("BoundedConnection", (Connection,), members)
