"""What is measured of every request, and what the log says of it."""

from __future__ import annotations

import json
import logging
import time
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vecsearch.server.state import State

_access: Final = logging.getLogger("vecsearch.access")


class AccessLog:
    """Measures all requests, and writes a line for each."""

    def __init__(self, app: ASGIApp, state: State, *, log: str) -> None:
        """Observe *app*; *log* is lines, json or none."""
        self._app, self._state, self._log = app, state, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        status, sent = 0, 0

        async def send_counting(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, send_counting)
        finally:
            seconds = time.perf_counter() - start
            kind = scope.get("kind", "other")
            metrics = self._state.metrics
            metrics.requests.labels(kind, status or 499).observe(seconds)
            if code := scope.get("code"):
                metrics.rejected.labels(code).inc()
            if self._log != "none":
                self._write(scope, status, sent, seconds)

    def _write(self, scope: Scope, status: int, sent: int, seconds: float) -> None:
        """Write a line in which nothing of the request can start another."""
        client = (scope.get("client") or ("-",))[0]
        target = scope["raw_path"].decode("latin-1")
        fields = {
            "client": client,
            "method": scope["method"],
            "path": target[:500],
            "status": status,
            "bytes": sent,
            "ms": round(1000 * seconds, 1),
        }
        if self._log == "json":
            _access.info(json.dumps({"time": round(time.time(), 3), **fields}))
            return
        line = "{client} {method} {path} {status} {bytes} {ms} ms".format(**fields)
        _access.info(line.encode("unicode_escape").decode() if not line.isprintable() else line)
