"""Who may ask, and what a request or an index of somebody else can do: nothing."""

from __future__ import annotations

import asyncio
import hmac
import http.client
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import PIL.Image
import pytest
from samples import CHEAP, draw
from server_process import Server, running
from starlette.types import Receive, Scope, Send

import vecsearch
from vecsearch.server.access_log import AccessLog
from vecsearch.server.app import ENDPOINTS
from vecsearch.server.guards import Guards
from vecsearch.store import schema

TOKEN = "a-secret-token"
MARKUP = "<img src=x onerror=alert(1)>"
ODD = 'a"\r\nX: y <script>.png'
API = "/api/v1/indexes/photos"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["code"])


def ask(
    server: Server, target: str, method: str = "GET", body: bytes | None = None, /, **headers: str
) -> Answer:
    """Send a request; in names of *headers* underscores are hyphens."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(connection):
        connection.request(method, target, body, named)
        answer = connection.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, told, answer.read())


@pytest.fixture(scope="module")
def photos_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of five pictures, whose catalog was changed by somebody else.

    The first is as it was. The path of the second is that of a file that is no picture, of the
    third a picture that is not in the index; the fourth is a link to this by now. Of the fifth
    only the name is odd.
    """
    folder = tmp_path_factory.mktemp("hostile")
    photos = folder / "photos of mine"
    for number in range(4):
        draw(photos / f"{number}.png", number)
    draw(photos / "4.png", 4).rename(photos / ODD)
    index = vecsearch.build(photos, index=folder / "photos", encoder=CHEAP).index
    private = draw(folder / "private.png", 50)
    paths = {"1.png": Path("/etc/passwd"), "2.png": private}
    with closing(schema.open_catalog(index, writing=True)) as catalog:
        for name, path in paths.items():
            catalog.execute(
                "UPDATE images SET path = ?, size_bytes = ? WHERE path = ?",
                (os.fsencode(path), path.stat().st_size, os.fsencode(photos / name)),
            )
    (photos / "3.png").unlink()
    (photos / "3.png").symlink_to(private)
    return index


def ids_of(index: Path) -> dict[str, int]:
    with vecsearch.open_index(index) as opened:
        return {image.path.name: image.id for image in opened}


