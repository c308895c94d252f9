"""Which tests run which lines: measured once, and again for the test files that have changed."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final

from coverage import CoverageData

from mutants.contexts import TEST, TIMES
from mutants.mutant import Mutant

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = ROOT / "vecsearch"
CACHE: Final = ROOT / ".mutants"
_KNOWN: Final = CACHE / "known.json"

_SETTINGS: Final = """
[run]
source = {package}
parallel = true
data_file = {data}
context = ${{{test}-}}
concurrency = thread, multiprocessing
patch = _exit, fork
sigterm = true
disable_warnings = no-data-collected, module-not-measured, module-not-imported, couldnt-parse
"""


def find_test_files(folder: Path) -> list[Path]:
    """List the test files below *folder*, without the tests of the list of mutants.

    Those notice every mutant, for its text is no longer there.
    """
    return sorted(
        path for path in folder.rglob("test_*.py") if Path(__file__).parent not in path.parents
    )


@dataclass(frozen=True, slots=True)
class Test:
    """A test by its pytest id, how long it takes, and its share of a module among all it runs."""

    name: str
    seconds: float
    share: float


class Covering:
    """The tests that run the lines of the package, as they were measured.

    A test file is measured again when it has changed. Of a module that has changed since, it is
    known which tests run it, and not by which lines.
    """

    def __init__(self) -> None:
        """Read what was measured of which test files."""
        self._known: dict[str, dict[str, Any]] = (
            json.loads(_KNOWN.read_text()) if _KNOWN.exists() else {}
        )
        self._writing = Lock()
        self._lines: dict[str, dict[str, dict[int, list[str]]]] = {}
        self._totals: Counter[str] = Counter()
        self._seconds: dict[str, float] = {}

    def measure(self, files: Iterable[Path], workers: int) -> None:
        """Run the test *files* that were not measured as they are, and read what all run."""
        CACHE.mkdir(exist_ok=True)
        names = {path.relative_to(ROOT).as_posix(): _hash(path) for path in files}
        changed = [
            name for name, now in names.items() if self._known.get(name, {}).get("hash") != now
        ]
        with ThreadPoolExecutor(workers) as pool:
            for future in [pool.submit(self._measure, name) for name in changed]:
                future.result()
        for name in names:
            self._read(name)

    def _measure(self, name: str) -> None:
        modules = {
            path.relative_to(PACKAGE).as_posix(): _hash(path) for path in PACKAGE.rglob("*.py")
        }
        now = _hash(ROOT / name)
        start = time.monotonic()
        tests = _measured(name)
        took = time.monotonic() - start
        print(f"measured {len(tests)} tests of {name} in {took:.0f} s", flush=True)
        with self._writing:
            self._known[name] = {"hash": now, "modules": modules, "tests": tests}
            _KNOWN.write_text(json.dumps(self._known))

    def _read(self, name: str) -> None:
        tests = self._known[name]["tests"]
        self._seconds |= tests
        data = CoverageData(str(_data_of(name)))
        data.read()
        modules = self._lines.setdefault(name, {})
        for path in data.measured_files():
            lines = {
                line: [test for test in found if test in tests]
                for line, found in data.contexts_by_lineno(path).items()
            }
            modules[Path(path).relative_to(PACKAGE).as_posix()] = lines
            for found in lines.values():
                self._totals.update(found)

    def tests_of(self, mutant: Mutant) -> list[Test]:
        """List the tests that run the lines of a mutant, the quickest and most specific first."""
        now = _hash(PACKAGE / mutant.module)
        found = []
        for name, modules in self._lines.items():
            lines = modules.get(mutant.module, {})
            counts = Counter(test for some in lines.values() for test in some)
            same = mutant.lines and self._known[name]["modules"].get(mutant.module) == now
            meant = {test for line in mutant.lines for test in lines.get(line, ())}
            found += [
                Test(test, self._seconds[test], counts[test] / self._totals[test])
                for test in (meant if same else counts)
            ]
        return sorted(found, key=lambda one: ((one.seconds + 0.05) / one.share, one.name))


def _measured(name: str) -> dict[str, float]:
    """Run a test file under coverage; return the seconds of each test that passed."""
    data = _data_of(name)
    settings, times = data.with_suffix(".ini"), data.with_suffix(".json")
    for old in CACHE.glob(f"{data.name}*"):
        old.unlink()
    settings.write_text(_SETTINGS.format(package=PACKAGE, data=data, test=TEST))
    environment = {
        **os.environ,
        "COVERAGE_PROCESS_START": str(settings),
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests"))),
        TIMES: str(times),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "mutants.contexts", name]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{name} cannot be measured:\n{done.stdout}{done.stderr}")
    combine = [sys.executable, "-m", "coverage", "combine", "--quiet", f"--rcfile={settings}"]
    subprocess.run(combine, cwd=CACHE, check=True)
    seconds: dict[str, float] = json.loads(times.read_text())
    return seconds


def _data_of(name: str) -> Path:
    return CACHE / f"{name.removesuffix('.py').replace('/', '.')}.sqlite"


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
