"""Requests to web servers: within bounds of bytes and time, and never out of a named source."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

import aiohttp
from yarl import URL

from vecsearch.errors import ImageError
from vecsearch.images.sources.allowed_urls import is_below, roots_of
from vecsearch.images.sources.source import LARGEST_BYTES

_LARGEST_PAGE_BYTES: Final = 64 << 20
"""No listing of a folder is longer: half a million pictures."""


class _BoundedResponse(aiohttp.ClientResponse):
    """A response whose body is read up to a bound, whatever its header says of the length."""

    async def read(self) -> bytes:
        """Read the body; raises ImageError if it is too long."""
        if self._body is None:
            page = self.content_type == "text/html"
            most = _LARGEST_PAGE_BYTES if page else LARGEST_BYTES
            blocks, size = [], 0
            async for block in self.content.iter_any():
                blocks.append(block)
                size += len(block)
                if size > most:
                    self.close()
                    raise ImageError(f"larger than {most >> 20} MiB")
            self._body = b"".join(blocks)
        return self._body

    async def text(self, encoding: str | None = None, errors: str = "strict") -> str:
        """Read a page, of which fsspec finds the links in a time that grows with its length alone.

        Its pattern takes minutes for some thousand blanks, and holds up all threads: none are left
        in a row, and no tag goes on behind the beginning of the next.
        """
        text = await super().text(encoding, errors)
        return re.sub(r"\s+", " ", text).replace("<", "><")


@cache
def client_options(timeout_s: float) -> dict[str, Any]:
    """Return what a client session is made with: the bounds, and the check of redirects.

    Always the same, so that fsspec makes one session for all servers.
    """
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_check_redirect)
    return {
        "response_class": _BoundedResponse,
        "timeout": aiohttp.ClientTimeout(total=timeout_s),
        "trace_configs": [trace],
    }


async def _check_redirect(
    _session: aiohttp.ClientSession, _context: object, request: aiohttp.TraceRequestRedirectParams
) -> None:
    """Raise OSError before a redirect leads out of the named source that it begins in."""
    headers = request.response.headers
    target = request.url.join(URL(headers.get("Location") or headers.get("URI") or ""))
    roots = roots_of(_place(request.url), as_sent=lambda root: _place(URL(root)))
    places = {_place(target), _place(target.with_scheme("http"))}  # https may be insisted on
    if roots and not any(is_below(root, one) for root in roots for one in places):
        raise OSError(1, f"it redirects outside the source, to {target}")


def _place(url: URL) -> str:
    """Return a URL without its user, query and fragment: a place on a server."""
    return str(url.with_user(None).with_query(None).with_fragment(None))
