"""The notes in an index about files that were left out of its sources, as text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vecsearch.fields import read_fields
from vecsearch.types import SourceName, path_of, stored_name

KEPT: Final = path_of(b"exclude:")
"""The name under which the patterns of an index are noted; it is not a source."""

_MOST_NAMED: Final = 20
_SLASH: Final = b"/"
_NUMBERS: Final = ("pictures", "folders", "ignored_pictures", "ignored_folders", "ignore_files")


@dataclass(slots=True)
class Excluded:
    """How many pictures and folders a scan left out; pictures in these folders are not counted.

    ``pictures`` and ``folders`` are those of patterns that were given, ``ignored_pictures`` and
    ``ignored_folders`` those of ``ignore_files``, of which the first are in ``ignore_paths``.
    """

    pictures: int = 0
    folders: int = 0
    ignored_pictures: int = 0
    ignored_folders: int = 0
    ignore_files: int = 0
    ignore_paths: tuple[Path, ...] = ()

    @property
    def total(self) -> int:
        """How many were left out, folders and pictures together."""
        return self.pictures + self.folders + self.ignored_pictures + self.ignored_folders

    def count(self, path: bytes, *, given: bool) -> None:
        """Count a path that is left out by *given* patterns, or by an ignore file."""
        what = "folders" if path.endswith(_SLASH) else "pictures"
        name = what if given else f"ignored_{what}"
        setattr(self, name, getattr(self, name) + 1)

    def count_file(self, path: bytes) -> None:
        """Count an ignore file."""
        self.ignore_files += 1
        if self.ignore_files <= _MOST_NAMED:
            self.ignore_paths += (path_of(path),)

    def add(self, other: Excluded) -> None:
        """Add what another scan left out."""
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.ignore_paths = (self.ignore_paths + other.ignore_paths)[:_MOST_NAMED]


def excluded_name(source: SourceName) -> Path:
    """Return the name of the note about files that patterns left out of a source."""
    return path_of(b"excluded:" + stored_name(source))


def write_excluded(excluded: Excluded) -> str:
    """Write what was left out as a text; empty if nothing was."""
    if not (excluded.total or excluded.ignore_files):
        return ""
    paths = list(map(str, excluded.ignore_paths))
    return json.dumps({name: getattr(excluded, name) for name in _NUMBERS} | {"paths": paths})


def read_excluded(note: str) -> Excluded:
    """Read `write_excluded`; raises ValueError for any other text."""
    noted = read_fields(_Noted, note) if note else _Noted()
    numbers = {name: getattr(noted, name) for name in _NUMBERS}
    return Excluded(**numbers, ignore_paths=tuple(map(path_of, noted.paths)))


@dataclass(frozen=True, slots=True)
class _Noted:
    pictures: int = 0
    folders: int = 0
    ignored_pictures: int = 0
    ignored_folders: int = 0
    ignore_files: int = 0
    paths: tuple[str, ...] = ()


def write_texts(texts: Iterable[str]) -> str:
    """Write patterns as a text; empty if there are none."""
    listed = list(texts)
    return json.dumps(listed) if listed else ""


def read_texts(note: str) -> tuple[str, ...]:
    """Read `write_texts`; raises ValueError for any other text."""
    try:
        texts = json.loads(note) if note else []
    except RecursionError:
        raise ValueError("patterns nested too deeply") from None
    if not (isinstance(texts, list) and all(type(one) is str for one in texts)):
        raise ValueError("patterns that are no texts")
    return tuple(texts)


def left_out_name(source: SourceName) -> Path:
    """Return the name of the note about files in formats that were left out of a source."""
    return path_of(b"left-out:" + stored_name(source))


def write_counts(counts: Mapping[str, int]) -> str:
    """Write the counts by ending as a text."""
    return " ".join(f"{ending}={count}" for ending, count in sorted(counts.items()))


def read_counts(text: str) -> dict[str, int]:
    """Read `write_counts`; anything else in the text is ignored."""
    found = re.findall(r"(\.[a-z0-9]{1,9})=([0-9]{1,15})(?![^ ])", text)
    return {ending: int(count) for ending, count in found}
