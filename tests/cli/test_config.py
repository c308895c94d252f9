"""Config files, and what `--quiet` leaves out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from samples import CHEAP, Run, draw, hits_of

import vecsearch


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("config")
    for number in range(8):
        draw(folder / "photos" / f"p{number}.png", number)
    return vecsearch.build(folder / "photos", index=folder / "ixs/photos", encoder=CHEAP).index


@pytest.fixture
def beside(built: Path) -> Path:
    """The config file beside the index, without what an earlier test left there."""
    path = built.parent / "vecsearch.toml"
    path.unlink(missing_ok=True)
    return path


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own."""
    path = tmp_path / "own.toml"
    path.touch()
    monkeypatch.setenv("VECSEARCH_CONFIG", str(path))
    return path


def count(run: Run, built: Path, *options: str, **variables: str) -> int:
    done = run("query", "id:1", "-i", built, "--json", *options, **variables)
    return len(hits_of(done)[0])


def test_the_nearer_word_counts(run: Run, built: Path, beside: Path, own: Path) -> None:
    assert count(run, built) == 5
    own.write_text("[query]\nk = 1\n")
    assert count(run, built) == 1
    beside.write_text("[query]\nk = 2\n")
    assert count(run, built) == 2
    assert count(run, built, VECSEARCH_QUERY_K="3") == 3
    assert count(run, built, "-k", "4", VECSEARCH_QUERY_K="3") == 4
    assert count(run, built, VECSEARCH_INDEX=str(built)) == 2


def test_options_of_all_commands(run: Run, built: Path, beside: Path, own: Path) -> None:
    own.write_text(f'index = "{built}"\njson = true\n')
    beside.write_text("[query]\nk = 2\n")
    assert len(json.loads(run("query", "id:1").stdout)[0]["hits"]) == 2
    assert json.loads(run("info").stdout)["images"] == 8
    beside.write_text("json = false\n")
    assert run("info").stdout.startswith("index ")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[quary]\nk = 3\n", "[quary] is no command; did you mean query?"),
        ("k = 3\n", "k is no option of all commands; known are index, json"),
        ("[query]\nthreshhold = 1\n", "[query] threshhold is no option of query; did you mean"),
        ('[query]\nk = "3"\n', "[query] k is '3'; give a whole number"),
        ("[query]\nk = true\n", "[query] k is True; give a whole number"),
        ('[query]\nformat = "xml"\n', "[query] format: 'xml' is not one of"),
        ("[query]\ninclude-self = 1\n", "[query] include-self is 1; give true or false"),
        ("json = 1\n", "json is 1; give true or false"),
        ("[query\n", "cannot be used: Expected ']'"),
        ("x = " + "[" * 20_000, "cannot be used: "),
        ("#" * 70_000, "it has more than 64 KiB"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_told_in_a_line(
    text: str, told: str, run: Run, built: Path, own: Path
) -> None:
    own.write_text(text)
    done = run("query", "id:1", "-i", built, code=2)
    assert told in done.stderr
    assert own.name in done.stderr
    assert len(done.stderr.splitlines()) == 1
    run("query", "--help")


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("query", '[query]\nsheet = "sheet.png"\n'),
        ("query", 'index = "elsewhere"\n'),
        ("query", "fetch = true\n"),
        ("build", '[build]\nexclude = ["*"]\n'),
        ("build", "[build]\nallow-empty = true\n"),
        ("build", '[build]\nweights = "https://example.org/x.pth"\n'),
        ("build", "[build]\nmax-megapixels = 1e9\n"),
        ("duplicates", '[duplicates]\nmove-to = "aside"\n'),
        ("duplicates", "[duplicates]\nthreshold = 0.0\n"),
        ("export", '[export]\nids = "ids.txt"\n'),
    ],
)
def test_a_file_beside_an_index_sets_nothing_that_could_harm(
    command: str, text: str, run: Run, built: Path, beside: Path, own: Path
) -> None:
    beside.write_text(text)
    target = {"query": ["id:1"], "export": ["out.npy"]}.get(command, [])
    told = run(command, *target, "-i", built, code=2).stderr
    assert "cannot be set beside an index" in told
    assert own.name in told  # there it may be set
    assert run("config", "-i", built, code=2).stderr == told


