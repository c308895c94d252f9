"""Writing an index folder: a change's files first, then one transaction that commits it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import apsw

from vecsearch.errors import IndexFolderError, IndexLockedError
from vecsearch.files import make_folder
from vecsearch.store import schema, sqlite, statements
from vecsearch.store.audit import refuse_damaged
from vecsearch.store.change import Change, Compaction, NewIndex
from vecsearch.store.locate import has_index
from vecsearch.store.lock import writer_lock
from vecsearch.store.migrate import migrate
from vecsearch.store.new_catalog import begin_catalog, take_place, write_encoder, write_words
from vecsearch.store.own_files import check_free, delete_begun, delete_unnamed, discard
from vecsearch.store.records import Base, Generation, read_file, read_generation
from vecsearch.store.segments import map_segment, write_segment
from vecsearch.store.transaction import explained, transaction
from vecsearch.store.write_once import FileRecord, check_file, write_once
from vecsearch.types import Image, SourceName, stored_name


class Writer:
    """The one writer of an index folder; made by `open_writer`."""

    def __init__(self, folder: Path, connection: apsw.Connection, *, published: bool) -> None:
        """Take over *connection*, under the lock of *folder*."""
        self.folder = folder
        self._connection = connection
        self._published = published
        if published:
            self._collect_orphans()

    def generation(self) -> Generation:
        """Read the newest generation."""
        return read_generation(self._connection)

    def commit(self, change: Change) -> None:
        """Write the vectors of *change* as a segment and commit all of it, or nothing."""
        before = self.generation()
        added = len(change.embedded)
        assert added == (0 if change.vectors is None else len(change.vectors))
        segment = None
        if change.vectors is not None and added:
            halves = change.vectors.astype("<f2", copy=False)
            segment = write_segment(self.folder, before.id + 1, [halves])
        new = sum(known_id is None for known_id, _ in change.embedded)
        with transaction(self.folder, self._connection) as db:
            number = statements.add_generation(
                db, before, before.next_row + added, before.image_count + new - len(change.removed)
            )
            if segment:
                statements.add_segment(db, segment, before.next_row, added)
            for image_id in change.removed:
                statements.remove_image(db, image_id, number)
            statements.update_images(db, change.refiled)
            statements.add_rows(db, change.embedded, before.next_row, number)
            db.executemany(
                "DELETE FROM skipped WHERE path = ?",
                ((os.fsencode(path),) for path in change.forgotten),
            )
            db.executemany(
                "INSERT OR REPLACE INTO skipped VALUES (?, ?, ?, ?)",
                ((os.fsencode(s.path), s.size_bytes, s.mtime_ns, s.reason) for s in change.skipped),
            )
            db.executemany(
                "INSERT OR IGNORE INTO sources VALUES (?)",
                ((stored_name(name),) for name in change.sources),
            )
            db.executemany(
                "DELETE FROM sources WHERE path = ?",
                ((stored_name(name),) for name in change.gone_sources),
            )
            statements.set_stamps(db, change.stamps, change.gone_sources)
            statements.set_removed(db, change.removed_contents, change.readmitted)
            statements.set_apart(db, change.apart, change.rejoined)
            for first_row in change.dropped_segments:
                statements.drop_segment(db, first_row)
        if change.dropped_segments:
            self._collect_orphans()

    def relocate(
        self, old: Path, new: Path, sources: Mapping[SourceName, tuple[SourceName, str]]
    ) -> int:
        """Commit that what was at or below *old* is at *new*; return how many images moved.

        *sources* maps sources with another name now to this name and their stamp.
        """
        before = self.generation()
        with transaction(self.folder, self._connection) as db:
            number = statements.add_generation(db, before, before.next_row, before.image_count)
            moved, went = statements.move_paths(db, os.fsencode(old), os.fsencode(new), number)
            db.execute(
                "UPDATE generations SET image_count = image_count - ? WHERE id = ?", (went, number)
            )
            for source, (name, _) in sources.items():
                db.execute("DELETE FROM sources WHERE path = ?", (stored_name(source),))
                db.execute("INSERT OR IGNORE INTO sources VALUES (?)", (stored_name(name),))
            statements.set_stamps(
                db, {name: stamp for name, stamp in sources.values() if stamp}, sources
            )
        return moved

    def compact(self, compaction: Compaction) -> None:
        """Copy live rows into one segment, and write its FAISS base."""
        assert self._published
        before = self.generation()
        number, row_count = before.id + 1, compaction.row_count
        segment, base = None, None
        if row_count:
            segment = write_segment(self.folder, number, compaction.blocks)
            if compaction.make_base:
                base = self._write_base(segment, before.next_row, compaction)
        with transaction(self.folder, self._connection) as db:
            statements.add_generation(db, before, before.next_row + row_count, before.image_count)
            for one in compaction.replaced:
                statements.drop_segment(db, one.first_row)
            if segment:
                statements.add_segment(db, segment, before.next_row, row_count)
            if base:
                statements.add_base(db, base)
            statements.copy_rows(db, compaction, before.next_row, number)
            if compaction.forget:
                statements.forget_before(db, int(self._config("compacted")))
                statements.set_config(db, "compacted", str(number))
            # Readers keep what they opened; the catalog needs the present only.
            db.execute("DELETE FROM generations WHERE id < ?", (number,))
        self._collect_orphans()

    def _write_base(self, record: FileRecord, first_row: int, compaction: Compaction) -> Base:
        """Make the base over a segment that was written."""
        assert compaction.make_base
        path, dim = self.folder / record.name, int(self._config("dim"))
        rows = map_segment(path, first_row, compaction.row_count, dim, record.size_bytes).halves
        count = compaction.base_count
        new = compaction.make_base(rows[:count], rows[count:])
        number = self.generation().id + 1
        file = write_once(self.folder, f"ann/{number:06d}.faiss", new.write)
        return Base(file, first_row, count, new.recipe, new.search)

    def set_search(self, searches: Mapping[int, str]) -> None:
        """Set how bases, by the first rows of their segments, are searched (JSON)."""
        before = self.generation()
        with transaction(self.folder, self._connection) as db:
            statements.add_generation(db, before, before.next_row, before.image_count)
            for first_row, search in searches.items():
                db.execute("UPDATE bases SET search = ? WHERE first_row = ?", (search, first_row))

    def set_config(self, key: str, value: str) -> None:
        """Set an option that the index keeps."""
        with transaction(self.folder, self._connection) as db:
            statements.set_config(db, key, value)

    def set_dates(self, dates: Iterable[tuple[Image, str]]) -> None:
        """Write down when images were taken, if it is not known yet and their content is the same.

        That is no change of the index, and no generation: a reader may be told it or not.
        """
        with transaction(self.folder, self._connection) as db:
            statements.set_dates(db, dates)

    def encoder_json(self) -> str:
        """Read the description of the encoder."""
        return self._config("encoder")

    def encoder_files(self) -> tuple[Path, Path]:
        """Return the two files of the encoder, compared whole; raises IndexDamagedError."""
        xml, constants = (
            check_file(self.folder, read_file(self._connection, self._config(key), key), whole=True)
            for key in ("encoder_xml", "encoder_bin")
        )
        return xml, constants

    def replace_encoder(self, xml: bytes, constants: bytes) -> None:
        """Write the two files of the encoder anew and commit them."""
        before = self.generation()
        files = write_encoder(self.folder, before.id + 1, xml, constants)
        with transaction(self.folder, self._connection) as db:
            statements.add_generation(db, before, before.next_row, before.image_count)
            for key, record in files.items():
                db.execute("DELETE FROM files WHERE name = ?", (self._config(key),))
                statements.name_file(db, record)
                db.execute("UPDATE config SET value = ? WHERE key = ?", (record.name, key))
        self._collect_orphans()

    def replace_words(self, words: bytes) -> None:
        """Write the file of the words anew, or without *words* do without one, and commit that."""
        before = self.generation()
        record = write_words(self.folder, before.id + 1, words) if words else None
        with transaction(self.folder, self._connection) as db:
            statements.add_generation(db, before, before.next_row, before.image_count)
            db.execute("DELETE FROM files WHERE name = ?", (self._config("encoder_words"),))
            db.execute("DELETE FROM config WHERE key = 'encoder_words'")
            if record:
                statements.name_file(db, record)
                statements.set_config(db, "encoder_words", record.name)
        self._collect_orphans()

    def rewrite_catalog(self) -> None:
        """Write the catalog's pages anew, those that are in use; leaves a damaged one as it is."""
        with contextlib.suppress(apsw.Error):
            self._connection.execute("VACUUM")

    def publish(self) -> None:
        """Make a catalog that was begun beside another the index's own; else do nothing."""
        if not self._published:
            self._connection.close()
            self._connection = take_place(self.folder)
            self._published = True
            self._collect_orphans()

    def has_rows(self) -> bool:
        """Return whether anything was committed; a connection in trouble counts as yes."""
        try:
            return self.generation().next_row > 0
        except apsw.Error:
            return True

    def close(self) -> None:
        """Close the catalog."""
        self._connection.close()

    def _config(self, key: str) -> str:
        query = "SELECT value FROM config WHERE key = ?"
        ((value,),) = sqlite.fetch(self._connection, query, (key,))
        return str(value)

    def _collect_orphans(self) -> None:
        """Delete files of ours that the catalog does not name."""
        names = self._connection.execute("SELECT name FROM files")
        delete_unnamed(self.folder, {name for (name,) in names})


