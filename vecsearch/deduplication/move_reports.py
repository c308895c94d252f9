"""The reports of moving copies aside and back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Left:
    """A file that was not moved, and why not."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class MovedFile:
    """A file that was at ``source`` and is at ``target`` now."""

    source: Path
    target: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class AsideReport:
    """How many files, of how many bytes, were moved into ``folder``, and which should have been.

    Copies that the report of the duplicates calls not movable are not among the ``left``.
    """

    folder: Path
    moved: int
    moved_bytes: int
    files: tuple[MovedFile, ...]
    left: tuple[Left, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackReport:
    """How many files were moved back from ``folder``, where to, and which are still there."""

    folder: Path
    moved: int
    files: tuple[MovedFile, ...]
    left: tuple[Left, ...]
