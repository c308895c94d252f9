"""What goes wrong, as problem+json (RFC 9457) with a stable code."""

from __future__ import annotations

import logging
import secrets
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.responses import Response

from vecsearch.errors import VecsearchError
from vecsearch.server.error_codes import CODES
from vecsearch.server.messages import Problem

MEDIA_TYPE: Final = "application/problem+json"

_log = logging.getLogger("vecsearch.server")


class RequestError(Exception):
    """A request that is not answered, for a reason that lies in it or in how busy the server is."""

    def __init__(
        self, status: HTTPStatus, code: str, detail: str, *, hint: str = "", retry_s: int = 0
    ) -> None:
        """Keep what is said; *retry_s* is after how many seconds to try again."""
        super().__init__(detail)
        self.status, self.code, self.detail, self.hint = status, code, detail, hint
        self.retry_s = retry_s


def busy() -> RequestError:
    """Return what is said when there is too much to do."""
    return RequestError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "busy",
        "there is too much to do",
        hint="try again in a second",
        retry_s=1,
    )


def response_to(error: BaseException) -> Response:
    """Return what is answered where *error* was raised; one that nobody meant is logged."""
    match error:
        case RequestError():
            return _respond(
                error.status, error.code, error.detail, hint=error.hint, retry_s=error.retry_s
            )
        case VecsearchError():
            code, status = next(
                (code, status) for kind, code, status in CODES if isinstance(error, kind)
            )
            # What is too long was cut, and has no hint at its end then.
            hint = error.hint if str(error).endswith(f"; {error.hint}") else ""
            detail = str(error).removesuffix(f"; {hint}") if hint else str(error)
            return _respond(status, code, detail, hint=hint)
        case MemoryError():
            hint = "ask for less, or later"
            return _respond(HTTPStatus.SERVICE_UNAVAILABLE, "memory", "out of memory", hint=hint)
        case OSError():
            _log.error("%s", error)
            detail = error.strerror or type(error).__name__
            return _respond(HTTPStatus.INTERNAL_SERVER_ERROR, "system", detail)
    number = secrets.token_hex(4)
    _log.error("fault %s", number, exc_info=error)
    detail = f"a fault of the server, number {number} in its log"
    return _respond(HTTPStatus.INTERNAL_SERVER_ERROR, "fault", detail)


def _respond(
    status: HTTPStatus, code: str, detail: str, *, hint: str = "", retry_s: int = 0
) -> Response:
    problem = Problem(
        type=f"urn:vecsearch:problem:{code}",
        title=status.phrase,
        status=status.value,
        detail=detail,
        code=code,
        hint=hint,
    )
    headers = {"Retry-After": str(retry_s)} if retry_s else {}
    headers["Cache-Control"] = "no-store"
    return Response(encode(problem), status.value, headers, MEDIA_TYPE)


def encode(message: object) -> bytes:
    """Write a message as JSON; bytes of a path that are no text become halves of surrogates."""
    try:
        return msgspec.json.encode(message)
    except UnicodeEncodeError:
        import json

        return json.dumps(msgspec.to_builtins(message)).encode()