@pytest.fixture(scope="module")
def server(photos_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    other = vecsearch.build(
        draw(folder / "others" / "one.png", 9).parent, index=folder / MARKUP, encoder=CHEAP
    )
    with running(folder, photos_index, other.index, log="lines") as started:
        yield started


@pytest.fixture(scope="module")
def guarded(photos_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that wants a token."""
    folder = tmp_path_factory.mktemp("guarded")
    with running(folder, photos_index, token=TOKEN, log="json") as started:
        yield started


CHANGING = [
    (one.method, f"/api/v1{one.path}".replace("{index}", "photos").replace("{id}", "1"))
    for one in ENDPOINTS
    if one.method != "GET"
]


@pytest.mark.parametrize(("method", "target"), [("GET", "/api/v1/indexes"), *CHANGING])
def test_pages_of_other_sites_may_not_ask(method: str, target: str, server: Server) -> None:
    own = f"http://127.0.0.1:{server.port}"
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", f"{own}.evil.example"):
        answer = ask(server, target, method, b"{}", Origin=origin)
        assert (answer.status, answer.code) == (403, "origin")
    for site in ("cross-site", "same-site"):
        for mode in ("cors", "no-cors", *(["navigate"] if method != "GET" else [])):
            answer = ask(server, target, method, b"{}", Sec_Fetch_Site=site, Sec_Fetch_Mode=mode)
            assert (answer.status, answer.code) == (403, "origin")
    answer = ask(server, target, method, b"{}", Origin=own)
    assert answer.status < 400 or answer.code != "origin"


def test_a_link_on_another_site_may_lead_here(server: Server) -> None:
    assert ask(server, "/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "evil.example@127.0.0.1",
        "127.0.0.1@evil.example",
        "127.0.0.1:80:80",
        "127.0.0.1/",
        "127.0.0.1\\",
        "127.0.0.1#evil.example",
        "",
        "a, 127.0.0.1",
    ],
)
def test_a_name_that_is_not_ours_is_not_answered(host: str, server: Server) -> None:
    answer = ask(server, "/api/v1/indexes", Host=host)
    assert (answer.status, answer.code) == (421, "host")


def test_there_is_one_host(server: Server) -> None:
    own = b"Host: 127.0.0.1\r\n"
    for heads in (b"", own + own, own + b"Host: evil.example\r\n"):
        answer = server.sent(b"GET /api/v1/indexes HTTP/1.1\r\nConnection: close\r\n%s\r\n" % heads)
        assert answer.startswith((b"HTTP/1.1 421 ", b"HTTP/1.1 400 ")), answer
    for host in ("localhost", "LOCALHOST:1", "[::1]:8765"):
        assert ask(server, "/api/v1/indexes", Host=host).status == 200


def test_nothing_but_life_is_told_without_the_token(guarded: Server) -> None:
    described = json.loads(
        ask(guarded, "/api/v1/openapi.json", Authorization=f"Bearer {TOKEN}").body
    )
    targets = [
        ("GET", "/"),
        ("GET", "/metrics"),
        ("GET", "/readyz"),
        ("GET", "/api/v1/openapi.json"),
        ("GET", "/nothing"),
        *(
            (method.upper(), path.replace("{index}", "photos").replace("{id}", "1"))
            for path, methods in described["paths"].items()
            for method in methods
        ),
    ]
    assert len(targets) > 15
    for method, target in targets:
        answer = ask(guarded, target, method)
        assert (answer.status, answer.code) == (401, "token"), target
    for target in ("/healthz/", "/healthz/../metrics", "//healthz", "/healthz%2f..%2fmetrics"):
        assert ask(guarded, target).status == 401, target
    assert ask(guarded, "/healthz").status == 200


def test_a_token_has_to_be_the_right_one(guarded: Server) -> None:
    for wrong in (TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "", "*", "ü", f"{TOKEN} {TOKEN}"):
        for headers in (
            {"Authorization": f"Bearer {wrong}".encode().decode("latin-1")},
            {"Cookie": f"vecsearch_token={quote(wrong)}"},
        ):
            assert ask(guarded, "/api/v1/indexes", "GET", None, **headers).status == 401, wrong
        assert ask(guarded, f"/?token={quote(wrong)}").status == 401, wrong
    for headers in (
        {"Authorization": f"Bearer {TOKEN}"},
        {"Authorization": f"bearer  {TOKEN}"},
        {"Cookie": f"a=b; vecsearch_token={TOKEN}"},
    ):
        assert ask(guarded, "/api/v1/indexes", "GET", None, **headers).status == 200
    assert ask(guarded, f"/api/v1/pictures?token={TOKEN}", "POST", b"x").status == 401
    assert ask(guarded, "/", Authorization=f"Basic {TOKEN}").status == 401


async def _nobody(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ([(b"authorization", b"Bearer guess")], b""),
        ([(b"cookie", b"vecsearch_token=guess")], b""),
        ([], b"token=guess"),
    ],
)
def test_a_token_is_compared_in_a_time_that_tells_nothing(
    headers: list[tuple[bytes, bytes]], query: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:

    compared: list[bytes] = []
    compare = hmac.compare_digest

    def noted(given: bytes, token: bytes) -> bool:
        compared.append(given)
        return compare(given, token)

    monkeypatch.setattr(hmac, "compare_digest", noted)
    statuses: list[int] = []

    async def send(message: Any) -> None:
        statuses.append(message.get("status", 0))

    async def receive() -> Any:
        raise AssertionError

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "query_string": query,
        "scheme": "http",
        "headers": [(b"host", b"localhost"), *headers],
    }
    asyncio.run(Guards(_nobody, hosts=[], token=TOKEN)(scope, receive, send))
    assert statuses[0] == 401
    assert b"guess" in compared


def test_the_token_goes_from_the_address_into_a_cookie(guarded: Server) -> None:
    answer = ask(guarded, f"/?index=a%0d%0aX-Evil:%20b&token={TOKEN}&k=5")
    assert answer.status == 303
    assert answer.headers["location"] == "?index=a%0D%0AX-Evil%3A+b&k=5"
    assert "x-evil" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    cookie, *attributes = answer.headers["set-cookie"].split("; ")
    assert cookie == f"vecsearch_token={TOKEN}"
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(attributes)
    assert ask(guarded, "/", Cookie=cookie).status == 200
    assert ask(guarded, f"/?token={TOKEN}", Origin="http://evil.example").status == 403
    for target in ("//evil.example/", "/\\evil.example/", "/%2fevil.example"):
        assert ask(guarded, f"{target}?token={TOKEN}").headers["location"] == "./"
    assert TOKEN not in guarded.log.read_text()


UP = ("..", "%2e%2e", "%252e%252e", "..%00", ".%2e", "%c0%ae%c0%ae", "..;")
SLASH = ("/", "%2f", "%252f", "\\", "%5c", "//")


@pytest.mark.parametrize("slash", SLASH)
@pytest.mark.parametrize("up", UP)
def test_no_path_leads_out(up: str, slash: str, server: Server) -> None:
    way = slash.join([up] * 8 + ["etc", "passwd"])
    here = slash.join([up, "vecsearch", "server", "guards.py"])
    for target in (
        *(f"/{one}" for one in (way, here, "index.html" + slash + way)),
        *(f"/api/v1/indexes/{one}" for one in (way, f"{way}/images", f"photos{slash}{up}")),
        f"/api/v1/indexes/photos/images/{way}/original",
        f"/api/v1/indexes/photos/images/1{slash}{way}",
    ):
        answer = ask(server, target)
        assert answer.status in (400, 404), target
        assert b"root:" not in answer.body
        assert b"import" not in answer.body
    for target in ("/etc/passwd", "//etc/passwd", "file:///etc/passwd", "/guards.py", "/web/"):
        assert ask(server, target).status in (400, 404), target


@pytest.mark.parametrize(
    "number", ["6", "0", "-1", "9223372036854775808", "1e0", "1.0", "٣", "%31%32", "0x1"]
)
def test_an_id_is_one_of_the_index(number: str, server: Server) -> None:
    other = f"/api/v1/indexes/{quote(MARKUP)}"
    assert ask(server, f"{other}/images/1").status == 200
    for index in (API, other):
        for what in ("", "/thumbnail", "/original", "/similar"):
            target = f"{index}/images/{quote(number, safe='%')}{what}"
            assert ask(server, target).status == 404, target
    assert ask(server, f"{API}/images/2").status == 200
    assert ask(server, f"{other}/images/2").status == 404


def test_names_are_not_taken_for_anything_else(server: Server, photos_index: Path) -> None:
    answer = ask(server, "/api/v1/indexes")
    assert MARKUP.encode() in answer.body
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    number = ids_of(photos_index)[ODD]
    for what in ("original", "thumbnail"):
        answer = ask(server, f"{API}/images/{number}/{what}")
        assert answer.status == 200
        assert "x" not in answer.headers
        assert answer.headers["content-type"].startswith("image/")
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    named = ask(server, f"{API}/images/{number}/original").headers["content-disposition"]
    assert named == "inline; filename*=UTF-8''a%22%0D%0AX%3A%20y%20%3Cscript%3E.png"
    for wrong in (f"/{MARKUP}", f"{API}/images?sort={MARKUP}", f"{API}/images?{MARKUP}=1"):
        answer = ask(server, quote(wrong, safe="/?="))
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_request_has_one_line_in_the_log(server: Server, guarded: Server) -> None:
    targets = [
        "/%0a127.0.0.1%20GET%20/forged%20200",
        "/\u009b31m",
        "/\u0085x",
        "/" + "x" * 5000,
        '/"},{"',
    ]
    for started, headers in ((server, {}), (guarded, {"Authorization": f"Bearer {TOKEN}"})):
        before = started.log.read_text().count("\n")
        for target in targets:
            data = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            data += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            started.sent(data.encode("latin-1") + b"\r\n")
        text = started.log.read_text(encoding="latin-1")
        assert all(line.isprintable() for line in text.split("\n"))
        answered = [line for line in text.split("\n")[before:] if "GET" in line]
        assert 3 <= len(answered) <= len(targets)
        assert max(map(len, answered)) < 700
    guarded.sent(b"\x16\x03\x01 no request\r\n\r\n")
    for line in guarded.log.read_text().splitlines():
        assert json.loads(line)["client"] == "127.0.0.1"


def test_the_log_escapes_what_a_parser_may_let_through(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "vecsearch.access")
    scope = {"method": "GET", "raw_path": b"/\nforged \x9b31m\x1b[2J"}
    for log in ("lines", "json"):
        AccessLog(_nobody, None, log=log)._write(scope, 200, 0, 0.0)  # type: ignore[arg-type]
    lines, as_json = caplog.messages
    assert lines.isprintable()
    assert as_json.isprintable()
    assert lines.startswith("- GET /\\nforged \\x9b31m\\x1b[2J 200 0 ")
    assert json.loads(as_json)["path"] == "/\nforged \x9b31m\x1b[2J"


def test_a_file_that_was_not_indexed_is_not_sent(server: Server, photos_index: Path) -> None:
    ids = ids_of(photos_index)
    for name in ("passwd", "private.png", "3.png"):
        for what in ("original", "thumbnail"):
            answer = ask(server, f"{API}/images/{ids[name]}/{what}")
            assert (answer.status, answer.code) == (404, "changed"), name
            assert b"root:" not in answer.body
    for what in ("original", "thumbnail?size=small"):
        assert ask(server, f"{API}/images/{ids['0.png']}/{what}").status == 200


def test_nothing_is_fetched_for_a_client_or_an_index(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A listener sees who asks for the pictures behind URLs: nobody."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/x.png"
        photos = draw(tmp_path / "photos" / "0.png", 1).parent
        index = vecsearch.build(photos, index=tmp_path / "index", encoder=CHEAP).index
        with closing(schema.open_catalog(index, writing=True)) as catalog:
            catalog.execute("UPDATE images SET path = ?", (url.encode(),))
        asked: list[object] = []
        ended = threading.Event()

        def listen() -> None:
            listener.settimeout(0.1)
            while not ended.is_set():
                try:
                    connection, peer = listener.accept()
                except TimeoutError:
                    continue
                connection.close()
                asked.append(peer)

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            with running(tmp_path / "server", index) as started:
                at = "/api/v1/indexes/index"
                for what in ("", "/original", "/thumbnail", "/similar", "/similar?box=1,1,2,2"):
                    ask(started, f"{at}/images/1{what}")
                for one in (
                    {"path": url},
                    {"path": url, "name": url},
                    {"id": 1, "name": url},
                    {"id": 1, "box": [1, 1, 2, 2]},
                    {"path": f"{url}?", "box": [1, 1, 2, 2]},
                    {"picture": "0" * 32, "name": url},
                    {"word": url},
                ):
                    body = json.dumps({"queries": [one]}).encode()
                    for to in ("query", "look"):
                        ask(started, f"{at}/{to}", "POST", body, Content_Type="application/json")
                ask(started, f"{at}/images/find", "POST", json.dumps({"paths": [url]}).encode(),
                    Content_Type="application/json")  # fmt: skip
                ask(started, f"{at}/images?under={quote(url)}")
            assert not asked
            socket.create_connection(listener.getsockname()).close()
        finally:
            ended.wait(0.5)
            ended.set()
            thread.join()
    assert asked  # the listener does see who asks


def test_a_picture_that_is_too_large_unpacked_is_refused(server: Server) -> None:
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    side = 60_000
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * (1 << 24), 9)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    for target in ("/api/v1/pictures", f"{API}/query/picture"):
        answer = ask(server, target, "POST", bomb, Content_Type="image/png")
        assert (answer.status, answer.code) == (422, "not_a_picture")
        assert b"megapixels" in answer.body


def test_a_client_may_leave_at_any_time(server: Server) -> None:
    picture = PIL.Image.new("RGB", (64, 64))
    head = (
        f"POST {API}/query/picture HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: image/png\r\nContent-Length: {1 << 20}\r\n\r\n"
    ).encode()
    assert picture
    for data in (
        b"",
        b"GET",
        head,
        head + b"x" * 1000,
        f"GET {API}/recommend HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(),
        f"GET {API}/images/1/original HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(),
    ):
        for _ in range(5):
            with server.connect() as connection:
                connection.sendall(data)
                connection.setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
                )  # the connection is reset
    assert ask(server, "/readyz").status == 200
    while b"vecsearch_requests_in_flight 0.0" not in ask(server, "/metrics").body:
        time.sleep(0.05)  # until what was begun has ended, or the test takes too long
    text = server.log.read_text()
    assert "fault" not in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-length", b"1"), (b"content-length", b"1")],
        [(b"content-length", b"1"), (b"transfer-encoding", b"chunked")],
        [(b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"identity")],
    ],
)
def test_two_lengths_are_refused_whatever_a_parser_lets_through(
    headers: list[tuple[bytes, bytes]],
) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "scheme": "http",
        "headers": [(b"host", b"localhost"), *headers],
    }
    asyncio.run(Guards(_nobody, hosts=[])(scope, receive, send))
    assert sent[0]["status"] == 400
    assert json.loads(sent[1]["body"])["code"] == "ambiguous"
