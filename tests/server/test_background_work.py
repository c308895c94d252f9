"""Work in the background: one piece at a time, told how far it is, and kept within bounds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from vecsearch.errors import NotFoundError
from vecsearch.server.background_work import BackgroundWork, Made, Working
from vecsearch.server.problems import RequestError
from vecsearch.types import Progress


@pytest.fixture
def work() -> Iterator[BackgroundWork]:
    made = BackgroundWork(most_waiting=2, most_kept=2, budget_bytes=100)
    yield made
    made.close()


def wanted(work: BackgroundWork, key: str, make: Callable[[Progress], Made[Any]]) -> Any:
    """Ask until it is made."""
    while isinstance(found := work.get(key, make), Working):
        threading.Event().wait(0.005)
    return found


def plain(value: str, size_bytes: int = 1) -> Callable[[Progress], Made[str]]:
    return lambda report: Made(value, size_bytes)


class Held:
    """Work that goes on when it is let."""

    def __init__(self) -> None:
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.thread: threading.Thread | None = None

    def __call__(self, report: Progress) -> Made[str]:
        self.thread = threading.current_thread()
        report("half", 1, 2)
        self.begun.set()
        assert self.may_end.wait(30)
        report("all", 2, 2)
        return Made("held", 1)


def test_who_asks_is_told_how_far_it_is_and_waits_for_nothing(work: BackgroundWork) -> None:
    held = Held()
    assert work.get("a", held) == Working(phase="waiting", done=0, total=0)
    assert held.begun.wait(30)
    assert work.get("a", held) == Working(phase="half", done=1, total=2)
    assert held.thread is not threading.current_thread()
    held.may_end.set()
    assert wanted(work, "a", held) == "held"


def test_one_piece_at_a_time_and_few_wait(work: BackgroundWork) -> None:
    first, second, third = Held(), Held(), Held()
    work.get("a", first)
    assert first.begun.wait(30)
    assert work.get("b", second) == Working(phase="waiting", done=0, total=0)
    work.get("c", third)
    with pytest.raises(RequestError) as told:
        work.get("d", plain("d"))
    assert (told.value.code, told.value.retry_s) == ("busy", 1)
    assert isinstance(work.get("a", first), Working)  # who asked before is not sent away
    assert not second.begun.is_set()
    first.may_end.set()
    assert second.begun.wait(30)
    assert not third.begun.is_set()
    second.may_end.set()
    third.may_end.set()
    assert wanted(work, "c", third) == "held"


def test_the_last_results_are_kept_within_their_bounds(work: BackgroundWork) -> None:
    made = []

    def counting(key: str, size_bytes: int) -> Callable[[Progress], Made[str]]:
        def make(report: Progress) -> Made[str]:
            made.append(key)
            return Made(key, size_bytes)

        return make

    for key, size_bytes in (("a", 10), ("b", 10), ("a", 10), ("c", 10), ("a", 10), ("b", 10)):
        assert wanted(work, key, counting(key, size_bytes)) == key
    assert made == ["a", "b", "c", "b"]  # b was asked for longest ago when c came
    assert wanted(work, "large", counting("large", 1000)) == "large"
    assert wanted(work, "large", counting("large", 1000)) == "large"
    assert made[4:] == ["large"]
    assert work.kept("b") is None


def test_an_error_is_raised_where_it_is_waited_for(work: BackgroundWork) -> None:
    def fails(report: Progress) -> Made[str]:
        raise NotFoundError("there is none")

    with pytest.raises(NotFoundError, match="there is none"):
        wanted(work, "a", fails)
    assert wanted(work, "b", plain("b")) == "b"


def test_the_end_interrupts_what_reports(work: BackgroundWork) -> None:
    reached = []
    held = Held()

    def make(report: Progress) -> Made[str]:
        found = held(report)
        reached.append(found)
        return found

    work.get("a", make)
    assert held.begun.wait(30)
    work.close(wait_s=0)
    held.may_end.set()
    assert held.thread is not None
    held.thread.join(30)
    assert not held.thread.is_alive()
    assert reached == []
    with pytest.raises(RequestError):
        work.get("b", plain("b"))
