"""What the tests share that is no fixture: pictures, a cheap encoder, the command's JSON."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

import vecsearch
from vecsearch import BuildOptions, EncoderConfig, ImportOptions
from vecsearch.types import Vectors

SAMPLES = Path(__file__).parent.parent / "db"
CHEAP = EncoderConfig(layer="block1_conv1", weights="random:0", precision="fp32", engine="openvino")
"""An encoder whose network is one convolution: what is not about the network is tested with it."""

FRESH = BuildOptions(fresh=True)


@dataclass(frozen=True, slots=True)
class InPanels:
    """Feature vectors (n, d) in memory, handed out as a file of them is."""

    vectors: Vectors
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.vectors), self.vectors.shape[1]

    def panels(self) -> Iterator[tuple[int, Vectors]]:
        for first in range(0, self.vectors.shape[1], self.width):
            yield first, self.vectors[:, first : first + self.width]


Run = Callable[..., subprocess.CompletedProcess[str]]


def draw(path: Path, seed: int, size: tuple[int, int] = (64, 48)) -> Path:
    """Save a seeded picture of coloured noise on a gradient."""
    generator = np.random.RandomState(seed)
    base = generator.randint(0, 255, (1, 1, 3)) * np.linspace(0.3, 1, size[0])[None, :, None]
    noise = generator.normal(0, generator.randint(2, 60), (size[1], size[0], 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(base + noise, 0, 255).astype(np.uint8)).save(path)
    return path


def imported(index: Path, rows: Vectors, *, first: int = 0, encoder: str = "test") -> Path:
    """Make an index of vectors that are called v00, v01 ... from the *first* on."""
    file = index.with_suffix(".npy")
    np.save(file, rows)
    names = [f"v{number:02d}\n" for number in range(first, first + len(rows))]
    index.with_suffix(".txt").write_text("".join(names))
    options = ImportOptions(ids=[index.with_suffix(".txt")], encoder_name=encoder)
    return vecsearch.import_vectors(file, index=index, options=options).index


def hits_of(done: subprocess.CompletedProcess[str]) -> list[list[str]]:
    """Read the file names of the hits of each query out of the command's JSON."""
    return [[Path(hit["path"]).name for hit in one["hits"]] for one in json.loads(done.stdout)]


def run_until_commit(number: int, code: str, *, before: bool = False) -> None:
    """Run *code* in another process, which kills itself *before* or after that many commits."""
    start = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from vecsearch.store.writer import Writer
left, commit = {number}, Writer.commit
def commit_and_die(self, change):
    global left
    left -= 1
    if {before} and not left:
        os.kill(os.getpid(), signal.SIGKILL)
    commit(self, change)
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
Writer.commit = commit_and_die
"""
    done = subprocess.run([sys.executable, "-c", start + code], check=False)
    assert done.returncode == -signal.SIGKILL
