"""The client of a server: it answers as the index does that is open here."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from samples import CHEAP, SAMPLES, Run, draw
from server_process import Last, Server, answering, http, running

import vecsearch
from vecsearch import (
    ImageFilter,
    ListOptions,
    NotFoundError,
    QueryImage,
    QueryOptions,
    RemoteIndex,
    Result,
    UsageError,
    VecsearchError,
    Word,
)
from vecsearch.search.query_image import Query
from vecsearch.server.asking import Asker
from vecsearch.server.channel import Channel
from vecsearch.server.remote_query import RemoteQueryRun

PIZZA = SAMPLES / "pizza1.jpg"
IDS = (
    "a/1.jpg",
    "a/2.jpg",
    "./b/1",
    "b//2",
    "id:5",
    "id:foo",
    "item 7",
    "http://example.org/x",
    "ü",
)
NO_TEXT = os.fsdecode(b"n\xffn.png")
HELLO = json.dumps(
    {
        "version": "1",
        "indexes": [
            {
                "name": "index",
                "images": 8,
                "dim": 4,
                "encoder": "none",
                "can_embed": True,
                "imported": False,
                "has_words": False,
                "has_edits": False,
            }
        ],
    }
).encode()
FACTS = http("200 OK", HELLO)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures that no index has, and files that are none."""
    folder = tmp_path_factory.mktemp("files")
    draw(folder / "new.jpg", 90)
    draw(folder / "other.png", 91)
    (folder / "broken.jpg").write_bytes((folder / "new.jpg").read_bytes()[:300])
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("no picture")
    np.save(folder / "v.npy", np.random.RandomState(0).normal(size=(len(IDS), 16)))
    (folder / "ids.txt").write_text("".join(f"{one}\n" for one in IDS))
    return folder


@pytest.fixture(scope="module")
def index(files: Path, sample_list: Path) -> Path:
    return vecsearch.build(from_list=sample_list, index=files / "index", encoder=CHEAP).index


@pytest.fixture(scope="module")
def imported(files: Path) -> Path:
    index = files / "imported"
    options = vecsearch.ImportOptions(ids=[files / "ids.txt"])
    return vecsearch.import_vectors(files / "v.npy", index=index, options=options).index


@pytest.fixture(scope="module")
def odd(files: Path) -> Path:
    """An index of pictures with odd names, one of which is no text."""
    folder = files / "odd photos"
    draw(folder / "plain.png", 1)
    for number, name in enumerate((NO_TEXT, "ä [x] 'y'.png", "line\nend.png")):
        shutil.copy(draw(files / "copied.png", 2 + number), folder / name)
    return vecsearch.build(folder, index=files / "odd", encoder=CHEAP).index


