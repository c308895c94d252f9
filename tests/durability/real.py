"""Kills of builds with the real network, each in a process of its own.

    python -m durability.real first|update|fresh PICTURES INDEX

is that process. It says when it begins, and after each commit which generation is in force.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

import vecsearch
from durability.references import acknowledging
from durability.scenarios import State, difference, state_of
from durability.stub import save_picture
from vecsearch import BuildOptions, EncoderConfig
from vecsearch.store.locate import has_index
from vecsearch.store.snapshot import Snapshot

NETWORK: Final = EncoderConfig(
    layer="block1_conv1", pool="avg", weights="random:0", precision="fp32", engine="openvino"
)
CASES: Final = ("first", "update", "fresh")


@dataclass(frozen=True, slots=True)
class _Case:
    """A build to kill: what is there before, what after, and how long it takes undisturbed."""

    name: str
    pictures: Path
    start: Path
    before: State
    after: State
    seconds: float


def build(case: str, pictures: Path, index: Path) -> None:
    """Build with the real network, a few pictures a commit."""
    options = BuildOptions(commit_images=3, fresh=case == "fresh")
    vecsearch.build(pictures, index=index, encoder=NETWORK, options=options)


def run(times: int, seed: int, folder: Path) -> list[str]:
    """Kill so many builds at random moments, and tell what was wrong after them."""
    folder.mkdir(parents=True)
    cases = [_prepare(name, folder / name) for name in CASES[:times]]
    chance = random.Random(seed)
    kills = [
        (case, folder / f"killed-{number}", chance.uniform(0, 1.1 * case.seconds))
        for number, case in zip(range(times), cases * times, strict=False)
    ]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        found = threads.map(lambda kill: _try_kill(*kill), kills)
        return [
            f"real network, {case.name}, killed at {at:.3f} s: {failure}"
            for (case, _, at), failure in zip(kills, found, strict=True)
            if failure
        ]


def _prepare(name: str, folder: Path) -> _Case:
    pictures, start = folder / "pictures", folder / "start"
    for number in range(12):
        save_picture(pictures / f"p{number:02}.png", number)
    if name == "first":
        start.mkdir()
    else:
        build("first", pictures, start / "index")
        for number in (3, 12, 13, 14):
            save_picture(pictures / f"p{number:02}.png", 50 + number)
        (pictures / "p05.png").unlink()
    before = state_of(start / "index")
    shutil.copytree(start, folder / "undisturbed")
    lines, seconds = _run(name, pictures, folder / "undisturbed" / "index", None)
    assert len(lines) > 3
    after = state_of(folder / "undisturbed" / "index")
    return _Case(name, pictures, start, before, after, seconds)


def _run(
    name: str, pictures: Path, index: Path, kill_after: float | None
) -> tuple[list[str], float]:
    """Run a build in a process; give its lines, and the seconds since the first of them."""
    command = [sys.executable, "-m", "durability.real", name, str(pictures), str(index)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        lines = [process.stdout.readline()]
        began = time.perf_counter()
        timer = threading.Timer(kill_after or 0, process.kill)
        if kill_after is not None:
            timer.start()
        lines += process.stdout.readlines()
        process.wait()
        timer.cancel()
    # A line that the process was killed in the midst of was not said.
    return [line for line in lines if line.endswith("\n")], time.perf_counter() - began


def _try_kill(case: _Case, folder: Path, at: float) -> str:
    shutil.copytree(case.start, folder)
    index = folder / "index"
    lines, _ = _run(case.name, case.pictures, index, at)
    try:
        if failure := _check(case, index, int(lines[-1])):
            return failure
        build(case.name, case.pictures, index)
        found = state_of(index)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
        return repr(error)
    shutil.rmtree(folder)
    return "" if _is(found, case.after) else f"not completed: {difference(found, case.after)}"


def _check(case: _Case, index: Path, acknowledged: int) -> str:
    """Compare an index with what was before and what comes after, by turns of a commit each."""
    if acknowledged and _generation(index) < acknowledged:
        return f"generation {acknowledged} was acknowledged and is gone"
    found = state_of(index)
    if _is(found, case.before) or _is(found, case.after):
        return ""
    if case.name == "fresh":
        return f"neither the old nor the new index: {difference(found, case.after)}"
    if lost := case.before.keys() & case.after.keys() - found.keys():
        return f"lost {', '.join(path.name for path in lost)}"
    for path, vector in found.items():
        if not any(path in known and _near(vector, known[path]) for known in _known(case)):
            return f"ghost, or wrong vector: {path}"
    return ""


def _known(case: _Case) -> tuple[State, State]:
    return case.before, case.after


def _generation(index: Path) -> int:
    if not has_index(index):
        return 0
    with closing(Snapshot(index)) as snapshot:
        return snapshot.generation.id


def _is(found: State, expected: State) -> bool:
    return found.keys() == expected.keys() and all(
        _near(found[path], expected[path]) for path in found
    )


def _near(one: bytes, other: bytes) -> bool:
    """Return whether two unit vectors are one, but for the order in which a network adds up."""
    vectors = [np.frombuffer(vector, np.float32) for vector in (one, other)]
    return bool(np.abs(vectors[0] - vectors[1]).max() < 1e-3)


def _main() -> None:
    case, pictures, index = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])

    def say() -> None:
        sys.stdout.write(f"{_generation(index)}\n")
        sys.stdout.flush()

    say()
    with acknowledging(say):
        build(case, pictures, index)


if __name__ == "__main__":
    _main()