def test_a_file_beside_an_index_is_no_link(run: Run, built: Path, beside: Path, own: Path) -> None:
    own.write_text("[query]\nk = 1\n")
    beside.symlink_to(own)
    assert "it is a link" in run("query", "id:1", "-i", built, code=2).stderr
    beside.unlink()
    link = own.parent / "link.toml"
    link.symlink_to(own)
    assert count(run, built, VECSEARCH_CONFIG=str(link)) == 1  # the user's own may be
    told = run("info", "-i", built, code=2, VECSEARCH_CONFIG="none.toml").stderr
    assert "VECSEARCH_CONFIG is none.toml, and there is no such file" in told


def test_an_index_keeps_its_encoder_whatever_a_file_says(
    run: Run, built: Path, beside: Path, own: Path
) -> None:
    own.write_text('[build]\nmodel = "efficientnet-lite0"\nexclude = "*.gif"\n')
    assert "8 unchanged" in run("build", "-i", built).stdout
    told = run("build", "-i", built, "--model", "efficientnet-lite0", code=1).stderr
    assert "another encoder" in told
    run("build", "-i", built, "--no-exclude")
    assert not json.loads(run("info", "-i", built, "--json").stdout)["exclude"]
    own.write_text('[build]\nweights = "random:0"\nlayer = "block1_conv1"\n')
    made = run("build", built.parent.parent / "photos", "-i", own.parent / "new").stdout
    assert "block1_conv1" in made


def test_config_shows_what_was_read(run: Run, built: Path, beside: Path, own: Path) -> None:
    own.write_text('json = false\n[build]\nexclude = ["*.gif"]\n')
    shown = run("config", "-i", built).stdout
    assert f"{own.name} (the user's own)" in shown
    assert '[build] exclude = ["*.gif"]' in shown
    assert "vecsearch.toml (beside the index): not there" in shown
    read, absent = json.loads(run("config", "-i", built, "--json").stdout)
    assert read["settings"] == {"json": False, "build": {"exclude": ["*.gif"]}}
    assert (read["of"], absent["of"], absent["found"]) == ("user", "index", False)


@pytest.mark.parametrize("place", ["before", "after", "environment"])
def test_quiet_commands_say_nothing(place: str, run: Run, built: Path, beside: Path) -> None:
    before = ["-q"] if place == "before" else []
    after = ["--quiet"] if place == "after" else []
    variables = {"VECSEARCH_QUIET": "1"} if place == "environment" else {}
    done = run(*before, "build", "-i", built, *after, **variables)
    assert done.stdout == done.stderr == ""


def test_quiet_commands_print_what_was_asked_for(run: Run, built: Path, beside: Path) -> None:
    sheet = ["--sheet", "sheet.png"]
    assert "written" in run("query", "id:1", "-i", built, *sheet).stderr
    done = run("query", "id:1", "-i", built, "-q", *sheet)
    assert "score" in done.stdout
    assert done.stderr == ""
    assert json.loads(run("build", "-i", built, "-q", "--json").stdout)["images"] == 8
    assert run("verify", "-i", built, "-q").stdout == ""
    assert "sound" in run("verify", "-i", built).stdout
    assert "no such folder" in run("build", "nothing", "-q", code=1).stderr


def test_a_quiet_build_still_warns_of_a_source_that_is_gone(run: Run, tmp_path: Path) -> None:
    for name in ("one", "two"):
        draw(tmp_path / name / "p.png", len(name))
    vecsearch.build(tmp_path / "one", tmp_path / "two", index=tmp_path / "ix", encoder=CHEAP)
    shutil.rmtree(tmp_path / "two")
    done = run("build", "one", "-i", "ix", "-q")
    assert done.stdout == ""
    assert "two is gone" in done.stderr
