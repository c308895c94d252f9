"""Trying mutants: each in a copy of the repository, with the tests that run its lines."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from queue import Queue
from typing import Final, Literal

from mutants.covering import ROOT, Test
from mutants.mutant import Mutant

Outcome = Literal["noticed", "timed out", "not noticed", "not run", "no test runs it"]

_PARTS: Final = ("vecsearch", "tests", "db", "docs", "indexes", "benchmarks")
_FILES: Final = ("pyproject.toml", "README.md", "CHANGELOG.md", "Makefile")
_LEFT_OUT: Final = shutil.ignore_patterns("__pycache__")
_FAILED: Final = (1, 2)
"""What pytest ends with when tests fail, or a module cannot even be imported."""

_NEWER = count(1_000_000_000)


@dataclass(frozen=True, slots=True)
class Try:
    """What became of a mutant; ``by`` is the test that noticed it."""

    mutant: Mutant
    outcome: Outcome
    tests: Sequence[str]
    by: str = ""

    @property
    def is_noticed(self) -> bool:
        """Return whether a test failed, or did not end."""
        return self.outcome in ("noticed", "timed out")


def chosen(tests: Sequence[Test], most_seconds: float) -> Iterator[Test]:
    """Choose the first of *tests*, as many as take *most_seconds* together; at least one."""
    total = 0.0
    for test in tests:
        if total and total + test.seconds > most_seconds:
            continue  # a quicker one may follow
        total += test.seconds
        yield test


class Copies:
    """Copies of the repository, one for each worker."""

    def __init__(self, folder: Path, workers: int) -> None:
        """Make them in *folder*."""
        self._free: Queue[Path] = Queue()
        self._usable: set[str] = set()
        self._unusable: set[str] = set()
        for number in range(workers):
            place = folder / str(number)
            for part in _PARTS:
                shutil.copytree(ROOT / part, place / part, ignore=_LEFT_OUT)
            for name in _FILES:
                shutil.copy(ROOT / name, place / name)
            self._free.put(place)

    def try_out(self, mutant: Mutant, tests: Sequence[Test], timeout_s: float) -> Try:
        """Run *tests* with a mutant in place of its module.

        A test that also fails without it, alone in its process, notices nothing and is passed over.
        """
        place = self._free.get()
        path = place / "vecsearch" / mutant.module
        try:
            while names := [test.name for test in tests if test.name not in self._unusable]:
                mutant.apply(place / "vecsearch")
                _let_differ(path)
                code, output = _run(place, names, timeout_s)
                by = _failed(output)
                shutil.copy(ROOT / "vecsearch" / mutant.module, path)
                _let_differ(path)
                if not by or self._is_usable(by, place, timeout_s):
                    return Try(mutant, _outcome(code, output), names, by)
            return Try(mutant, "no test runs it", names)
        finally:
            shutil.copy(ROOT / "vecsearch" / mutant.module, path)
            _let_differ(path)
            self._free.put(place)

    def _is_usable(self, test: str, place: Path, timeout_s: float) -> bool:
        """Return whether a test passes without a mutant."""
        if test not in self._usable:
            is_sound = _run(place, [test], timeout_s)[0] == 0
            (self._usable if is_sound else self._unusable).add(test)
        return test in self._usable


def _outcome(code: int | None, output: str) -> Outcome:
    """Return what pytest's exit status means; raises RuntimeError for one that it should not be."""
    if code is None:
        return "timed out"
    if code == 0:
        return "not noticed"
    if code not in _FAILED:
        raise RuntimeError(f"pytest ended with {code}:\n{output}")
    return "noticed"


def _failed(output: str) -> str:
    """Find the test that failed in what pytest has written; nothing if a file cannot be loaded."""
    lines = [line for line in output.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    name = lines[0].partition(" - ")[0].split(" ", 1)[1] if lines else ""
    return name if "::" in name else ""


def _let_differ(path: Path) -> None:
    """Set a time that *path* never had, by which Python knows that compiled files are not its."""
    seconds = next(_NEWER)
    os.utime(path, (seconds, seconds))


def _run(place: Path, names: Sequence[str], timeout_s: float) -> tuple[int | None, str]:
    """Run tests in a copy; return pytest's exit status, None if they do not end, and its output."""
    given = place / "tests.txt"
    given.write_text("".join(f"{name}\n" for name in names))
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    command += [f"--basetemp={place / 'tmp'}", f"@{given}"]
    environment = {**os.environ, "PYTHONPATH": str(place)}
    with subprocess.Popen(
        command,
        cwd=place,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return None, ""
        return process.returncode, output
