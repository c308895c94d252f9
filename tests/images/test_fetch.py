"""What is fetched: an index makes no request by itself, and no reading goes on without end."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from samples import CHEAP, Run

import vecsearch
from vecsearch import BuildOptions, ImageError, QueryOptions, SourceError, VecsearchError
from vecsearch.cli.main import cli
from vecsearch.images.sources import allowed_urls, http
from vecsearch.images.sources import url as url_source
from vecsearch.images.sources.access import read_content
from vecsearch.images.sources.allowed_urls import is_below, may_fetch
from vecsearch.maintenance.repair import _made_anew
from vecsearch.types import UrlPath, WantedUrl, path_of


@dataclass
class Site:
    """A web server of a folder, what was requested of it, and what it does otherwise at a path."""

    folder: Path
    requests: list[str] = field(default_factory=list)
    odd: dict[str, Callable[[SimpleHTTPRequestHandler], None]] = field(default_factory=dict)
    url: str = ""

    def handler(self) -> type[SimpleHTTPRequestHandler]:
        site = self

        class Handler(SimpleHTTPRequestHandler):
            def __init__(self, *arguments: object) -> None:
                super().__init__(*arguments, directory=str(site.folder))  # type: ignore[arg-type]

            def log_message(self, format: str, *_: object) -> None:  # noqa: A002
                pass

            def do_GET(self) -> None:
                site.requests.append(self.path)
                if self.path in site.odd:
                    site.odd[self.path](self)
                else:
                    super().do_GET()

            def do_HEAD(self) -> None:
                site.requests.append(self.path)
                if self.path in site.odd:
                    site.odd[self.path](self)
                else:
                    super().do_HEAD()

        return Handler


class Server(ThreadingHTTPServer):
    """A server that is not surprised by clients that go away."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        pass


def serve(folder: Path) -> Iterator[Site]:
    site = Site(folder)
    with Server(("127.0.0.1", 0), site.handler()) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        site.url = f"http://127.0.0.1:{server.server_port}"
        yield site
        server.shutdown()


@pytest.fixture
def run(run_here: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run commands in this process, each as if in one of its own, which knows what is recorded."""

    def run(*arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        with monkeypatch.context() as other:
            other.setattr(allowed_urls, "_named", set())
            return run_here(*arguments, code=code)

    return run


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a process of its own."""
    monkeypatch.setattr(allowed_urls, "_named", set())


@pytest.fixture
def site(photos: Path, tmp_path: Path) -> Iterator[Site]:
    """A server of the folder of `photos`."""
    assert photos.parent == tmp_path
    yield from serve(tmp_path)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Site]:
    """Another server of the same folder."""
    yield from serve(tmp_path)


