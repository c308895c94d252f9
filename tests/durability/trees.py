"""Hostile trees: no build is aborted, nothing is dropped that is there, all is accounted for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from unittest import mock

import numpy as np

import vecsearch
from durability import stub
from durability.hostile import Tree
from durability.stub import check_content, content_of, expected_vector, save_picture, stubbed
from durability.trial import Outcome, Trial
from vecsearch import BuildOptions, SourceError
from vecsearch.embed.encoder import EncoderConfig
from vecsearch.images.decoders.formats import has_picture_name
from vecsearch.types import Pixels, Vectors

ROUNDS: Final = 4


class Attempt:
    """A hostile tree, a calm folder beside it, and an index of both."""

    def __init__(self, number: int, seed: int, folder: Path, config: EncoderConfig) -> None:
        folder = folder.resolve()
        self.random = np.random.RandomState([seed, number])
        self.tree = Tree(folder, self.random)
        self.inside = bool(self.random.randint(2))
        self.index = (self.tree.root if self.inside else folder) / "index"
        self.calm = folder / "calm"
        self.config = config
        self.kept: dict[Path, bytes] = {}
        for place in range(2):
            path = save_picture(self.calm / f"{place}.png", 10**6 + place)
            self.kept[path] = expected_vector(path).tobytes()
        self.builds = 0
        self.embedded = 0

    def run(self) -> list[str]:
        """Grow the tree, alter it and build, again and again; list what is wrong."""
        for _ in range(12):
            self.tree.grow()
        wrong = self.build_and_check()
        for _ in range(ROUNDS):
            self.tree.settle()
            for _ in range(5):
                self.tree.alter()
            for _ in range(3):
                self.tree.grow()
            if self.random.randint(2):
                self.rename_calm()
            wrong += self.build_and_check()
        self.tree.settle()
        return wrong + self.build_and_check() + self.check_roots()

    def rename_calm(self) -> None:
        """Return the calm folder another name: its pictures are in the index already."""
        self.calm = self.calm.rename(self.calm.with_name(f"calm-{self.builds}"))
        self.kept = {self.calm / path.name: vector for path, vector in self.kept.items()}

    def build_and_check(self, *, allow_empty: bool = False) -> list[str]:
        """Build amid all hostility, and hold the index to what it should be."""
        known = set(content_of(self.index).values()) if self.builds else set()
        ids = self.calm_ids() if self.builds else []
        embedded = self.build(allow_empty=allow_empty)
        again = len(known & set(embedded))
        self.embedded += len(embedded)
        wrong = check_content(self.index, self.tree.expected | self.kept)
        wrong += [f"{again} known pictures were embedded again"] if again else []
        wrong += ["calm pictures have other ids"] if ids and ids != self.calm_ids() else []
        return [f"build {self.builds}: {what}" for what in wrong + self.check_skipped()]

    def calm_ids(self) -> list[int]:
        """Return the ids of the calm pictures, wherever their folder was when they were seen."""
        names = {path.name for path in self.kept}
        with vecsearch.open_index(self.index) as index:
            return [one.id for one in index if one.path.name in names and "calm" in str(one.path)]

    def build(self, *, allow_empty: bool = False) -> list[bytes]:
        """Build, and give the bytes of the vectors that were computed."""
        embedded: list[bytes] = []
        real = stub.vector_of

        def vector_of(pixels: Pixels) -> Vectors:
            vector = real(pixels)
            embedded.append(vector.astype(np.float16).astype(np.float32).tobytes())
            return vector

        with mock.patch.object(stub, "vector_of", vector_of), self.tree.hostility():
            vecsearch.build(
                self.tree.root, self.calm, index=self.index, encoder=self.config,
                options=BuildOptions(allow_empty=allow_empty),
            )  # fmt: skip
        self.builds += 1
        return embedded

    def check_skipped(self) -> list[str]:
        """Look for picture files that the index neither has nor mentions."""
        with vecsearch.open_index(self.index) as index:
            images = {os.fsencode(image.path) for image in index}
            skipped = {os.fsencode(one.path): one.reason for one in index.info().skipped}
        wrong = [
            f"no reason, or one of many lines, for {path!r}: {reason!r}"
            for path, reason in skipped.items()
            if not reason or "\n" in reason
        ]
        below = tuple(path + b"/" for path in skipped)
        for path in picture_files(self.tree.root):
            if path not in images and path not in skipped and not path.startswith(below):
                wrong.append(f"neither in the index nor skipped: {path!r}")
        return wrong

    def check_roots(self) -> list[str]:
        """Deny, take away and empty the tree: errors that change nothing, until it is allowed."""
        root, away = self.tree.root, self.tree.outside / "away"
        self.tree.denied.add(os.fsencode(root))
        wrong = self.refused("denied")
        self.tree.denied.clear()
        if self.inside:  # the index would be away too
            return wrong
        root.rename(away)
        wrong += self.refused("missing")
        if self.random.randint(2):
            root.mkdir()
            wrong += self.refused("empty")
        self.tree.expected.clear()
        return wrong + self.build_and_check(allow_empty=True)

    def refused(self, what: str) -> list[str]:
        """Build where that must be refused."""
        try:
            self.build()
        except SourceError:
            wrong = []
        else:
            wrong = ["the build was not refused"]
        wrong += check_content(self.index, self.tree.expected | self.kept)
        return [f"root {what}: {one}" for one in wrong]


def picture_files(root: Path) -> Iterator[bytes]:
    """Find all files that are called like pictures, hidden ones and linked folders left out."""
    for folder, folders, files in os.walk(os.fsencode(root)):
        folders[:] = [name for name in folders if not name.startswith(b".")]
        for name in files:
            if not name.startswith(b".") and has_picture_name(name):
                yield os.path.join(folder, name)  # noqa: PTH118


def run(times: int, seed: int, folder: Path) -> Outcome:
    """Build *times* hostile trees, each in several states."""
    outcome, builds, embedded = Outcome(), 0, 0
    with stubbed() as config:
        for number in range(times):
            home = folder / str(number)
            home.mkdir()
            attempt = Attempt(number, seed, home, config)
            try:
                wrong = attempt.run()
            except Exception as error:  # noqa: BLE001 - none may come out
                wrong = [f"aborted after build {attempt.builds}: {error!r}"]
            outcome.failures += [f"tree {number}: {what}" for what in wrong]
            outcome.tried += 1
            builds, embedded = builds + attempt.builds, embedded + attempt.embedded
            shutil.rmtree(home)
    outcome.facts = {"builds": f"{builds:,}", "embedded": f"{embedded:,}"}
    return outcome


TRIAL = Trial(10, "hostile trees", 200, run)
