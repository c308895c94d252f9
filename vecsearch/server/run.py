"""Running a server: its socket, its indexes by name, its logs, its end."""

from __future__ import annotations

import errno
import logging
import secrets
import socket
import sys
from collections.abc import Callable, Container, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvicorn

from vecsearch.errors import VecsearchError
from vecsearch.server.app import make_app
from vecsearch.server.connection import bounded
from vecsearch.server.guards import is_loopback
from vecsearch.server.limits import Limits
from vecsearch.server.metrics import Metrics
from vecsearch.server.serve_options import EditOptions, ServeOptions
from vecsearch.server.served_index import ServedIndex
from vecsearch.server.state import State

if TYPE_CHECKING:
    from vecsearch.search.queryable import Queryable

_OTHER_FILES: Final = 512
"""The files that are open beside connections."""

_WAYS_TO_LISTEN: Final = {
    errno.EADDRINUSE: "--port 0 takes one that is free",
    errno.EACCES: "ports below 1024 are for the system's own services; take another",
}


def run(
    indexes: Sequence[Queryable],
    given: ServeOptions,
    edits: EditOptions | None,
    started: Callable[[str], None],
) -> None:
    """Serve open indexes, as `vecsearch.server.serve.serve` says."""
    is_open = not is_loopback(given.host)
    token = given.token or (secrets.token_urlsafe(24) if is_open else "")
    listener = _listen(given.host, given.port)
    port: int = listener.getsockname()[1]
    limits = _within_files(given.limits)
    served: dict[str, ServedIndex] = {}
    metrics = Metrics(served)
    for one in indexes:
        one.observe(metrics.observe)
        name = _free_name(one, served)
        served[name] = ServedIndex(
            name,
            one,
            wait_s=limits.wait_ms / 1000,
            has_edits=edits is not None,
            additions=Path(edits.add_to) if edits and edits.add_to is not None else None,
            told=metrics.note_batch,
        )
    state = State(served, limits, metrics)
    url = _address(given.host, port, given.root_path, token)
    hosts = [given.host, *given.allow_hosts]
    if is_open:
        hosts += [socket.gethostname(), socket.getfqdn()]
    app = make_app(state, hosts=hosts, token=token, log=given.log, on_start=lambda: started(url))
    if given.log != "none":
        _log_to_stderr()
    config = uvicorn.Config(
        app,
        http=bounded(limits),
        ws="none",
        lifespan="on",
        log_config=None,
        log_level=logging.ERROR,  # warnings are lines that any stranger can cause
        access_log=False,
        server_header=False,
        root_path=given.root_path,
        proxy_headers=False,
        timeout_keep_alive=round(limits.idle_s),
        timeout_graceful_shutdown=round(limits.grace_s),
    )
    with suppress(KeyboardInterrupt):  # raised when all has ended in order
        uvicorn.Server(config).run(sockets=[listener])


def _free_name(index: Queryable, taken: Container[str]) -> str:
    """Return the name of the folder of an index, with a number if it is taken."""
    name = base = index.path.absolute().name or "index"
    number = 1
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    return name


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise VecsearchError(
            f"cannot listen at {host} port {port}: {error.strerror or error}",
            hint=_WAYS_TO_LISTEN.get(error.errno or 0, "give --host an address of this machine"),
        ) from None
    listener.setblocking(False)
    return listener


def _address(host: str, port: int, root_path: str, token: str) -> str:
    name = host if host not in ("0.0.0.0", "::") else socket.gethostname()  # noqa: S104
    if ":" in name:
        name = f"[{name}]"
    return f"http://{name}:{port}{root_path}/{f'?token={token}' if token else ''}"


def _within_files(limits: Limits) -> Limits:
    """Let this process open as many files as it may, and no more connections than that."""
    try:
        import resource
    except ImportError:  # not everywhere
        return limits
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.connections + _OTHER_FILES
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    most = max(16, soft - _OTHER_FILES)
    return limits if limits.connections <= most else replace(limits, connections=most)


def _log_to_stderr() -> None:
    """Write the logs of the server and of its requests to standard error, as they are."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    for name in ("vecsearch.server", "vecsearch.access", "uvicorn.error"):
        log = logging.getLogger(name)
        log.handlers[:] = [handler]
        log.setLevel(logging.INFO if name.startswith("vecsearch") else logging.ERROR)
        log.propagate = False