@pytest.fixture
def received(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index of what the server has, made by another user."""
    with monkeypatch.context() as other:
        other.setenv("VECSEARCH_STATE", str(tmp_path / "other"))
        other.setattr(allowed_urls, "_named", set())
        index = vecsearch.build(f"{site.url}/photos", index=tmp_path / "ix", encoder=CHEAP).index
    assert site.requests
    site.requests.clear()
    return index


def call(*arguments: str | Path) -> int:
    """Run a command in this process."""
    result = cli([*map(str, arguments)], auto_envvar_prefix="VECSEARCH", standalone_mode=False)
    return result if isinstance(result, int) else 0


def drawing(folder: Path) -> list[list[str | Path]]:
    """Commands that draw pictures."""
    return [
        ["query", "id:1", "--sheet", folder / "s.png"],
        ["query", "id:1", "--rerank", "--html", folder / "q.html"],
        ["recommend", "-k", "1", "-o", folder / "rec"],
        ["recommend", "--html", folder / "r.html"],
        ["viz", "--method", "pca", "-o", folder / "m.png", "--html", folder / "m.html"],
        ["duplicates", "--threshold", "0.1", "--html", folder / "d.html"],
        ["eval", "--labels", "folder", "--html", folder / "e.html", "--sheet", folder / "e.png"],
    ]


def test_drawing_an_index_makes_no_request(
    received: Path, site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in drawing(tmp_path):
        call(*command, "-i", received)
        lines = capsys.readouterr().err.splitlines()
        (told,) = [line for line in lines if "not fetched" in line]
        assert told.endswith("--fetch does"), command
        assert site.requests == [], command
    assert "12 pictures were not fetched" in told


def test_drawing_fetches_what_is_asked_for(
    received: Path,
    site: Site,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for command in drawing(tmp_path):
        site.requests.clear()
        call(*command, "-i", received, "--fetch")
        assert set(site.requests) >= {"/photos/more/p10.jpg", "/photos/p6.png"}, command
    site.requests.clear()
    monkeypatch.setenv("VECSEARCH_FETCH", "1")
    call("query", "id:1", "--sheet", tmp_path / "s.png", "-i", received)
    assert len(set(site.requests)) == 6
    assert "not fetched" not in capsys.readouterr().err


def test_what_needs_a_picture_says_what_to_do(
    received: Path, site: Site, run: Run, tmp_path: Path
) -> None:
    run("info", "id:1", "-i", received)
    run("query", f"{site.url}/photos/p0.png", "-i", received)  # answered from its vector
    for command in (
        ["query", "id:1", "--box", "0,0,9,9", "-i", received],
        ["build", "-i", received],
        ["build", "-i", received, "--fresh", "--weights", "random:0"],
    ):
        (line,) = run(*command, code=1).stderr.splitlines()
        assert "named on this machine" in line
        assert "--fetch" in line
    run("verify", "-i", received)
    run("export", "-o", tmp_path / "v.npy", "-i", received)
    assert site.requests == []
    run("query", "id:1", "--box", "0,0,9,9", "-i", received, "--fetch")
    assert site.requests == ["/photos/more/p10.jpg"]
    run("build", "-i", received, "--fetch")


def test_python_fetches_with_an_index_that_may(received: Path, site: Site) -> None:
    part = QueryOptions(box=(0, 0, 9, 9))
    with vecsearch.open_index(received) as index:
        with pytest.raises(ImageError, match=r"not fetched: .*fetch=True"):
            index.query("id:1", options=part)
        assert index.query("id:1")[0].hits
        with pytest.raises(SourceError, match="not named on this machine; nothing was requested"):
            vecsearch.build(index=received)
        assert site.requests == []
    with vecsearch.open_index(received, fetch=True) as index:
        assert index.query("id:1", options=part)[0].hits
        again = pickle.loads(pickle.dumps(index))
        hits = pickle.loads(pickle.dumps(again.query("id:2")))[0].hits
    assert len(site.requests) == 1
    with again:
        assert again.query("id:1", options=part)[0].hits
    assert len(site.requests) == 2
    assert may_fetch(hits[0].path)
    assert not vecsearch.build(index=received, options=BuildOptions(fetch=True)).counts.changed


def test_a_source_that_was_named_is_fetched_by_later_runs(
    received: Path, site: Site, run: Run, tmp_path: Path
) -> None:
    run("plan", f"{site.url}/photos", "--no-calibrate")
    site.requests.clear()
    done = run("query", "id:1", "--sheet", tmp_path / "s.png", "-i", received)
    assert len(set(site.requests)) == 6
    assert "not fetched" not in done.stderr
    run("build", "-i", received)
    record = tmp_path / "state" / "sources"
    assert record.read_text() == f"{site.url}/photos\n"
    assert record.stat().st_mode & 0o077 == 0


def test_nothing_beside_a_named_source_is_fetched(
    received: Path, site: Site, run: Run, tmp_path: Path
) -> None:
    run("plan", f"{site.url}/photos/more", "--no-calibrate")
    site.requests.clear()
    done = run("recommend", "--html", tmp_path / "r.html", "-i", received)
    assert set(site.requests) == {"/photos/more/p10.jpg", "/photos/more/p11.jpg"}
    assert "10 pictures were not fetched" in done.stderr
    assert "not named" in run("build", "-i", received, code=1).stderr


def test_a_source_is_named_though_it_cannot_be_recorded(
    received: Path, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("VECSEARCH_STATE", str(tmp_path / "file" / "state"))
    vecsearch.build(f"{site.url}/photos", index=received)
    vecsearch.build(index=received)


@pytest.mark.parametrize(
    "url",
    [
        "s3://b/set2/x.png",
        "s3://b/set/../x.png",
        "s3://b/set/a/%2e%2E/../x.png",
        "s3://b/set/%252e%252e/x.png",
        "s3://b/set/..\\x.png",
        "s3://b/set/./x.png",
        "s3://b/set/a/..",
        "s3a://b/set/x.png",
        "s3://b",
        "s3://b/set@evil/x.png",
        "s3://b.evil/set/x.png",
    ],
)
def test_what_lies_below_a_source(url: str) -> None:
    assert not is_below("s3://b/set", url)
    assert is_below("s3://b/set", "s3://b/set/a/.../x..png")
    assert is_below("s3://b/set", "s3://b/set")


@pytest.mark.parametrize(
    "url", ["reference://x/a.png", "ftp://127.0.0.1/a.png", "github://o:r@/a.png",
            "zip://a::http://127.0.0.1/z/a.png", "http://127.0.0.1::memory:/a.png",
            "filecache://http://127.0.0.1/a.png", "simplecache::http://127.0.0.1/a.png"]
)  # fmt: skip
def test_urls_of_other_kinds_are_not_opened(url: str, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"Protocol not known|No such file"):
        read_content(WantedUrl(url) if isinstance(path_of(url), UrlPath) else path_of(url))
    with pytest.raises(SourceError, match=r"Protocol not known|no such folder"):
        vecsearch.build(url, index=tmp_path / "ix", encoder=CHEAP)


def redirect(target: str) -> Callable[[SimpleHTTPRequestHandler], None]:
    def answer(handler: SimpleHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", target)
        handler.end_headers()

    return answer


def test_no_redirect_leads_out_of_a_source(site: Site, elsewhere: Site, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes((tmp_path / "photos" / "p1.png").read_bytes())
    site.odd["/photos/p0.png"] = redirect(f"{elsewhere.url}/photos/p0.png")
    site.odd["/photos/p1.png"] = redirect("/secret.png")
    site.odd["/photos/p2.png"] = redirect("/photos/p3.png")
    with_user = site.url.replace("//", "//user:word@")
    for root in ("http://", f"{site.url}/photos", f"{with_user}/photos"):
        allowed_urls.name_source(UrlPath(root))
    for url in (site.url, with_user):
        for number in (0, 1):
            with pytest.raises(ImageError, match="redirects outside the source"):
                read_content(UrlPath(f"{url}/photos/p{number}.png"))
    assert read_content(UrlPath(f"{site.url}/photos/p2.png")).data
    with pytest.raises(SourceError, match="redirects outside the source"):
        vecsearch.build(f"{site.url}/photos", index=tmp_path / "ix", encoder=CHEAP)
    assert elsewhere.requests == []
    assert "/secret.png" not in site.requests
    # A URL that is asked for by itself is followed.
    site.odd["/one.png"] = redirect(f"{elsewhere.url}/photos/p0.png")
    assert read_content(WantedUrl(f"{site.url}/one.png")).data
    assert elsewhere.requests == ["/photos/p0.png"]


def test_no_listing_leads_out_of_a_source(site: Site, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "photos", tmp_path / "photos-private")
    links = [
        "../photos-private/p0.png", "/photos-private/p1.png", f"{site.url}/photos-private/",
        "more/../../photos-private/", "%2e%2e/photos-private/", "p2.png", "../photos/p3.png",
    ]  # fmt: skip

    def listing(handler: SimpleHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write("".join(f'<a href="{one}">x</a>' for one in links).encode())

    site.odd["/photos"] = listing
    index = vecsearch.build(f"{site.url}/photos", index=tmp_path / "ix", encoder=CHEAP).index
    with vecsearch.open_index(index) as opened:
        assert [str(image.path) for image in opened] == [f"{site.url}/photos/p2.png"]
    assert set(site.requests) == {"/photos", "/photos/p2.png"}


def test_urls_of_a_list_are_fetched_if_it_was_named(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    (tmp_path / "list").write_text(f"{site.url}/photos/p0.png\n{tmp_path}/photos/p1.png\n")
    report = vecsearch.build(index=tmp_path / "ix", from_list=tmp_path / "list", encoder=CHEAP)
    assert report.counts.added == 2
    assert "/photos/p0.png" in site.requests
    site.requests.clear()
    assert "not fetched" not in run("recommend", "--html", "r.html", "-i", "ix").stderr
    assert "/photos/p0.png" in site.requests
    run("build", "-i", "ix")  # it was named before
    monkeypatch.setenv("VECSEARCH_STATE", str(tmp_path / "other"))
    monkeypatch.setattr(allowed_urls, "_named", set())
    site.requests.clear()
    vecsearch.build(index=report.index)
    with vecsearch.open_index(report.index) as index:
        assert len(index) == 2
    assert site.requests == []


def test_the_network_is_not_downloaded_for_an_index(site: Site, index: Path) -> None:
    with vecsearch.open_index(index) as opened:
        spec = opened.encoder
    assert _made_anew(spec, None) is not None
    assert _made_anew(replace(spec, weights=f"{site.url}/w-0123abcd.pth"), None) is None
    assert site.requests == []


def test_a_repair_that_needs_a_picture_says_so(received: Path, site: Site) -> None:
    with vecsearch.open_index(received) as opened:
        before = [(image.path, image.mtime_ns) for image in opened]
    (segment,) = (received / "vectors").glob("*.f16")
    data = bytearray(segment.read_bytes())
    data[3] ^= 1
    segment.write_bytes(data)
    with pytest.raises(VecsearchError, match=r"not fetched: .*--fetch"):
        vecsearch.repair(received)
    assert site.requests == []
    assert len(vecsearch.repair(received, fetch=True).re_embedded) == 1
    with vecsearch.open_index(received) as opened:  # and it has the time of its listing again
        assert [(image.path, image.mtime_ns) for image in opened] == before


# Bounds


def endless(handler: SimpleHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while handler.command == "GET":
        handler.wfile.write(bytes(1 << 16))


def lying(handler: SimpleHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(1 << 50))
    handler.end_headers()
    while handler.command == "GET":
        handler.wfile.write(bytes(1 << 16))


def slow(handler: SimpleHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while handler.command == "GET":
        handler.wfile.write(b"x")
        time.sleep(0.1)


def silent(_: SimpleHTTPRequestHandler) -> None:
    time.sleep(20)


def circular(handler: SimpleHTTPRequestHandler) -> None:
    redirect(handler.path)(handler)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A bound of 1 MiB and of a second."""
    monkeypatch.setattr(http, "LARGEST_BYTES", 1 << 20)
    monkeypatch.setattr(url_source, "_LONGEST_S", 1.0)
    url_source._filesystem.cache_clear()
    yield
    url_source._filesystem.cache_clear()


def test_what_is_said_to_be_too_large_is_not_requested(site: Site, tmp_path: Path) -> None:
    asked = []

    def vast(handler: SimpleHTTPRequestHandler) -> None:
        asked.append(handler.command)
        handler.send_response(200)
        handler.send_header("Content-Length", str(1 << 50))
        handler.end_headers()

    site.odd["/photos/p1.png"] = vast
    report = vecsearch.build(f"{site.url}/photos", index=tmp_path / "ix", encoder=CHEAP)
    assert (report.counts.added, report.counts.skipped) == (11, 1)
    assert set(asked) == {"HEAD"}
    with vecsearch.open_index(tmp_path / "ix") as opened:
        (skipped,) = opened.info().skipped
    assert skipped.reason.startswith("larger than")


@pytest.mark.parametrize(("status", "kept"), [(403, True), (500, True), (503, True), (410, False)])
def test_only_what_a_server_says_is_gone_is_gone(
    status: int, kept: bool, site: Site, tmp_path: Path
) -> None:
    url = f"{site.url}/photos"
    index = vecsearch.build(url, index=tmp_path / "ix", encoder=CHEAP).index
    for path in ("/photos", "/photos/"):
        site.odd[path] = lambda handler: handler.send_error(status)
    with pytest.raises(SourceError, match="cannot be listed" if kept else "is gone"):
        vecsearch.build(index=index)
    if kept:
        with pytest.raises(SourceError, match="cannot be listed"):
            vecsearch.build(index=index, options=BuildOptions(allow_empty=True))
    with vecsearch.open_index(index) as opened:
        assert len(opened) == 12


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (endless, "larger than 1 MiB"),
        (lying, "larger than 1 MiB"),
        (slow, "it took longer than 1 s"),
        (silent, "it took longer than 1 s"),
        (circular, "cannot be read"),
    ],
)
def test_an_answer_without_end_costs_one_picture(
    answer: Callable[[SimpleHTTPRequestHandler], None], reason: str, site: Site, tmp_path: Path
) -> None:
    site.odd["/odd.png"] = answer
    with pytest.raises(ImageError, match=reason):
        read_content(WantedUrl(f"{site.url}/odd.png"))
    (tmp_path / "list").write_text(f"{site.url}/odd.png\n{tmp_path}/photos/p1.png\n")
    report = vecsearch.build(index=tmp_path / "ix", from_list=tmp_path / "list", encoder=CHEAP)
    assert (report.counts.added, report.counts.skipped) == (1, 1)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("answer", [endless, slow, silent])
