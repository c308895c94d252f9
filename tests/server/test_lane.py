"""Lanes: what is asked at the same time is answered together, each with its own answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from vecsearch.server.lane import Lane


def doubled(jobs: Sequence[int]) -> list[int | BaseException]:
    return [2 * job if job >= 0 else ValueError(job) for job in jobs]


def test_what_comes_while_a_call_runs_is_answered_by_the_next() -> None:
    begun, goes_on = threading.Event(), threading.Event()
    calls: list[list[int]] = []

    def run(jobs: Sequence[int]) -> list[int | BaseException]:
        calls.append(list(jobs))
        begun.set()
        goes_on.wait(10)
        return doubled(jobs)

    async def ask() -> list[int]:
        first = asyncio.ensure_future(lane.submit(1))
        await asyncio.to_thread(begun.wait, 10)
        others = [asyncio.ensure_future(lane.submit(number)) for number in range(2, 6)]
        await asyncio.sleep(0)
        goes_on.set()
        return [await first, *await asyncio.gather(*others)]

    lane: Lane[int, int] = Lane("test", run, most=100)
    assert asyncio.run(ask()) == [2, 4, 6, 8, 10]
    lane.close()
    assert calls == [[1], [2, 3, 4, 5]]


def test_jobs_that_weigh_too_much_go_in_several_calls() -> None:
    begun, goes_on = threading.Event(), threading.Event()
    calls: list[list[int]] = []

    def run(jobs: Sequence[int]) -> list[int | BaseException]:
        calls.append(list(jobs))
        begun.set()
        goes_on.wait(10)
        return doubled(jobs)

    async def ask() -> list[int]:
        first = asyncio.ensure_future(lane.submit(1))
        await asyncio.to_thread(begun.wait, 10)
        others = [asyncio.ensure_future(lane.submit(job)) for job in (6, 3, 2, 50, 1)]
        await asyncio.sleep(0)
        goes_on.set()
        return [await first, *await asyncio.gather(*others)]

    lane: Lane[int, int] = Lane("test", run, most=10, weigh=lambda job: job)
    assert asyncio.run(ask()) == [2, 12, 6, 4, 100, 2]
    lane.close()
    assert calls == [[1], [6, 3], [2], [50], [1]]


def test_an_error_is_that_of_its_job_alone() -> None:
    async def ask() -> list[int | BaseException]:
        jobs = [lane.submit(number) for number in (1, -1, 2)]
        return list(await asyncio.gather(*jobs, return_exceptions=True))

    lane: Lane[int, int] = Lane("test", doubled, most=100)
    first, failed, last = asyncio.run(ask())
    lane.close()
    assert (first, last) == (2, 4)
    assert isinstance(failed, ValueError)


def test_what_a_call_raises_is_raised_for_all_of_its_jobs() -> None:
    def run(jobs: Sequence[int]) -> list[int | BaseException]:
        raise OSError(5, "no luck")

    async def ask() -> list[int | BaseException]:
        return list(await asyncio.gather(*map(lane.submit, (1, 2)), return_exceptions=True))

    lane: Lane[int, int] = Lane("test", run, most=100)
    assert [str(one) for one in asyncio.run(ask())] == ["[Errno 5] no luck"] * 2
    lane.close()


def test_a_job_that_nobody_waits_for_is_not_run() -> None:
    begun, goes_on = threading.Event(), threading.Event()
    calls: list[list[int]] = []

    def run(jobs: Sequence[int]) -> list[int | BaseException]:
        calls.append(list(jobs))
        begun.set()
        goes_on.wait(10)
        return doubled(jobs)

    async def ask() -> int:
        first = asyncio.ensure_future(lane.submit(1))
        await asyncio.to_thread(begun.wait, 10)
        left = asyncio.ensure_future(lane.submit(2))
        kept = asyncio.ensure_future(lane.submit(3))
        await asyncio.sleep(0)
        left.cancel()
        await asyncio.sleep(0)
        goes_on.set()
        await first
        return await kept

    lane: Lane[int, int] = Lane("test", run, most=100)
    assert asyncio.run(ask()) == 6
    lane.close()
    assert calls == [[1], [3]]


def test_a_closed_lane_has_answered_what_waited_and_takes_no_more() -> None:
    async def ask() -> int:
        answer = asyncio.ensure_future(lane.submit(4))
        await asyncio.sleep(0)
        await asyncio.to_thread(lane.close)
        with pytest.raises(RuntimeError, match="closed"):
            await lane.submit(5)
        return await answer

    lane: Lane[int, int] = Lane("test", doubled, most=100)
    assert asyncio.run(ask()) == 8
