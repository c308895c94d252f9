"""What a connection may take: bytes, time, and one way to understand a request."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import PIL.Image
import pytest
from samples import CHEAP, draw
from server_process import Server, received, running

import vecsearch
from vecsearch.server.connection import MOST_HEAD_BYTES

HOST = b"Host: localhost\r\n"
HEAD = b"GET /healthz HTTP/1.1\r\n" + HOST
PICTURES = b"POST /api/v1/pictures HTTP/1.1\r\nContent-Type: image/png\r\n" + HOST
CONNECTIONS = 24
MOST_BYTES = 50_000


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of a small picture, and of one that no socket's buffers hold."""
    folder = tmp_path_factory.mktemp("photos")
    draw(folder / "a.png", 1)
    PIL.Image.new("RGB", (4000, 3000)).save(folder / "large.bmp")
    return vecsearch.build(folder, index=folder.parent / "index", encoder=CHEAP).index


@pytest.fixture(scope="module")
def server(index: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of little patience."""
    limits = {
        "request_s": 1.0,
        "idle_s": 1.0,
        "connections": CONNECTIONS,
        "body_bytes": MOST_BYTES,
        "bodies_bytes": 2 * MOST_BYTES,
    }
    with running(tmp_path_factory.mktemp("server"), index, limits=limits) as started:
        yield started


def statuses(data: bytes) -> list[int]:
    """Return the statuses of all answers in *data*."""
    return [int(one[:3]) for one in data.split(b"HTTP/1.1 ")[1:]]


def code_of(data: bytes) -> str:
    return str(json.loads(data.rpartition(b"\r\n\r\n")[2])["code"])


@pytest.mark.parametrize("parts", [1, 30])
@pytest.mark.parametrize("much", [b"X: %s\r\n" % (b"x" * 40_000), b"X: y\r\n" * 8000])
def test_a_head_has_a_size(much: bytes, parts: int, server: Server) -> None:
    data = HEAD + much + b"\r\n"
    assert len(data) > MOST_HEAD_BYTES
    with server.connect() as connection:
        try:
            for start in range(0, len(data), size := len(data) // parts + 1):
                connection.sendall(data[start : start + size])
        except ConnectionError:
            pass
        answer = received(connection)
    assert statuses(answer) in ([431], [])  # it may be lost where more comes than is read
    assert b"ok" not in answer
    if parts == 1:
        assert (statuses(answer), code_of(answer)) == ([431], "head_too_large")


def test_a_head_without_an_end_is_refused_before_it_is_given_up(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(HEAD + b"X: y\r\n" * 7000)
        assert statuses(received(connection)) in ([431], [])


def test_an_address_counts_as_a_part_of_the_head(server: Server) -> None:
    long = b"GET /healthz?%s HTTP/1.1\r\n" % (b"x" * MOST_HEAD_BYTES) + HOST + b"\r\n"
    assert statuses(server.sent(long)) == [431]
    query = b"GET /api/v1/indexes/index/images?glob=%s HTTP/1.1\r\n" % (b"x" * 20_000)
    answer = server.sent(query + HOST + b"Connection: close\r\n\r\n")
    assert (statuses(answer), code_of(answer)) == ([414], "too_long")


def test_what_comes_behind_a_body_is_no_header_and_has_a_size(server: Server) -> None:
    chunked = PICTURES + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
    answer = server.sent(chunked + b"Host: evil.example\r\nOrigin: http://evil.example\r\n\r\n")
    assert (statuses(answer), code_of(answer)) == ([422], "not_a_picture")
    with server.connect() as connection:
        try:
            connection.sendall(chunked)
            for _ in range(100):
                connection.sendall(b"X: y\r\n" * 1000)
            connection.sendall(b"\r\n")
        except ConnectionError:
            pass
        assert statuses(received(connection)) in ([], [431])


def test_a_body_has_a_size(server: Server) -> None:
    announced = PICTURES + b"Content-Length: %d\r\n" % (MOST_BYTES + 1)
    answer = server.sent(announced + b"Connection: close\r\n\r\n")
    assert (statuses(answer), code_of(answer)) == ([413], "too_large")
    part = b"%x\r\n%s\r\n" % (10_000, b"x" * 10_000)
    chunked = PICTURES + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = server.sent(chunked + part * 6)
    assert (statuses(answer), code_of(answer)) == ([413], "too_large")
    query = (
        b"POST /api/v1/indexes/index/query HTTP/1.1\r\nContent-Type: application/json\r\n" + HOST
    )
    answer = server.sent(query + b"Content-Length: 99999999999\r\nConnection: close\r\n\r\n")
    assert (statuses(answer), code_of(answer)) == ([413], "too_large")


def test_bodies_together_have_a_size(server: Server) -> None:
    held = PICTURES + b"Content-Length: %d\r\n\r\n" % MOST_BYTES + b"x" * (MOST_BYTES - 1000)
    waiting = [server.connect() for _ in range(2)]
    try:
        for one in waiting:
            one.sendall(held)
        whole = PICTURES + b"Content-Length: 20000\r\nConnection: close\r\n\r\n" + b"x" * 20_000
        found = {code_of(server.sent(whole)) for _ in range(5)}
        assert "busy" in found
    finally:
        for one in waiting:
            one.close()


@pytest.mark.parametrize("data", [b"", b"G", HEAD, b"GET / HTTP/1.1\r\nX: "])
def test_a_head_has_to_come_in_time(data: bytes, server: Server) -> None:
    answer = server.sent(data)
    assert (statuses(answer), code_of(answer)) == ([408], "slow_request")


def test_a_body_has_to_come_in_time(server: Server) -> None:
    answer = server.sent(PICTURES + b"Content-Length: 10\r\n\r\n123")
    assert (statuses(answer), code_of(answer)) == ([408], "slow_request")
    answer = server.sent(HEAD + b"Content-Length: 10\r\n\r\n123")  # of which nobody reads a body
    assert statuses(answer)[0] == 200


def test_who_sends_a_little_now_and_then_does_not_last(server: Server) -> None:
    with server.connect(0.2) as connection:
        connection.sendall(HEAD)
        answer = b""
        for _ in range(100):
            try:
                connection.sendall(b"X: y\r\n")
                answer = connection.recv(1000)
                break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        else:
            pytest.fail("it may go on for ever")
    assert statuses(answer) in ([408], [])


def test_who_takes_nothing_of_an_answer_does_not_last(server: Server) -> None:
    """The rest of an answer is in memory as long as it is not taken."""
    with vecsearch.connect(server.url) as remote:
        number = next(one.id for one in remote.list_images() if one.path.suffix == ".bmp")
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(30)
        connection.connect(("127.0.0.1", server.port))
        target = f"GET /api/v1/indexes/index/images/{number}/original HTTP/1.1\r\n".encode()
        connection.sendall(target + HOST + b"\r\n")
        poll = 0
        while _is_open(server, connection.getsockname()[1]):
            poll += 1
            assert poll < 200, "it is held for ever"
            with server.connect(0.2) as other, pytest.raises(TimeoutError):
                other.recv(1)
        data = received(connection)
    assert statuses(data[:100]) == [200]
    assert len(data) < 36_000_000


def _is_open(server: Server, port: int) -> bool:
    """Return whether the server's end of a connection is there, by what the system says."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    ends = [line.split()[1:4] for line in lines]
    own, peer = f"0100007F:{server.port:04X}", f"0100007F:{port:04X}"
    return any(one[0] == own and one[1] == peer and one[2] == "01" for one in ends)


def test_of_too_many_connections_the_slowest_goes(server: Server) -> None:
    held: list[socket.socket] = []
    try:
        for _ in range(CONNECTIONS):
            held.append(server.connect())
        assert statuses(server.sent(HEAD + b"Connection: close\r\n\r\n")) == [200]
        assert received(held[0]) == b""  # without a word, and long before it is given up
    finally:
        for one in held:
            one.close()


SMUGGLED = b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(SMUGGLED)
AMBIGUOUS = {
    "a length and chunks": PICTURES + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"0\r\n\r\n" + SMUGGLED,
    "chunks and a length": PICTURES + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"
    b"0\r\n\r\n" + SMUGGLED,
    "two lengths": PICTURES + LENGTH + b"Content-Length: 0\r\n\r\n" + SMUGGLED,
    "the same length twice": PICTURES + LENGTH + LENGTH + b"\r\n" + SMUGGLED,
    "lengths in a list": PICTURES + b"Content-Length: 0, 0\r\n\r\n" + SMUGGLED,
    "a length with a sign": PICTURES + b"Content-Length: +0\r\n\r\n" + SMUGGLED,
    "a negative length": PICTURES + b"Content-Length: -1\r\n\r\n" + SMUGGLED,
    "a length in hexadecimal": PICTURES + b"Content-Length: 0x0\r\n\r\n" + SMUGGLED,
    "a length that is too long": PICTURES + b"Content-Length: %d\r\n\r\n" % (1 << 64) + SMUGGLED,
    "a coding that is none": PICTURES + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunks that are not last": PICTURES + b"Transfer-Encoding: chunked, identity\r\n\r\n"
    b"0\r\n\r\n" + SMUGGLED,
    "two codings": PICTURES + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"
    b"0\r\n\r\n" + SMUGGLED,
    "a space before the colon": PICTURES + b"Content-Length : 0\r\n\r\n" + SMUGGLED,
    "a tab in a name": PICTURES + b"Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a folded header": PICTURES + b"X: a\r\n Content-Length: 5\r\n\r\n" + SMUGGLED,
    "a null in a header": PICTURES + b"X: a\0b\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
    "a bare return in a header": PICTURES + b"X: a\rContent-Length: 5\r\n\r\n" + SMUGGLED,
    "a chunk of no number": PICTURES + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n"
    + SMUGGLED,
    "a chunk that is too long": PICTURES + b"Transfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n0\r\n\r\n"
    + SMUGGLED,
    "a chunk that ends with a bare line feed": PICTURES
    + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\n0\r\n\r\n" + SMUGGLED,
    "an extension with a bare line feed": PICTURES
    + b"Transfer-Encoding: chunked\r\n\r\n1;a\nb\r\nx\r\n0\r\n\r\n" + SMUGGLED,
    "a line in a method": b"GET\n/healthz HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
    "another protocol": b"GET /healthz HTTP/9.9\r\n" + HOST + b"\r\n" + SMUGGLED,
}  # fmt: skip


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_can_be_understood_in_two_ways_is_refused(name: str, server: Server) -> None:
    """Whoever stands in front may have understood the other; no second request is found in it."""
    answer = server.sent(AMBIGUOUS[name])
    assert statuses(answer) == [400], answer
    assert b"vecsearch_images" not in answer


def test_what_is_plain_is_not_refused(server: Server) -> None:
    chunks = b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n2;a=b\r\nno\r\n0\r\n\r\n"
    assert statuses(server.sent(PICTURES + chunks)) == [422]
    two = HEAD + b"\r\n" + HEAD + b"Connection: close\r\n\r\n"
    assert statuses(server.sent(two)) == [200, 200]


NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  upstream vecsearch {{ server 127.0.0.1:{port}; keepalive 1; }}
  server {{
    listen unix:{folder}/socket;
    location /metrics {{ return 403; }}
    location / {{
      proxy_pass http://vecsearch; proxy_http_version 1.1; proxy_request_buffering off;
      proxy_set_header Connection ""; proxy_set_header Host localhost;
    }}
  }}
}}
"""


@pytest.fixture(scope="module")
def proxy(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """nginx in front of the server, which lets nobody at the metrics; its socket."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("there is no nginx here")
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "conf").write_text(NGINX.format(folder=folder, port=server.port))
    command = [program, "-c", str(folder / "conf"), "-e", str(folder / "error")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(100):
                if (folder / "socket").exists():
                    break
                with pytest.raises(subprocess.TimeoutExpired):
                    process.wait(0.1)
            yield folder / "socket"
        finally:
            process.terminate()


def through(proxy: Path, data: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(proxy))
        connection.sendall(data)
        return received(connection)


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_no_request_passes_a_proxy_within_another(name: str, proxy: Path) -> None:
    last = HEAD + b"Connection: close\r\n\r\n"
    answer = through(proxy, AMBIGUOUS[name] + last)
    assert b"vecsearch_images" not in answer
    for _ in range(2):  # what the proxy keeps open to the server is in step
        answer = through(proxy, last)
        assert statuses(answer) == [200], answer
        assert answer.endswith(b"ok\n")
