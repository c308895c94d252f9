"""One thread for products of small matrices: more would wait for each other longer than they work.

That shows where a machine has other things to do: 200 candidates are re-ranked in 3 ms, and with
two threads beside much other work in 30 ms.
"""

from __future__ import annotations

from functools import cache
from types import TracebackType
from typing import Any, Final

from vecsearch.forks import ProcessLock


class _OneThread:
    """Keeps BLAS to one thread while any thread of Python is inside, and then as it was."""

    def __init__(self) -> None:
        self._lock = ProcessLock()
        self._inside = 0
        self._limits: Any = None

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._limits = _libraries().limit(limits=1, user_api="blas")
            self._inside += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._limits.restore_original_limits()


ONE_THREAD: Final = _OneThread()
"""To be used as ``with ONE_THREAD:``, by any number of threads at once."""


@cache
def _libraries() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
