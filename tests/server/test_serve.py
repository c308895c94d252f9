"""The command ``serve``: it answers, changes indexes where that is allowed, tells, and ends."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families
from samples import CHEAP, Run, draw

import vecsearch

JPEG = {"Content-Type": "image/jpeg"}
JSON = {"Content-Type": "application/json"}


@dataclass
class Served:
    """A server of the real command."""

    process: subprocess.Popen[str]
    url: str

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, found, answer.read()
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        status, _, body = self.ask("GET", path)
        assert status == 200, body
        return json.loads(body)


@contextmanager
def command(folder: Path, *arguments: str, code: int = 0) -> Iterator[Served]:
    """Run ``vecsearch serve`` in *folder* until the end, when SIGTERM has to end it with *code*."""
    full = [sys.executable, "-m", "vecsearch", "serve", "--port", "0", *arguments]
    with subprocess.Popen(full, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("vecsearch: serving at http://127.0.0.1:"), line
        try:
            yield Served(process, line.split()[3])
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            assert process.wait(30) == code


@pytest.fixture(scope="module")
def kept_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures that no test changes."""
    folder = tmp_path_factory.mktemp("kept") / "photos"
    for number in range(12):
        draw(folder / f"p{number}.{'png' if number < 10 else 'jpg'}", number)
    return folder


@pytest.fixture(scope="module")
def kept_index(kept_photos: Path) -> Path:
    return vecsearch.build(kept_photos, index=kept_photos.parent / "index", encoder=CHEAP).index


@pytest.fixture(scope="module")
def served(kept_index: Path) -> Iterator[Served]:
    """A server that only reads, for all tests that do not look at its counts."""
    with command(kept_index.parent, "-i", str(kept_index), "--log", "none") as one:
        yield one


@pytest.fixture
def new_server(index: Path, tmp_path: Path) -> Iterator[Served]:
    with command(tmp_path, "-i", str(index), "--log", "none") as one:
        yield one


def test_an_index_answers_by_id_and_by_picture(served: Served, kept_photos: Path) -> None:
    (facts,) = served.get("/api/v1/indexes")["indexes"]
    assert (facts["name"], facts["images"]) == ("index", 12)
    (result,) = served.get("/api/v1/indexes/index/images/3/similar?k=4")["results"]
    assert [hit["rank"] for hit in result["hits"]] == [1, 2, 3, 4]
    assert all(hit["id"] != 3 for hit in result["hits"])
    picture = (kept_photos / "p2.png").read_bytes()
    path = "/api/v1/indexes/index/query/picture?k=1"
    status, _, body = served.ask("POST", path, picture, JPEG)
    assert status == 200
    (hit,) = json.loads(body)["results"][0]["hits"]
    assert hit["path"] == str(kept_photos / "p2.png")
    assert hit["score"] == pytest.approx(1.0, abs=1e-3)


def test_answers_are_those_of_the_index_itself(served: Served, kept_index: Path) -> None:
    queries = [{"id": number} for number in (1, 5, 99, 7)]
    asked = {"queries": queries, "k": 3, "threshold": 0.1, "glob": ["*.png"]}
    status, _, body = served.ask(
        "POST", "/api/v1/indexes/index/query", json.dumps(asked).encode(), JSON
    )
    assert status == 200
    options = vecsearch.QueryOptions(threshold=0.1, glob="*.png")
    with vecsearch.open_index(kept_index) as opened:
        expected = opened.query([f"id:{one['id']}" for one in queries], k=3, options=options)
    found = json.loads(body)["results"]
    assert [one.get("error", "") for one in found] == [one.error for one in expected]
    assert any(one.error for one in expected)
    for mine, its in zip(found, expected, strict=True):
        assert [(hit["id"], hit["score"]) for hit in mine["hits"]] == [
            (hit.id, hit.score) for hit in its.hits
        ]


