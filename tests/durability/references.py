"""What a scenario does undisturbed, recorded, and comparing with it what an interruption left."""

from __future__ import annotations

import pickle
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final
from unittest import mock

import vecsearch
from durability.faults import Operation, unwatched, watching
from durability.scenarios import OLDER_PICTURES, SCENARIOS, Scenario, State, difference, state_of
from durability.stub import expected_vector
from vecsearch.store import schema
from vecsearch.store.lock import LOCK_FILE
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.writer import Writer

_PLACE: Final = Path("indexes", "one")


@dataclass(frozen=True, slots=True)
class Reference:
    """A scenario that was prepared, and what its command does when nothing disturbs it.

    What ``start`` holds was copied to ``recorded_at`` and run there.
    ``states`` are the content before it and after each commit, as the caller was told of it;
    ``trace`` are the operations, and for each such commit the number of the state it led to.
    """

    scenario: Scenario
    pictures: Path
    start: Path
    recorded_at: Path
    states: list[State]
    trace: list[Operation | int]
    seconds: float

    def index_in(self, root: Path) -> Path:
        """Return the path of the index below *root*."""
        return root / _PLACE

    def operations(self) -> dict[int, Operation]:
        """Map numbers to operations, without those that the disk refused."""
        return {one.number: one for one in self.trace if isinstance(one, Operation)}


@contextmanager
def in_order() -> Iterator[None]:
    """Read pictures one at a time, so that every run does the same operations."""
    with (
        mock.patch("vecsearch.images.reader.WINDOW", 1),
        mock.patch("vecsearch.images.reader.os.cpu_count", return_value=1),
    ):
        yield


@contextmanager
def acknowledging(tell: Callable[[], object]) -> Iterator[None]:
    """Call *tell* whenever a commit was acknowledged to whoever asked for it."""

    def told(method: Callable[..., None]) -> Callable[..., None]:
        def run(*arguments: Any) -> None:
            method(*arguments)
            tell()

        return run

    with ExitStack() as stack:
        for name in ("commit", "compact", "publish"):
            stack.enter_context(mock.patch.object(Writer, name, told(getattr(Writer, name))))
        yield


def place(reference: Reference, root: Path) -> Path:
    """Put the index as it is before the command below *root*, and give its path."""
    shutil.copytree(reference.start, root)
    return root / _PLACE


def prepare(number: int, folder: Path) -> None:
    """Set a scenario up in *folder*, run it undisturbed, and keep what it does."""
    scenario = SCENARIOS[number]
    pictures, start, root = (folder / name for name in ("pictures", "start", "reference"))
    start.mkdir(parents=True)
    with in_order():
        scenario.start(pictures, start / _PLACE)
        reference = Reference(scenario, pictures, start, root, [], [], 0.0)
        # Reading migrates an older format, so not of the index that the command is to find.
        states, trace = [scenario.read(place(reference, folder / "before"))], reference.trace
        index = place(reference, root)

        def tell() -> None:
            with unwatched():
                states.append(scenario.read(index))
            trace.append(len(states) - 1)

        with acknowledging(tell), watching(root, after=trace.append):
            scenario.command(pictures, index)
        again = place(reference, folder / "timed")
        began = time.perf_counter()
        scenario.command(pictures, again)
    seconds = time.perf_counter() - began
    assert state_of(index) == states[-1]
    for path, vector in states[-1].items():
        assert OLDER_PICTURES in path.parents or vector == expected_vector(path).tobytes()
    kept = Reference(scenario, pictures, start, root, states, trace, seconds)
    (folder / "reference.pickle").write_bytes(pickle.dumps(kept))


@cache
def load(folder: Path) -> Reference:
    """Read what `prepare` kept in *folder*."""
    reference = pickle.loads((folder / "reference.pickle").read_bytes())
    assert isinstance(reference, Reference)
    return reference


def check_interrupted(reference: Reference, index: Path, acknowledged: int) -> list[str]:
    """Check what an interruption left after so many acknowledged commits, and go on from there."""
    allowed = reference.states[acknowledged : acknowledged + 2]
    try:
        found = reference.scenario.read(index)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
        return [f"cannot be opened: {error!r}"]
    if found not in allowed:
        return [f"no committed generation: {difference(found, allowed[0])}"]
    return check_completed(reference, index)


def check_completed(reference: Reference, index: Path) -> list[str]:
    """Run the command again, and compare all that is in the folder with what should be."""
    try:
        with in_order():
            reference.scenario.command(reference.pictures, index)
        if reference.scenario.reads:
            vecsearch.compact(index)
        found = state_of(index)
        snapshot = Snapshot(index)
        named = {record.name for record in snapshot.files()}
        snapshot.close()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
        return [f"cannot be completed: {error!r}"]
    if found != reference.states[-1]:
        return [f"completed to something else: {difference(found, reference.states[-1])}"]
    present = {path.relative_to(index).as_posix() for path in index.rglob("*") if path.is_file()}
    # A journal that undoes nothing stays until the next commit.
    odd = (present - {f"{schema.CATALOG}-journal"}) ^ (named | {schema.CATALOG, LOCK_FILE})
    return [f"orphans: {', '.join(sorted(odd))}"] if odd else []
