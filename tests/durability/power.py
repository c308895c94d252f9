"""Trial 2: power lost, simulated from recorded operations: what was not fsynced may be missing."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from durability.faults import Operation
from durability.references import check_interrupted, load
from durability.trial import Outcome, Trial
from durability.workers import Breakage, pool

_SECTORS: Final = (512, 4096)
_LONGER: Final = 0.7
_ROOT: Final = 0

Entries = dict[str, int | None]
"""Names in a folder, and which file or folder each stands for."""


@dataclass(slots=True)
class _File:
    """What a file holds for certain, and the (offset, data) or (length, None) since its fsync."""

    durable: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)


@dataclass(slots=True)
class _Folder:
    """What a folder names for certain, and what each operation since its fsync changed."""

    durable: Entries = field(default_factory=dict)
    pending: list[Entries] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Loss:
    """How a power loss chooses: the chance of each write and of each change of names to survive.

    Of a write that survives, each sector does by the chance ``sectors``. A write that is lost may
    all the same have made its file longer, by zeros.
    """

    writes: float
    names: float
    sectors: float


_LOSSES: Final = (
    *(Loss(0, 0, 1), Loss(1, 0, 1), Loss(0, 1, 1), Loss(1, 1, 0.5), Loss(0.5, 1, 1)),
    *(Loss(0.5, 0.5, 0.5), Loss(0.9, 0.9, 0.9), Loss(1, 0.5, 1), Loss(0.5, 0.5, 1)),
)


class Disk:
    """A disk with all that operations did to it, and what of that is certain."""

    def __init__(self, recorded_at: Path, start: Path) -> None:
        """Begin with the files below *start*; operations name paths below *recorded_at*."""
        self._recorded_at = os.fspath(recorded_at)
        self._numbers: dict[str, int] = {".": _ROOT}
        self._nodes: dict[int, _File | _Folder] = {_ROOT: _Folder()}
        for path in sorted(start.rglob("*")):
            name = os.fspath(path.relative_to(start))
            node = _Folder() if path.is_dir() else _File(path.read_bytes())
            self._name(name, self._add(node))
            self._sync(os.path.dirname(name) or ".")  # noqa: PTH120

    def do(self, operation: Operation) -> None:
        """Do one operation."""
        path = self._relative(operation.path)
        match operation.kind:
            case "create" | "mkdir":
                node = _File() if operation.kind == "create" else _Folder()
                self._name(path, self._add(node))
            case "write":
                self._file(path).pending.append((operation.size, operation.data))
            case "truncate":
                self._file(path).pending.append((operation.size, None))
            case "fsync":
                file = self._file(path)
                file.durable, file.pending = _apply(file.durable, file.pending), []
            case "rename":
                self._rename(path, self._relative(operation.target))
            case "unlink" | "rmdir":
                self._name(path, None)
            case "sync":
                self._sync(path)
        if operation.syncs_folder:
            self._sync(os.path.dirname(path) or ".")  # noqa: PTH120

    def lose_power(self, folder: Path, loss: Loss, chance: random.Random) -> None:
        """Write to *folder* what a power loss might leave."""
        self._write(_ROOT, folder, loss, chance)

    def _write(self, number: int, path: Path, loss: Loss, chance: random.Random) -> None:
        node = self._nodes[number]
        if isinstance(node, _File):
            kept = [part for one in node.pending for part in _kept(one, loss, chance)]
            path.write_bytes(_apply(node.durable, kept))
            return
        path.mkdir()
        entries = dict(node.durable)
        for change in node.pending:
            if chance.random() < loss.names:
                entries.update(change)
        for name, child in entries.items():
            if child is not None:
                self._write(child, path / name, loss, chance)

    def _relative(self, path: str) -> str:
        return os.path.relpath(path, self._recorded_at)

    def _file(self, path: str) -> _File:
        node = self._nodes[self._numbers[path]]
        assert isinstance(node, _File)
        return node

    def _folder_of(self, path: str) -> _Folder:
        node = self._nodes[self._numbers[os.path.dirname(path) or "."]]  # noqa: PTH120
        assert isinstance(node, _Folder)
        return node

    def _add(self, node: _File | _Folder) -> int:
        number = len(self._nodes)
        self._nodes[number] = node
        return number

    def _name(self, path: str, number: int | None) -> None:
        self._folder_of(path).pending.append({os.path.basename(path): number})  # noqa: PTH119
        if number is None:
            del self._numbers[path]
        else:
            self._numbers[path] = number

    def _rename(self, path: str, target: str) -> None:
        assert os.path.dirname(path) == os.path.dirname(target)  # noqa: PTH120
        number = self._numbers.pop(path)
        self._numbers[target] = number
        names = os.path.basename(path), os.path.basename(target)  # noqa: PTH119
        self._folder_of(path).pending.append({names[0]: None, names[1]: number})

    def _sync(self, path: str) -> None:
        folder = self._nodes[self._numbers[path]]
        assert isinstance(folder, _Folder)
        for change in folder.pending:
            folder.durable.update(change)
        folder.pending.clear()


def _apply(data: bytes, changes: list[tuple[int, bytes | None]]) -> bytes:
    content = bytearray(data)
    for place, written in changes:
        end = place if written is None else place + len(written)
        content.extend(bytes(max(0, end - len(content))))
        if written is None:
            del content[place:]
        else:
            content[place:end] = written
    return bytes(content)


def _kept(
    change: tuple[int, bytes | None], loss: Loss, chance: random.Random
) -> list[tuple[int, bytes | None]]:
    """Return those parts of a write, by sectors of the file, that survive."""
    place, data = change
    if chance.random() >= loss.writes:
        return [(place + len(data), b"")] if data and chance.random() < _LONGER else []
    if data is None or loss.sectors == 1:
        return [change]
    sector = chance.choice(_SECTORS)
    ends = [*range(place - place % sector + sector, place + len(data), sector), place + len(data)]
    starts = [place, *ends[:-1]]
    return [
        (start, data[start - place : end - place])
        for start, end in zip(starts, ends, strict=True)
        if chance.random() < loss.sectors
    ]


@dataclass(frozen=True, slots=True)
class Blackout:
    """A power loss: after how many entries of a scenario's trace, and the seed of its choices."""

    folder: Path
    point: int
    seed: int

    def __str__(self) -> str:
        return f"{load(self.folder).scenario.name}, power lost at {self.point} ({self.seed})"


