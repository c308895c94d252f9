"""What the tests share: sample pictures, a cheap encoder, a small index, the command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vecsearch
from vecsearch import EncoderConfig

SAMPLES = Path(__file__).parent.parent / "db"
CHEAP = EncoderConfig(layer="block1_pool", weights="random:0", precision="fp32", engine="openvino")
"""An encoder whose network is two convolutions: what is not about the network is tested with it."""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test away from the user's cache and from the network."""
    monkeypatch.setenv("VECSEARCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")


def draw(path: Path, seed: int, size: tuple[int, int] = (64, 48)) -> Path:
    """Save a seeded picture of coloured noise on a gradient."""
    generator = np.random.RandomState(seed)
    base = generator.randint(0, 255, (1, 1, 3)) * np.linspace(0.3, 1, size[0])[None, :, None]
    noise = generator.normal(0, generator.randint(2, 60), (size[1], size[0], 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(base + noise, 0, 255).astype(np.uint8)).save(path)
    return path


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
def sample_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the 39 sample pictures with the default layer, in fp32."""
    config = EncoderConfig(weights="random:0", precision="fp32")
    folder = tmp_path_factory.mktemp("sample") / "index"
    return vecsearch.build(SAMPLES, index=folder, encoder=config).index


@pytest.fixture
def run(tmp_path: Path) -> Run:
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


def hits_of(done: subprocess.CompletedProcess[str]) -> list[list[str]]:
    """Read the file names of the hits of each query out of the command's JSON."""
    return [[Path(hit["path"]).name for hit in one["hits"]] for one in json.loads(done.stdout)]


def copy_of(folder: Path, to: Path) -> Path:
    """Copy a folder."""
    return Path(shutil.copytree(folder, to))