def test_many_who_ask_at_once_each_get_their_own_answer(new_server: Served) -> None:
    alone = {
        number: new_server.get(f"/api/v1/indexes/index/images/{number}/similar?k=3")["results"]
        for number in range(1, 13)
    }
    wrong: list[object] = []

    def ask(first: int) -> None:
        for step in range(30):
            number = (first + step) % 12 + 1
            path = f"/api/v1/indexes/index/images/{number}/similar?k=3"
            found = new_server.get(path)["results"]
            if [hit["id"] for hit in found[0]["hits"]] != [
                hit["id"] for hit in alone[number][0]["hits"]
            ]:
                wrong.append((number, found))

    threads = [threading.Thread(target=ask, args=(first,)) for first in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    metrics = {
        sample.name: sample.value
        for family in text_string_to_metric_families(new_server.ask("GET", "/metrics")[2].decode())
        for sample in family.samples
        if sample.labels.get("lane") == "stored"
    }
    assert metrics["vecsearch_batch_requests_sum"] == 6 * 30 + 12


def test_a_build_elsewhere_is_seen_at_the_next_question(
    new_server: Served, index: Path, photos: Path
) -> None:
    draw(photos / "later.png", 77)
    vecsearch.build(index=index)
    assert new_server.get("/api/v1/indexes/index")["images"] == 13
    found = new_server.get("/api/v1/indexes/index/images/13/similar?k=1")["results"][0]
    assert found["path"] == str(photos / "later.png")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/v1/indexes/index/images?name=x.png", b"x"),
        ("DELETE", "/api/v1/indexes/index/images/1", None),
        ("POST", "/api/v1/indexes/index/update", b"{}"),
    ],
)
def test_nothing_can_be_changed_unless_that_is_allowed(
    served: Served, method: str, path: str, body: bytes | None
) -> None:
    kind = JSON if body == b"{}" else JPEG
    status, headers, answer = served.ask(method, path, body, kind if body else None)
    assert (status, json.loads(answer)["code"]) == (403, "read_only")
    assert headers["content-type"] == "application/problem+json"
    assert served.get("/api/v1/indexes/index")["images"] == 12


@pytest.fixture
def editable(index: Path, photos: Path, tmp_path: Path) -> Iterator[Served]:
    options = ["--allow-edits", "--add-to", str(photos / "more"), "--log", "none"]
    with command(tmp_path, "-i", str(index), *options) as one:
        yield one


def test_a_picture_is_added_found_and_removed(
    editable: Served, photos: Path, tmp_path: Path
) -> None:
    picture = draw(tmp_path / "n.png", 55).read_bytes()
    base = "/api/v1/indexes/index/images"
    status, _, body = editable.ask("POST", f"{base}?name=n.png", picture, JPEG)
    assert status == 201, body
    added = json.loads(body)
    assert added == {"path": str(photos / "more" / "n.png"), "id": 13}
    assert (photos / "more" / "n.png").read_bytes() == picture
    assert editable.get(f"{base}/13")["path"] == added["path"]
    again = editable.ask("POST", f"{base}?name=n.png", picture, JPEG)
    assert json.loads(again[2]) == added  # the same picture under the same name is no other
    status, _, body = editable.ask("DELETE", f"{base}/13")
    assert json.loads(body) == {"id": 13, "images": 12}
    assert (photos / "more" / "n.png").exists()
    assert editable.ask("DELETE", f"{base}/13")[0] == 404


@pytest.mark.parametrize("name", ["../n.png", "p10.jpg", ".n.png", "n.txt", "a/b.png", "n\n.png"])
def test_a_picture_gets_no_name_but_a_plain_new_one(
    editable: Served, photos: Path, tmp_path: Path, name: str
) -> None:
    from urllib.parse import quote

    before = {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()}
    picture = draw(tmp_path / "n.png", 55).read_bytes()
    path = f"/api/v1/indexes/index/images?name={quote(name, safe='')}"
    status, _, body = editable.ask("POST", path, picture, JPEG)
    assert (status, json.loads(body)["code"]) == (400, "usage")
    assert before == {path: path.read_bytes() for path in photos.rglob("*") if path.is_file()}


def test_what_is_no_picture_is_not_added(editable: Served, photos: Path) -> None:
    path = "/api/v1/indexes/index/images?name=n.png"
    status, _, body = editable.ask("POST", path, b"no picture at all", JPEG)
    assert (status, json.loads(body)["code"]) == (422, "not_a_picture")
    assert not (photos / "more" / "n.png").exists()


def test_an_update_brings_in_what_has_come(editable: Served, photos: Path) -> None:
    draw(photos / "later.png", 78)
    (photos / "p1.png").unlink()
    path = "/api/v1/indexes/index/update"
    status, _, body = editable.ask("POST", path, b"{}", JSON)
    assert status == 200, body
    report = json.loads(body)
    assert (report["images"], report["counts"]["added"], report["counts"]["removed"]) == (12, 1, 1)


def test_a_damaged_or_lost_index_is_not_ready_and_is_named(
    index: Path, photos: Path, tmp_path: Path
) -> None:
    other = vecsearch.build(photos, index=tmp_path / "other", encoder=CHEAP).index
    with command(tmp_path, "-i", str(index), "-i", str(other), "--log", "none") as served:
        assert served.ask("GET", "/readyz")[0::2] == (200, b"ready\n")
        other.rename(tmp_path / "away")
        status, _, body = served.ask("GET", "/readyz")
        assert status == 503
        assert body.startswith(b"other: ")
        assert b"index: " not in body
        assert served.ask("GET", "/healthz")[0] == 200
        assert served.get("/api/v1/indexes/index")["images"] == 12
        status, _, body = served.ask("GET", "/api/v1/indexes/other/images/1/similar")
        assert status == 503
        assert json.loads(body)["code"].startswith("index_")


