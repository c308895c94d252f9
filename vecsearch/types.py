"""The values that pass between the parts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
"""(n, d) float32, each row of Euclidean length 1."""

Pixels = npt.NDArray[np.uint8]
"""(h, w, 3) or (n, h, w, 3) uint8, RGB."""

Rows = npt.NDArray[np.int64]
"""(n,) int64, row numbers in the segments; the ids that FAISS knows."""

_SCHEME: Final = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+:)/(?!/)")


def path_text(path: Path) -> str:
    """Write *path* as text; an address gets back the slash that pathlib takes from ``https://``."""
    return _SCHEME.sub(r"\1//", str(path))


@dataclass(frozen=True, slots=True)
class Image:
    """An image as the catalog knows it.

    ``id`` is stable and never reused; ``row`` is where its vector lies.
    """

    id: int
    path: Path
    size_bytes: int
    mtime_ns: int
    content_hash: bytes
    width: int
    height: int
    row: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that looked like an image but could not be used, and why."""

    path: Path
    size_bytes: int
    mtime_ns: int
    reason: str


@dataclass(frozen=True, slots=True)
class Hit:
    """One neighbour: ``score`` is the cosine, ``distance`` the Euclidean one of unit vectors."""

    rank: int
    id: int
    path: Path
    score: float
    distance: float


@dataclass(frozen=True, slots=True)
class Result:
    """A query (``path`` is None for a bare vector) and its hits, nearest first."""

    query: str
    path: Path | None
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How int8 compares with fp32 over ``pictures`` that it was not calibrated on.

    ``overlap`` is the mean share of the fp32 network's ``k`` nearest that int8 finds too.
    """

    pictures: int
    k: int
    overlap: float
    mean_cosine: float


DamageKind = Literal["catalog", "vectors", "ann", "encoder"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Damage to an index: the file, what is wrong with it, and which rows it concerns."""

    kind: DamageKind
    path: Path
    what: str
    rows: tuple[int, ...] = ()


class Progress(Protocol):
    """What long work reports to: a phase, how much of it is done, and how much there is."""

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Report that *done* of *total* units of *phase* are finished."""
