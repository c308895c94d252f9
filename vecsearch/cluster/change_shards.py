"""Which index folders are the shards of a collection: it is made, and shards come and go."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

from vecsearch.arguments import checked
from vecsearch.cluster.list_shards import CollectionReport, list_shards
from vecsearch.cluster.shard_catalog import (
    MOST_SHARDS,
    ShardCatalog,
    ShardRecord,
    changing,
    check_name,
    new_catalog,
    place_of_shard,
    read_catalog,
    stored_place,
    with_shard,
    write_catalog,
)
from vecsearch.cluster.united_snapshot import check_shard
from vecsearch.embed.spec import EncoderSpec
from vecsearch.errors import IndexFolderError, NotFoundError, UsageError
from vecsearch.paths import real_path
from vecsearch.store.locate import has_index, is_collection
from vecsearch.store.lock import HOLDER_FILE, LOCK_FILE
from vecsearch.store.snapshot import Snapshot

_UNSEEN: Final = 1 << 20
"""By so much the generation of a collection grows when a shard is dropped that cannot be opened:
what was seen of it was less, so the sum that readers compare still grows."""


@checked
def create_collection(collection: str | Path, indexes: Sequence[str | Path]) -> CollectionReport:
    """Make the folder *collection* one of *indexes*, index folders with one encoder.

    They stay where they are. The folder may exist, and have indexes in it, but nothing else. Raises
    UsageError for another folder, and for no indexes; else what `add_shards` raises.
    """
    folder = Path(collection)
    given = list(indexes)
    if not given:
        raise UsageError("a collection needs a shard", hint="name at least one index folder")
    _refuse_taken(folder)
    first = index_place(folder, given[0])
    with closing(Snapshot(first)) as opened:
        spec = EncoderSpec.from_json(opened.encoder_json, opened.dim)
    catalog = _with_all(folder, new_catalog(spec.fingerprint), given)
    with changing(folder):
        _refuse_taken(folder)
        write_catalog(folder, replace(catalog, generation=1))
    return list_shards(folder)


@checked
def add_shards(collection: str | Path, indexes: Sequence[str | Path]) -> CollectionReport:
    """Add *indexes*, index folders, to a collection: all of them, or none.

    Raises EncoderMismatchError for one with another encoder, UsageError for one that is a shard
    already, a collection, or behind a URL, IndexFolderError or a subclass for what is no index.
    """
    folder = Path(collection)
    read_catalog(folder)  # before a lock is left in a folder that is no collection
    with changing(folder):
        catalog = read_catalog(folder)
        changed = _with_all(folder, catalog, indexes)
        if changed != catalog:
            write_catalog(folder, replace(changed, generation=catalog.generation + 1))
    return list_shards(folder)


@checked
def drop_shards(collection: str | Path, shards: Sequence[str | Path]) -> CollectionReport:
    """Take *shards* out of a collection, named by name, number or path; their folders stay.

    Raises NotFoundError for what is no shard, UsageError if none would be left.
    """
    folder = Path(collection)
    read_catalog(folder)
    with changing(folder):
        catalog = read_catalog(folder)
        gone = {find_shard(folder, catalog, one) for one in shards}
        left = tuple(one for one in catalog.shards if one not in gone)
        if not left:
            raise UsageError(
                f"{folder} would have no shards", hint="delete the folder to be rid of it"
            )
        # Readers compare the sum of all generations, which must grow.
        lost = sum(_generation(place_of_shard(folder, one)) for one in gone)
        if gone:
            grown = catalog.generation + lost + 1
            write_catalog(folder, replace(catalog, generation=grown, shards=left))
    return list_shards(folder)


def find_shard(folder: Path, catalog: ShardCatalog, given: str | Path) -> ShardRecord:
    """Find the shard that *given* names, by its name, number or path; raises NotFoundError."""
    text = os.fspath(given)
    place = real_path(Path(text))
    for is_meant in (
        lambda one: one.name == text,
        lambda one: str(one.number) == text,
        lambda one: real_path(place_of_shard(folder, one)) == place,
    ):
        if found := next(filter(is_meant, catalog.shards), None):
            return found
    raise NotFoundError(
        f"{folder} has no shard {text}",
        hint=f"vecsearch collection list {folder} shows them",
        path=folder,
    )


def index_place(folder: Path, given: str | Path) -> Path:
    """Return the index folder that *given* names; raises UsageError for what can be no shard."""
    text = os.fspath(given)
    if "://" in text:
        raise UsageError(
            f"{text} is a URL, and shards are folders",
            hint="ask a server with vecsearch query --server URL",
        )
    place = Path(text)
    real, own = real_path(place), real_path(folder)
    if real == own:
        raise UsageError(f"{folder} cannot be a shard of itself", hint="name index folders")
    if is_collection(place):
        raise UsageError(
            f"{place} is a collection, and shards are index folders", hint="name its shards instead"
        )
    if own.is_relative_to(real):
        raise UsageError(
            f"{folder} lies in {place}, which would be its shard", hint="give another folder"
        )
    return place


def _refuse_taken(folder: Path) -> None:
    if is_collection(folder):
        raise UsageError(f"{folder} is a collection already", hint="add to it: collection add")
    if has_index(folder):
        raise UsageError(
            f"{folder} is an index, and cannot be a collection too", hint="give another folder"
        )
    if not folder.exists():
        return
    if not folder.is_dir():
        raise IndexFolderError(f"{folder} is a file", hint="give a folder", path=folder)
    for path in sorted(folder.iterdir()):
        if path.name not in (LOCK_FILE, HOLDER_FILE) and not has_index(path):
            raise UsageError(
                f"{folder} is not empty (it has {path.name})",
                hint="give a new folder, or one that has indexes and nothing else",
            )


def _with_all(folder: Path, catalog: ShardCatalog, indexes: Sequence[str | Path]) -> ShardCatalog:
    """Return *catalog* with *indexes* as further shards; raises what is wrong with one."""
    for given in indexes:
        place = index_place(folder, given)
        taken = {real_path(place_of_shard(folder, one)): one for one in catalog.shards}
        if known := taken.get(real_path(place)):
            raise UsageError(f"{place} is given twice, or is shard {known.name} already")
        if catalog.next_number >= MOST_SHARDS:
            raise UsageError(f"{folder} has had {MOST_SHARDS:,} shards, which are all there can be")
        with closing(Snapshot(place)) as opened:
            check_shard(folder, catalog, place, opened)
            instance = opened.instance
        number = catalog.next_number
        shard = ShardRecord(
            number, _free_name(catalog, place, number), stored_place(folder, place), instance
        )
        catalog = with_shard(catalog, shard)
    return catalog


def _free_name(catalog: ShardCatalog, place: Path, number: int) -> str:
    """Return a name that no shard has: that of the folder, with the number behind if need be."""
    name = real_path(place).name
    try:
        check_name(name)
    except ValueError:
        name = "shard"
    taken = {one.name for one in catalog.shards}
    while name in taken:
        name = f"{name}-{number}"
    return name


def _generation(place: Path) -> int:
    try:
        with closing(Snapshot(place)) as opened:
            return opened.generation.id
    except IndexFolderError:
        return _UNSEEN