def test_metrics_are_what_prometheus_reads(new_server: Served, photos: Path) -> None:
    new_server.get("/api/v1/indexes/index/images/1/similar?k=2")
    picture = draw(photos.parent / "new.png", 60).read_bytes()
    new_server.ask("POST", "/api/v1/indexes/index/query/picture", picture, JPEG)
    assert new_server.ask("GET", "/api/v1/indexes/none")[0] == 404
    text = new_server.ask("GET", "/metrics")[2].decode()
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    count = "vecsearch_request_seconds_count"
    assert samples[(count, ("kind", "similar"), ("status", "200"))] == 1
    assert samples[(count, ("kind", "describe"), ("status", "404"))] == 1
    for phase in ("decode", "embed", "search", "look-up"):
        assert samples[("vecsearch_phase_seconds_count", ("phase", phase))] >= 1
    assert samples[("vecsearch_images", ("index", "index"))] == 12
    assert samples[("vecsearch_generation", ("index", "index"))] >= 1


def test_the_log_has_a_line_for_each_request(index: Path, tmp_path: Path) -> None:
    with command(tmp_path, "-i", str(index), "--log", "json") as served:
        served.ask("GET", "/api/v1/indexes/index/images/1/similar?k=2")
        served.ask("GET", "/%0a%1b[31m")
        assert served.process.stderr is not None
        lines = [json.loads(served.process.stderr.readline()) for _ in range(2)]
    assert [(line["path"], line["status"]) for line in lines] == [
        ("/api/v1/indexes/index/images/1/similar", 200),
        ("/%0a%1b[31m", 404),
    ]


def test_ctrl_c_ends_it_and_the_port_is_free_again(index: Path, tmp_path: Path) -> None:
    with command(tmp_path, "-i", str(index), "--log", "none") as served:
        port = urlsplit(served.url).port
        served.process.send_signal(signal.SIGINT)
        assert served.process.wait(30) == 0
    with command(tmp_path, "-i", str(index), "--port", str(port)) as served:
        assert urlsplit(served.url).port == port
        assert served.ask("GET", "/healthz")[0] == 200


def test_what_has_begun_is_answered_before_the_end(index: Path, tmp_path: Path) -> None:
    with command(tmp_path, "-i", str(index), "--log", "none") as served:
        parts = urlsplit(served.url)
        picture = draw(tmp_path / "n.png", 55).read_bytes()
        with closing(
            http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        ) as connection:
            connection.putrequest("POST", "/api/v1/indexes/index/query/picture?k=1")
            connection.putheader("Content-Type", "image/png")
            connection.putheader("Content-Length", str(len(picture)))
            connection.endheaders(picture[:10])
            served.ask("GET", "/healthz")  # so that the head above has been read
            served.process.send_signal(signal.SIGTERM)
            connection.send(picture[10:])
            answer = connection.getresponse()
            assert answer.status == 200
            assert len(json.loads(answer.read())["results"][0]["hits"]) == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--port", "70000"], "the port is 70000"),
        (["--host", "203.0.113.7"], "requested address; give --host an address of this machine"),
        (["--add-to", "photos"], "--add-to is about edits"),
        (["--root-path", "images"], "the prefix is 'images'"),
        (["-i", "nowhere"], "no index nowhere"),
    ],
)
def test_what_cannot_be_meant_is_told_in_a_line(
    index: Path, run: Run, arguments: list[str], complaint: str
) -> None:
    chosen = [] if "-i" in arguments else ["-i", index]
    command = ["serve", *chosen, *arguments]
    done = run(*command, code=1 if "--host" in arguments or "-i" in arguments else 2)
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1


def test_beyond_this_machine_a_token_is_asked_for(index: Path, tmp_path: Path) -> None:
    full = [sys.executable, "-m", "vecsearch", "serve", "-i", str(index), "--port", "0"]
    full += ["--host", "0.0.0.0", "--log", "none"]
    with subprocess.Popen(full, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url = process.stderr.readline().split()[3]
        parts = urlsplit(url)
        token = parts.query.removeprefix("token=")
        assert len(token) > 20
        served = Served(process, f"http://127.0.0.1:{parts.port}/")
        assert served.ask("GET", "/api/v1/indexes")[0] == 401
        assert served.ask("GET", "/healthz")[0] == 200
        headers = {"Authorization": f"Bearer {token}"}
        assert served.ask("GET", "/api/v1/indexes", headers=headers)[0] == 200
        process.terminate()
        assert process.wait(30) == 0
