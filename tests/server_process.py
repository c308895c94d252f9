"""Servers for tests: a real one in a process of its own, and one that answers as it is told."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

_CODE = """
import json, sys
import vecsearch
from vecsearch.server.limits import Limits
from vecsearch import ServeOptions, serve
given = json.loads(sys.argv[1])
options = ServeOptions(port=0, limits=Limits(**given["limits"]), **given["options"])
indexes = [vecsearch.open_index(path) for path in given["indexes"]]
serve(indexes, options, started=lambda url: print(url, flush=True))
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs: its address, and the file to which it writes its log."""

    url: str
    log: Path

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port
        return port

    def connect(self, timeout_s: float = 30.0) -> socket.socket:
        """Open a bare connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s)

    def sent(self, data: bytes) -> bytes:
        """Send *data*, and return all that is answered until the connection ends."""
        with self.connect() as connection:
            connection.sendall(data)
            return received(connection)


def received(connection: socket.socket) -> bytes:
    """Return all that comes until the connection ends, however it does."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)


@contextmanager
def running(
    folder: Path,
    *indexes: Path,
    limits: Mapping[str, float] | None = None,
    **options: object,
) -> Iterator[Server]:
    """Serve *indexes* in a process whose current folder is *folder*, until the end."""
    folder.mkdir(parents=True, exist_ok=True)
    given = {
        "indexes": [str(one) for one in indexes],
        "limits": dict(limits or {}),
        "options": {"log": "none"} | options,
    }
    log = folder / "log"
    command = [sys.executable, "-c", _CODE, json.dumps(given)]
    with (
        log.open("wb") as file,
        subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=file, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url, log.read_text()
            yield Server(url, log)
        finally:
            process.terminate()
            assert process.wait(30) == 0 or process.returncode == -15, log.read_text()


class Last(bytes):
    """An answer after which the connection ends, though nothing in it says so."""


@dataclass(slots=True)
class Scripted:
    """A server that gives one answer after the other, and keeps what it was asked."""

    url: str = ""
    asked: list[bytes] = field(default_factory=list)


@contextmanager
def answering(*answers: bytes) -> Iterator[Scripted]:
    """Give *answers* in turn, whatever is asked."""
    script = Scripted()
    left = list(answers)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        script.url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        def work() -> None:
            while left:
                connection, _ = listener.accept()
                with connection:
                    while left and (request := _request(connection)):
                        script.asked.append(request)
                        answer = left.pop(0)
                        connection.sendall(answer)
                        if isinstance(answer, Last) or b"Content-Length" not in answer:
                            break

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        yield script
        thread.join(30)
        assert not thread.is_alive(), "not all answers were asked for"


def _request(connection: socket.socket) -> bytes:
    """Read a request with its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [one for one in head.split(b"\r\n") if one.lower().startswith(b"content-length:")]
    length = int(lengths[0].partition(b":")[2]) if lengths else 0
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def http(status: str, body: bytes, *headers: str) -> bytes:
    """Write an answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
