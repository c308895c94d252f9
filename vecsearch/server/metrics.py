"""What is measured of a server, for Prometheus."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from vecsearch.errors import VecsearchError

if TYPE_CHECKING:
    from vecsearch.server.served_index import ServedIndex

_SECONDS: Final = (
    *(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05),
    *(0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0),
)
"""The bounds of the histograms' buckets."""


_PHASES: Final = ("decode", "embed", "search", "look-up")


class Metrics:
    """The metrics of one server, in a registry of its own."""

    def __init__(self, indexes: Mapping[str, ServedIndex]) -> None:
        """Start at zero; of *indexes* the state is asked for whenever metrics are."""
        self.registry: Final = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests: Final = Histogram(
            "vecsearch_request_seconds",
            "Time from the head of a request to the end of its answer, by kind and status.",
            ["kind", "status"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.phases: Final = Histogram(
            "vecsearch_phase_seconds",
            "Time of a phase: receive, query (with the wait for its turn), draw; in a query decode "
            "and embed, by picture or batch, and search and look-up, by batch.",
            ["phase"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._phase: Final = {name: self.phases.labels(name) for name in _PHASES}
        self.batches: Final = Histogram(
            "vecsearch_batch_requests",
            "How many requests were answered together.",
            ["lane"],
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
            registry=self.registry,
        )
        self.rejected: Final = Counter(
            "vecsearch_rejected_total",
            "Requests that were not worked on, by the code of the problem.",
            ["code"],
            registry=self.registry,
        )
        self.in_flight: Final = Gauge(
            "vecsearch_requests_in_flight", "Requests that are worked on.", registry=self.registry
        )
        self.drawn: Final = Counter(
            "vecsearch_thumbnails_total",
            "Thumbnails, by whether they were kept.",
            ["from"],
            registry=self.registry,
        )
        self.registry.register(_OfIndexes(indexes))

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure a phase."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.phases.labels(name).observe(time.perf_counter() - start)

    def observe(self, phase: str, seconds: float) -> None:
        """Note how long a phase of a query took."""
        self._phase[phase].observe(seconds)

    def note_batch(self, lane: str, count: int) -> None:
        """Note how many requests a lane answers together."""
        self.batches.labels(lane).observe(count)

    def text(self) -> bytes:
        """Write all in Prometheus' text format."""
        return generate_latest(self.registry)


class _OfIndexes(Collector):
    """The state of the indexes when it is asked for."""

    def __init__(self, indexes: Mapping[str, ServedIndex]) -> None:
        self._indexes = indexes

    def collect(self) -> Iterator[Metric]:
        """Return the metrics; nothing of the images of an index that cannot be read."""
        queue = GaugeMetricFamily(
            "vecsearch_queue_requests",
            "Requests that wait for their turn.",
            labels=["index", "lane"],
        )
        images = GaugeMetricFamily("vecsearch_images", "Images of an index.", labels=["index"])
        generation = GaugeMetricFamily(
            "vecsearch_generation", "The generation that answers.", labels=["index"]
        )
        for name, one in self._indexes.items():
            queue.add_metric([name, "stored"], len(one.stored))
            queue.add_metric([name, "pictures"], len(one.pictures))
            with contextlib.suppress(VecsearchError, OSError):
                images.add_metric([name], len(one.index))
                generation.add_metric([name], one.index.generation)
        yield from (queue, images, generation)
