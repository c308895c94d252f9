"""Work that takes longer than a request waits: one piece at a time, and its last results."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from vecsearch.server.problems import busy
from vecsearch.types import Progress

T = TypeVar("T")
Value = TypeVar("Value", covariant=True)

_FORGOTTEN_S: Final = 60.0
"""What waits and was not asked for so long is not begun: nobody waits for it."""

_ERROR_S: Final = 5.0
"""So long an error is the answer; then the work is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """How far work is: *done* of *total* units of a phase; total is 0 where that is not known."""

    phase: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Made(Generic[Value]):
    """What was made, and about how much memory it takes."""

    value: Value
    size_bytes: int


@dataclass(slots=True, eq=False)
class _Job:
    make: Callable[[Progress], Made[Any]]
    asked: float
    at: Working = field(default_factory=lambda: Working(phase="waiting", done=0, total=0))


class _EndedError(Exception):
    """The server ends."""


class BackgroundWork:
    """Makes what takes long on a thread of its own, and keeps what was made last.

    At most *most_waiting* pieces of work wait, and at most *most_kept* results are kept that take
    *budget_bytes* together, or a single one that takes more.
    """

    def __init__(
        self, *, most_waiting: int = 8, most_kept: int = 8, budget_bytes: int = 256 << 20
    ) -> None:
        """Start with nothing to do; the thread starts with the first work."""
        self._most_waiting, self._most_kept, self._budget = most_waiting, most_kept, budget_bytes
        self._kept: Final[OrderedDict[Hashable, Made[Any]]] = OrderedDict()
        self._errors: Final[dict[Hashable, tuple[Exception, float]]] = {}
        self._jobs: Final[OrderedDict[Hashable, _Job]] = OrderedDict()
        self._changed: Final = threading.Condition()
        self._thread: threading.Thread | None = None
        self._ends = False

    def get(self, key: Hashable, make: Callable[[Progress], Made[T]]) -> T | Working:
        """Return what *make* made for *key*, or how far it is; the first call begins it.

        Raises what *make* raised, and RequestError where too much waits already.
        """
        now = time.monotonic()
        with self._changed:
            made: Made[T] | None = self._kept.get(key)
            if made is not None:
                self._kept.move_to_end(key)
                return made.value
            error, until = self._errors.get(key, (None, 0.0))
            if error is not None and now < until:
                raise error
            job = self._jobs.get(key)
            if job is None:
                if len(self._jobs) > self._most_waiting or self._ends:
                    raise busy()
                job = self._jobs[key] = _Job(make, now)
                self._start()
                self._changed.notify()
            job.asked = now
            return job.at

    def kept(self, key: Hashable) -> Any:
        """Return what was made for *key*, None if it is not kept."""
        with self._changed:
            made = self._kept.get(key)
            if made is None:
                return None
            self._kept.move_to_end(key)
            return made.value

    def keep(self, key: Hashable, made: Made[Any]) -> None:
        """Keep a result; those that were asked for longest ago go."""
        with self._changed:
            self._kept[key] = made
            self._kept.move_to_end(key)
            while len(self._kept) > 1 and (
                len(self._kept) > self._most_kept
                or sum(one.size_bytes for one in self._kept.values()) > self._budget
            ):
                self._kept.popitem(last=False)

    def close(self, wait_s: float = 2.0) -> None:
        """Begin nothing more, and end what is worked on where it reports next."""
        with self._changed:
            self._ends = True
            self._jobs.clear()
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(wait_s)

    def _start(self) -> None:
        if self._thread is None:
            # Nothing waits for it at the end: a layout tells only now and then how far it is.
            self._thread = threading.Thread(target=self._work, name="background", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while (found := self._next()) is not None:
            key, job = found

            def report(phase: str, done: int, total: int, job: _Job = job) -> None:
                if self._ends:
                    raise _EndedError
                job.at = Working(phase=phase, done=done, total=total)

            try:
                report("beginning", 0, 0)
                self.keep(key, job.make(report))
            except _EndedError:
                return
            except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
                with self._changed:
                    self._errors[key] = error, time.monotonic() + _ERROR_S
            finally:
                with self._changed:
                    self._jobs.pop(key, None)

    def _next(self) -> tuple[Hashable, _Job] | None:
        """Wait for the next piece of work for which anybody waits; None at the end."""
        with self._changed:
            while True:
                now = time.monotonic()
                for key in [key for key, (_, until) in self._errors.items() if until < now]:
                    del self._errors[key]
                while self._jobs:
                    key, job = next(iter(self._jobs.items()))
                    if now - job.asked < _FORGOTTEN_S:
                        return key, job
                    del self._jobs[key]
                if self._ends:
                    return None
                self._changed.wait()
