"""One generation of an index with all that a question needs of it."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from vecsearch.errors import IndexDamagedError, IndexFolderError
from vecsearch.index.base import open_base
from vecsearch.index.search import Scores, Searcher
from vecsearch.store.files import CHECKED_AT_OPENING_BYTES, FileRecord
from vecsearch.store.segments import gather
from vecsearch.store.snapshot import Snapshot
from vecsearch.types import Rows, Vectors

_SCORE_TOLERANCE: Final = 1e-4
"""How far sums of the same products may differ by their order."""

_FEW_VALUES: Final = 1 << 22
"""So many float16 values are searched sooner than FAISS is loaded (0.07 s): 8,192 x 512."""


class Opened:
    """A snapshot, and the search over it; what an older one has opened already is taken over."""

    def __init__(self, folder: Path, before: Opened | None = None) -> None:
        """Open the newest generation of *folder*; raises IndexFolderError and its kin."""
        self.snapshot: Snapshot = Snapshot(folder, before.snapshot if before else None)
        self._known_base = before.known_base() if before else None

    def __len__(self) -> int:
        """Count the images."""
        return self.snapshot.generation.image_count

    def known_base(self) -> tuple[FileRecord, Any] | None:
        """Give the FAISS index that was opened, and its file."""
        return self._known_base

    def search(self, xq: Vectors, k: int) -> tuple[Scores, Rows]:
        """Find the *k* rows nearest to each of *xq*, as `Searcher.search` does.

        Raises IndexDamagedError if a FAISS file that was too large to be compared as a whole gives
        other scores than the vectors do.
        """
        if not len(self):
            raise IndexFolderError(
                f"{self.snapshot.folder} has no images: its first build was interrupted, or all "
                "are gone",
                hint="vecsearch build goes on; build --retry-skipped takes removed ones in again",
                path=self.snapshot.folder,
            )
        D, I = self.searcher.search(xq, k)  # noqa: N806, E741
        ann = self.snapshot.generation.ann
        if ann is not None and ann.size_bytes > CHECKED_AT_OPENING_BYTES:
            for scores, rows, query in zip(D, I, xq, strict=True):
                found = rows[rows >= 0]
                true = self.gather(found) @ query
                if not np.allclose(true, scores[: len(found)], atol=_SCORE_TOLERANCE):
                    path = self.snapshot.folder / ann.name
                    raise IndexDamagedError(
                        f"{path} is damaged (its scores are not those of the vectors)",
                        hint="vecsearch repair makes it anew",
                        path=path,
                    )
        return D, I

    @cached_property
    def searcher(self) -> Searcher:
        """The exact search over all rows."""
        generation, segments = self.snapshot.generation, self.snapshot.segments
        few = sum(one.halves.size for one in segments) <= _FEW_VALUES
        base = self.snapshot.open_ann(lambda path: None if few else self._base(path))
        tail = [one for one in segments if base is None or one.first_row >= generation.ann_end]
        for one in tail:
            one.check(np.arange(len(one.halves)))
        blocks = [(one.first_row, one.halves) for one in tail]
        return Searcher(base, generation.ann_first, blocks, self.snapshot.dead_rows)

    def gather(self, rows: Rows) -> Vectors:
        """Copy the vectors of *rows*: (len(rows), d) float32; raises IndexDamagedError."""
        if not len(rows):
            return np.empty((0, self.snapshot.dim), np.float32)
        return gather(self.snapshot.segments, rows, self.snapshot.dim)

    def _base(self, path: Path) -> Any:
        ann = self.snapshot.generation.ann
        assert ann is not None
        if self._known_base is None or self._known_base[0] != ann:
            self._known_base = (ann, open_base(path))
        return self._known_base[1]
