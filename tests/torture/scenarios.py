"""What the trials interrupt: commands on prepared indexes, and what each leads to undisturbed."""

from __future__ import annotations

import os
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
from torture.faults import Operation, unwatched, watching
from torture.stub import content_of, expected_vector, save_picture, stubbed
from vecsearch import BuildOptions
from vecsearch.store import schema
from vecsearch.store.locate import has_index
from vecsearch.store.lock import LOCK_FILE
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.writer import Writer

State = dict[Path, bytes]
"""What an index holds: a vector's bytes for every path; nothing where there is no index."""

OLDER: Final = Path(__file__).parents[1] / "formats" / "1"
OLDER_PICTURES: Final = Path("/tmp/photos")
"""Where the pictures of the older index were; none are there now, or others."""

_PLACE: Final = Path("indexes", "one")


@dataclass(frozen=True, slots=True)
class Scenario:
    """A command on an index, both given the folder of pictures and that of the index.

    ``start`` makes pictures and index as they are before, ``command`` is what is interrupted.
    One that only ``reads`` leaves what is to be deleted to the next writer.
    """

    name: str
    start: Callable[[Path, Path], object]
    command: Callable[[Path, Path], object]
    reads: bool = False


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
        """Give the path of the index below *root*."""
        return root / _PLACE

    def operations(self) -> dict[int, Operation]:
        """Map numbers to operations, without those that the disk refused."""
        return {one.number: one for one in self.trace if isinstance(one, Operation)}


def _build(pictures: Path, index: Path, **options: Any) -> None:
    with stubbed() as config:
        vecsearch.build(
            pictures, index=index, encoder=config, options=BuildOptions(commit_images=3, **options)
        )


def _draw(pictures: Path, count: int) -> None:
    for number in range(count):
        save_picture(pictures / f"p{number:02}.png", number)


def _first(pictures: Path, index: Path) -> None:
    _draw(pictures, 10)


def _changed(pictures: Path, index: Path) -> None:
    """Build, then add, change, move, copy and delete pictures."""
    _draw(pictures, 12)
    (pictures / "broken.png").write_bytes(b"no picture")
    _build(pictures, index)
    for number in range(12, 17):
        save_picture(pictures / f"p{number:02}.png", number)
    for number in (2, 9):
        save_picture(pictures / f"p{number:02}.png", 100 + number)
        os.utime(pictures / f"p{number:02}.png", ns=(1, 10**18 + number))
    (pictures / "p04.png").rename(pictures / "q04.png")
    shutil.copy(pictures / "p05.png", pictures / "q05.png")
    for number in (0, 7):
        (pictures / f"p{number:02}.png").unlink()


def _fresh(pictures: Path, index: Path) -> None:
    _build(pictures, index, fresh=True)


def _many(pictures: Path, index: Path) -> None:
    _draw(pictures, 12)
    _build(pictures, index)


def _remove_one(pictures: Path, index: Path) -> None:
    _remove(pictures, index, "p03.png")


def _remove_many(pictures: Path, index: Path) -> None:
    _remove(pictures, index, "p0[2-8].png")


def _remove(pictures: Path, index: Path, name: str) -> None:
    """Remove, which done once more than needed finds nothing and changes nothing."""
    try:
        vecsearch.remove(f"{pictures}/{name}", index=index)
    except vecsearch.NotFoundError:
        vecsearch.compact(index)


def _stale(pictures: Path, index: Path) -> None:
    """Leave an index with something to compact, but too little for a build to do it."""
    _draw(pictures, 21)
    _build(pictures, index)
    save_picture(pictures / "p21.png", 21)
    (pictures / "p01.png").unlink()
    _build(pictures, index)


def _compact(pictures: Path, index: Path) -> None:
    vecsearch.compact(index)


def _older(pictures: Path, index: Path) -> None:
    pictures.mkdir(parents=True)
    shutil.copytree(OLDER, index)


def _open(pictures: Path, index: Path) -> None:
    vecsearch.open_index(index).close()


def _older_and_pictures(pictures: Path, index: Path) -> None:
    _older(pictures, index)
    _draw(pictures, 7)


SCENARIOS: Final = (
    Scenario("first build", _first, _build),
    Scenario("update", _changed, _build),
    Scenario("fresh build", _changed, _fresh),
    Scenario("remove one", _many, _remove_one),
    Scenario("remove many", _many, _remove_many),
    Scenario("compact", _stale, _compact),
    Scenario("migrate by reading", _older, _open, reads=True),
    Scenario("migrate and compact", _older, _compact),
    Scenario("fresh build of an older format", _older_and_pictures, _fresh),
)


@contextmanager
def in_order() -> Iterator[None]:
    """Read pictures one at a time, so that every run does the same operations."""
    with (
        mock.patch("vecsearch.images.read.WINDOW", 1),
        mock.patch("vecsearch.images.read.os.cpu_count", return_value=1),
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


def state_of(index: Path) -> State:
    """Read what an index holds; raises whatever opening it does."""
    if not has_index(index):
        return {}
    snapshot = Snapshot(index)
    empty = not snapshot.generation.image_count
    snapshot.close()
    return {} if empty else content_of(index)


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
        states, trace = [state_of(place(reference, folder / "before"))], reference.trace
        index = place(reference, root)

        def tell() -> None:
            with unwatched():
                states.append(state_of(index))
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
        found = state_of(index)
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
    odd = present ^ (named | {schema.CATALOG, LOCK_FILE})
    return [f"orphans: {', '.join(sorted(odd))}"] if odd else []


def difference(found: State, expected: State) -> str:
    """Say in a line how two contents differ."""
    wrong = [path for path in found.keys() & expected.keys() if found[path] != expected[path]]
    parts = {
        "lost": expected.keys() - found.keys(),
        "ghost": found.keys() - expected.keys(),
        "wrong vector of": wrong,
    }
    return "; ".join(
        f"{name} {', '.join(sorted(path.name for path in paths))}"
        for name, paths in parts.items()
        if paths
    )
