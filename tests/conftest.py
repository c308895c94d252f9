"""Fixtures: a cache of their own, a folder of pictures, indexes, the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from samples import CHEAP, SAMPLES, Run, draw

import vecsearch
from vecsearch import EncoderConfig


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test away from the user's cache and from the network."""
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
