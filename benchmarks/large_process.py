"""Contenders as processes: started, asked, and searched for the least effort that is enough."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
_GAIN: Final = 0.002


class Contender:
    """A process that has an index loaded; a context manager."""

    def __init__(self, python: Path, library: str, vectors: Path, path: Path) -> None:
        """Start it; it answers once the index is loaded."""
        command: list[str | Path] = [
            python,
            HERE / "large_serve.py",
            "serve",
            library,
            vectors,
            path,
        ]
        # Not a pipe: nobody reads what libraries tell until something fails.
        self.told = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.told, text=True
        )

    def ask(self, do: str, effort: Any = None) -> dict[str, Any]:
        """Have it do something with an effort, and wait; raises RuntimeError if it cannot."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps({"do": do, "effort": effort}) + "\n")
            self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            self.told.seek(0)
            raise RuntimeError(self.told.read()[-2000:])
        answer: dict[str, Any] = json.loads(line)
        return answer

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.communicate()
        self.told.close()

    def __enter__(self) -> Contender:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.stop()


def build(
    python: Path, library: str, parameters: dict[str, Any], vectors: Path, path: Path
) -> dict[str, Any]:
    """Build an index in a process of its own, unless it is there; say what that took."""
    record = path / "build.json"
    if not record.exists():
        print("building", path.name, flush=True)
        made = _run(python, "build", library, json.dumps(parameters), vectors, path)
        record.write_text(json.dumps(made) + "\n")
    return dict(json.loads(record.read_text()))


def tune(python: Path, target: float, vectors: Path, path: Path) -> dict[str, Any]:
    """Tune vecsearch's index, in a process of its own; say what came of it."""
    return _run(python, "tune", str(target), vectors, path)


def _run(python: Path, *arguments: str | Path) -> dict[str, Any]:
    command: list[str | Path] = [python, HERE / "large_serve.py", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout))


def efforts(
    contender: Contender, most: int, second: tuple[int, ...], target: float
) -> Iterator[tuple[list[int], float]]:
    """Find, for each value of the second setting, the least first that reaches *target*."""
    for rest in [[one] for one in second] or [[]]:
        low, high, before = 0, 32, 0.0
        found = contender.ask("recall", [high, *rest])["recall"]
        # Where twice the effort finds hardly more, the second setting is what limits it.
        while found < target and high < most and found - before > _GAIN:
            low, high, before = high, min(2 * high, most), found
            found = contender.ask("recall", [high, *rest])["recall"]
        if found < target:
            continue
        while high - low > max(1, high // 50):
            middle = (low + high) // 2
            tried = contender.ask("recall", [middle, *rest])["recall"]
            if tried >= target:
                high, found = middle, tried
            else:
                low = middle
        yield [high, *rest], found