def run(times: int, seed: int, folder: Path, breakage: Breakage | None = None) -> Outcome:
    """Simulate so many power losses, and check what is left after each."""
    chance = random.Random(seed)
    with pool(folder, breakage) as workers:
        lengths = {place: len(one.trace) for place, one in workers.references.items()}
        blackouts = [
            Blackout(place, chance.randint(0, lengths[place]), chance.getrandbits(32))
            for place in chance.choices(list(lengths), list(lengths.values()), k=times)
        ]
        outcome = Outcome(tried=times)
        for one, failures in zip(blackouts, workers.run(try_blackout, blackouts), strict=True):
            outcome.failures.extend(f"{one}: {failure}" for failure in failures)
    outcome.facts["operations"] = str(sum(lengths.values()))
    return outcome


def try_blackout(blackout: Blackout, folder: Path) -> list[str]:
    """Do what was recorded up to a point, lose power, and check what is left."""
    reference = load(blackout.folder)
    chance = random.Random(blackout.seed)
    disk = Disk(reference.recorded_at, reference.start)
    acknowledged = 0
    for entry in reference.trace[: blackout.point]:
        if isinstance(entry, Operation):
            disk.do(entry)
        else:
            acknowledged = entry
    disk.lose_power(folder, chance.choice(_LOSSES), chance)
    return check_interrupted(reference, reference.index_in(folder), acknowledged)


TRIAL: Final = Trial(2, "power lost, unsynced writes missing or torn", 2000, run)
