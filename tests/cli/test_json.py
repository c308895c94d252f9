"""What --json prints: by the schema in docs, for every command, with paths in one form."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
import pytest
from jsonschema import Draft202012Validator
from samples import draw

import vecsearch
from vecsearch import EncoderConfig
from vecsearch.cli.main import cli, main

SCHEMA: Final[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent.parent / "docs" / "schema.json").read_text("utf-8")
)
PEOPLE_ONLY: Final = {"completion", "demo", "serve"}
"""Commands without --json: they print a script, show pictures, and answer over HTTP."""

Tell = Callable[..., tuple[int, str, str]]

COMMANDS: Final[dict[str, list[tuple[str, list[str]]]]] = {
    "build": [("build", ["photos"]), ("build", ["-i", "ix", "--retry-skipped"])],
    "query": [
        ("query", ["id:1", "photos/p2.png", "-k", "3"]),
        ("query", ["id:1", "id:2", "--combine", "mean", "--not", "id:3", "--expand", "--rerank"]),
        ("query", ["id:1", "--box", "0,0,32,32"]),
        ("query", ["--word", "strawberry", "--not-word", "pizza"]),
        ("query", ["--vectors", "x.npy", "-i", "imported"]),
    ],
    "recommend": [("recommend", ["-k", "2"]), ("recommend", ["--no-sheets", "--rerank"])],
    "list": [("list", []), ("list", ["--words", "--limit", "2"])],
    "config": [("config", [])],
    "viz": [("viz", ["-o", "map.png", "--save-coordinates", "map.csv", "--method", "pca"])],
    "duplicates": [
        ("duplicates", []),
        ("duplicates", ["--exact", "--move-to", "aside"]),
        ("undo", ["--undo", "aside"]),
    ],
    "remove": [("remove", ["id:1", "-n"])],
    "relocate": [("relocate", ["photos", "renamed"])],
    "info": [("info", []), ("info_images", ["id:1", "photos/p2.png", "new.png"])],
    "words": [("words", ["straw"]), ("words", ["straw", "--count"])],
    "plan": [("plan", ["--images", "1000", "--no-calibrate"])],
    "eval": [
        ("eval", ["--sample", "3"]),
        ("eval", ["-i", "imported", "--sample", "20"]),
        ("eval_labels", ["--labels", "^[a-z]+", "--sample", "4"]),
    ],
    "verify": [("verify", ["--quick"]), ("verify", ["-i", "damaged"])],
    "repair": [("repair", ["-i", "damaged"])],
    "compact": [("compact", [])],
    "reindex": [("reindex", ["-i", "imported", "--recipe", "IVF8,SQ8"])],
    "tune": [("tune", ["-i", "imported"]), ("tune", [])],
    "import": [("import", ["x.npy", "-i", "again"])],
    "export": [("export", ["-o", "v.npy", "--ids", "v.txt"])],
    "merge": [("merge", ["ix", "-i", "all"])],
    "collection": [
        ("collection", ["create", "both", "ix", "all"]),
        ("collection", ["list", "both"]),
    ],
}
"""What is run of each command, in this order, and the entry of the schema that it answers to."""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures, some of them copies, indexes, vectors, and a damaged index."""
    folder = tmp_path_factory.mktemp("json")
    for number in range(6):
        draw(folder / "photos" / f"p{number}.png", number)
    for number in range(3):
        draw(folder / "photos" / "more" / f"q{number}.png", number)  # the bytes of p0, p1, p2
    (folder / "photos" / "broken.jpg").write_text("no picture")
    draw(folder / "new.png", 99)
    encoder = EncoderConfig(model="efficientnet-lite0", precision="fp32")
    vecsearch.build(folder / "photos", index=folder / "ix", encoder=encoder)
    vectors = np.random.RandomState(0).normal(size=(800, 16)).astype(np.float32)
    np.save(folder / "x.npy", vectors)
    vecsearch.import_vectors(folder / "x.npy", index=folder / "imported")
    vecsearch.import_vectors(folder / "x.npy", index=folder / "damaged")
    (file,) = (folder / "damaged" / "ann").iterdir()
    file.write_bytes(file.read_bytes()[:-4] + b"\1\2\3\4")
    return folder