@pytest.fixture(scope="module")
def server(
    index: Path, imported: Path, odd: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server in another folder than that where the commands run."""
    with running(tmp_path_factory.mktemp("server") / "deeper", index, imported, odd) as started:
        yield started


@pytest.fixture
def remote(server: Server) -> Iterator[RemoteIndex]:
    with vecsearch.connect(server.url, index="index") as opened:
        yield opened


ANSWERED = """
query id:3
query new.jpg
query {pizza}
query new.jpg other.png id:3 {pizza} --json
query new.jpg id:2 --format jsonl
query new.jpg id:2 --format csv -k 3
query new.jpg id:2 --format paths -0
query id:4 --box 10,10,100,100 --json
query new.jpg other.png --box 1,1,20,20 --json
query new.jpg other.png id:7 --combine mean --json
query new.jpg other.png id:7 --combine max -k 50
query new.jpg id:2 --not id:3 --not other.png --json
query id:1 --under {samples} --json
query id:1 --under ../../../../../../../../../..
query id:1 --under {relative}
query id:1 --glob '{relative}/pi*.jpg'
list --under {relative}
query id:1 --glob 'pi*.jpg'
query id:1 --glob '{samples}/pi*.jpg'
query id:1 --since 1990 --until 2199
query id:1 --threshold 0.5 --json
query id:1 --offset 3 -k 3
query id:1 --offset 100
query new.jpg --expand=2 --rerank=5 --json
query id:5 id:6 --include-self --rerank
query id:5 new.jpg -k 20000 --format csv
query ./new.jpg sub/../new.jpg
info
info --json
info new.jpg id:3 {pizza}
info new.jpg id:3 --json
list
list --json
list --format csv
list --sort path -r --limit 3
list --glob 'p*' --format paths -0
recommend --no-sheets --format jsonl -k 2
recommend --no-sheets --json --rerank -k 2 --expand=3
"""

FAILED = """
query missing.jpg
query missing.jpg --json
query broken.jpg
query broken.jpg --json
query empty.jpg
query text.jpg --format csv
query new.jpg broken.jpg id:3 missing.jpg empty.jpg text.jpg id:9999 id:x --json
query new.jpg broken.jpg id:3 missing.jpg empty.jpg text.jpg id:9999 --format jsonl
query broken.jpg missing.jpg
query missing.jpg missing.jpg --not id:1
query id:1 id:2 id:3 id:4 id:5 id:9999 -k 20000 --format paths
query id:9999
query id:9999 --json
query id:x
query new.jpg missing.jpg --combine max
query new.jpg broken.jpg missing.jpg --combine mean --json
query new.jpg id:1 --not missing.jpg
query missing.jpg --under nowhere
query id:1 --under nowhere
query id:1 --under ../nowhere/ --json
query id:1 --glob 'no*/x'
query id:1 --since 2199
query --word pizza
query id:4 new.jpg --box 10,10,10000,100 --json
info missing.jpg
info id:9999
info broken.jpg
list --under nowhere
list --since 2199
words
"""

MISTAKEN = """
query id:1 -k 0
query id:1 --threshold 7
query id:1 --since 2020 --until 2010
query id:1 --not id:1
query new.jpg --box 10,10,10000,100
query id:4 --box 10,10,10000,100
query {pizza} --box 10,10,10000,100
"""


def lines(text: str) -> list[str]:
    return text.format(pizza=PIZZA, samples=SAMPLES, relative="{relative}").strip().split("\n")


COMMANDS = [
    *((line, 0) for line in lines(ANSWERED)),
    *((line, 1) for line in lines(FAILED)),
    *((line, 2) for line in lines(MISTAKEN)),
]


def compare(run: Run, server: Server, index: Path, line: str, code: int, here: str = ".") -> None:
    """Compare what a command prints with an index here and with the same one of the server."""
    arguments = shlex.split(line.replace("{relative}", os.path.relpath(SAMPLES, here)))
    own = run(*arguments, "-i", index, code=code)
    told = run(*arguments, "-i", index.name, "--server", server.url, code=code)
    assert told.stdout == own.stdout
    assert told.stderr == own.stderr
    assert own.stdout + own.stderr


@pytest.mark.parametrize(("line", "code"), COMMANDS)
def test_commands_print_the_same_of_an_index_here_and_of_a_server(
    line: str,
    code: int,
    server: Server,
    index: Path,
    files: Path,
    run_here: Run,
    tmp_path: Path,
) -> None:
    for name in ("new.jpg", "other.png", "broken.jpg", "empty.jpg", "text.jpg"):
        shutil.copy(files / name, tmp_path)
    (tmp_path / "sub").mkdir()
    compare(run_here, server, index, line, code, str(tmp_path))


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("query a/1.jpg a/2.jpg b//2 ./b/1 id:5 id:foo 'item 7' http://example.org/x ü --json", 0),
        ("query a/1.jpg --under a", 0),
        ("query a/1.jpg --glob 'a/*'", 0),
        ("query id:3 --not ü", 0),
        ("query --vectors v.npy --json", 0),
        ("query --vectors v.npy --format csv --rerank=4 --threshold 0.1 -k 2", 0),
        ("query nope ü --json", 1),
        ("query nope", 1),
        ("query ./a/1.jpg", 1),
        ("query ü --box 1,1,2,2", 1),
        ("query ü --word pizza", 1),
        ("info", 0),
        ("info ü id:4 --json", 0),
        ("info new.jpg", 1),
        ("list --json", 0),
        ("words", 1),
    ],
)
def test_so_they_do_of_imported_vectors(
    line: str, code: int, server: Server, imported: Path, files: Path, run_here: Run, tmp_path: Path
) -> None:
    for name in ("new.jpg", "v.npy"):
        shutil.copy(files / name, tmp_path)
    compare(run_here, server, imported, line, code)


@pytest.mark.parametrize("form", ["json", "csv-raw", "paths"])
def test_so_they_do_of_paths_that_are_no_text(
    form: str, server: Server, odd: Path, run_here: Run, tmp_path: Path
) -> None:
    shutil.copy(odd.parent / "new.jpg", tmp_path / NO_TEXT)
    folder = shlex.quote(str(odd.parent / "odd photos"))
    name = shlex.quote(NO_TEXT)
    for line in (
        f"query {name} {folder}/{name} id:1 --format {form}",
        f"query id:1 --under {folder}/{name} --format {form}",
        f"query id:1 --glob 'n?n.png' --format {form}",
        f"list --under {folder}/{name} --format {form}",
        f"list --format {form}",
    ):
        compare(run_here, server, odd, line, 0)


def test_the_server_may_be_named_in_the_environment(
    server: Server, index: Path, run_here: Run
) -> None:
    here = run_here("query", "id:1", "-i", index)
    there = run_here("query", "id:1", VECSEARCH_SERVER=server.url, VECSEARCH_INDEX="index")
    assert there.stdout == here.stdout
    run_here("query", "id:1", "--fetch", "--server", server.url, "-i", "index", code=2)


def queries() -> list[Query]:
    picture = draw(Path("new.png"), 77)
    with PIL.Image.open(picture) as opened:
        opened.load()
    return [
        PIZZA,
        str(PIZZA),
        picture,
        picture.read_bytes(),
        opened,
        np.asarray(opened),
        "id:2",
        QueryImage("id:2", PIZZA),
        QueryImage("named", PIZZA, box=(5, 5, 50, 50)),
        QueryImage("-", None, picture.read_bytes(), (1, 1, 20, 20)),
    ]


def test_queries_of_all_kinds_have_the_results_that_they_have_here(
    remote: RemoteIndex, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = queries()
    options = QueryOptions(minus=["id:4", asked[3]], threshold=0.01)
    with vecsearch.open_index(index) as here:
        assert remote.query(asked, k=4) == here.query(asked, k=4)
        assert remote.query(asked, k=4, options=options) == here.query(asked, k=4, options=options)
        for one in asked:
            assert remote.query(one) == here.query(one)
        together = QueryOptions(combine="mean", minus=Path("new.png"))
        assert remote.query(asked, options=together) == here.query(asked, options=together)
        assert remote.query([]) == []
        assert remote.look(asked) == here.look(asked)
        for wrong in ("id:77", "missing.jpg", Word("pizza"), Word(" "), 3.5):
            with pytest.raises(VecsearchError) as own:
                here.query(wrong)  # type: ignore[arg-type]
            with pytest.raises(type(own.value)) as told:
                remote.query(wrong)  # type: ignore[arg-type]
            assert str(told.value) == str(own.value)
            assert type(told.value) is type(own.value)
            assert told.value.hint == own.value.hint


def test_all_else_that_an_index_answers(remote: RemoteIndex, index: Path) -> None:
    with vecsearch.open_index(index) as here:
        image = here.image(2)
        assert len(remote) == len(here) == 8
        assert remote.generation == here.generation
        assert remote.info() == here.info()
        assert replace(remote.image(2), row=image.row, taken=image.taken) == image
        assert remote.has_path(PIZZA)
        assert not remote.has_path("missing.jpg")
        assert remote.image_at("missing.jpg") is None
        assert not remote.has_path("")
        assert not remote.has_path("x" * 5000)
        found = remote.images_at([PIZZA, "missing.jpg"])
        assert [one.id for one in found] == [one.id for one in here.images_at([PIZZA])]
        assert [one.path for one in found] == [PIZZA]
        options = ListOptions(sort="size", reverse=True, limit=3)
        assert list(remote.list_images(options)) == list(here.list_images(options))
        assert list(remote.list_images()) == list(here.list_images())
        assert list(remote.recommend(k=2)) == list(here.recommend(k=2))
        _, vectors = here.vectors()
        assert remote.search(vectors[:3] * 7) == here.search(vectors[:3] * 7)
        assert remote.guess_at([PIZZA]) == here.guess_at([PIZZA]) == {}
        for wrong in (vectors * 0, vectors[:, 1:]):
            with pytest.raises(UsageError):
                remote.search(wrong)
    with pytest.raises(UsageError, match="vecsearch viz"):
        remote.map_vectors(ImageFilter())
    with pytest.raises(UsageError, match="lies in the index"):
        remote.check_copies(index / "copies")
    remote.check_copies(index.parent / "copies")
    with pytest.raises(NotFoundError, match="id:99"):
        remote.image(99)
    remote.read_dates()
    assert str(remote.path).endswith("/index")


def test_hits_come_in_parts_where_they_are_too_many(
    server: Server, index: Path, tmp_path: Path
) -> None:
    given = [QueryImage("id:1", None), QueryImage("id:2", None), QueryImage("id:99", None)]
    address = "/indexes/index"
    with vecsearch.open_index(index) as here:
        wanted = here.query(given, k=7, options=QueryOptions(offset=1))
    with closing(Channel(server.url, None)) as channel:
        asker = Asker(channel, address, imported=False)
        run = RemoteQueryRun(channel, address, asker, 7, QueryOptions(offset=1), page=2)
        (batch,) = run.batches(given)
        assert list(run.answered(batch, [], alone=False)) == wanted


def ids_of(results: list[Result]) -> list[int]:
    """Return which hits there are: cosines of what is answered together differ in their end."""
    return [hit.id for result in results for hit in result.hits]


def test_many_threads_ask_at_once(remote: RemoteIndex, index: Path) -> None:
    numbers = [*range(1, 9)] * 20
    with vecsearch.open_index(index) as here:
        wanted = [ids_of(here.query(f"id:{number}")) for number in numbers]
    with ThreadPoolExecutor(16) as pool:
        found = pool.map(remote.query, [f"id:{number}" for number in numbers])
        assert [ids_of(one) for one in found] == wanted


def test_pictures_that_the_server_cannot_keep_are_told(
    index: Path, files: Path, tmp_path: Path
) -> None:
    sizes = [(files / name).stat().st_size for name in ("new.jpg", "other.png")]
    with (
        running(tmp_path, index, limits={"sent_bytes": max(sizes) + 1}) as started,
        vecsearch.connect(started.url) as remote,
    ):
        assert remote.query(files / "new.jpg")[0].hits
        with pytest.raises(VecsearchError, match="not kept"):
            remote.query([files / "new.jpg", files / "other.png"])
        assert remote.query(files / "other.png")[0].hits


def test_a_picture_is_sent_again_if_it_is_not_kept() -> None:
    sent = http("200 OK", b'{"picture": "0", "width": 0, "height": 0}')
    gone = http("410 Gone", b'{"code": "picture_gone", "detail": "gone"}')
    result = http(
        "200 OK",
        b'{"encoder": "e", "results": [{"query": "bytes:0", "asked": '
        b'[{"query": "bytes:0"}], "hits": []}]}',
    )
    with (
        answering(FACTS, sent, gone, sent, result) as script,
        vecsearch.connect(script.url) as remote,
    ):
        (answer,) = remote.query(b"picture")
    assert answer.encoder == "e"
    assert [one.split(b" ")[1] for one in script.asked[1:]] == [
        b"/api/v1/pictures?look=false",
        b"/api/v1/indexes/index/query",
    ] * 2


def test_a_connection_that_was_closed_is_opened_again() -> None:
    described = http("200 OK", b'{"images": 8}')
    with (
        answering(Last(FACTS), described, Last(described), described) as script,
        vecsearch.connect(script.url) as remote,
    ):
        assert [len(remote) for _ in range(3)] == [8] * 3


def count(url: str, **chosen: str) -> int:
    """Connect, and return how many images there are."""
    with vecsearch.connect(url, **chosen) as remote:
        return len(remote)


def test_who_is_busy_is_asked_again_but_not_for_ever() -> None:
    problem = b'{"code": "busy", "detail": "there is too much to do", "hint": "later"}'
    busy = http("503 Service Unavailable", problem, "Retry-After: 0")
    described = http("200 OK", b'{"images": 8}')
    with answering(FACTS, busy, busy, described) as script:
        assert count(script.url) == 8
    with (
        answering(FACTS, *[busy] * 5) as script,
        pytest.raises(VecsearchError, match="too much to do; later"),
    ):
        count(script.url)
    damaged = http("503 Service Unavailable", b'{"code": "index_damaged", "detail": "damaged"}')
    with (
        answering(FACTS, damaged) as script,
        pytest.raises(vecsearch.IndexDamagedError, match=r"^damaged$"),
    ):
        count(script.url)


def test_whether_a_file_is_gone_is_what_the_server_says(tmp_path: Path) -> None:
    there = tmp_path / "there.png"
    there.touch()
    size = {"width": 1, "height": 1, "size_bytes": 1, "mtime_ns": 1, "version": ""}
    lines = [{"id": 1, "path": str(there), "gone": True} | size, {"id": 2, "path": "/none"} | size]
    body = b"".join(json.dumps(one).encode() + b"\n" for one in lines)
    hit = {"id": 1, "rank": 1, "score": 1.0, "distance": 0.0, "version": ""}
    hits = [hit | {"path": str(there), "gone": True}, hit | {"path": "/none"}]
    answer = {
        "encoder": "e",
        "results": [{"query": "id:1", "asked": [{"query": "id:1"}], "hits": hits}],
    }
    results = http("200 OK", json.dumps(answer).encode())
    with (
        answering(FACTS, http("200 OK", body), results) as script,
        vecsearch.connect(script.url) as remote,
    ):
        assert [one.is_gone for one in remote.list_images()] == [True, False]
        assert [one.is_gone for one in remote.query("id:1")[0].hits] == [True, False]


def test_a_list_that_ends_early_is_told() -> None:
    image = {"id": 1, "path": "/a", "width": 1, "height": 1, "size_bytes": 1, "mtime_ns": 1}
    line = json.dumps(image | {"version": ""}).encode() + b"\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with (
        answering(FACTS, head + b"%x\r\n%s\r\n" % (len(line), line)) as script,
        vecsearch.connect(script.url) as remote,
    ):
        images = remote.list_images()
        assert next(images).path == Path("/a")
        with pytest.raises(VecsearchError, match="does not answer as vecsearch does"):
            next(images)


@pytest.mark.parametrize(
    "answer",
    [
        http("404 Not Found", b"<h1>Not Found</h1>"),
        http("200 OK", b"<h1>Welcome</h1>"),
        http("200 OK", b"[]"),
        http("302 Found", b"", "Location: http://127.0.0.1:1/"),
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
)
def test_another_server_is_told(answer: bytes) -> None:
    with answering(answer) as script, pytest.raises(VecsearchError) as told:
        vecsearch.connect(script.url)
    assert script.url in str(told.value)


def test_an_address_has_to_be_one_and_a_server_to_be_there(server: Server) -> None:
    for wrong in ("", "index", "ftp://a/", "http://", "http://a:b@c/", "http://a:x/", "http://[/"):
        with pytest.raises(UsageError, match="no address of a server"):
            vecsearch.connect(wrong)
    with pytest.raises(UsageError, match="characters"):
        vecsearch.connect(server.url, token="a\r\nHost: b")
    with pytest.raises(VecsearchError, match="cannot be reached: Connection refused"):
        vecsearch.connect("http://127.0.0.1:1")


def test_an_index_is_chosen_by_its_name(server: Server) -> None:
    with pytest.raises(UsageError, match="index, imported, odd; name one of them"):
        vecsearch.connect(server.url)
    with pytest.raises(NotFoundError, match="no index 'nope'; it has index, imported, odd"):
        vecsearch.connect(server.url, index="nope")
    assert count(server.url, index="odd") == 4


def test_the_token_may_stand_in_the_address_or_apart(
    index: Path, tmp_path: Path, run_here: Run
) -> None:
    with running(tmp_path / "server", index, token="secret") as started:
        bare = started.url.partition("?")[0]
        assert started.url == f"{bare}?token=secret"
        assert count(started.url) == 8
        assert count(bare, token="secret") == 8
        run_here("query", "id:1", "--server", started.url)
        run_here("query", "id:1", "--server", bare, VECSEARCH_TOKEN="secret")
        wrong = run_here("query", "id:1", "--server", bare, code=1)
        assert "the token is missing or wrong; set VECSEARCH_TOKEN" in wrong.stderr


def test_the_client_loads_nothing_of_the_server() -> None:
    code = "import sys, vecsearch; vecsearch.connect; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {
        "starlette",
        "msgspec",
        "uvicorn",
        "httptools",
        "openvino",
        "torch",
        "faiss",
    }
