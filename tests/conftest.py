"""Fixtures: a cache of their own, a folder of pictures, indexes, the command line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from samples import CHEAP, SAMPLES, Run, draw

import vecsearch
from vecsearch import EncoderConfig

# Threads of FAISS and torch that wait for one another spin: where the workers have more threads
# than there are cores, that took forty times the processor time of a small search.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before any of the two is loaded

SLOWEST = (
    *("page", "openapi", "client", "map", "duplicates_page", "serve", "connections"),
    *("short_trials", "trials_bite", "encoder", "words", "layout", "original", "pages", "transfer"),
    *("efficientnet", "query", "cli", "device_decode", "threads", "faults", "sources", "rerank"),
)
"""The files of tests that are given to the workers first, so that none is left with one at the end.

They stay in this order with --no-loadscope-reorder.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    places = {f"test_{name}.py": place for place, name in enumerate(SLOWEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.fixture(autouse=True)
def _own_cache(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keep every test away from the user's cache, record and config, and from the network."""
    config = tmp_path_factory.getbasetemp() / "config.toml"
    config.touch()
    monkeypatch.setenv("VECSEARCH_CONFIG", str(config))
    monkeypatch.setenv("VECSEARCH_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("VECSEARCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of twelve small pictures, two of them in a subfolder."""
    folder = tmp_path / "photos"
    for number in range(10):
        draw(folder / f"p{number}.png", number)
    for number in (10, 11):
        draw(folder / "more" / f"p{number}.jpg", number)
    return folder


@pytest.fixture
def index(photos: Path, tmp_path: Path) -> Path:
    """An index of `photos`, made with the cheap encoder."""
    return vecsearch.build(photos, index=tmp_path / "index", encoder=CHEAP).index


@pytest.fixture(scope="session")
def sample_list(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list of eight of the sample pictures, pizza1.jpg and pizza2.jpg among them."""
    listed = [SAMPLES / f"{what}{number}.jpg" for what in ("burger", "pizza", "salad", "sushi")
              for number in (1, 2)]  # fmt: skip
    path = tmp_path_factory.mktemp("sample") / "list"
    path.write_text("".join(f"{one}\n" for one in listed))
    return path


@pytest.fixture(scope="session")
def sample_index(sample_list: Path) -> Path:
    """An index of the eight with the default layer, in fp32."""
    config = EncoderConfig(weights="random:0", precision="fp32")
    folder = sample_list.parent / "index"
    return vecsearch.build(from_list=sample_list, index=folder, encoder=config).index


@pytest.fixture
def run_process(tmp_path: Path) -> Run:
    """Run the real command in a folder of its own; returns the finished process."""

    def run(
        *arguments: str | Path, code: int = 0, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "vecsearch.cli.main", *map(str, arguments)]
        environment = {**os.environ, **variables}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stderr
        return done

    return run


@pytest.fixture
def run(run_process: Run) -> Run:
    """Run the real command, unless a file of tests has it that commands run in its own process."""
    return run_process


@pytest.fixture
def run_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Run:
    """Do as `run_process` does, but in this process: faster, where a process is not the point."""
    from vecsearch.cli.main import main

    def run_here(
        *arguments: str | Path, code: int = 0, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        capfd.readouterr()
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            patch.setattr(sys, "argv", ["vecsearch", *map(str, arguments)])
            for name, value in variables.items():
                patch.setenv(name, value)
            if fonts := sys.modules.get("vecsearch.view.system_fonts"):
                patch.setattr(fonts, "_lacking", {})  # what a test before this could not draw
            with pytest.raises(SystemExit) as end:
                main()
        out, err = capfd.readouterr()
        assert end.value.code == code, err
        return subprocess.CompletedProcess(list(map(str, arguments)), code, out, err)

    return run_here


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    """Six pictures, of which a, b and c have copies."""
    folder = tmp_path / "photos"
    for seed, name in enumerate("abcdef"):
        draw(folder / f"{name}.png", 3 * seed, (192, 144))
    shutil.copy(folder / "a.png", folder / "a-copy.png")
    (folder / "more").mkdir()
    shutil.copy(folder / "a.png", folder / "more/a.png")
    with Image.open(folder / "b.png") as picture:
        picture.resize((96, 72)).save(folder / "b-small.png")
        picture.save(folder / "b-other.bmp")
    with Image.open(folder / "c.png") as picture:
        picture.save(folder / "c.tiff")
    for number, path in enumerate(sorted(folder.rglob("*.*"))):
        os.utime(path, ns=(1_000_000_000 * number, 1_000_000_000 * number))
    return folder


@pytest.fixture
def built(copies: Path, tmp_path: Path) -> Path:
    return vecsearch.build(copies, index=tmp_path / "index", encoder=CHEAP).index
