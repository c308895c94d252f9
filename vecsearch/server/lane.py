"""What is asked at the same time is answered together, on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

Job = TypeVar("Job")
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting(Generic[Job, Done]):
    """A job, and who waits for it."""

    job: Job
    future: asyncio.Future[Done]
    loop: asyncio.AbstractEventLoop


class Lane(Generic[Job, Done]):
    """Runs jobs in the order in which they come, all that are there in one call.

    While a call runs, jobs gather for the next, so calls grow with the load. After a call with
    several, the next waits up to *wait_s* for as many: who asks all the time asks again when it has
    its answer, and all those at once. A single job, when nothing else is going on, never waits.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[Sequence[Job]], Sequence[Done | BaseException]],
        *,
        most: int,
        weigh: Callable[[Job], int] = lambda job: 1,
        wait_s: float = 0.0,
        told: Callable[[int], object] = lambda count: None,
    ) -> None:
        """Run jobs that together *weigh* at most *most*, or a single one.

        They are run by *run*, which returns an answer or an error for each. How many a call has,
        is *told*.
        """
        self._told = told
        self._run, self._most, self._weigh, self._wait_s = run, most, weigh, wait_s
        self._jobs: Final[deque[_Waiting[Job, Done]]] = deque()
        self._changed: Final = threading.Condition()
        self._ends = False
        self._last = 0
        """How many jobs the last call had."""
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """Count the jobs that wait."""
        return len(self._jobs)

    async def submit(self, job: Job) -> Done:
        """Return the answer to *job*, or raise what its call raised."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Done] = loop.create_future()
        with self._changed:
            if self._ends:
                raise RuntimeError("the lane is closed")
            self._jobs.append(_Waiting(job, future, loop))
            self._changed.notify()
        return await future

    def close(self) -> None:
        """Run what waits, then end."""
        with self._changed:
            self._ends = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while waiting := self._gather():
            self._told(len(waiting))
            try:
                answers = self._run([one.job for one in waiting])
            except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
                answers = [error] * len(waiting)
            pairs = list(zip(waiting, answers, strict=True))
            waiting[0].loop.call_soon_threadsafe(_hand_out, pairs)

    def _gather(self) -> list[_Waiting[Job, Done]]:
        """Wait for jobs and take them; nothing at the end."""
        taken: list[_Waiting[Job, Done]] = []
        with self._changed:
            while not self._jobs:
                if self._ends:
                    return []
                self._changed.wait()
            until = time.monotonic() + self._wait_s
            while len(self._jobs) < self._last and not self._ends:
                if not self._changed.wait(until - time.monotonic()):
                    break
            left = self._most
            while self._jobs and (not taken or self._weigh(self._jobs[0].job) <= left):
                one = self._jobs.popleft()
                if not one.future.done():  # else nobody waits for it any more
                    taken.append(one)
                    left -= self._weigh(one.job)
        self._last = len(taken)
        return taken or self._gather()


def _hand_out(pairs: Sequence[tuple[_Waiting[Job, Done], Done | BaseException]]) -> None:
    for one, answer in pairs:
        if one.future.done():
            continue
        if isinstance(answer, BaseException):
            one.future.set_exception(answer)
        else:
            one.future.set_result(answer)
