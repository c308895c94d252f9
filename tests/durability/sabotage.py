"""Worker processes with broken code, which show that a trial notices what it is there for."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest import mock
from unittest.mock import MagicMock

import numpy as np

from durability import askers, batches, crowd, pictures, readers
from vecsearch import ImageError
from vecsearch.embed.engines.openvino import OpenVINOEngine
from vecsearch.store import sqlite
from vecsearch.store.lookups import Lookups
from vecsearch.store.segments import gather
from vecsearch.types import Pixels, Vectors


def raises(*given: Any) -> None:
    """Read pictures with a decoder that raises anything."""
    _read_with(KeyError("a"), *given)


def says_nothing(*given: Any) -> None:
    """Read pictures with a decoder that gives no reason."""
    _read_with(ImageError(""), *given)


def dies(*given: Any) -> None:
    """Read pictures with a decoder that ends the process."""
    _read_with(lambda *_: os._exit(3), *given)


def warns(*given: Any) -> None:
    """Read pictures with a decoder that writes to stderr."""
    _read_with(lambda *_: os.write(2, b"oh") and None, *given)


def swells(*given: Any) -> None:
    """Read pictures where little memory is much."""
    with mock.patch.multiple(batches, LARGEST_BYTES=1 << 20, _peak_bytes=count(1 << 30).__next__):
        pictures.work(*given)


def dawdles(*given: Any) -> None:
    """Read pictures where a moment is long."""
    with mock.patch.object(batches, "LONGEST_S", 0.0):
        pictures.work(*given)


def _read_with(effect: Any, *given: Any) -> None:
    with mock.patch.object(pictures, "read_image", side_effect=effect):
        pictures.work(*given)


def misreads(*given: Any) -> None:
    """Read foreign formats where ids are compared wrongly."""
    with mock.patch("durability.foreign.check_ids", side_effect=KeyError("a")):
        readers.work(*given)


def meddles(*given: Any) -> None:
    """Read foreign formats where lists are written to the folder beside."""

    def scan_lists(lists: Any) -> Any:
        (given[3] / "sound" / "more").write_text(str(lists))
        return ()

    with mock.patch("durability.foreign.scan_lists", scan_lists):
        readers.work(*given)


def without_lock(*given: Any) -> None:
    """Be one of the crowd where nothing keeps writers apart."""

    @contextmanager
    def writer_lock(folder: Path) -> Iterator[None]:
        yield

    with mock.patch("vecsearch.store.writer.writer_lock", writer_lock):
        crowd.work(*given)


def torn(*given: Any) -> None:
    """Be one of the crowd where rows are mixed up."""

    def mixed_up(segments: Any, rows: Any, dim: int) -> Vectors:
        return gather(segments, rows[::-1], dim)

    with mock.patch("vecsearch.search.index_reader.gather", mixed_up):
        crowd.work(*given)


def vanishes(*given: Any) -> None:
    """Be one of the crowd and die at once."""
    sys.exit(3)


def with_one_request(*given: Any) -> None:
    """Ask by threads that share one request of the network."""

    def embed(self: OpenVINOEngine, pixels: Pixels) -> Vectors:
        return np.array(self._compiled([pixels])[0])

    with mock.patch.object(OpenVINOEngine, "embed", embed):
        askers.ask_beside(*given)


def without_turns(*given: Any) -> None:
    """Ask by threads that do not wait for each other at the catalog."""
    fetch = sqlite.fetch

    def slowly(*asked: Any) -> Any:
        time.sleep(0.001)
        return fetch(*asked)

    with (
        mock.patch("vecsearch.store.catalog_reader.RLock", MagicMock),
        mock.patch.object(sqlite, "fetch", slowly),
    ):
        askers.ask_beside(*given)


def of_the_first_generation(*given: Any) -> None:
    """Ask where nobody looks for a newer generation."""
    with mock.patch.object(Lookups, "is_newest", return_value=True):
        askers.ask_beside(*given)


def for_ever(pipe: Connection, *_: Any) -> None:
    """Be the asking process, and say nothing."""
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    time.sleep(3600)
