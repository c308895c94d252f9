"""What all requests share: the indexes, the pictures that were sent, threads, metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from typing import ParamSpec, TypeVar

from vecsearch.server.background_work import BackgroundWork
from vecsearch.server.body import Receiving
from vecsearch.server.drawn_pictures import DrawnPictures
from vecsearch.server.limits import Limits
from vecsearch.server.metrics import Metrics
from vecsearch.server.problems import RequestError, busy
from vecsearch.server.sent_pictures import SentPictures
from vecsearch.server.served_index import ServedIndex

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = 4
"""They decode, encode, list; more would only take turns, and memory."""


class State:
    """What all requests share."""

    def __init__(
        self, indexes: Mapping[str, ServedIndex], limits: Limits, metrics: Metrics
    ) -> None:
        """Take the indexes by name."""
        self.indexes, self.limits = indexes, limits
        self.sent = SentPictures(limits.sent_bytes)
        self.drawn = DrawnPictures(limits.kept_bytes)
        self.metrics = metrics
        self.background = BackgroundWork()
        self.receiving = Receiving(limits)
        self._in_flight = 0
        self._threads = ThreadPoolExecutor(_THREADS, "request")

    def served(self, name: str) -> ServedIndex:
        """Return the index of a name; raises RequestError if there is none."""
        found = self.indexes.get(name)
        if found is None:
            raise RequestError(
                HTTPStatus.NOT_FOUND,
                "no_such_index",
                "there is no index of this name",
                hint="GET /api/v1/indexes lists them",
            )
        return found

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Count a request as worked on; raises RequestError if there are enough."""
        if self._in_flight >= self.limits.in_flight:
            raise busy()
        self._in_flight += 1
        self.metrics.in_flight.set(self._in_flight)
        try:
            yield
        finally:
            self._in_flight -= 1
            self.metrics.in_flight.set(self._in_flight)

    async def in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what *function* returns, without holding others up meanwhile."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: function(*args, **kwargs))

    def close(self) -> None:
        """End the threads, and close the indexes."""
        self.background.close()
        self._threads.shutdown(cancel_futures=True)
        for one in self.indexes.values():
            one.close()
