"""Requests to a server: connections that are kept, one more try, and problems as errors."""

from __future__ import annotations

import http.client
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from vecsearch.errors import ImageError, UsageError, VecsearchError
from vecsearch.server.error_codes import CODES

_PREFIX: Final = "/api/v1"
_CLASSES: Final = {code: kind for kind, code, _ in CODES}
_ATTEMPTS: Final = 5
"""How often to ask a server that has too much to do."""

_LONGEST_S: Final = 10.0
"""How long to wait before, whatever the server says."""

_TIMEOUT_S: Final = 120.0
"""Longer than a server takes before it says that this takes too long."""

_PART_BYTES: Final = 1 << 16

_START: Final = "vecsearch serve starts a server, and prints its address"

Parameters = Mapping[str, "str | int | float | list[str]"]


class GoneError(VecsearchError):
    """A picture that was sent, and is not kept any more."""


class Channel:
    """A way to a server, for any number of threads; *url* may hold the token."""

    def __init__(self, url: str, token: str | None) -> None:
        """Read the address; raises UsageError for one that is none."""
        try:
            parts = urlsplit(url)
            host, self._port = parts.hostname, parts.port
        except ValueError:
            host = None
        if not host or parts.scheme not in ("http", "https") or "@" in parts.netloc:
            raise UsageError(
                f"{url!r:.200} is no address of a server",
                hint="write it as vecsearch serve prints it, such as http://127.0.0.1:8765",
            )
        secure = parts.scheme == "https"
        self._host: Final = host
        self._kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self._path: Final = parts.path.rstrip("/")
        self.url: Final = f"{parts.scheme}://{parts.netloc}{self._path}"
        token = token or dict(parse_qsl(parts.query)).get("token", "")
        if not all("!" <= character <= "~" for character in token):
            raise UsageError("the token has characters that no token has")
        self._headers: Final = {"Authorization": f"Bearer {token}"} if token else {}
        self._idle: list[http.client.HTTPConnection] = []
        self._lock: Final = Lock()
        self._process = os.getpid()

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def get(self, path: str, parameters: Parameters | None = None) -> Any:
        """Return what is answered to GET."""
        with self._answer("GET", path, parameters) as response:
            return _parsed(response.read())

    def post(self, path: str, body: object, parameters: Parameters | None = None) -> Any:
        """Return what is answered to POST of bytes, or of anything else as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        with self._answer("POST", path, parameters, data, kind) as response:
            return _parsed(response.read())

    def lines(self, path: str, parameters: Parameters | None = None) -> Iterator[Any]:
        """Return the lines that are answered to GET, as they come."""
        with self._answer("GET", path, parameters) as response:
            # Going through the lines of a response would take an end too early for the end.
            rest = b""
            while part := response.read1(_PART_BYTES):
                *lines, rest = (rest + part).split(b"\n")
                yield from map(_parsed, lines)
            if rest:
                yield _parsed(rest)

    @contextmanager
    def _answer(
        self,
        method: str,
        path: str,
        parameters: Parameters | None,
        body: bytes | None = None,
        kind: str = "",
    ) -> Iterator[http.client.HTTPResponse]:
        """Ask; keep the connection if all of the answer was read. Raises what the server says."""
        query = urlencode(list(_pairs(parameters or {})))
        target = f"{self._path}{_PREFIX}{path}{query and '?'}{query}"
        headers = self._headers | ({"Content-Type": kind} if kind else {})
        connection, response = self._sent(method, target, body, headers)
        try:
            with self._told():
                yield response
        finally:
            self._release(connection, response)

    def _sent(
        self, method: str, target: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Send a request, again while the server is busy, and return an answer that is one."""
        for attempt in range(1, _ATTEMPTS + 1):
            with self._told():
                connection, response = self._exchanged(method, target, body, headers)
                if response.status == 200:
                    return connection, response
                try:
                    data = response.read()
                finally:
                    self._release(connection, response)
            waits = response.getheader("Retry-After", "")
            if response.status != 503 or not waits.isdecimal() or attempt == _ATTEMPTS:
                break
            time.sleep(min(float(waits), _LONGEST_S))
        raise self._problem(response, data)

    def _exchanged(
        self, method: str, target: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        """Send a request once, or twice if a connection that was kept is closed by now."""
        while True:
            connection = self._kept()
            is_new = connection is None
            connection = connection or self._kind(self._host, self._port, timeout=_TIMEOUT_S)
            try:
                try:
                    connection.request(method, target, body, headers)
                except BrokenPipeError:
                    if is_new and body is None:
                        raise
                    # It was refused before all of it was sent, and the answer may say why.
                return connection, connection.getresponse()
            except (ConnectionError, http.client.HTTPException):
                connection.close()
                if is_new:
                    raise
            except BaseException:
                connection.close()
                raise

    def _kept(self) -> http.client.HTTPConnection | None:
        with self._lock:
            if self._process != os.getpid():  # those of another process are not ours
                self._process, self._idle = os.getpid(), []
            return self._idle.pop() if self._idle else None

    def _release(
        self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse
    ) -> None:
        """Keep a connection for the next request, if all of the answer was read."""
        if response.isclosed() and not response.will_close:
            with self._lock:
                self._idle.append(connection)
        else:
            response.close()
            connection.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say what went wrong with a connection."""
        try:
            yield
        except TimeoutError:
            raise VecsearchError(
                f"{self.url} does not answer within {_TIMEOUT_S:g} s", hint="ask for less, or later"
            ) from None
        except OSError as error:
            reason = error.strerror or str(error) or type(error).__name__
            raise VecsearchError(f"{self.url} cannot be reached: {reason}", hint=_START) from None
        except (http.client.HTTPException, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise VecsearchError(
                f"{self.url} does not answer as vecsearch does: {reason:.200}", hint=_START
            ) from None

    def _problem(self, response: http.client.HTTPResponse, data: bytes) -> VecsearchError:
        """Return the error that the server had, as it was raised there."""
        try:
            problem = json.loads(data)
            code, detail = str(problem["code"]), str(problem["detail"])
            hint = str(problem.get("hint", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            what = f"{response.status} {response.reason}"
            return VecsearchError(f"{self.url} answers with {what:.200}", hint=_START)
        match code:
            case "token":
                hint = "set VECSEARCH_TOKEN, or give the address that vecsearch serve has printed"
                return VecsearchError(f"{self.url}: {detail}", hint=hint)
            case "picture_gone":
                return GoneError(detail, hint=hint)
            case "too_large":
                return ImageError(detail, hint=hint)
        if code in _CLASSES:
            return _CLASSES[code](detail, hint=hint)
        return VecsearchError(f"{self.url}: {detail}", hint=hint)


def _pairs(parameters: Parameters) -> Iterator[tuple[str, bytes]]:
    """Write parameters for an address; a path that is no text is the bytes that it is."""
    for name, value in parameters.items():
        for one in value if isinstance(value, list) else [value]:
            text = str(one).lower() if isinstance(one, bool) else str(one)
            yield name, os.fsencode(text)


def _parsed(data: bytes) -> Any:
    return json.loads(data)


def quoted(name: str) -> str:
    """Write a name as a part of a path."""
    return quote(os.fsencode(name), safe="")
