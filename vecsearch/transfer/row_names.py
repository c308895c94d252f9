"""What vectors without ids are called: by their file and row, so that no two files share a name."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from vecsearch.store.snapshot import Snapshot
from vecsearch.transfer.inputs import Input
from vecsearch.types import SourceName


def name_rows(
    inputs: Sequence[Input], snapshot: Snapshot | None
) -> tuple[list[Input], dict[SourceName, str]]:
    """Name the rows of the *inputs* without ids, and tell which stamps an index needs for that.

    The rows of ``x.npy`` are ``x:0``, ``x:1`` ...; where the import, or the index before, has such
    rows of another file, as much of the path comes before as tells the two apart: ``b/x:0``. The
    stamps remember the file, so that the same file has the same names in the next import.
    """
    nameless = [one for one in inputs if not one.has_ids]
    shared = Counter(name for one in nameless for name in set(_names(one.path)))
    named: list[Input] = []
    stamps: dict[SourceName, str] = {}
    for one in inputs:
        if one.has_ids:
            named.append(one)
            continue
        owner = os.fsencode(_absolute(one.path)).hex()
        owners = {name: _owner(snapshot, name) for name in _names(one.path)}
        own = [name for name, before in owners.items() if before == owner]
        free = [name for name, before in owners.items() if not before and shared[name] == 1]
        name = [*own, *free, *owners][0 if own or free else -1]
        if not owners[name]:
            stamps[_key(name)] = owner
        named.append(replace(one, row_name=name))
    return named, stamps


def _names(path: Path) -> Iterator[str]:
    """Return the names that the rows of a file may have, the shortest first."""
    *folders, stem = _absolute(path).with_suffix("").parts
    name = stem
    yield name
    for folder in reversed(folders[1:]):
        name = f"{folder}/{name}"
        yield name
    yield os.fspath(_absolute(path))


def _owner(snapshot: Snapshot | None, name: str) -> str:
    return snapshot.stamp(_key(name)) if snapshot else ""


def _key(name: str) -> Path:
    return Path(f"rows:{name}")


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - normalised too
