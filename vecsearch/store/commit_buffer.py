"""What gathers until it is committed: one change after another, at intervals."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vecsearch.store.change import Change
from vecsearch.store.writer import Writer
from vecsearch.types import Float16Vectors, ImageFile, Vectors


class CommitBuffer:
    """Gathers a `Change` and commits it when enough images, bytes or seconds have gathered.

    Callers fill the lists of ``change`` themselves; what has a vector is given to `add`.
    """

    def __init__(
        self,
        writer: Writer,
        *,
        commit_images: int,
        commit_bytes: int,
        commit_seconds: float = math.inf,
        by_path: bool = False,
        change: Change | None = None,
    ) -> None:
        """Begin with *change*, or with nothing.

        It is due after *commit_images* with vectors of their own, *commit_bytes* of these, or
        *commit_seconds*. With *by_path* the images of a commit are sorted by their paths, so that
        ids and rows do not depend on the order in which files are ready.
        """
        self.change = Change() if change is None else change
        self._writer = writer
        self._commit_images = commit_images
        self._commit_bytes = commit_bytes
        self._commit_seconds = commit_seconds
        self._by_path = by_path
        self._parts: list[npt.NDArray[Any]] = []
        self._gathered_bytes = 0
        self._committed_at = time.monotonic()

    def add(
        self, images: Sequence[tuple[int | None, ImageFile]], vectors: Vectors | Float16Vectors
    ) -> None:
        """Add images, by their ids or None for new ones, and their *vectors* (n, d)."""
        assert len(images) == len(vectors)
        if images:
            # The vectors first: if this is interrupted in between, their images are not committed.
            self._parts.append(vectors)
            self._gathered_bytes += vectors.nbytes
            self.change.embedded += images

    def commit_if_due(self) -> None:
        """Commit if enough has gathered."""
        if (
            len(self.change.embedded) >= self._commit_images
            or self._gathered_bytes >= self._commit_bytes
            or time.monotonic() - self._committed_at >= self._commit_seconds
        ):
            self.commit()

    def commit(self) -> None:
        """Commit what has gathered, if anything has."""
        # Taken away first: whatever interrupts the commit, nothing is committed twice.
        change, parts = self.change, self._parts
        self.change, self._parts, self._gathered_bytes = Change(), [], 0
        if parts:
            vectors = np.concatenate(parts)
            parts.clear()  # which is as much memory again
            if self._by_path:
                paths = [file.path for _, file in change.embedded]
                order = sorted(range(len(paths)), key=paths.__getitem__)
                change.embedded = [change.embedded[place] for place in order]
                vectors = vectors[order]
            change.vectors = vectors
        if change:
            self._writer.commit(change)
        self._committed_at = time.monotonic()
