"""Who may ask: by the Host, the Origin and the token of a request; and what browsers may do."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Sequence
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vecsearch.server.problems import RequestError, response_to

COOKIE: Final = "vecsearch_token"
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_OPEN: Final = ("/healthz",)
"""Answered without a token: nothing is told there."""

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; manifest-src 'self'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""The page loads nothing but what comes from here, and runs no script that is written into it."""


class Guards:
    """Lets a request through if its Host, Origin and token are right.

    Without a *token* none is asked for. Hosts are compared without their ports: a page elsewhere
    cannot have a name of ours, even one that is made to point here (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, *, hosts: Sequence[str], token: str = "") -> None:
        """Guard *app*, which is reached under *hosts* and those of this machine itself."""
        self._app = app
        self._hosts = frozenset((*_LOOPBACK, *map(str.lower, hosts)))
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    own[name] = value
                own.setdefault("Content-Security-Policy", POLICY)
            await send(message)

        response: ASGIApp
        try:
            _check_form(scope, headers)
            self._check_host(headers)
            _check_origin(scope, headers)
            response = self._admit(scope, headers) or self._app
        except RequestError as error:
            scope["code"] = error.code
            response = response_to(error)
        await response(scope, receive, send_safely)

    def _check_host(self, headers: Headers) -> None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _name_of(hosts[0]) not in self._hosts:
            raise RequestError(
                HTTPStatus.MISDIRECTED_REQUEST,
                "host",
                "this server does not answer under this name",
                hint="vecsearch serve --allow-host NAME allows it",
            )

    def _admit(self, scope: Scope, headers: Headers) -> Response | None:
        """Return None for who has the token; who brings it in the address gets a cookie.

        Raises RequestError.
        """
        if not self._token or _path(scope) in _OPEN:
            return None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._is_token(given.strip()):
            return None
        if self._is_token(_cookie_of(headers)):
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"))
        rest = [pair for pair in query if pair[0] != "token"]
        if scope["method"] == "GET" and any(
            name == "token" and self._is_token(value) for name, value in query
        ):
            return self._welcome(scope, rest)
        raise RequestError(
            HTTPStatus.UNAUTHORIZED,
            "token",
            "the token is missing or wrong",
            hint="open the address that vecsearch serve has printed, or send it as "
            "Authorization: Bearer TOKEN",
        )

    def _is_token(self, given: str) -> bool:
        """Compare in a time that tells nothing of how much is right."""
        return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self._token)

    def _welcome(self, scope: Scope, rest: Sequence[tuple[str, str]]) -> Response:
        """Keep the token in a cookie, and go on without it: addresses are seen by others."""
        from urllib.parse import urlencode

        # Relative, because a proxy may have put a prefix before the path.
        query = urlencode(rest)
        response = RedirectResponse(f"?{query}" if query else "./", HTTPStatus.SEE_OTHER.value)
        response.set_cookie(
            COOKIE,
            self._token.decode(),
            httponly=True,
            samesite="strict",
            secure=scope["scheme"] == "https",
            path=scope.get("root_path") or "/",
        )
        response.headers["Cache-Control"] = "no-store"
        return response


def _check_form(scope: Scope, headers: Headers) -> None:
    """Raise RequestError for what proxies and servers may understand in two ways."""
    lengths, codings = headers.getlist("content-length"), headers.getlist("transfer-encoding")
    if len(lengths) > 1 or len(codings) > 1 or (lengths and codings):
        raise RequestError(
            HTTPStatus.BAD_REQUEST, "ambiguous", "the length of the body is given in two ways"
        )
    if b"\0" in scope["raw_path"] or "\0" in scope["path"]:
        raise RequestError(HTTPStatus.BAD_REQUEST, "usage", "the path has a null character")


def _check_origin(scope: Scope, headers: Headers) -> None:
    """Raise RequestError for what another site's page asks."""
    origin = headers.get("origin")
    foreign = origin is not None and not _is_same(origin, headers.get("host", ""))
    site = headers.get("sec-fetch-site", "none")
    is_form = scope["method"] not in ("GET", "HEAD")
    navigates = headers.get("sec-fetch-mode") == "navigate" and not is_form
    if foreign or (site in ("cross-site", "same-site") and not navigates):
        raise RequestError(
            HTTPStatus.FORBIDDEN, "origin", "pages of other sites may not ask this server"
        )


def _is_same(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
        return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()
    except ValueError:
        return False


def _name_of(host: str) -> str:
    """Return the name in a Host header, without its port; empty if it is none."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
        name = parts.hostname or ""
    except ValueError:
        return ""
    return name if parts.netloc == host and "@" not in host else ""


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _cookie_of(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def is_loopback(host: str) -> bool:
    """Return whether an address to listen at is that of this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
