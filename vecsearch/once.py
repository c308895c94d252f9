"""A value that is made once, by whichever thread asks for it first."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """Makes a value at the first call; whoever calls meanwhile waits for it."""

    def __init__(self, make: Callable[[], T]) -> None:
        """Keep how it is made; what *make* raises, every call raises that has to make it."""
        self._make = make
        self._making = Lock()
        self._made: list[T] = []

    def __call__(self) -> T:
        """Return the value."""
        if not self._made:
            with self._making:
                if not self._made:
                    self._made.append(self._make())
        return self._made[0]
