"""What the trials interrupt: commands on prepared indexes, and what each leads to undisturbed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import vecsearch
from durability.stub import DIM, content_of, save_picture, stubbed
from vecsearch import BuildOptions
from vecsearch.errors import IndexDamagedError
from vecsearch.store import schema, sqlite
from vecsearch.store.locate import has_index
from vecsearch.store.snapshot import Snapshot

State = dict[Path, bytes]
"""What an index holds: a vector's bytes for every path; nothing where there is no index."""

OLDER: Final = Path(__file__).parents[1] / "formats" / "1"
OLDER_PICTURES: Final = Path("/tmp/photos")
"""Where the pictures of the older index were; none are there now, or others."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A command on an index, both given the folder of pictures and that of the index.

    ``start`` makes pictures and index as they are before, ``command`` is what is interrupted.
    One that only ``reads`` leaves what is to be deleted to the next writer. An index that is
    ``damaged`` at first counts as one without images.
    """

    name: str
    start: Callable[[Path, Path], object]
    command: Callable[[Path, Path], object]
    reads: bool = False
    damaged: bool = False

    def read(self, index: Path) -> State:
        """Read what the index holds; raises whatever opening it does."""
        try:
            return state_of(index)
        except IndexDamagedError:
            if not self.damaged:
                raise
            return {}


def state_of(index: Path) -> State:
    """Read what an index holds; raises whatever opening it does."""
    if not has_index(index):
        return {}
    snapshot = Snapshot(index)
    empty = not snapshot.generation.image_count
    snapshot.close()
    return {} if empty else content_of(index)


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


def _damaged(pictures: Path, index: Path) -> None:
    _many(pictures, index)
    with (index / schema.CATALOG).open("r+b") as file:
        file.seek(2 * sqlite.PAGE_BYTES)
        file.write(bytes(8 * sqlite.PAGE_BYTES))


def _without_base(pictures: Path, index: Path) -> None:
    _many(pictures, index)
    (base,) = (index / "ann").iterdir()
    base.unlink()


def _damaged_vectors(pictures: Path, index: Path) -> None:
    _many(pictures, index)
    (segment,) = (index / "vectors").iterdir()
    data = bytearray(segment.read_bytes())
    for row in (1, 2, 6):
        data[row * 2 * DIM] ^= 1
    segment.write_bytes(data)


def _repair(pictures: Path, index: Path) -> None:
    with stubbed():
        vecsearch.repair(index)


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
    Scenario("repair of the FAISS file", _without_base, _repair, damaged=True),
    Scenario("repair of vectors", _damaged_vectors, _repair, damaged=True),
    Scenario("migrate by reading", _older, _open, reads=True),
    Scenario("migrate and compact", _older, _compact),
    Scenario("fresh build of an older format", _older_and_pictures, _fresh),
    Scenario("fresh build of a damaged index", _damaged, _fresh, damaged=True),
)