@pytest.fixture
def tell(filled: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Tell:
    """Run the command line in the folder; returns its exit code, stdout and stderr."""

    def tell(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.chdir(filled)
        monkeypatch.setattr(sys, "argv", ["vecsearch", *arguments])
        monkeypatch.setenv("VECSEARCH_INDEX", "ix")
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capfd.readouterr()
        assert isinstance(end.value.code, int)
        return end.value.code, out, err

    return tell


def check(value: object, entry: str) -> None:
    schema = {**SCHEMA, "$id": "urn:test", "anyOf": [{"$ref": f"#/$defs/{entry}"}]}
    Draft202012Validator(schema).validate(value)


def commands() -> dict[str, click.Command]:
    context = click.Context(cli)
    found = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    return {name: command for name, command in found.items() if command is not None}


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$id"].startswith("urn:vecsearch:json:")
    named = {one["$ref"].removeprefix("#/$defs/") for one in SCHEMA["anyOf"]}
    assert named <= set(SCHEMA["$defs"])
    for name, entry in SCHEMA["$defs"].items():
        if entry.get("type") == "object" and "properties" in entry:
            assert entry["additionalProperties"] is False, name


def test_every_command_with_a_result_has_json_and_is_in_the_schema() -> None:
    named = {one["$ref"].removeprefix("#/$defs/") for one in SCHEMA["anyOf"]}
    for name, command in commands().items():
        options = {option for param in command.params for option in param.opts}
        assert ("--json" in options) is (name not in PEOPLE_ONLY), name
        if name not in PEOPLE_ONLY:
            assert name in named, f"docs/schema.json has no entry for {name}"
            assert name in COMMANDS, f"{name} is not tried here"


@pytest.mark.parametrize("command", COMMANDS)
def test_json_is_as_the_schema_says(command: str, tell: Tell, filled: Path) -> None:
    for entry, arguments in COMMANDS[command]:
        if command == "relocate":
            (filled / "photos").rename(filled / "renamed")
        code, out, err = tell(command, *arguments, "--json")
        if command == "relocate":
            (filled / "renamed").rename(filled / "photos")
            tell("relocate", "renamed", "photos")
        assert code == (1 if (command, arguments[:2]) == ("verify", ["-i", "damaged"]) else 0), err
        check(json.loads(out), entry)
        assert str(filled) not in out + err  # paths below the current folder are relative


@pytest.mark.parametrize("command", ["query", "recommend", "duplicates", "words", "info"])
def test_a_line_of_jsonl_is_a_record_of_the_list(command: str, tell: Tell) -> None:
    arguments = {
        "query": ["id:1", "id:2"],
        "recommend": ["--no-sheets"],
        "words": ["s"],
        "duplicates": ["--exact"],
        "info": ["id:1", "id:2"],
    }.get(command, [])
    _, whole, _ = tell(command, *arguments, "--json")
    code, lines, _ = tell(command, *arguments, "--format", "jsonl")
    records = json.loads(whole)
    records = records["groups"] if command == "duplicates" else records
    assert code == 0
    assert len(records) > 1
    assert [json.loads(line) for line in lines.splitlines()] == records


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        (["info", "-i", "nope"], 1, "IndexFolderError"),
        (["remove", "id:999"], 1, "NotFoundError"),
        (["viz", "-o", "map.xyz"], 2, "UsageError"),
        (["query", "id:1", "-k", "x"], 2, "UsageError"),
        (["verify", "--nope"], 2, "UsageError"),
        (["recommend", "--no-sheets", "-k", "0"], 2, "UsageError"),
        (["import", "nope.npy", "-i", "other"], 1, "SourceError"),
    ],
)
def test_what_fails_is_an_object_with_the_line(
    arguments: list[str], code: int, kind: str, tell: Tell, filled: Path
) -> None:
    ended, out, err = tell(*arguments, "--json")
    assert (ended, len(out.splitlines())) == (code, 1)
    failure = json.loads(out)
    check(failure, "error")
    assert failure["type"] == kind
    assert failure["error"] in err
    assert str(filled) not in out + err
    assert tell(*arguments)[:2] == (code, "")


def test_a_query_that_fails_is_an_object_of_the_list(tell: Tell) -> None:
    for form in (["--json"], ["--format", "json"], ["--format", "jsonl"]):
        code, out, err = tell("query", "nope.png", *form)
        found = json.loads(out)
        results = found if isinstance(found, list) else [found]
        check(results, "query")
        assert (code, results[0]["hits"], len(err.splitlines())) == (1, [], 1)
        assert "nope.png" in results[0]["error"]


def test_numbers_have_all_their_digits(tell: Tell) -> None:
    _, out, _ = tell("duplicates", "--threshold", "0.5", "--json")
    scores = [copy["score"] for group in json.loads(out)["groups"] for copy in group["others"]]
    assert any(score != round(score, 4) for score in scores)
    _, out, _ = tell("info", "id:1", "--json")
    shares = [word["share"] for word in json.loads(out)[0]["words"]]
    assert any(share != round(share, 4) for share in shares)


def test_the_command_line_counts_more_than_the_environment(
    tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VECSEARCH_JSON", "1")
    assert tell("query", "id:2", "-k", "1")[1].startswith("[")
    assert tell("query", "id:2", "-k", "1", "--format", "paths")[1].startswith("photos/")
    assert tell("query", "nope.png", "--format", "paths")[1] == ""
    assert json.loads(tell("info", "-i", "nope")[1])["type"] == "IndexFolderError"


def test_paths_elsewhere_are_absolute_however_they_are_given(
    tell: Tell, filled: Path, tmp_path: Path
) -> None:
    draw(tmp_path / "else.png", 5)
    given = os.path.relpath(tmp_path / "else.png", filled)
    (found,) = json.loads(tell("query", given, "-k", "1", "--json")[1])
    assert (found["query"], found["path"]) == (given, str(tmp_path / "else.png"))
    (found,) = json.loads(tell("query", "photos/../new.png", "-k", "1", "--json")[1])
    assert found["path"] == "new.png"
    out = os.path.relpath(tmp_path / "map.png", filled)
    _, told, _ = tell("viz", "--method", "pca", "-o", out, "--html", f"{filled}/map.html")
    assert told.splitlines() == [f"{tmp_path}/map.png: 9 pictures", "map.html: 9 pictures"]
    assert str(filled) not in (filled / "map.html").read_text("utf-8")


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux alone")
def test_a_name_that_is_no_utf8_can_be_turned_back_into_bytes(tell: Tell, filled: Path) -> None:
    name = b"caf\xe9 \xff\n.png"
    draw(filled / "odd" / "a.png", 1)
    (filled / "odd" / "a.png").rename(filled / "odd" / os.fsdecode(name))
    tell("build", "odd", "-i", "odd.index", "--weights", "random:0", "--layer", "block1_conv1")
    (hit,) = json.loads(tell("query", "id:1", "--include-self", "-i", "odd.index", "--json")[1])[0][
        "hits"
    ]
    assert os.fsencode(hit["path"]) == b"odd/" + name
