"""The catalog of a collection: which index folders are its shards, in a file of JSON.

`collection.json` is replaced as a whole, under a lock, so that a reader finds it as it was before a
change or after it. A folder that it names is a shard only if it has the index that was added.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from vecsearch.errors import IndexDamagedError, IndexFolderError, IndexFormatError
from vecsearch.fields import read_fields
from vecsearch.files import make_folder, sync_folder, whole_file
from vecsearch.paths import real_path
from vecsearch.store.lock import writer_lock
from vecsearch.store.safe_paths import check_own, check_plain
from vecsearch.store.schema import COLLECTION
from vecsearch.store.write_once import refusals_told

FORMAT: Final = 1
MOST_SHARDS: Final = 1 << 17
"""Numbers of shards stay below, so that ids stay below 2**53, which every JSON reader can hold."""

_MOST_BYTES: Final = 64 << 20
_HEX: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ShardRecord:
    """A shard as the catalog has it: a ``number`` that no other gets, a ``name``, and its place.

    ``path`` is relative to the collection if the shard lies in its folder, else absolute.
    ``instance`` is that of the index, by which it is known again after it has moved.
    """

    number: int
    name: str
    path: str
    instance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardCatalog:
    """What a collection is: the ``fingerprint`` of its encoder, and its shards by number.

    ``generation`` grows with each change; ``next_number`` is that of the next shard.
    """

    instance: str
    generation: int
    fingerprint: str
    next_number: int
    shards: tuple[ShardRecord, ...]


def new_catalog(fingerprint: str) -> ShardCatalog:
    """Return the catalog of a collection that has no shards yet."""
    return ShardCatalog(
        instance=secrets.token_hex(16),
        generation=0,
        fingerprint=fingerprint,
        next_number=0,
        shards=(),
    )


def with_shard(catalog: ShardCatalog, shard: ShardRecord) -> ShardCatalog:
    """Return *catalog* with *shard* in place of the one with its number, or behind all others."""
    others = [one for one in catalog.shards if one.number != shard.number]
    return replace(
        catalog,
        next_number=max(catalog.next_number, shard.number + 1),
        shards=tuple(sorted([*others, shard], key=lambda one: one.number)),
    )


def place_of_shard(folder: Path, shard: ShardRecord) -> Path:
    """Return the index folder of a *shard* of the collection *folder*."""
    return folder / shard.path


def stored_place(folder: Path, place: Path) -> str:
    """Return what the catalog of the collection *folder* has as the path of *place*."""
    real = real_path(place)
    try:
        return str(real.relative_to(real_path(folder)))
    except ValueError:
        return str(real)


def catalog_stamp(folder: Path) -> tuple[int, ...]:
    """Return what differs after the catalog of *folder* was replaced."""
    try:
        facts = (folder / COLLECTION).stat()
    except OSError:
        return ()
    return facts.st_dev, facts.st_ino, facts.st_mtime_ns, facts.st_size


def read_catalog(folder: Path) -> ShardCatalog:
    """Read the catalog of the collection *folder*.

    Raises IndexFolderError for a folder that is no collection, IndexFormatError for one of a newer
    vecsearch, IndexDamagedError for what is no such catalog.
    """
    path = folder / COLLECTION
    check_plain(path)
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise IndexFolderError(
            f"{folder} is not a collection (it has no {COLLECTION})",
            hint="make one with: vecsearch collection create FOLDER INDEX...",
            path=folder,
        ) from None
    except OSError as error:
        raise IndexFolderError(f"{path} cannot be read: {error.strerror}", path=path) from None
    try:
        if len(data) > _MOST_BYTES:
            raise ValueError("is too large")
        fields = json.loads(data)
        if not isinstance(fields, dict):
            raise ValueError("is not a JSON object")
        found = fields.pop("format", None)
        if type(found) is int and found > FORMAT:
            raise IndexFormatError(
                f"{folder} was written by a newer vecsearch (format {found})",
                hint="update vecsearch to read it",
                path=folder,
            )
        if found != FORMAT:
            raise ValueError(f"has the format {found!r:.100}")
        return _checked(fields)
    except (ValueError, RecursionError) as error:
        raise IndexDamagedError(
            f"{path} is damaged (it {error})", hint="restore it from a copy", path=path
        ) from None


def _checked(fields: dict[str, Any]) -> ShardCatalog:
    """Make the catalog of JSON; raises ValueError for values that no catalog has."""
    listed = fields.pop("shards", None)
    if not isinstance(listed, list):
        raise ValueError("has no list of shards")
    shards = tuple(read_fields(ShardRecord, json.dumps(one)) for one in listed)
    catalog = replace(
        read_fields(ShardCatalog, json.dumps({**fields, "shards": []})), shards=shards
    )
    if not (_HEX.fullmatch(catalog.instance) and _HEX.fullmatch(catalog.fingerprint)):
        raise ValueError("has no instance or fingerprint")
    if catalog.generation < 0:
        raise ValueError(f"has generation = {catalog.generation}")
    numbers = [one.number for one in shards]
    ends = [-1, *numbers, min(catalog.next_number, MOST_SHARDS)]
    if any(one >= other for one, other in pairwise(ends)):
        raise ValueError(f"has shards with the numbers {numbers!r:.100}")
    if len({one.name for one in shards}) < len(shards):
        raise ValueError("has two shards of one name")
    for shard in shards:
        check_name(shard.name)
        _check_place(shard.path)
    return catalog


def check_name(name: str) -> None:
    """Raise ValueError for what cannot be the name of a shard."""
    if not name or name in (".", "..") or "/" in name or not name.isprintable():
        raise ValueError(f"has a shard of the name {name!r:.100}")


def _check_place(path: str) -> None:
    """Raise ValueError unless *path* is absolute, or leads into the folder of the collection."""
    inside = not Path(path).is_absolute()
    if not path or "\0" in path or (inside and ".." in Path(path).parts):
        raise ValueError(f"has a shard at {path!r:.100}")


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Hold the lock of a collection; raises IndexLockedError, IndexFolderError."""
    with refusals_told(folder / COLLECTION):
        make_folder(folder)
    with writer_lock(folder):
        yield


def write_catalog(folder: Path, catalog: ShardCatalog) -> None:
    """Put *catalog* in the place of what *folder* has, under the lock; raises VecsearchError.

    Its generation must be larger than that of the catalog before.
    """
    path = folder / COLLECTION
    check_own(path)
    fields = {"format": FORMAT, **asdict(catalog)}
    with whole_file(path) as file:
        file.write(json.dumps(fields, indent=2).encode() + os.linesep.encode())
    with refusals_told(path):
        sync_folder(folder)