@contextmanager
def open_writer(
    folder: Path, new: NewIndex | None = None, *, fresh: bool = False, mending: bool = False
) -> Iterator[Writer]:
    """Lock *folder* for writing and open its catalog.

    An index that is damaged, as far as its catalog and the lengths of its files tell, is refused
    before anything is changed, unless this is for *mending* it.

    With *new*, a catalog is begun: in a folder that has none at once, in one that has an index
    (*fresh*) beside it, to take its place by `Writer.publish`. A new index to which nothing was
    committed is taken away again. Raises IndexFolderError or a subclass.
    """
    made = not folder.exists()
    if new is not None:
        check_free(folder, fresh=fresh)
        try:
            make_folder(folder)
        except OSError as error:
            raise IndexFolderError(
                f"the folder {folder} cannot be made: {error.strerror}", path=folder
            ) from None
    elif not has_index(folder):
        raise schema.not_an_index(folder)
    with writer_lock(folder), explained(folder):
        existing = has_index(folder)
        if new is not None and existing and not fresh:
            raise IndexLockedError(
                f"{folder} was just built by another process",
                hint="the same command again will bring it up to date",
                path=folder,
            )
        worth_keeping = existing
        try:
            # Without an index to replace, a fresh build is a first one.
            with closing(_writer(folder, new, fresh=fresh and existing, mending=mending)) as writer:
                new = None  # what is long to hold: the network is in its files now
                try:
                    yield writer
                finally:
                    worth_keeping = worth_keeping or writer.has_rows()
        finally:
            with contextlib.suppress(OSError):
                delete_begun(folder)
                if not worth_keeping:
                    discard(folder, made)


def _writer(folder: Path, new: NewIndex | None, *, fresh: bool, mending: bool) -> Writer:
    if new is None:
        migrate(folder)
        connection = schema.open_catalog(folder, writing=True)
        try:
            if not mending:
                refuse_damaged(folder, connection)
            return Writer(folder, connection, published=True)
        except BaseException:
            connection.close()
            raise
    writer = Writer(folder, begin_catalog(folder, new), published=False)
    try:
        if not fresh:
            writer.publish()
    except BaseException:
        writer.close()
        raise
    return writer
