"""Thousands of small updates: the index stays exact and small, and so does the process."""

from __future__ import annotations

import gc
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from unittest import mock

import numpy as np
import numpy.typing as npt

import vecsearch
from durability.stub import check_content, expected_vector, save_picture, stubbed
from durability.trial import Outcome, Trial
from vecsearch.embed.encoder import EncoderConfig
from vecsearch.indexing.compaction import MANY_SEGMENTS

PICTURES: Final = 60
CHECK_EVERY: Final = 50
WARM_UP_CYCLES: Final = 200
LARGEST_RATIO: Final = 2.0
LARGEST_DRIFT: Final = 0.05
MOST_FILES: Final = MANY_SEGMENTS + 8
"""The segments behind the base, and base, encoder, catalog, lock."""

_ONE_S: Final = 10**9

Sizes = npt.NDArray[np.float64]
"""Bytes of all files of an index, and of its segments and FAISS file."""


@dataclass(slots=True)
class Pictures:
    """A folder of pictures that changes, and the vectors that an index of it should have."""

    folder: Path
    random: np.random.RandomState
    expected: dict[Path, bytes] = field(default_factory=dict)
    made: int = 0

    def add(self) -> None:
        """Add a picture that was never there before."""
        self._write(self._new_path())

    def change(self, path: Path) -> None:
        """Give *path* a content that was never there before."""
        self._write(path)

    def delete(self, path: Path) -> None:
        """Delete the picture *path*."""
        path.unlink()
        del self.expected[path]

    def move(self, path: Path) -> None:
        """Return the picture *path* another name and perhaps another folder."""
        target = self._new_path()
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
        self.expected[target] = self.expected.pop(path)

    def choose(self, count: int) -> list[Path]:
        """Choose *count* different pictures."""
        paths = sorted(self.expected)
        return [paths[i] for i in self.random.permutation(len(paths))[:count]]

    def _new_path(self) -> Path:
        self.made += 1
        return self.folder / f"{self.random.randint(4)}" / f"{self.made}.png"

    def _write(self, path: Path) -> None:
        self.made += 1
        save_picture(path, self.made)
        # Two writes within a tick of the file system's clock would bear one time.
        os.utime(path, ns=(self.made * _ONE_S, self.made * _ONE_S))
        self.expected[path] = expected_vector(path).tobytes()


def run(times: int, seed: int, folder: Path) -> Outcome:
    """Change and build *times* times.

    A ratio is, at its largest, the size of the files of the index folder over that of a fresh build
    of the same pictures in an empty folder; both are sums of lengths, taken after every cycle but
    the first ten. One is of all files, catalog, encoder and lock among them; for tiny pictures that
    is the catalog above all, so another is of the segments and the FAISS file alone.
    """
    outcome = Outcome()
    pictures = Pictures(folder / "pictures", np.random.RandomState(seed))
    index, ratios, most_files, warm_bytes = folder / "index", np.zeros(2), 0, 0
    for _ in range(PICTURES):
        pictures.add()
    with stubbed() as config:
        vecsearch.build(pictures.folder, index=index, encoder=config)
        for cycle in range(times):
            wrong = one_cycle(pictures, index, config)
            if cycle >= 10:
                fresh = fresh_bytes(pictures.folder, folder, config)
                ratios = np.maximum(ratios, size_bytes(index) / fresh)
            most_files = max(most_files, sum(path.is_file() for path in index.rglob("*")))
            if cycle % CHECK_EVERY == 0 or cycle == times - 1:
                wrong += check_content(index, pictures.expected)
            outcome.failures += [f"cycle {cycle}: {what}" for what in wrong]
            outcome.tried += 1
            if cycle == min(WARM_UP_CYCLES, times // 2):
                warm_bytes = resident_bytes()
    drift = resident_bytes() / warm_bytes - 1
    if ratios.max() > LARGEST_RATIO:
        outcome.failures.append(f"the index grew to {ratios.max():.2f} times a fresh one")
    if most_files > MOST_FILES:
        outcome.failures.append(f"the index had {most_files} files")
    if drift > LARGEST_DRIFT:
        outcome.failures.append(f"the process grew by {drift:.1%} from {warm_bytes >> 20} MiB")
    outcome.facts = {
        "largest ratio": f"{ratios[0]:.2f}",
        "of segments and FAISS": f"{ratios[1]:.2f}",
        "most files": str(most_files),
        "memory": f"{warm_bytes >> 20} MiB {drift:+.1%}",
    }
    return outcome


def one_cycle(pictures: Pictures, index: Path, config: EncoderConfig) -> list[str]:
    """Change a few pictures, build, and compare what the build says it did."""
    random = pictures.random
    fewer = len(pictures.expected) > PICTURES
    added, changed, moved = (int(random.randint(3)) for _ in range(3))
    removed = int(random.randint(4 if fewer else 2))
    chosen = pictures.choose(changed + moved + removed)
    for path in chosen[:changed]:
        pictures.change(path)
    for path in chosen[changed : changed + moved]:
        pictures.move(path)
    for path in chosen[changed + moved :]:
        pictures.delete(path)
    for _ in range(added):
        pictures.add()
    counts = vecsearch.build(pictures.folder, index=index, encoder=config).counts
    done = counts.added, counts.changed, counts.moved, counts.removed
    due = added, changed, moved, removed
    return [] if done == due else [f"added, changed, moved, removed: {done} instead of {due}"]


def fresh_bytes(source: Path, folder: Path, config: EncoderConfig) -> Sizes:
    """Build an index of *source* from nothing, and tell its sizes."""
    index = folder / "fresh"
    with mock.patch("os.fsync"):  # this one need not survive anything
        vecsearch.build(source, index=index, encoder=config)
    size = size_bytes(index)
    shutil.rmtree(index)
    return size


def size_bytes(index: Path) -> Sizes:
    """Add up the lengths of all files in an index folder, and of its segments and FAISS file."""
    lengths = {path: path.stat().st_size for path in index.rglob("*") if path.is_file()}
    rows = sum(size for path, size in lengths.items() if path.suffix in (".f16", ".faiss"))
    return np.array([sum(lengths.values()), rows], np.float64)


def resident_bytes(process: int | str = "self") -> int:
    """Return how much memory this process has now, or the one with a number."""
    gc.collect()
    with open(f"/proc/{process}/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


TRIAL = Trial(11, "update cycles", 5_000, run)
