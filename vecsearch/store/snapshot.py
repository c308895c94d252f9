"""Reading an index folder: one committed generation, whatever a writer does meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import apsw
import numpy as np

from vecsearch.errors import IndexDamagedError, IndexFolderError
from vecsearch.store import schema, sqlite
from vecsearch.store.lookups import Lookups
from vecsearch.store.migrate import migrate_if_older
from vecsearch.store.records import Base, StoredSegment
from vecsearch.store.safe_paths import file_path
from vecsearch.store.segments import Segment, map_segment
from vecsearch.store.write_once import FileRecord, check_file, check_length
from vecsearch.types import Rows

T = TypeVar("T")

_MOST_WORD_BYTES: Final = 256 << 20
"""1,000 words of 4,096 dimensions are 8 MB."""


class EncoderFiles(NamedTuple):
    """The network of an index: its OpenVINO XML, its constants, and a digest of both."""

    xml: Path
    constants: Path
    digest: bytes


class Snapshot(Lookups):
    """A committed generation of an index folder, open for reading.

    Generation, segments and deleted rows are read once, so a writer that commits meanwhile changes
    nothing; images are looked up when asked for.
    """

    def __init__(
        self, folder: Path, before: Snapshot | None = None, *, fetch: bool = False
    ) -> None:
        """Open the newest generation of *folder*; raises IndexFolderError or a subclass.

        What is mapped and checked in *before*, an older snapshot, is taken over. *fetch* is that of
        `Lookups`.
        """
        migrate_if_older(folder)
        super().__init__(folder, fetch=fetch)
        try:
            state = self._begin()
            for name in state.files:
                file_path(folder, name)  # no link is left for later
            self.encoder_json = state.config["encoder"]
            self.agreement = state.config["agreement"]
            self.reduction = state.config.get("reduction", "")  # older indexes have none
            self.dim = state.dim
            # An index of imported vectors has no network of its own.
            self._encoder = state.encoder
            self.words_record = state.words
            self.recipe = state.config["recipe"]
            self.recall = state.recall
            mapped = before.mapped if before else {}
            # Under the transaction no writer can commit, so none can collect these files.
            self.mapped: dict[FileRecord, Segment] = {}
            for one in state.segments:
                known = mapped.get(one.record)
                same = known is not None and known.first_row == one.first_row
                self.mapped[one.record] = known if known and same else self._map(one)
            self.segments = list(self.mapped.values())
            self.bases = {base.first_row: base for base in state.bases}
            deleted = sqlite.fetch(
                self._connection,
                "SELECT row FROM rows WHERE died IS NOT NULL AND row >= ? ORDER BY row",
                (self.segments[0].first_row if self.segments else 0,),
            )
            self.deleted_rows: Rows = np.fromiter((row for (row,) in deleted), dtype=np.int64)
            self._connection.execute("COMMIT")
        except apsw.Error as error:
            self.close()
            raise sqlite.catalog_error(folder / schema.CATALOG, error) from None
        except ValueError as error:
            self.close()
            raise sqlite.damaged_catalog(folder / schema.CATALOG, str(error)) from None
        except BaseException:
            self.close()
            raise

    def shards(self) -> Sequence[tuple[int, Snapshot]]:
        """Return itself: it is made of one index folder, whose rows and ids begin at 0."""
        return [(0, self)]

    def base_path(self, base: Base) -> Path:
        """Return where a FAISS file of this generation lies."""
        return self.folder / base.record.name

    def open_base(self, base: Base, opener: Callable[[Path], T]) -> T | None:
        """Return what *opener* makes of a checked FAISS file of this generation.

        None if the file is there no longer, even since it was checked, because a later generation
        has another: the segments have all the rows. Raises IndexDamagedError.
        """
        try:
            return opener(check_file(self.folder, base.record))
        except IndexDamagedError:
            name = {"name": base.record.name}
            if self._rows("SELECT 1 FROM files WHERE name = :name", name):
                raise
            return None

    def encoder_files(self) -> EncoderFiles:
        """Return the files of the encoder.

        The XML is checked; of the constants, which are numbers and nothing else, the length is.
        Whoever uses them calls `check_constants` before believing a result. Raises IndexFolderError
        for an index of imported vectors, which has no network.
        """
        xml, constants = self._encoder_records()
        with self._unless_built_anew():
            paths = check_file(self.folder, xml), check_length(self.folder, constants)
        # The cache must never give what was made of another network: so its length too.
        digest = xml.sha256 + constants.sha256 + constants.size_bytes.to_bytes(8)
        return EncoderFiles(*paths, digest)

    def check_constants(self) -> None:
        """Compare the checksum of the encoder's constants; raises IndexDamagedError."""
        with self._unless_built_anew():
            check_file(self.folder, self._encoder_records()[1], whole=True)

    def words_path(self) -> Path:
        """Return where the file of the encoder's words lies, which must be there."""
        assert self.words_record is not None
        return self.folder / self.words_record.name

    def read_words(self) -> bytes:
        """Read the file of the encoder's words, which must be there; raises IndexDamagedError."""
        assert self.words_record is not None
        if self.words_record.size_bytes > _MOST_WORD_BYTES:
            path = self.words_path()
            raise IndexDamagedError(f"{path} is too large for a file of words", path=path)
        with self._unless_built_anew():
            return check_file(self.folder, self.words_record, whole=True).read_bytes()

    def _encoder_records(self) -> tuple[FileRecord, FileRecord]:
        if len(self._encoder) != 2:
            raise IndexFolderError(
                f"{self.folder} has no network",
                hint="its vectors were imported; vecsearch import --encoder INDEX takes one along",
                path=self.folder,
            )
        return self._encoder[0], self._encoder[1]

    @contextmanager
    def _unless_built_anew(self) -> Iterator[None]:
        """Raise IndexFolderError, not damage, for a file that a fresh build has deleted."""
        try:
            yield
        except IndexDamagedError:
            self._rows("SELECT 1 FROM config")
            raise

    def deleted_count(self, segment: Segment) -> int:
        """Count the deleted rows of *segment*."""
        ends = np.searchsorted(self.deleted_rows, (segment.first_row, segment.end_row))
        return int(ends[1] - ends[0])

    def live_count(self, segment: Segment) -> int:
        """Count the rows of *segment* that are not deleted."""
        return len(segment.halves) - self.deleted_count(segment)

    def _map(self, stored: StoredSegment) -> Segment:
        path = check_file(self.folder, stored.record)
        size_bytes = stored.record.size_bytes
        return map_segment(path, stored.first_row, stored.row_count, self.dim, size_bytes)
