"""The public Python API with arguments that cannot be meant: all that it raises is one's own."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import CHEAP, draw

import vecsearch
from vecsearch import Index, VecsearchError

TEXTS = ["", " ", "a\0b", "x" * 5000, "\ud800", "no/such", "id:0", "id:x", "id:" + "9" * 40]
NUMBERS = [0, -1, -1.5, 10**30, float("nan"), float("inf"), -float("inf"), True]
THINGS = [None, b"", b"x\0", object(), [], [""], [None], {}, {"a": 1}, Path(), Path("/"), lambda: 0]
ARRAYS = [
    np.zeros((0, 0)), np.full((2, 3), np.nan), np.array(["a"]), np.zeros((2, 2, 2, 2), np.uint8)
]  # fmt: skip
FUNCTIONS = sorted(name for name in vecsearch.__all__ if name.islower())
OPTIONS = sorted(
    name for name in vecsearch.__all__ if name.endswith(("Options", "Config")) and name[0].isupper()
)
METHODS = sorted(
    name for name, one in inspect.getmembers(Index, callable)
    if not name.startswith("_") and name not in ("close", "opened")
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index, and files of other kinds than are meant."""
    folder = tmp_path_factory.mktemp("wrong")
    for number in range(4):
        draw(folder / "photos" / f"p{number}.png", number)
    vecsearch.build(folder / "photos", index=folder / "indexes/photos", encoder=CHEAP)
    (folder / "file").write_bytes(b"no picture, no list, no index \xff\0")
    (folder / "empty").touch()
    (folder / "folder").mkdir()
    return folder


@pytest.fixture(autouse=True)
def _inside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def wrong_values() -> list[Any]:
    files = [Path("file"), "file", "empty", "folder", Path("folder/none"), Path("a\0b")]
    return [*TEXTS, *NUMBERS, *THINGS, *ARRAYS, *files]


def calls(function: Callable[..., Any], given: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Make the keywords of calls, in each of which one argument is wrong."""
    for name, parameter in inspect.signature(function).parameters.items():
        if name not in ("self", "progress", "fetch"):
            for value in wrong_values():
                if value is not parameter.default:
                    yield {**given, name: value}
        assert parameter.kind is not parameter.VAR_KEYWORD


def assert_own(function: Callable[..., Any], given: dict[str, Any]) -> int:
    """Call, with what a star takes given by place; 1 if it was refused."""
    kinds = inspect.signature(function).parameters
    rest = [name for name, one in kinds.items() if one.kind is one.VAR_POSITIONAL]
    places = [given[name] for name in rest if name in given]
    told = ", ".join(f"{name}={value!r:.60}" for name, value in given.items())
    words = {name: value for name, value in given.items() if name not in rest}
    try:
        result = function(*places, **words)
        if isinstance(result, Iterator):
            list(result)
    except VecsearchError as error:
        lines = str(error).splitlines()
        if len(lines) > 1:
            raise AssertionError(f"{function.__name__}({told}): {lines}") from None
        return 1
    except Exception as error:
        raise AssertionError(f"{function.__name__}({told}): {error!r:.200}") from error
    return 0


@pytest.mark.parametrize("name", OPTIONS)
def test_options(name: str) -> None:
    made = getattr(vecsearch, name)
    refused = sum(assert_own(made, given) for given in calls(made, {}))
    several = len(inspect.signature(made).parameters) > 1
    assert refused > (len(wrong_values()) if several else len(wrong_values()) // 2)


@pytest.mark.parametrize("name", METHODS)
def test_methods_of_an_index(name: str) -> None:
    with vecsearch.open_index("indexes/photos") as index:
        method = getattr(index, name)
        known: dict[str, dict[str, Any]] = {
            "query": {"queries": "id:1"},
            "query_each": {"queries": "id:1"},
            "search": {"vectors": index.vectors()[1]},
            "check_copies": {"folder": "hits"},
            "copy_hits": {"results": [], "folder": "hits"},
        }
        given = known.get(name, {})
        for keywords in calls(method, given):
            assert_own(method, keywords)
    if name not in ("has_words", "observe"):
        taken: dict[str, dict[str, Any]] = {
            "look": {"queries": "id:1"},
            "guess_at": {"paths": [Path("p")]},
            "guess": {"vectors": np.ones((1, 3), np.float32)},
            "has_path": {"path": "p"},
            "image": {"image_id": 1},
            "image_at": {"path": "p"},
            "images_at": {"paths": ["p"]},
        }
        assert assert_own(method, given | taken.get(name, {})), "it was closed"


GIVEN: dict[str, dict[str, Any]] = {
    "serve": {
        "indexes": ["indexes/photos"],
        "options": vecsearch.ServeOptions(host="203.0.113.7"),  # which no machine has
    },
    "evaluate_labels": {"index": "indexes/photos", "labels": "folder"},
    "relocate": {"old": "photos", "new": "folder"},
    "merge": {"indexes": "indexes/photos", "index": "merged"},
    "export_vectors": {"output": "out.npy"},
    "build": {"sources": "folder"},
    "plan": {"options": vecsearch.PlanOptions(calibrate=False)},
    "import_vectors": {"index": "imported"},
    "create_collection": {"collection": "all", "indexes": ["indexes/photos"]},
    "add_shards": {"collection": "all", "indexes": ["indexes/photos"]},
    "drop_shards": {"collection": "all", "shards": ["photos"]},
    "move_shard": {"collection": "all", "shard": "photos", "to": "moved"},
    "connect": {"url": "http://127.0.0.1:1"},
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(
    name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    shutil.copytree(folder, tmp_path / "own")
    monkeypatch.chdir(tmp_path / "own")
    function = getattr(vecsearch, name)
    with vecsearch.open_index("indexes/photos") as index:
        images, vectors = index.vectors()
    given = dict(GIVEN.get(name, {}))
    pca = vecsearch.MapOptions(method="pca")
    if name == "map_collection":
        given = {
            "features": vectors,
            "images": images,
            "options": vecsearch.MapOptions(method="pca"),
        }
    elif name == "draw_map":
        pca = vecsearch.MapOptions(method="pca")
        given = {"collection": vecsearch.map_collection(vectors, images, pca), "out": "map.png"}
    elif name == "move_aside":
        given = {"report": vecsearch.duplicates("indexes/photos"), "folder": "aside"}
    elif name == "move_back":
        given = {"folder": "folder"}
    refused = sum(assert_own(function, keywords) for keywords in calls(function, given))
    assert refused > 10
