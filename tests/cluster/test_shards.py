"""The shards of a collection: they come, go and move, and what cannot be one is refused."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from samples import CHEAP, Run, draw, imported
from server_process import running

import vecsearch
from vecsearch import (
    EncoderMismatchError,
    IndexDamagedError,
    IndexFolderError,
    IndexFormatError,
    IndexLockedError,
    NotFoundError,
    UsageError,
    VecsearchError,
)
from vecsearch.store.lock import writer_lock

ROWS = np.random.RandomState(3).normal(size=(40, 16)).astype(np.float32)


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """A collection of three shards, of 10 vectors each: a, b and c beside it."""
    shards = [
        imported(tmp_path / name, ROWS[first : first + 10], first=first)
        for name, first in {"a": 0, "b": 10, "c": 20}.items()
    ]
    return vecsearch.create_collection(tmp_path / "all", shards).collection


def names_of(collection: Path) -> list[tuple[int, str, int | None]]:
    return [(x.number, x.name, x.images) for x in vecsearch.list_shards(collection).shards]


def found(index: vecsearch.Index, number: int, k: int = 3) -> list[str]:
    """Return the names of the vectors nearest to one of `ROWS`."""
    return [hit.path.name for hit in index.search(ROWS[number : number + 1], k=k)[0].hits]


def test_shards_are_added_and_dropped_while_it_is_open(three: Path, tmp_path: Path) -> None:
    imported(tmp_path / "d", ROWS[30:], first=30)
    with vecsearch.open_index(three) as opened:
        seen = [opened.generation]
        assert found(opened, 15)[0] == "v15"
        assert found(opened, 35)[0] != "v35"
        vecsearch.add_shards(three, [tmp_path / "d"])
        assert found(opened, 35)[0] == "v35"
        seen.append(opened.generation)
        vecsearch.drop_shards(three, ["b", "0"])
        assert found(opened, 15)[0] != "v15"
        assert len(opened) == 20
        seen.append(opened.generation)
        assert names_of(three) == [(2, "c", 10), (3, "d", 10)]
        # Numbers are not used again, so an id never comes to mean another image.
        vecsearch.add_shards(three, [tmp_path / "b"])
        assert names_of(three)[-1] == (4, "b", 10)
        assert opened.search(ROWS[15:16], k=1)[0].hits[0].id >> 36 == 4
        seen.append(opened.generation)
    assert seen == sorted(set(seen))


def test_commits_to_a_shard_are_taken_up(three: Path, tmp_path: Path) -> None:
    with vecsearch.open_index(three) as opened:
        assert found(opened, 15)[0] == "v15"
        before = opened.generation
        vecsearch.remove("v15", index=tmp_path / "b")
        assert found(opened, 15)[0] != "v15"
        assert opened.generation > before
        assert len(opened) == 29
        running = opened.recommend(k=2)
        next(running)
        vecsearch.remove("v29", index=tmp_path / "c")
        assert sum(1 for _ in running) == 28  # it keeps to what it began with
        assert len(opened) == 28


def test_a_collection_of_somebody_else_opens_and_moves_no_index_of_ours(
    three: Path, tmp_path: Path
) -> None:
    """It may name any folder; the number that is in the index it cannot know."""
    catalog = three / "collection.json"
    fields = json.loads(catalog.read_text())
    fields["shards"][1]["instance"] = "0" * 32
    catalog.write_text(json.dumps(fields))
    with pytest.raises(IndexFolderError, match="is another index than shard b of"):
        vecsearch.open_index(three)
    with pytest.raises(IndexFolderError, match="is another index than shard b of"):
        vecsearch.move_shard(three, "b", tmp_path / "new")
    assert (tmp_path / "b" / "catalog.sqlite").exists()
    assert not (tmp_path / "new").exists()
    problems = [one.problem for one in vecsearch.list_shards(three).shards]
    assert "is another index" in problems[1]
    assert problems[0] == problems[2] == ""
    (problem,) = vecsearch.verify(three).problems
    assert "is another index" in problem.what


def test_a_shard_that_was_built_anew_is_taken_in_again(photos: Path, tmp_path: Path) -> None:
    shard = vecsearch.build(photos, index=tmp_path / "shard", encoder=CHEAP).index
    vecsearch.create_collection(tmp_path / "all", [shard])
    vecsearch.build(photos, index=shard, encoder=CHEAP, options=vecsearch.BuildOptions(fresh=True))
    with pytest.raises(IndexFolderError, match="is another index than shard") as raised:
        vecsearch.open_index(tmp_path / "all")
    assert "drop" in (raised.value.hint or "")
    other = vecsearch.build(photos, index=tmp_path / "other", encoder=CHEAP).index
    vecsearch.add_shards(tmp_path / "all", [other])
    vecsearch.drop_shards(tmp_path / "all", ["shard"])
    vecsearch.add_shards(tmp_path / "all", [shard])
    with vecsearch.open_index(tmp_path / "all") as opened:
        assert len(opened) == 24


def test_a_shard_moves_with_its_ids(three: Path, tmp_path: Path) -> None:
    new = tmp_path / "disk" / "b"
    with vecsearch.open_index(three) as opened:
        image = opened.image_at("v15")
        assert image
        vecsearch.move_shard(three, "b", new)
        assert not (tmp_path / "b").exists()
        assert opened.image(image.id) == image
        assert found(opened, 15)[0] == "v15"
    assert vecsearch.verify(three).problems == ()
    with vecsearch.open_index(new) as moved:
        assert len(moved) == 10
    vecsearch.compact(new)  # which checks that all is there


def test_a_shard_that_was_moved_by_hand_is_told(three: Path, tmp_path: Path) -> None:
    (tmp_path / "b").rename(tmp_path / "moved")
    with pytest.raises(IndexFolderError, match=r"shard b of .*all: no index .*collection move"):
        vecsearch.open_index(three)
    assert [shard.images for shard in vecsearch.list_shards(three).shards] == [10, None, 10]
    with pytest.raises(UsageError, match="is given twice, or is shard c"):
        vecsearch.add_shards(three, [tmp_path / "c"])
    with pytest.raises(IndexFolderError, match="is another index than shard b of"):
        vecsearch.move_shard(three, "b", imported(tmp_path / "other", ROWS[:3]))
    vecsearch.move_shard(three, "1", tmp_path / "moved")
    with vecsearch.open_index(three) as opened:
        assert found(opened, 15)[0] == "v15"


def test_a_damaged_file_is_not_moved(three: Path, tmp_path: Path) -> None:
    (segment,) = (tmp_path / "b" / "vectors").iterdir()
    data = bytearray(segment.read_bytes())
    data[3] ^= 1
    segment.write_bytes(data)
    with pytest.raises(IndexDamagedError, match=r"SHA-256 differs"):
        vecsearch.move_shard(three, "b", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert vecsearch.list_shards(three).shards[1].path == tmp_path / "b"
    problems = vecsearch.verify(three).problems
    assert [problem.path for problem in problems] == [segment]


def test_a_damaged_file_that_is_not_read_at_opening_is_not_moved(
    index: Path, tmp_path: Path
) -> None:
    vecsearch.create_collection(tmp_path / "all", [index])
    (constants,) = (index / "encoder").glob("*.bin")
    constants.write_bytes(bytes(constants.stat().st_size))
    with pytest.raises(IndexDamagedError, match=r"SHA-256 differs"):
        vecsearch.move_shard(tmp_path / "all", "index", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert index.exists()


def test_a_shard_that_is_written_is_not_moved(three: Path, tmp_path: Path) -> None:
    with writer_lock(tmp_path / "b"), pytest.raises(IndexLockedError, match="being written"):
        vecsearch.move_shard(three, "b", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    with writer_lock(three), pytest.raises(IndexLockedError, match="being written"):
        vecsearch.drop_shards(three, ["b"])


def test_shards_within_move_with_the_collection(tmp_path: Path) -> None:
    within = tmp_path / "all"
    within.mkdir()
    shard = imported(within / "a", ROWS[:10])
    for file in ("a.npy", "a.txt"):
        (within / file).unlink()
    outside = imported(tmp_path / "b", ROWS[10:20], first=10)
    vecsearch.create_collection(within, [shard, outside])
    text = (within / "collection.json").read_text()
    assert [one["path"] for one in json.loads(text)["shards"]] == ["a", str(outside)]
    within.rename(tmp_path / "elsewhere")
    with vecsearch.open_index(tmp_path / "elsewhere") as opened:
        assert len(opened) == 20


def test_an_empty_collection_of_empty_shards_says_so(tmp_path: Path) -> None:
    shard = imported(tmp_path / "a", ROWS[:1])
    vecsearch.remove("v00", index=shard)
    vecsearch.create_collection(tmp_path / "all", [shard])
    with vecsearch.open_index(tmp_path / "all") as opened:
        assert len(opened) == 0
        with pytest.raises(IndexFolderError, match="has no images"):
            opened.search(ROWS[:1])


Ask = Callable[[Path, Path], object]

REFUSED: dict[str, tuple[Ask, type[VecsearchError], str]] = {
    "no shard": (
        lambda all_, t: vecsearch.create_collection(t / "new", []),
        *(UsageError, "needs a shard"),
    ),
    "no index": (
        lambda all_, t: vecsearch.create_collection(t / "new", [t / "a", t / "nothing"]),
        *(IndexFolderError, "no index .*nothing"),
    ),
    "a folder of other things": (
        lambda all_, t: vecsearch.add_shards(all_, [t]),
        *(UsageError, "lies in .*, which would be its shard"),
    ),
    "a file": (
        lambda all_, t: vecsearch.add_shards(all_, [t / "a.npy"]),
        *(IndexFolderError, "is not an index"),
    ),
    "another encoder": (
        lambda all_, t: vecsearch.add_shards(all_, [imported(t / "x", ROWS[:5], encoder="x")]),
        *(EncoderMismatchError, "/x has another encoder than .*/all"),
    ),
    "another encoder at once": (
        lambda all_, t: vecsearch.create_collection(
            t / "new", [t / "a", imported(t / "x", ROWS[:5], encoder="x")]
        ),
        *(EncoderMismatchError, "/x has another encoder than .*/new"),
    ),
    "twice": (
        lambda all_, t: vecsearch.create_collection(t / "new", [t / "a", t / "b" / ".." / "a"]),
        *(UsageError, "is given twice, or is shard a already"),
    ),
    "a shard already": (
        lambda all_, t: vecsearch.add_shards(all_, [t / "c"]),
        *(UsageError, "is given twice, or is shard c already"),
    ),
    "itself": (
        lambda all_, t: vecsearch.add_shards(all_, [all_]),
        *(UsageError, "cannot be a shard of itself"),
    ),
    "another collection": (
        lambda all_, t: vecsearch.create_collection(t / "new", [all_]),
        *(UsageError, "is a collection, and shards are index folders"),
    ),
    "within a shard": (
        lambda all_, t: vecsearch.create_collection(t / "a" / "new", [t / "a"]),
        *(UsageError, "lies in .*/a, which would be its shard"),
    ),
    "a collection already": (
        lambda all_, t: vecsearch.create_collection(all_, [t / "a"]),
        *(UsageError, "is a collection already"),
    ),
    "an index already": (
        lambda all_, t: vecsearch.create_collection(t / "a", [t / "b"]),
        *(UsageError, "is an index, and cannot be a collection too"),
    ),
    "a folder with other things": (
        lambda all_, t: vecsearch.create_collection(t / "full", [t / "b"]),
        *(UsageError, r"is not empty \(it has letter.txt\)"),
    ),
    "a URL": (
        lambda all_, t: vecsearch.add_shards(all_, ["http://127.0.0.1:1/a"]),
        *(UsageError, "is a URL, and shards are folders"),
    ),
    "no collection": (
        lambda all_, t: vecsearch.add_shards(t / "a", [t / "b"]),
        *(IndexFolderError, "is not a collection"),
    ),
    "an unknown shard": (
        lambda all_, t: vecsearch.drop_shards(all_, ["a", "d"]),
        *(NotFoundError, "has no shard d; "),
    ),
    "all shards": (
        lambda all_, t: vecsearch.drop_shards(all_, ["a", "b", t / "c"]),
        *(UsageError, "would have no shards"),
    ),
    "a place that is taken": (
        lambda all_, t: vecsearch.move_shard(all_, "a", t / "b"),
        *(UsageError, "has an index already"),
    ),
    "a place with other things": (
        lambda all_, t: vecsearch.move_shard(all_, "a", t / "full"),
        *(IndexFolderError, "is not an index and not empty"),
    ),
    "the same place": (
        lambda all_, t: vecsearch.move_shard(all_, "a", t / "a"),
        *(UsageError, "is where shard a is"),
    ),
}


@pytest.mark.parametrize(("ask", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused_and_changes_nothing(
    three: Path, tmp_path: Path, ask: Ask, error: type[VecsearchError], message: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").touch()
    before = (three / "collection.json").read_bytes(), names_of(three)
    with pytest.raises(error, match=message) as told:
        ask(three, tmp_path)
    assert type(told.value) is error
    assert ((three / "collection.json").read_bytes(), names_of(three)) == before
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "a" / "collection.json").exists()


DAMAGE = {
    "not JSON": (lambda text: text[:-20], "collection.json is damaged"),
    "nested": (lambda text: "[" * 100_000, "is damaged"),
    "another thing": (lambda text: "[]", r"is not a JSON object"),
    "no format": (lambda text: text.replace('"format": 1', '"format": 0'), "has the format 0"),
    "a field more": (lambda text: text.replace('"gen', '"x": 1, "gen'), "unknown field 'x'"),
    "a field less": (lambda text: re.sub('"generation": 1,', "", text), "has no generation"),
    "a number twice": (
        lambda text: text.replace('"number": 1', '"number": 0'),
        r"shards with the numbers \[0, 0, 2\]",
    ),
    "a number too large": (
        lambda text: text.replace('"number": 2', '"number": 200000'),
        "shards with the numbers",
    ),
    "a number to come": (
        lambda text: text.replace('"next_number": 3', '"next_number": 2'),
        "shards with the numbers",
    ),
    "a name twice": (lambda text: text.replace('"name": "b"', '"name": "a"'), "two shards of one"),
    "a name that leads": (lambda text: text.replace('"name": "b"', '"name": "../b"'), "the name"),
    "a path that leads out": (
        lambda text: re.sub('"path": "[^"]*b"', '"path": "../b"', text),
        r"has a shard at '../b'",
    ),
    "no fingerprint": (
        lambda text: re.sub('"fingerprint": "..', '"fingerprint": "', text),
        "has no",
    ),
}


@pytest.mark.parametrize(("harm", "message"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_catalog_is_told(three: Path, harm: Callable[[str], str], message: str) -> None:
    catalog = three / "collection.json"
    text = catalog.read_text()
    changed = harm(text)
    assert changed != text
    catalog.write_text(changed)
    for ask in (vecsearch.open_index, vecsearch.list_shards, vecsearch.verify):
        with pytest.raises(IndexDamagedError, match=message):
            ask(three)


def test_a_newer_format_and_a_link_are_refused(three: Path, tmp_path: Path) -> None:
    catalog = three / "collection.json"
    text = catalog.read_text()
    catalog.write_text(text.replace('"format": 1', '"format": 2'))
    with pytest.raises(IndexFormatError, match="newer vecsearch"):
        vecsearch.open_index(three)
    (tmp_path / "elsewhere.json").write_text(text)
    catalog.unlink()
    catalog.symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(IndexDamagedError, match="is a link"):
        vecsearch.open_index(three)


def test_a_shard_that_was_built_anew_with_another_encoder_is_named(
    three: Path, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "b")
    imported(tmp_path / "b", ROWS[:4], encoder="another")
    with pytest.raises(EncoderMismatchError, match="/b has another encoder than"):
        vecsearch.open_index(three)
    (problem,) = vecsearch.verify(three).problems
    assert (problem.kind, problem.path) == ("encoder", tmp_path / "b")


WRITES: dict[str, Callable[[Path, Path], object]] = {
    "build": lambda all_, t: vecsearch.build(draw(t / "p" / "p.png", 1).parent, index=all_),
    "remove": lambda all_, t: vecsearch.remove("v01", index=all_),
    "relocate": lambda all_, t: vecsearch.relocate("/a", "/b", index=all_),
    "compact": lambda all_, t: vecsearch.compact(all_),
    "reindex": lambda all_, t: vecsearch.reindex(all_),
    "tune": lambda all_, t: vecsearch.tune(all_),
    "repair": lambda all_, t: vecsearch.repair(all_),
    "import": lambda all_, t: vecsearch.import_vectors(t / "a.npy", index=all_),
    "merge": lambda all_, t: vecsearch.merge(t / "a", t / "b", index=all_),
    "merge of": lambda all_, t: vecsearch.merge(all_, t / "b", index=t / "new"),
    "not copies": lambda all_, t: vecsearch.not_copies("v01", "v02", index=all_),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_what_writes_wants_a_shard(
    three: Path, tmp_path: Path, write: Callable[[Path, Path], object]
) -> None:
    before = sorted(three.iterdir())
    with pytest.raises(IndexFolderError, match=r"is a collection, .*; name a shard"):
        write(three, tmp_path)
    assert sorted(three.iterdir()) == before


def test_the_commands_do_it(three: Path, tmp_path: Path, run_here: Run) -> None:
    imported(tmp_path / "d", ROWS[30:], first=30)
    made = run_here("collection", "create", "two", "a", "d").stdout
    assert made == "two: 2 shards, 20 images\n  0  a  a  10 images\n  1  d  d  10 images\n"
    run_here("collection", "add", "two", "b")
    run_here("collection", "drop", "two", "d")
    run_here("collection", "move", "two", "b", "elsewhere/b")
    listed = json.loads(run_here("collection", "list", "two", "--json").stdout)
    assert listed == json.loads(run_here("collection", "--json", "list", "two").stdout)
    assert [(one["name"], one["path"]) for one in listed["shards"]] == [
        *(("a", "a"), ("b", "elsewhere/b")),
    ]
    assert [one["first_id"] for one in listed["shards"]] == [0, 2 * 2**36]
    hits = json.loads(run_here("query", "v03", "-i", "two", "-k", "19", "--json").stdout)
    assert {Path(hit["path"]).name[:2] for hit in hits[0]["hits"]} == {"v0", "v1"}
    (tmp_path / "a").rename(tmp_path / "lost")
    assert "no index a" in run_here("collection", "list", "two").stdout
    for command in ("query v03", "info", "list", "recommend", "viz", "export -o x.npy", "words"):
        told = run_here(*command.split(), "-i", "two", code=1).stderr
        assert told.startswith("vecsearch: shard a of two: no index a; ")
        assert told.count("\n") == 1
    assert "a: no index " in run_here("verify", "-i", "two", code=1).stdout
    for wrong in ("create two", "list two a", "move two a", "add two", "drop two"):
        assert "collection" in run_here("collection", *wrong.split(), code=2).stderr


def test_it_is_served(three: Path, tmp_path: Path) -> None:
    with (
        running(tmp_path / "server", three) as server,
        vecsearch.connect(server.url) as remote,
        vecsearch.open_index(three) as opened,
    ):
        for number in (3, 12, 29):
            (image,) = opened.images_at([f"v{number:02d}"])
            (result,) = remote.query([f"id:{image.id}"], k=4)
            (own,) = opened.query([f"id:{image.id}"], k=4)
            assert [(x.id, x.path) for x in result.hits] == [(x.id, x.path) for x in own.hits]
        assert len(remote) == 30
        assert [one.id for one in remote.list_images()] == [one.id for one in opened]
    with pytest.raises(UsageError, match="is a collection, which cannot be edited"):
        vecsearch.serve(three, edits=vecsearch.EditOptions())
