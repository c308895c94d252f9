"""The generations of an index folder: the newest is opened after commits, and after a fork."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Final, TypeVar
from weakref import WeakSet

from vecsearch.embed.spec import EncoderSpec
from vecsearch.errors import IndexFolderError, IndexOutdatedError
from vecsearch.forks import free_at_fork
from vecsearch.search.index_reader import IndexReader
from vecsearch.search.query_vectors import Embedder
from vecsearch.search.vocabulary import Vocabulary
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.stored_images import StoredImages
from vecsearch.types import Observer, no_observer

T = TypeVar("T")

OpenNewest = Callable[[Path, StoredImages | None, bool], StoredImages]
"""Opens the newest generation of a folder, given an older one of it, if there is, and whether its
pictures behind URLs may be fetched; raises IndexFolderError or a subclass."""

_all_open: Final[WeakSet[Generations]] = WeakSet()


def _inherit_all() -> None:
    """Ready a forked process: nothing that is open is its own, nor the threads of OpenMP."""
    if faiss := sys.modules.get("faiss"):
        faiss.omp_set_num_threads(1)  # the forking thread would wait for the others for ever
    for one in _all_open:
        one.inherit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_inherit_all)


def open_snapshot(folder: Path, before: StoredImages | None, fetch: bool) -> StoredImages:
    """Open the newest generation of an index folder; see `OpenNewest`."""
    return Snapshot(folder, before if isinstance(before, Snapshot) else None, fetch=fetch)


class Generations:
    """Keeps the newest generation of an index open, for any number of threads."""

    def __init__(self, path: Path, *, fetch: bool, open_newest: OpenNewest = open_snapshot) -> None:
        """Open the newest; raises IndexFolderError or a subclass.

        Pictures behind URLs may be fetched if *fetch* says so.
        """
        self.path, self.fetch, self._open_newest = path, fetch, open_newest
        self.observer: Observer = no_observer
        self.place: Final = path.absolute()
        self._opening = free_at_fork(Lock())
        with self._opening:
            self._open(path)
        _all_open.add(self)

    def _open(self, path: Path) -> None:
        self._is_inherited = False
        self._reader = IndexReader(self._open_newest(path, None, self.fetch))
        snapshot = self._reader.snapshot
        try:
            self.encoder = EncoderSpec.from_json(snapshot.encoder_json, snapshot.dim)
        except IndexFolderError:
            self.close()
            raise
        self.vocabulary = Vocabulary(self.encoder)
        self.embedder = Embedder(self.encoder, self.vocabulary)

    def close(self) -> None:
        """Close the catalog."""
        self._reader.snapshot.close()

    def newest(self) -> IndexReader:
        """Return the newest generation, open; raises IndexFolderError or a subclass."""
        with self._opening:
            if self._is_inherited:
                self._open(self.place)
            elif not self._reader.snapshot.is_newest():
                snapshot = self._open_newest(self.path, self._reader.snapshot, self.fetch)
                if EncoderSpec.from_json(snapshot.encoder_json, snapshot.dim) != self.encoder:
                    snapshot.close()
                    raise IndexFolderError(
                        f"{self.path} was built anew with another encoder",
                        hint="open it again",
                        path=self.path,
                    )
                self._reader = IndexReader(snapshot, self._reader)
            return self._reader

    def run(self, task: Callable[[IndexReader], T]) -> T:
        """Run *task* on the newest generation; on a newer one, if commits take that apart."""
        while True:
            reader = self.newest()
            try:
                return task(reader)
            except IndexOutdatedError:
                if self.newest() is reader:
                    raise

    def inherit(self) -> None:
        """Open anew at the next use: this process was forked from the one that opened."""
        self._is_inherited = True
