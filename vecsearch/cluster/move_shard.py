"""A shard of a collection at another place: copied there, or found where somebody has put it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from vecsearch.arguments import checked
from vecsearch.cluster.change_shards import find_shard, index_place
from vecsearch.cluster.list_shards import CollectionReport, list_shards
from vecsearch.cluster.shard_catalog import (
    ShardCatalog,
    ShardRecord,
    changing,
    place_of_shard,
    read_catalog,
    stored_place,
    with_shard,
    write_catalog,
)
from vecsearch.cluster.united_snapshot import check_known
from vecsearch.errors import IndexDamagedError, IndexFolderError, UsageError
from vecsearch.files import make_folder, sync_folder, whole_file
from vecsearch.paths import real_path
from vecsearch.store.locate import has_index
from vecsearch.store.lock import writer_lock
from vecsearch.store.own_files import check_free, discard
from vecsearch.store.schema import CATALOG
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.write_once import FileRecord, Write, check_length, refusals_told, write_once

_BLOCK_BYTES: Final = 4 << 20


@checked
def move_shard(collection: str | Path, shard: str | Path, to: str | Path) -> CollectionReport:
    """Move the folder of a *shard*, named by name, number or path, to the new folder *to*.

    Its files are copied and compared with their checksums; then the catalog of the collection is
    switched, and the old folder deleted, so that the shard is always whole where the catalog says.
    If the shard is at *to* already and no longer where it was, its new place is noted.

    Raises NotFoundError for what is no shard, UsageError for a place that is taken or has another
    index, IndexLockedError while the shard is being written, IndexFolderError or a subclass.
    """
    folder = Path(collection)
    read_catalog(folder)
    with changing(folder):
        catalog = read_catalog(folder)
        record = find_shard(folder, catalog, shard)
        old, new = place_of_shard(folder, record), index_place(folder, to)
        if real_path(new) == real_path(old):
            raise UsageError(f"{old} is where shard {record.name} is", hint="give another folder")
        if has_index(old):
            if has_index(new):
                raise UsageError(f"{new} has an index already", hint="give a new folder")
            _check_known(folder, catalog, record, old)  # before it is deleted
            with writer_lock(old):
                with _copied(old, new):
                    _switch(folder, catalog, record, new)
                with contextlib.suppress(OSError):  # what is left there is not used any more
                    discard(old, made=True)
        else:
            _check_known(folder, catalog, record, new)
            _switch(folder, catalog, record, new)
    return list_shards(folder)


def _switch(folder: Path, catalog: ShardCatalog, record: ShardRecord, new: Path) -> None:
    moved = replace(record, path=stored_place(folder, new))
    changed = with_shard(catalog, moved)
    write_catalog(folder, replace(changed, generation=catalog.generation + 1))


def _check_known(folder: Path, catalog: ShardCatalog, record: ShardRecord, place: Path) -> None:
    """Raise IndexFolderError unless the index at *place* is the shard."""
    with closing(Snapshot(place)) as opened:
        check_known(folder, catalog, record, place, opened)


@contextmanager
def _copied(old: Path, new: Path) -> Iterator[None]:
    """Copy the index *old*, which nobody writes, to *new*; undo it if the block does not end well.

    The catalog comes last, so that *new* is no index before all else is there.
    """
    check_free(new)
    made = not new.exists()
    try:
        with refusals_told(new):
            make_folder(new)
        with closing(Snapshot(old)) as source:  # which rolls back what a killed writer left
            for record in source.files():
                _copy_file(old, new, record)
            journal = old / f"{CATALOG}-journal"
            if journal.exists() and journal.stat().st_size:
                raise IndexFolderError(f"{old} is being written", hint="try again", path=old)
            with (old / CATALOG).open("rb") as whole, whole_file(new / CATALOG) as file:
                shutil.copyfileobj(whole, file, _BLOCK_BYTES)
            sync_folder(new)
            with closing(Snapshot(new)) as copy:
                if (copy.instance, copy.generation) != (source.instance, source.generation):
                    raise IndexDamagedError(f"the copy {new} is not what {old} is", path=new)
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            discard(new, made)
        raise


def _copy_file(old: Path, new: Path, record: FileRecord) -> None:
    """Copy a write-once file; raises IndexDamagedError if it is not what was written."""
    path = check_length(old, record)

    def fill(write: Write) -> None:
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                write(block)

    if write_once(new, record.name, fill) != record:
        raise IndexDamagedError(
            f"{path} is not what was written (its SHA-256 differs)",
            hint=f"vecsearch repair -i {old} mends what can be mended",
            path=path,
        )
