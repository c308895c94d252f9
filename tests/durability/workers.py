"""Trials side by side: processes that have imported everything and fork a child for each trial."""

from __future__ import annotations

import mmap
import multiprocessing
import os
import random
import shutil
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeVar
from unittest import mock

from durability import faults
from durability.references import Reference, load, prepare
from durability.scenarios import SCENARIOS
from vecsearch.errors import VecsearchError

T = TypeVar("T")
Breakage = Callable[[], object]
"""What breaks vecsearch on purpose in every worker, to see that a trial notices."""

_LIMIT_S: Final = 120
_ERROR_BYTES: Final = 1 << 15
_ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


@dataclass(slots=True)
class Ending:
    """How a child ended: by a signal, by an error, or well; and what it had acknowledged."""

    signal: int
    acknowledged: int
    error: str


class Pool:
    """Worker processes, and the scenarios prepared for them in *folder*."""

    def __init__(self, executor: ProcessPoolExecutor, folder: Path, scenarios: int) -> None:
        """Prepare the first so many scenarios."""
        self._executor = executor
        self.folder = folder
        places = [folder / f"scenario-{number}" for number in range(scenarios)]
        list(executor.map(prepare, range(scenarios), places))
        self.references: dict[Path, Reference] = {place: load(place) for place in places}

    def run(self, work: Callable[[T, Path], list[str]], tasks: list[T]) -> Iterator[list[str]]:
        """Call *work* with each task and a folder of its own that does not exist yet."""
        folders = [self.folder / f"trial-{number}" for number in range(len(tasks))]
        chunk = max(1, min(20, len(tasks) // 8))
        return self._executor.map(partial(_numbered, work), tasks, folders, chunksize=chunk)


@contextmanager
def pool(folder: Path, breakage: Breakage | None = None) -> Iterator[Pool]:
    """Start workers, as many as there are processors."""
    context = multiprocessing.get_context("spawn")
    with (
        mock.patch.dict(os.environ, _ONE_THREAD),
        ProcessPoolExecutor(
            os.cpu_count(), mp_context=context, initializer=_start, initargs=(breakage,)
        ) as executor,
    ):
        # What was broken on purpose shows in a first build and an update already.
        yield Pool(executor, folder, len(SCENARIOS) if breakage is None else 2)


def fork(work: Callable[[Callable[[], None]], object], kill_after: float | None = None) -> Ending:
    """Run *work* in a child process, killed after so many seconds if it has not ended.

    *work* is given a function to call at every acknowledged commit.
    """
    shared = mmap.mmap(-1, 8 + _ERROR_BYTES)

    def acknowledge() -> None:
        shared[0] += 1

    child = os.fork()
    if not child:
        error = ""
        try:
            signal.alarm(_LIMIT_S)
            work(acknowledge)
        except VecsearchError as refusal:
            error = f"refused: {refusal}"
        except BaseException:  # noqa: BLE001 - told to the parent
            error = "crashed: " + traceback.format_exc()
        finally:
            told = error.encode()[-_ERROR_BYTES:]
            shared[8 : 8 + len(told)] = told
            os._exit(0)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    with shared:
        return Ending(ended_by, shared[0], shared[8:].rstrip(b"\0").decode(errors="replace"))


def sample(tasks: list[Any], times: int, chance: random.Random) -> list[Any]:
    """Choose so many of *tasks* without one twice, or all of them."""
    return chance.sample(tasks, min(times, len(tasks)))


def _start(breakage: Breakage | None) -> None:
    """Import what children need, and let SQLite find the seam."""
    for name in ("faiss", "filelock", "vecsearch.maintenance.remove", "vecsearch.search.index"):
        import_module(name)
    faults.register()
    if breakage is not None:
        breakage()


def _numbered(work: Callable[[T, Path], list[str]], task: T, folder: Path) -> list[str]:
    failures = work(task, folder)
    shutil.rmtree(folder, ignore_errors=True)
    return failures