def test_a_listing_without_end_is_given_up(
    answer: Callable[[SimpleHTTPRequestHandler], None],
    site: Site,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "_LARGEST_PAGE_BYTES", 1 << 20)
    site.odd["/photos"] = answer
    with pytest.raises(SourceError, match=r"cannot be listed: (larger than 1 MiB|it took longer)"):
        vecsearch.build(f"{site.url}/photos", index=tmp_path / "ix", encoder=CHEAP)


def test_a_page_of_blanks_is_read_in_no_time(site: Site, tmp_path: Path) -> None:
    def listing(handler: SimpleHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(b"<a \n class='x'\n href='p2.png'>x</a><a" + b" " * 20_000)

    site.odd["/photos"] = listing
    report = vecsearch.build(f"{site.url}/photos", index=tmp_path / "ix", encoder=CHEAP)
    assert report.counts.added == 1


def test_a_folder_that_lists_itself_has_an_end(site: Site, tmp_path: Path) -> None:
    def listing(handler: SimpleHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(f'<a href="{"again" * 100}/">x</a>'.encode())

    class Everywhere(dict[str, Callable[[SimpleHTTPRequestHandler], None]]):
        def __contains__(self, path: object) -> bool:
            return True

        def __getitem__(self, path: str) -> Callable[[SimpleHTTPRequestHandler], None]:
            return listing

    site.odd = Everywhere()
    with pytest.raises(SourceError, match="no images in"):
        vecsearch.build(f"{site.url}/photos", index=tmp_path / "ix", encoder=CHEAP)
    assert len(site.requests) < 20


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["query", "-", "-i", "index"], "standard input has more than 1024 MiB"),
        (["build", "--from-list", "-", "-i", "n"], "standard input is not a list of"),
        (
            ["build", "-0", "--from-list", "-", "-i", "n"],
            "standard input is not a list of pictures",
        ),
    ],
)
def test_standard_input_without_end_is_refused(
    arguments: list[str], reason: str, index: Path
) -> None:
    command = [sys.executable, "-m", "vecsearch.cli.main", *arguments]
    if arguments[0] == "build":
        command += ["--weights", "random:0", "--layer", "block1_conv1"]
    with Path("/dev/zero").open("rb") as zero:
        done = subprocess.run(
            command, stdin=zero, cwd=index.parent, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
    assert done.returncode in (1, 2)
    (line,) = done.stderr.splitlines()
    assert reason in line


@pytest.mark.parametrize(
    "arguments",
    [
        ["query", "pipe", "-i", "index"],
        ["query", "--vectors", "pipe.npy", "-i", "index"],
        ["build", "--from-list", "pipe", "-i", "n"],
        ["eval", "--labels", "pipe.csv", "-i", "index"],
        ["import", "pipe.npy", "-i", "n"],
    ],
)
def test_a_pipe_that_nobody_writes_is_no_file(arguments: list[str], index: Path) -> None:
    for name in ("pipe", "pipe.npy", "pipe.csv"):
        os.mkfifo(index.parent / name)
    done = subprocess.run(
        [sys.executable, "-m", "vecsearch.cli.main", *arguments],
        cwd=index.parent, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode in (1, 2)
    (line,) = done.stderr.splitlines()
    assert "not a regular file" in line
