"""What a forked process inherits: locks as they are, and not the threads that hold them.

Whoever then waits for a lock, or for a thread of a library to end, waits for ever.
"""

from __future__ import annotations

import os
from threading import Lock
from types import TracebackType
from typing import Any, Final
from weakref import WeakSet

_TRIES: Final = 100
_PATIENCE_S: Final = 0.02


class ProcessLock:
    """A lock between the threads of a process, which a forked process has anew."""

    def __init__(self) -> None:
        """Make it; it is kept as long as the process lives."""
        self._renew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = Lock()

    def __enter__(self) -> None:
        """Wait for it."""
        self._lock.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release it."""
        self._lock.release()


_free_at_forks: Final[WeakSet[Any]] = WeakSet()
_adding: Final = Lock()
_held: Final[list[Any]] = []


def free_at_fork(lock: Any) -> Any:
    """Return *lock*, which no other thread is to hold when this process is forked.

    For locks around a library that has locks of its own: SQLite.
    """
    with _adding:
        _free_at_forks.add(lock)
    return lock


def _hold_all() -> None:
    """Take every lock; whoever holds one may wait for another, so never insist on one."""
    _adding.acquire()
    for _ in range(_TRIES):
        for lock in _free_at_forks:
            if not lock.acquire(timeout=_PATIENCE_S):
                break
            _held.append(lock)
        else:
            return
        _release_held()


def _release_held() -> None:
    while _held:
        _held.pop().release()


def _release_all() -> None:
    _release_held()
    _adding.release()


def _renew_all() -> None:
    """Have all locks anew: where one could not be had, its holder is not in this process."""
    _held.clear()
    for lock in _free_at_forks:
        lock._at_fork_reinit()  # as threading does with its own: an RLock has no other way
    _adding.release()


_of_one_process: Final[WeakSet[Any]] = WeakSet()
_kept: Final[list[Any]] = []


def keep_at_fork(owner: Any) -> None:
    """Never destroy *owner* in a forked process: it has threads or connections of this one.

    Also if nobody refers to it any more and the garbage collector has not come to it yet.
    """
    with _adding:
        _of_one_process.add(owner)


def _keep_all() -> None:
    _kept.extend(_of_one_process)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold_all, after_in_parent=_release_all, after_in_child=_renew_all)
    os.register_at_fork(after_in_child=_keep_all)
