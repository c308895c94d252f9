"""One generation of an index, open for search."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vecsearch.ann.base import count_differing
from vecsearch.ann.memory_map import as_index
from vecsearch.ann.recipes import FLAT
from vecsearch.ann.searcher import CodedRows, ExactRows, FewRows, Part, Scores, Searcher
from vecsearch.ann.settings import SearchSettings
from vecsearch.errors import IndexDamagedError, IndexFolderError
from vecsearch.once import Once
from vecsearch.store.records import Base
from vecsearch.store.segments import Segment, gather
from vecsearch.store.stored_images import StoredImages
from vecsearch.store.write_once import FileRecord
from vecsearch.types import Rows, Vectors

_SCORE_TOLERANCE: Final = 1e-4
"""How far sums of the same products may differ by their order."""

_FEW_VALUES: Final = 8192 * 512
"""Up to this number of float16 values, a search takes less time than loading FAISS (0.07 s)."""


_MEAN_OF: Final = 1024
_MEAN_BYTES: Final = 64 << 20
"""The mean of all vectors is estimated from at most so many images, and so many bytes."""


class IndexReader:
    """A snapshot and the search over it; what an older one has opened is used again.

    Any number of threads may search; what takes long to open is opened once, and they wait for it.
    """

    def __init__(self, snapshot: StoredImages, before: IndexReader | None = None) -> None:
        """Search *snapshot*; what *before*, an older one, has opened is taken over."""
        self.snapshot: Final = snapshot
        bases = before.known_bases if before else {}
        named = {base.record for base in self.snapshot.bases.values()}
        self._known_bases = {record: base for record, base in bases.items() if record in named}
        self._all_checked = False
        self._opening_bases = Lock()
        self._parts = Once(self._open_parts)
        self._searcher = Once(lambda: Searcher(self.parts))
        self._centre = Once(self._mean)

    def __len__(self) -> int:
        """Count the images."""
        return self.snapshot.generation.image_count

    @property
    def known_bases(self) -> dict[FileRecord, Any]:
        """Return the FAISS indexes that were opened, by their files."""
        return self._known_bases.copy()

    def search(self, xq: Vectors, k: int, searcher: Searcher | None = None) -> tuple[Scores, Rows]:
        """Find the *k* rows nearest to each of *xq*, as `Searcher.search` does.

        *searcher* is that `among` some rows; without it all are searched.

        Raises IndexDamagedError if a row that was found is not what was written, or if a FAISS
        file that was too large to be compared as a whole gives other scores than the vectors do.
        """
        if not len(self):
            raise IndexFolderError(
                f"{self.snapshot.folder} has no images: its first build was interrupted, or all "
                "are gone",
                hint="vecsearch build goes on; build --retry-skipped adds removed ones again",
                path=self.snapshot.folder,
            )
        D, I = (searcher or self.searcher).search(xq, k)  # noqa: N806, E741
        for segment in self.snapshot.segments:
            if not (segment.believed or self._all_checked):
                self._check_found(segment, xq, D, I)
        return D, I

    def check_all(self) -> None:
        """Compare everything with its checksums now, so that no search has to.

        For searches of which each finds about all there is. Raises IndexDamagedError.
        """
        for segment in self.snapshot.segments:
            if segment.believed:
                continue
            places = np.arange(len(segment.halves))
            segment.check(np.setdiff1d(places, self._deleted_in(segment) - segment.first_row))
            known = self.snapshot.bases.get(segment.first_row)
            if known is None or known.recipe != FLAT:
                continue
            base = self.snapshot.open_base(known, partial(self._base, known))
            if base is not None and count_differing(base, segment.halves):
                raise self._other_scores(known)
        self._all_checked = True

    @property
    def searcher(self) -> Searcher:
        """The search over all rows."""
        return self._searcher()

    def among(self, rows: Rows) -> Searcher:
        """Return the exact search over some live *rows*, sorted."""
        from vecsearch.ann.row_subset import ChosenRows

        parts = []
        for segment in self.snapshot.segments:
            start, end = np.searchsorted(rows, (segment.first_row, segment.end_row))
            if start < end:
                places = rows[start:end] - segment.first_row
                parts.append(ChosenRows(segment.halves, segment.first_row, places))
        return Searcher(parts)

    @property
    def centre(self) -> npt.NDArray[np.float32]:
        """The mean (d,) of the vectors, of about a thousand images that are spread over all.

        Raises IndexDamagedError.
        """
        return self._centre()

    def _mean(self) -> npt.NDArray[np.float32]:
        ends = [(one.first_row, one.end_row) for one in self.snapshot.segments]
        most = max(1, min(_MEAN_OF, _MEAN_BYTES // (4 * self.snapshot.dim)))
        step = max(1, sum(end - first for first, end in ends) // most)
        rows = np.concatenate([np.arange(first, end, step) for first, end in ends])
        live = np.setdiff1d(rows, self.snapshot.deleted_rows, assume_unique=True)
        mean = self.gather(live).mean(axis=0, dtype=np.float64)
        return np.asarray(mean, np.float32)

    @property
    def parts(self) -> list[Part]:
        """What is searched together, of all segments."""
        return self._parts()

    def _open_parts(self) -> list[Part]:
        values = sum(one.halves.size for one in self.snapshot.segments)
        few = values <= _FEW_VALUES
        return [part for one in self.snapshot.segments for part in self._parts_of(one, few)]

    def _parts_of(self, segment: Segment, few: bool) -> Iterator[Part]:
        """Return what searches the rows of *segment*: its base, and what that lacks.

        Where there are *few* in all, their vectors are searched without FAISS.
        """
        first, deleted = segment.first_row, self._deleted_in(segment)
        known = self.snapshot.bases.get(first)
        if few:
            if known:  # it is not searched, but damage is found
                self.snapshot.open_base(known, lambda path: path)
            yield FewRows(segment.halves, first, deleted)
            return
        base = self.snapshot.open_base(known, partial(self._base, known)) if known else None
        if known is None or base is None:
            yield ExactRows(as_index(segment.halves), segment.halves, first, deleted)
        elif known.recipe == FLAT:
            yield ExactRows(base, segment.halves, first, deleted)
        else:
            count = known.row_count
            settings = SearchSettings.from_json(known.search)
            inside = np.searchsorted(deleted, first + count)
            yield CodedRows(base, segment.halves[:count], first, deleted[:inside], settings)
            if count < len(segment.halves):
                rest = segment.halves[count:]
                yield ExactRows(as_index(rest), rest, first + count, deleted[inside:])

    def gather(self, rows: Rows) -> Vectors:
        """Copy the vectors of *rows*: (len(rows), d) float32; raises IndexDamagedError."""
        if not len(rows):
            return np.empty((0, self.snapshot.dim), np.float32)
        return gather(self.snapshot.segments, rows, self.snapshot.dim)

    def _base(self, base: Base, path: Path) -> Any:
        from vecsearch.ann.read_base import open_base

        with self._opening_bases:
            if base.record not in self._known_bases:
                self._known_bases[base.record] = open_base(
                    path, base.recipe, base.row_count, self.snapshot.dim
                )
            return self._known_bases[base.record]

    def _deleted_in(self, segment: Segment) -> Rows:
        deleted = self.snapshot.deleted_rows
        return deleted[slice(*np.searchsorted(deleted, (segment.first_row, segment.end_row)))]

    def _check_found(self, segment: Segment, xq: Vectors, D: Scores, I: Rows) -> None:  # noqa: N803, E741
        """Compare what was found in *segment* with its checksums, and scores with its vectors."""
        mine = (segment.first_row <= I) & (segment.end_row > I)
        places = I[mine] - segment.first_row
        segment.check(np.unique(places))
        base = self.snapshot.bases.get(segment.first_row)
        if base is None or base.recipe != FLAT:
            return  # the scores come from the vectors
        queries = np.nonzero(mine)[0]
        true = np.einsum("ij,ij->i", segment.halves[places].astype(np.float32), xq[queries])
        if not np.allclose(true, D[mine], atol=_SCORE_TOLERANCE):
            raise self._other_scores(base)

    def _other_scores(self, base: Base) -> IndexDamagedError:
        path = self.snapshot.base_path(base)
        return IndexDamagedError(
            f"{path} is damaged (its scores are not those of the vectors)",
            hint="vecsearch repair makes it again",
            path=path,
        )
