"""An index from somebody else: refused with one line, and nothing outside its folder is touched."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from received import DAMAGED, ENCODERS, REFUSED, forge, run_sql, tree
from samples import CHEAP, draw
from synthetic import draw_vectors, make_index

import vecsearch
from vecsearch.cli.main import cli
from vecsearch.types import Vectors

Patch = pytest.MonkeyPatch

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and FIFOs")

READING: tuple[tuple[str, ...], ...] = (
    ("query", "id:1"),
    ("info",),
    ("export", "-o", "out.npy"),
    ("duplicates",),
)
WRITING: tuple[tuple[str, ...], ...] = (
    ("remove", "id:2"), ("compact",), ("build",), ("reindex", "--recipe", "HNSW16"),
    ("tune",),
)  # fmt: skip

ENCODER = ("--weights", "random:0", "--layer", "block1_conv1", "--precision", "fp32")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index, ``index``, of pictures, ``photos``."""
    folder = tmp_path_factory.mktemp("sound")
    for number in range(12):
        draw(folder / "photos" / f"{number:02}.png", number)
    vecsearch.build(folder / "photos", index=folder / "index", encoder=CHEAP)
    return folder


@pytest.fixture
def received(sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A copy of the index, and a folder outside of it with another one."""
    index, outside = tmp_path / "index", tmp_path / "outside"
    shutil.copytree(sound / "index", index)
    shutil.copytree(sound / "index", outside / "victim")
    (outside / "secret").write_bytes(b"untouched")
    monkeypatch.chdir(tmp_path)
    return index, outside


def refusal(*arguments: str, index: Path) -> str:
    """Run a command; return its one line of refusal, nothing if it does not refuse."""
    try:
        code = cli.main(
            [*arguments, "-i", str(index)], prog_name="vecsearch", standalone_mode=False
        )
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
def test_what_verify_calls_damaged_is_not_worked_on(name: str, received: tuple[Path, Path]) -> None:
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


def _edited(old: str, new: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        assert re.search(old, text)
        return re.sub(old, new, text, count=1)

    return edit


NETWORKS: dict[str, Callable[[str], str]] = {
    "an operation that reads": _edited('type="ReLU"', 'type="ReadValue"'),
    "a loop": _edited('type="ReLU"', 'type="Loop"'),
    "operations of somebody": _edited('version="opset1"', 'version="extension"'),
    "a constant beyond the file": _edited('offset="32"', 'offset="999999999"'),
    "a constant of another size": _edited('size="32"', 'size="4000000000"'),
    "a constant of many values": _edited('shape="4" offset', 'shape="400000000000" offset'),
    "a constant before the file": _edited('offset="32"', 'offset="-8"'),
    "a constant of text": _edited('element_type="i64"', 'element_type="string"'),
    "pictures of another size": _edited(r'shape="\?,224,224,3"', 'shape="?,999999,999999,3"'),
    "pictures of no known size": _edited(r'shape="\?,224,224,3"', 'shape="?,?,?,3"'),
    "pictures in floating point": _edited('element_type="u8"', 'element_type="f32"'),
    "huge margins": _edited('pads_begin="[^"]*"', 'pads_begin="99999999,99999999"'),
    "entities": lambda text: (
        '<!DOCTYPE net [<!ENTITY a SYSTEM "file:///etc/passwd">]>\n' + text.split("\n", 1)[1]
    ),
    "a network within": _edited("<layers>", "<layers><body><layers/></body>"),
    "deep nesting": lambda text: "<net>" + "<x>" * 100_000,
    "no XML": lambda text: text[:1000],
    "nothing": lambda text: "",
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_that_is_no_encoder_is_not_read(name: str, received: tuple[Path, Path]) -> None:
    index, _ = received
    (xml,) = index.glob("encoder/*.xml")
    forge(xml, NETWORKS[name](xml.read_text()).encode())
    new = draw(Path("new.png"), 99)
    before = tree(index)
    for command in (("query", str(new)), ("verify",)):
        assert refusal(*command, index=index), command
    draw(index.parent / "more" / "one.png", 98)
    assert refusal("build", str(index.parent / "more"), index=index)
    assert tree(index) == before


def test_the_cache_keeps_nothing_of_what_another_network_is_called(
    received: tuple[Path, Path],
) -> None:
    index, _ = received
    (constants,) = index.glob("encoder/*.bin")
    constants.write_bytes(bytes(constants.stat().st_size))  # called by the hash of the true ones
    assert refusal("query", str(draw(Path("new.png"), 99)), index=index)
    assert not list(Path("cache").rglob("*.blob"))


def _strange_ids(base: Any, vectors: Vectors) -> Any:
    base.reset()
    base.add_with_ids(vectors, np.arange(len(vectors)) + (1 << 40))
    return base


def _way_in(base: Any, vectors: Vectors) -> Any:
    base.hnsw.entry_point = 1 << 30
    return base


def _levels(base: Any, vectors: Vectors) -> Any:
    base.hnsw.max_level = 1000
    return base


def _other_kind(base: Any, vectors: Vectors) -> Any:
    other = faiss.IndexFlatL2(vectors.shape[1])
    other.add(vectors)
    return other


def _fewer(base: Any, vectors: Vectors) -> Any:
    base.reset()
    base.add(vectors[:10])
    return base


BASES = (
    ("IVF8,SQ8", _strange_ids), ("IVF8,SQ8", _fewer), ("IVF8,SQ8", _other_kind),
    ("HNSW16,SQ8", _way_in), ("HNSW16,SQ8", _levels), ("HNSW16,SQ8", _fewer),
)  # fmt: skip


@pytest.mark.parametrize(("recipe", "change"), BASES)
def test_a_faiss_file_that_leads_outside_is_not_searched(
    recipe: str, change: Callable[[Any, Vectors], Any], tmp_path: Path, monkeypatch: Patch
) -> None:
    monkeypatch.setattr("vecsearch.search.index_reader._FEW_VALUES", 0)
    vectors = draw_vectors(400, 32, 1)
    index = make_index(tmp_path / "index", vectors, recipe)
    (path,) = index.glob("ann/*.faiss")
    base = faiss.read_index(str(path))
    forge(path, faiss.serialize_index(change(base, vectors[: base.ntotal])).tobytes())
    assert "cannot be opened" in refusal("query", "id:1", index=index)
    assert any(one.kind == "ann" for one in vecsearch.verify(index).problems)


@pytest.mark.parametrize("recipe", ["SQfp16", "IVF8,SQ8", "HNSW16,SQ8", "PCA16,IVF8,PQ8x4fs"])
@pytest.mark.parametrize("number", [1 << 62, 1 << 40, -1])
def test_numbers_of_a_faiss_file_allocate_nothing(
    recipe: str, number: int, tmp_path: Path, monkeypatch: Patch
) -> None:
    monkeypatch.setattr("vecsearch.search.index_reader._FEW_VALUES", 0)
    index = make_index(tmp_path / "index", draw_vectors(400, 32, 1), recipe)
    (path,) = index.glob("ann/*.faiss")
    data = path.read_bytes()
    data = data[:8] + number.to_bytes(8, "little", signed=True) + data[16:]  # how many vectors
    forge(path, data)
    assert refusal("query", "id:1", index=index)


@pytest.mark.parametrize("recipe", ["IVF1000000000,Flat", "HNSW2000000000", "x" * 1000, "1.5"])
def test_a_recipe_that_asks_for_terabytes_is_refused(
    recipe: str, tmp_path: Path, monkeypatch: Patch
) -> None:
    monkeypatch.setattr("vecsearch.search.index_reader._FEW_VALUES", 0)
    index = make_index(tmp_path / "index", draw_vectors(400, 32, 1), "IVF8,SQ8")
    run_sql(index, f"UPDATE config SET value = '{recipe}' WHERE key = 'recipe'")
    before = tree(index)
    assert refusal("compact", index=index)
    assert before.items() <= tree(index).items()
    run_sql(index, f"UPDATE bases SET recipe = '{recipe}'")
    assert refusal("query", "id:1", index=index)


@pytest.mark.parametrize("name", ["catalog.sqlite", "writer.lock", "catalog.sqlite-journal"])
def test_what_has_another_name_outside_is_not_written(
    name: str, received: tuple[Path, Path]
) -> None:
    index, outside = received
    path, other = index / name, outside / "other"
    if path.exists():
        other.hardlink_to(path)
    else:
        other.write_bytes(b"precious" * 100)
        path.hardlink_to(other)
    before = other.read_bytes()
    for command in WRITING:
        assert refusal(*command, index=index), command
    assert other.read_bytes() == before
    if name == "catalog.sqlite":
        assert not refusal("query", "id:1", index=index)


@pytest.mark.parametrize("name", ["writer.json", "next.sqlite", "migrating.sqlite"])
@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_what_is_written_beside_the_catalog_goes_through_no_link(
    name: str, link: Callable[[Path, Path], None], received: tuple[Path, Path]
) -> None:
    index, outside = received
    link(index / name, outside / "secret")
    assert not refusal("remove", "id:2", index=index)
    photos = str(draw(Path("p/one.png"), 5).parent)
    assert not refusal("build", photos, "--fresh", *ENCODER, index=index)
    assert (outside / "secret").read_bytes() == b"untouched"


def test_a_fresh_build_writes_through_no_link(received: tuple[Path, Path]) -> None:
    index, outside = received
    REFUSED["vectors is a link"](index, outside)
    before = tree(outside)
    photos = str(draw(Path("p/one.png"), 5).parent)
    assert "is a link" in refusal("build", photos, "--fresh", *ENCODER, index=index)
    assert tree(outside) == before


def test_a_link_that_the_user_gives_is_followed(received: tuple[Path, Path]) -> None:
    index, outside = received
    (outside / "link").symlink_to(index)
    (outside / "parent").symlink_to(index.parent)
    for given in (outside / "link", outside / "parent" / "index"):
        assert not refusal("query", "id:1", index=given)
        assert not refusal("verify", index=given)
    assert not refusal("remove", "id:2", index=outside / "link")


def test_a_picture_of_which_the_network_makes_no_numbers_is_refused(
    index: Path, tmp_path: Path
) -> None:
    """Its constants may be anything; what is compared must be numbers."""
    (constants,) = index.glob("encoder/*.bin")
    data = np.frombuffer(constants.read_bytes()[: 4 * (constants.stat().st_size // 4)], np.float32)
    weights = data.copy()
    weights[len(data) // 4 : len(data) // 2] = np.inf  # of the convolution; shapes come last
    forge(constants, weights.tobytes() + constants.read_bytes()[data.nbytes :])
    picture = draw(tmp_path / "new.png", 50)
    with vecsearch.open_index(index) as opened:
        with pytest.raises(vecsearch.ImageError, match="no finite numbers"):
            opened.query(picture, k=3)
        first, other = opened.query([picture, "id:1"], k=3)
    assert "no finite numbers" in first.error
    assert len(other.hits) == 3
