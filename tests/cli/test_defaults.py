"""What one expects to work without being told."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from encoded import scene
from PIL import Image
from samples import Run

import vecsearch
from vecsearch import UsageError

CHEAP_OPTIONS = ("--layer", "block1_conv1", "--weights", "random:0", "--precision", "fp32")


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


def test_build_without_a_source_updates_the_only_index(photos: Path, run: Run) -> None:
    run("build", photos, *CHEAP_OPTIONS)
    (photos / "p0.png").unlink()
    assert "indexes/photos: 11 images (1 removed, 11 unchanged)" in run("build").stdout
    run("build", photos / "more", "-i", "indexes/second", *CHEAP_OPTIONS)
    done = run("build", code=1)
    assert "there are 2 indexes in indexes: photos, second; choose one" in done.stderr


def test_one_is_not_several(photos: Path, run: Run) -> None:
    run("build", photos / "more", *CHEAP_OPTIONS)
    text = run("remove", "*p10.jpg").stdout
    assert "1 removed from indexes/more, which has 1 image\n" in text
    assert "indexes/more: 1 image (1 unchanged, 1 skipped)" in run("build").stdout


@pytest.mark.parametrize(
    ("typed", "meant"), [("qurey", "'query'"), ("recomend", "'recommend'"), ("vis", "'viz'")]
)
def test_a_mistyped_command_gets_a_suggestion(run: Run, typed: str, meant: str) -> None:
    assert meant in run(typed, code=2).stderr
    assert "Did you mean" not in run("zzz", code=2).stderr


def test_the_version(run: Run, run_process: Run) -> None:
    assert run("-V").stdout == run("--version").stdout == f"vecsearch {version('vecsearch')}\n"
    assert run_process("-V").stdout == run("-V").stdout
    module = [sys.executable, "-m", "vecsearch", "-V"]
    assert (
        subprocess.run(module, capture_output=True, text=True, check=True).stdout
        == run("-V").stdout
    )
    assert vecsearch.__version__ == version("vecsearch")


def test_the_library_lists_its_names() -> None:
    assert {"build", "open_index", "Index", "__version__"} <= set(dir(vecsearch))
    assert all(hasattr(vecsearch, name) for name in dir(vecsearch))


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK", "1", "I;16"])
def test_a_picture_in_memory_is_a_query(index: Path, mode: str, tmp_path: Path) -> None:
    picture = Image.fromarray((255 * scene(3)).astype(np.uint8))
    picture = picture.convert("I").convert(mode) if mode == "I;16" else picture.convert(mode)
    file = tmp_path / f"file{'.tif' if mode in ('CMYK', 'I;16') else '.png'}"
    picture.save(file)
    with vecsearch.open_index(index) as opened:
        (by_file,), (by_picture,) = opened.query(file, k=5), opened.query(picture, k=5)
        assert by_picture.hits == by_file.hits
        if mode in ("RGB", "L", "RGBA"):
            array = np.asarray(picture)
            assert opened.query(array, k=5)[0].hits == by_file.hits
            results = opened.query([array, picture, file], k=5)
            assert [one.query for one in results] == ["picture:0", "picture:1", str(file)]
            for one in results:
                assert [hit.id for hit in one.hits] == [hit.id for hit in by_file.hits]


def test_a_picture_in_memory_is_upright_as_its_file_is(index: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray((255 * scene(4)).astype(np.uint8)).save(tmp_path / "turned.png", exif=exif)
    with vecsearch.open_index(index) as opened, Image.open(tmp_path / "turned.png") as picture:
        by_file = opened.query(tmp_path / "turned.png", k=5)[0].hits
        assert opened.query(picture, k=5)[0].hits == by_file
        options = vecsearch.QueryOptions(box=(0, 0, 20, 20), minus=picture)
        assert opened.query(picture, k=2, options=options)[0].hits


@pytest.mark.parametrize(
    "array",
    [np.zeros((5, 64), np.float32), np.zeros((4, 4, 5), np.uint8), np.zeros((0, 3), np.uint8)],
)
def test_an_array_that_is_no_picture_is_told_from_vectors(index: Path, array: np.ndarray) -> None:
    told = re.escape(f"shape {array.shape} is not a picture")
    with vecsearch.open_index(index) as opened, pytest.raises(UsageError, match=told):
        opened.query(array)


def test_strings_are_paths(index: Path, photos: Path, tmp_path: Path) -> None:
    with vecsearch.Index(str(index)) as opened:
        assert opened.has_path(str(photos / "p1.png"))
        images, vectors = opened.vectors()
    vecsearch.draw_map(vecsearch.map_collection(vectors, images), str(tmp_path / "map.png"))
    assert (tmp_path / "map.png").stat().st_size > 1000


def test_results_have_one_form_in_every_command(index: Path, photos: Path, run: Run) -> None:
    (queried,) = json.loads(run("query", "id:1", "-i", index, "-k", "2", "--json").stdout)
    recommended = json.loads(run("recommend", "-i", index, "-k", "2", "--json").stdout)[0]
    assert list(queried) == list(recommended)
    assert (queried["query"], queried["path"]) == (recommended["query"], recommended["path"])
    assert [list(hit) for hit in queried["hits"]] == [list(hit) for hit in recommended["hits"]]
    assert list(queried) == ["query", "path", "hits"]
    with vecsearch.open_index(index) as opened:
        hits = opened.query("id:1", k=2)[0].hits
    assert [hit["score"] for hit in queried["hits"]] == [hit.score for hit in hits]


@pytest.mark.parametrize("form", ["json", "jsonl"])
@pytest.mark.parametrize(
    "queries", [["gone.png"], ["id:99"], ["photos/p1.png", "gone.png", "--combine", "mean"]]
)
def test_a_failing_query_is_json_too(
    index: Path, photos: Path, run: Run, form: str, queries: list[str]
) -> None:
    done = run("query", *queries, "-i", index, "--format", form, code=1)
    found = json.loads(done.stdout)
    (result,) = found if form == "json" else [found]
    assert (result["path"], result["hits"]) == (None, [])
    assert result["error"] in done.stderr
    assert done.stderr.count("\n") == 1
