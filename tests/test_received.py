"""An index from somebody else: refused with one line, and nothing outside its folder is touched."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from received import DAMAGED, ENCODERS, REFUSED, forge, run_sql, tree
from samples import CHEAP, draw
from synthetic import draw_vectors, make_index

import vecsearch
from vecsearch.cli.main import cli

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and FIFOs")

READING = (("query", "id:1"), ("info",), ("export", "out.npy"), ("duplicates",))
WRITING = (
    ("remove", "id:2"), ("compact",), ("build",), ("reindex", "--recipe", "HNSW16"),
    ("tune",),
)  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index, ``index``, of pictures, ``photos``."""
    folder = tmp_path_factory.mktemp("sound")
    for number in range(12):
        draw(folder / "photos" / f"{number:02}.png", number)
    vecsearch.build(folder / "photos", index=folder / "index", encoder=CHEAP)
    return folder


@pytest.fixture
def received(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Path, Path]]:
    """A copy of the index, and a folder outside of it with another one; checks the latter."""
    index, outside = tmp_path / "index", tmp_path / "outside"
    shutil.copytree(sound / "index", index)
    shutil.copytree(sound / "index", outside / "victim")
    (outside / "secret").write_bytes(b"untouched")
    monkeypatch.chdir(tmp_path)
    return index, outside


def refusal(*arguments: str, index: Path) -> str:
    """Run a command; return its one line of refusal, nothing if it does not refuse."""
    try:
        code = cli.main([*arguments, "-i", str(index)], prog_name="vecsearch", standalone_mode=False)
    except vecsearch.VecsearchError as error:
        line = str(error)
        assert line.strip(), "no word of what is wrong"
        assert "\n" not in line
        return line
    return "a problem was found" if code else ""


@pytest.mark.parametrize("name", REFUSED)
def test_what_was_made_to_do_harm_is_refused(name: str, received: tuple[Path, Path]) -> None:
    index, outside = received
    REFUSED[name](index, outside)
    before = tree(index), tree(outside)
    for command in (*READING, ("verify",), *WRITING):
        assert refusal(*command, index=index), command
        assert (tree(index), tree(outside)) == before, command
    assert not Path("out.npy").exists()
    with pytest.raises(vecsearch.VecsearchError):
        vecsearch.merge(index, index="merged")
    refusal("repair", index=index)
    assert tree(outside) == before[1]


@pytest.mark.parametrize("name", ENCODERS)
def test_a_description_that_no_encoder_has_is_refused(
    name: str, received: tuple[Path, Path]
) -> None:
    index, outside = received
    ENCODERS[name](index, outside)
    before = tree(index)
    for command in (("query", "id:1"), ("info",), ("duplicates",), ("verify",), ("build",)):
        assert refusal(*command, index=index), command
        assert tree(index) == before, command


@pytest.mark.parametrize("name", DAMAGED)
def test_what_verify_calls_damaged_is_not_worked_on(
    name: str, received: tuple[Path, Path]
) -> None:
    index, outside = received
    DAMAGED[name](index, outside)
    before = tree(index)
    for command in READING:
        refusal(*command, index=index)
        assert tree(index) == before, command
    assert refusal("verify", index=index)
    if any(word in name for word in ("search", "agreement", "reduction")):
        return  # what was measured is read by those that tell it
    for command in WRITING:
        assert refusal(*command, index=index), command
        assert tree(index) == before, command
    with pytest.raises(vecsearch.IndexFolderError):
        vecsearch.merge(index, index=index.with_name("merged"))
    assert not index.with_name("merged").exists()
