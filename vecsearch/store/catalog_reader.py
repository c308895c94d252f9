"""The catalog as of one generation: a connection that tells when that is no longer all there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any, Final, TypeVar

import apsw

from vecsearch.errors import IndexDamagedError, IndexFolderError, IndexOutdatedError
from vecsearch.forks import free_at_fork, keep_at_fork
from vecsearch.store import schema, sqlite
from vecsearch.store.records import Generation, State, read_state

T = TypeVar("T", int, bytes)

_STATE: Final = "SELECT key, value FROM config WHERE key IN ('instance', 'oldest')"
_CACHE_KIB: Final = 256 << 10
"""How much of the catalog a reader keeps: as much as it has used of a million images."""


class CatalogReader:
    """A connection to the catalog, and the generation as of which it is asked.

    Row numbers are never reused, so what is asked later is answered as of this generation. After a
    fresh build, or a second compaction, every question raises an error that says to open the index
    again. The generation is the one that `_begin` finds.

    Any number of threads may ask; they have the one connection by turns.
    """

    generation: Generation

    def __init__(self, folder: Path) -> None:
        """Connect; raises IndexFolderError or a subclass."""
        self.folder = folder
        self._turn = free_at_fork(RLock())
        self._holds_state = False
        self._connection = schema.open_catalog(folder, writing=False)
        keep_at_fork(self)
        self._identity = _identity(folder)
        try:
            self._has_dates = schema.has_dates(self._connection)
        except apsw.Error as error:
            self._connection.close()
            raise sqlite.catalog_error(folder / schema.CATALOG, error) from None

    def _begin(self) -> State:
        """Begin a transaction, and read the newest generation in it; raises apsw.Error, ValueError.

        Until the transaction ends no writer can commit.
        """
        self._connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}; BEGIN")
        # It changes whenever another process has committed.
        ((self._version,),) = self._connection.execute("PRAGMA data_version")
        self._intact_version = self._version
        state = read_state(self._connection)
        self._instance = state.config["instance"]
        self.generation = state.generation
        return state

    @property
    def instance(self) -> str:
        """What a fresh build gives a new value, and nothing else."""
        return self._instance

    def close(self) -> None:
        """Close the catalog; mapped vectors stay valid as long as they are referenced."""
        with self._turn:
            self._connection.close()

    def is_newest(self) -> bool:
        """Return whether nothing was committed since, and the folder has the same index."""
        if self._identity != _identity(self.folder):
            return False
        with self._reading() as connection:
            ((version,),) = connection.execute("PRAGMA data_version")
            if version == self._version:
                return True
            config = dict(sqlite.fetch(connection, _STATE))
            newest = sqlite.fetch(connection, "SELECT max(id) FROM generations")
            return config["instance"] == self._instance and newest == [(self.generation.id,)]

    @contextmanager
    def one_state(self) -> Iterator[None]:
        """Hold one state of the catalog for several look-ups, which then take a third of the time.

        Writers and other threads wait meanwhile, so nothing slow is to be done. Raises
        IndexFolderError if this generation is no longer all there.
        """
        with self._reading() as connection:
            self._check_all_there(connection)
            self._holds_state = True
            try:
                yield
            finally:
                self._holds_state = False

    def _rows(self, query: str, values: dict[str, Any] | None = None) -> list[Any]:
        """Run one look-up; raises IndexFolderError if this generation is no longer all there."""
        present = {"next_row": self.generation.next_row, "generation": self.generation.id}
        with self._turn:
            if self._holds_state:  # this thread does, for it has the turn
                return sqlite.fetch(self._connection, query, present | (values or {}))
            with self._reading() as connection:
                self._check_all_there(connection)
                return sqlite.fetch(connection, query, present | (values or {}))

    def _check_all_there(self, connection: apsw.Connection) -> None:
        """Raise IndexFolderError if what was committed since took this generation apart."""
        ((version,),) = connection.execute("PRAGMA data_version")
        if version == self._intact_version:
            return
        config = dict(sqlite.fetch(connection, _STATE))
        if config["instance"] != self._instance:
            raise IndexFolderError(
                f"{self.folder} was built anew meanwhile", hint="open it again", path=self.folder
            )
        if int(config["oldest"]) > self.generation.id:
            raise IndexOutdatedError(
                f"{self.folder} has changed much since it was opened",
                hint="open it again",
                path=self.folder,
            )
        self._intact_version = version

    def _later(self, before: T, last: T) -> T:
        """Return *last*, the end of a page; pages that do not advance would never end."""
        if last <= before:
            raise self._damaged("its pages lead in a circle")
        return last

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Raise IndexDamagedError for a value that is not valid."""
        try:
            yield
        except ValueError as error:
            raise self._damaged(str(error)) from None

    def _damaged(self, why: str) -> IndexDamagedError:
        return sqlite.damaged_catalog(self.folder / schema.CATALOG, why)

    @contextmanager
    def _reading(self) -> Iterator[apsw.Connection]:
        """Hold one state of the catalog; raises IndexFolderError for what SQLite raises."""
        try:
            with self._turn:
                self._connection.execute("BEGIN")
                try:
                    yield self._connection
                finally:
                    if self._connection.in_transaction:  # some errors have ended it
                        self._connection.execute("COMMIT")
        except apsw.ConnectionClosedError:
            raise IndexFolderError(
                f"{self.folder} was closed", hint="open it again", path=self.folder
            ) from None
        except apsw.Error as error:
            raise sqlite.catalog_error(self.folder / schema.CATALOG, error) from None


def _identity(folder: Path) -> tuple[int, int]:
    """Return what differs after another catalog has taken the place of this one."""
    try:
        facts = (folder / schema.CATALOG).stat()
    except OSError:
        return 0, 0
    return facts.st_dev, facts.st_ino
