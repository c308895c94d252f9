"""Random histories of an index beside a dictionary that does the same: they never differ."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final
from unittest import mock

import apsw
import numpy as np
import numpy.typing as npt

from durability.stub import DIM, SPEC
from durability.trial import Outcome, Trial
from vecsearch import Index, IndexFolderError, Skipped
from vecsearch.indexing import compaction as compacting
from vecsearch.search import index_reader as opening
from vecsearch.store import sqlite
from vecsearch.store.change import Change, NewIndex
from vecsearch.store.locate import has_index
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.writer import Writer, open_writer
from vecsearch.types import Hit, ImageFile, SourceName, Vectors

STEPS: Final = 100
MOST_IMAGES: Final = 40
NEW: Final = NewIndex(SPEC.to_json(), DIM, b"<stub/>", b"stub")


class DiffersError(Exception):
    """The index is not what the dictionary says."""


@dataclass(slots=True)
class Known:
    """An image as it should be in the index; ``vector`` is the bytes of its float16 values."""

    facts: ImageFile
    vector: bytes


@dataclass(slots=True)
class Model:
    """What an index should hold."""

    images: dict[int, Known] = field(default_factory=dict)
    next_id: int = 1
    skipped: dict[Path, Skipped] = field(default_factory=dict)
    sources: set[SourceName] = field(default_factory=set)


@dataclass(slots=True)
class Kept:
    """A snapshot that stays open: the vectors of its ids, and compactions since."""

    snapshot: Snapshot
    vectors: dict[int, bytes]
    compactions: int = 0
    rebuilt: bool = False


class History:
    """One index, its model, and the readers that stay open meanwhile."""

    def __init__(self, random: np.random.RandomState, index: Path) -> None:
        self.random = random
        self.index = index
        self.model = Model()
        self.reader: Index | None = None
        self.kept: list[Kept] = []
        self.paths = 0
        self.orphans = False
        self.last: dict[int, ImageFile] = {}

    def step(self) -> None:
        """Do one random thing to the index and the model, and compare them."""
        random = self.random
        doings: list[Callable[[], None]] = [self.commit] * 6
        doings += [self.compact, self.compact_tail, self.compact_if_due, self.keep]
        if random.randint(25) == 0:
            doings = [self.fresh, self.broken_fresh]
        if not has_index(self.index):
            doings = [self.fresh]
        doing = doings[random.randint(len(doings))]
        if doing != self.keep:
            self.orphans = doing == self.broken_fresh  # until the next writer
        doing()
        few = (1 << 22, 0)[random.randint(2)]  # numpy alone, or FAISS
        with mock.patch.object(opening, "_FEW_VALUES", few):
            self.check()

    def close(self) -> None:
        """Close the readers."""
        if self.reader is not None:
            self.reader.close()
        for kept in self.kept:
            kept.snapshot.close()

    def commit(self) -> None:
        """Commit a random change."""
        with open_writer(self.index) as writer:
            self._change(writer, self.model)

    def fresh(self) -> None:
        """Build the index anew."""
        model = Model()
        with open_writer(self.index, NEW, fresh=True) as writer:
            for _ in range(self.random.randint(1, 4)):
                self._change(writer, model)
            if not model.images:
                self._change(writer, model, least=1)
            writer.publish()
        self.model, self.last = model, {}
        for kept in self.kept:
            kept.rebuilt = True

    def broken_fresh(self) -> None:
        """Begin to build the index anew, and give up."""
        try:
            with open_writer(self.index, NEW, fresh=True) as writer:
                self._change(writer, Model())
                raise InterruptedError
        except InterruptedError:
            pass

    def compact(self) -> None:
        """Compact all that there is, if anything is to be compacted."""
        with open_writer(self.index) as writer:
            self._compact_all(writer)

    def compact_tail(self) -> None:
        """Make the segments behind the base one."""
        stale = mock.patch.object(compacting, "STALE_SHARE", 1e9)
        with open_writer(self.index) as writer, stale:
            with closing(Snapshot(self.index)) as snapshot:
                if not snapshot.bases:
                    return self._compact_all(writer)
            with mock.patch.object(compacting, "MANY_SEGMENTS", 1):
                compacting.compact_if_due(writer)
        return None

    def compact_if_due(self) -> None:
        """Do what a build does at its end."""
        with open_writer(self.index) as writer:
            before = self._bases()
            compacting.compact_if_due(writer)
            self._note_compaction(before != self._bases())

    def keep(self) -> None:
        """Open a snapshot that stays open; close an old one."""
        vectors = {number: known.vector for number, known in self.model.images.items()}
        self.kept.append(Kept(Snapshot(self.index), vectors))
        if len(self.kept) > 4:
            self.kept.pop(self.random.randint(4)).snapshot.close()

    def _compact_all(self, writer: Writer) -> None:
        with closing(Snapshot(self.index)) as snapshot:
            compacting.compact_segments(writer, snapshot, snapshot.segments, None)
            self._note_compaction(bool(snapshot.segments))

    def _bases(self) -> set[int]:
        with closing(Snapshot(self.index)) as snapshot:
            return set(snapshot.bases)

    def _note_compaction(self, done: bool) -> None:
        for kept in self.kept:
            kept.compactions += done

    def _change(self, writer: Writer, model: Model, least: int = 0) -> None:
        """Make up a change, commit it, and do the same to *model*."""
        random, change = self.random, Change()
        ids = random.permutation(list(model.images)).tolist()
        full = len(ids) > MOST_IMAGES
        count = min(len(ids), random.randint(20 if full else 3))
        change.removed = [ids.pop() for _ in range(count)]
        if random.randint(20) == 0:
            change.removed, ids = change.removed + ids, []
        freed = [model.images[number].facts.path for number in change.removed]
        for number in change.removed:
            del model.images[number]
        for number in [ids.pop() for _ in range(min(len(ids), random.randint(3)))]:
            freed.append(model.images[number].facts.path)
            path = freed.pop(0) if random.randint(2) else self._new_path()
            facts = replace(model.images[number].facts, path=path, mtime_ns=random.randint(1 << 40))
            change.refiled.append((number, facts))
            model.images[number].facts = facts
        vectors = []
        for number in [ids.pop() for _ in range(min(len(ids), random.randint(3)))]:
            facts = self._facts(model.images[number].facts.path)
            vectors.append(self._vector(model))
            change.embedded.append((number, facts))
            model.images[number] = Known(facts, vectors[-1].tobytes())
        for _ in range(max(least, random.randint(5))):
            path = freed.pop() if freed and random.randint(2) else self._new_path()
            vectors.append(self._vector(model))
            change.embedded.append((None, self._facts(path)))
            model.images[model.next_id] = Known(change.embedded[-1][1], vectors[-1].tobytes())
            model.next_id += 1
        if vectors:
            change.vectors = np.stack(vectors).astype(np.float32)
        self._change_the_rest(change, model)
        writer.commit(change)

    def _change_the_rest(self, change: Change, model: Model) -> None:
        random = self.random
        change.forgotten = [path for path in model.skipped if random.randint(4) == 0]
        for path in change.forgotten:
            del model.skipped[path]
        paths = [*model.skipped, self._new_path(), self._new_path()]
        for path in paths[: random.randint(3)]:
            change.skipped.append(Skipped(path, 1, random.randint(1 << 30), f"why {self.paths}"))
            model.skipped[path] = change.skipped[-1]
        change.sources = [Path(f"/s{random.randint(4)}") for _ in range(random.randint(2))]
        known = sorted(model.sources - set(change.sources), key=str)
        change.gone_sources = [path for path in known if random.randint(3) == 0]
        model.sources = (model.sources | set(change.sources)) - set(change.gone_sources)

    def _new_path(self) -> Path:
        self.paths += 1
        odd = os.fsdecode((b"", b"\xff", b"a\nb", "é".encode())[self.random.randint(4)])
        return Path(f"/s/{odd}{self.paths}.png")

    def _facts(self, path: Path) -> ImageFile:
        random = self.random
        return ImageFile(path, random.randint(99), random.randint(1 << 40), random.bytes(16), 7, 9)

    def _vector(self, model: Model) -> npt.NDArray[np.float16]:
        """Make up a vector, now and then one that is there already."""
        if model.images and self.random.randint(8) == 0:
            ids = list(model.images)
            known = model.images[ids[self.random.randint(len(ids))]].vector
            return np.frombuffer(known, np.float16)
        vector = self.random.normal(size=DIM)
        return (vector / np.linalg.norm(vector)).astype(np.float16)

    def check(self) -> None:
        """Compare all readers with the model."""
        self.last |= {number: known.facts for number, known in self.model.images.items()}
        if not self.model.images:
            self._check_empty()
        else:
            if self.reader is None:
                self.reader = Index(self.index)
            check_reader(self.reader, self.model, self.random)
            if self.random.randint(4) == 0:
                with Index(self.index) as reader:
                    check_reader(reader, self.model, self.random)
        with closing(Snapshot(self.index)) as snapshot:
            same(set(snapshot.sources()), set(self.model.sources), "sources")
            found = {skip.path: skip for skip in snapshot.skipped()}
            same(found, self.model.skipped, "skipped")
            named = {record.name for record in snapshot.files()}
            there = {p.relative_to(self.index).as_posix() for p in self.index.glob("*/*")}
            same(there >= named if self.orphans else there == named, True, f"files {there}")
        for kept in list(self.kept):
            if self.random.randint(3) == 0:
                self._check_kept(kept)

    def _check_empty(self) -> None:
        for reader in (self.reader, None):
            index = Index(self.index) if reader is None else reader
            same(len(index), 0, "images of an empty index")
            try:
                index.search(np.ones((1, DIM), np.float32))
            except IndexFolderError as error:
                same("has no images" in str(error), True, str(error))
            else:
                raise DiffersError("an empty index gave an answer")

    def _check_kept(self, kept: Kept) -> None:
        """Hold an open snapshot to its generation; paths and times may be newer ones."""
        snapshot = kept.snapshot
        try:
            images = list(snapshot.images())
        except IndexFolderError as error:
            allowed = kept.rebuilt or kept.compactions >= 2
            same(allowed and "open it again" in str(error), True, str(error))
            self.kept.remove(kept)
            snapshot.close()
            return
        same(kept.rebuilt, False, "a snapshot outlived a fresh build")
        rows = {image.id: image.row for image in images}
        same(rows.keys(), kept.vectors.keys(), "ids of an open snapshot")
        same(len(rows), snapshot.generation.image_count, "count of an open snapshot")
        for image in images:
            segment = next(s for s in snapshot.segments if s.first_row <= image.row < s.end_row)
            vector = segment.halves[image.row - segment.first_row].tobytes()
            same(vector, kept.vectors[image.id], f"vector of {image.id} in an open snapshot")
            same(image.path, self.last[image.id].path, f"path of {image.id} in an open snapshot")


def check_reader(reader: Index, model: Model, random: np.random.RandomState) -> None:
    """Compare all that a reader tells with *model*."""
    images, vectors = reader.vectors()
    same([image.id for image in images], sorted(model.images), "ids")
    same(len(reader), len(model.images), "count")
    for image, vector in zip(images, vectors, strict=True):
        known = model.images[image.id]
        same(vector.astype(np.float16).tobytes(), known.vector, f"vector of {image.id}")
        facts = ImageFile(image.path, image.size_bytes, image.mtime_ns, image.content_hash, 7, 9)
        same(facts, known.facts, f"facts of {image.id}")
        same((image.width, image.height), (7, 9), f"size of {image.id}")
    queries = np.concatenate([vectors[:2], random.normal(size=(2, DIM))]).astype(np.float32)
    k = int(random.randint(1, 8))
    ids = np.array([image.id for image in images])
    for query, result in zip(queries, reader.search(queries, k=k), strict=True):
        check_hits(result.hits, query, ids, vectors, k)
    one = images[random.randint(len(images))]
    (result,) = reader.query(f"id:{one.id}", k=k)
    others = ids != one.id
    check_hits(result.hits, vectors[ids == one.id][0], ids[others], vectors[others], k)
    same(reader.has_path(one.path), True, "has_path")


def check_hits(
    hits: tuple[Hit, ...], query: Vectors, ids: npt.NDArray[np.int64], vectors: Vectors, k: int
) -> None:
    """Compare hits with the best by brute force; equal scores may come in any order."""
    scores = np.clip(vectors @ (query / np.linalg.norm(query)), -1.0, 1.0)
    due = np.sort(scores)[::-1][:k]
    found = np.array([hit.score for hit in hits])
    same(found.shape, due.shape, "number of hits")
    same(np.allclose(found, due, atol=2e-3), True, "scores of the nearest")
    by_id = dict(zip(ids.tolist(), scores.tolist(), strict=True))
    same(len({hit.id for hit in hits}), len(hits), "number of different hits")
    same(all(abs(by_id[hit.id] - hit.score) < 2e-3 for hit in hits), True, "scores of the hits")


def same(found: object, due: object, what: str) -> None:
    """Raise DiffersError unless both are equal."""
    if found != due:
        raise DiffersError(f"{what}: {found!r:.300} instead of {due!r:.300}")


@contextmanager
def hasty() -> Iterator[None]:
    """Wait for no disk and no thread: what a history shows depends on neither power nor speed."""
    import faiss

    real, threads = sqlite.connect, faiss.omp_get_max_threads()

    def connect(path: Path, flags: int) -> apsw.Connection:
        connection = real(path, flags)
        connection.execute("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY")
        return connection

    with ExitStack() as stack:
        stack.enter_context(mock.patch("os.fsync"))
        stack.enter_context(mock.patch.object(sqlite, "connect", connect))
        faiss.omp_set_num_threads(1)
        stack.callback(faiss.omp_set_num_threads, threads)
        yield


def run(times: int, seed: int, folder: Path) -> Outcome:
    """Live through *times* histories."""
    outcome, steps = Outcome(), 0
    with hasty():
        for number in range(times):
            home = folder / str(number)
            home.mkdir()
            history = History(np.random.RandomState([seed, number]), home / "index")
            try:
                for _ in range(STEPS):
                    steps += 1
                    history.step()
            except Exception as error:  # noqa: BLE001 - whatever it is, it should not be
                outcome.failures.append(f"history {number}, step {steps % STEPS}: {error!r}")
            finally:
                history.close()
                shutil.rmtree(home)
            outcome.tried += 1
    outcome.facts = {"steps": f"{steps:,}"}
    return outcome


TRIAL = Trial(8, "histories beside a dictionary", 2_000, run)
