"""What a question may ask for beside the nearest images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vecsearch.errors import UsageError
from vecsearch.types import Asked, Box

Question = str | Path | bytes | Asked
"""A picture file, ``id:N`` or an id of an import, the bytes of a picture, or any with its parts."""

COMBINATIONS: Final = ("mean", "max")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryOptions:
    """Which images may be hits, and how pictures make a query.

    ``threshold`` (cosine) leaves out hits below it, ``offset`` the so many nearest;
    ``include_self`` lets an indexed picture be its own hit. Hits lie below any path of ``under``, a
    folder, tar or URL, and match any pattern of ``glob``: without a slash it is compared with file
    names, else with whole paths. These are exact, however few images they leave.

    ``combine`` makes one query of all pictures: by the ``mean`` of their vectors, or by the
    ``max``, an image's largest cosine with any of them. Hits are less like the pictures of
    ``minus``, and never these themselves. ``box`` is the part (x, y, width, height) of every query
    picture that is meant, in pixels of the upright picture.
    """

    threshold: float = -1.0
    include_self: bool = False
    offset: int = 0
    combine: str | None = None
    minus: Question | Sequence[Question] = ()
    box: Box | None = None
    under: str | Path | Sequence[str | Path] = ()
    glob: str | Sequence[str] = ()

    def __post_init__(self) -> None:
        """Raise UsageError for what cannot be meant."""
        if not -1.0 <= self.threshold <= 1.0:
            raise UsageError(
                f"the threshold is {self.threshold}", hint="a cosine lies between -1 and 1"
            )
        if self.offset < 0:
            raise UsageError(f"the offset is {self.offset}", hint="give how many hits to pass over")
        if self.combine not in (None, *COMBINATIONS):
            raise UsageError(
                f"unknown combination {self.combine!r}",
                hint=f"known are {', '.join(COMBINATIONS)}",
            )
        if self.box is not None and len(self.box) != 4:
            raise UsageError(f"the box is {self.box}", hint="give x, y, width, height in pixels")
        if not all(map(os.fspath, (*self.folders, *self.patterns))):
            raise UsageError("a path or pattern is empty", hint="leave it out to ask among all")

    @property
    def minuses(self) -> tuple[Question, ...]:
        """The pictures that hits should not be like."""
        one = isinstance(self.minus, str | Path | bytes | Asked)
        return (self.minus,) if one else tuple(self.minus)  # type: ignore[return-value, arg-type]

    @property
    def folders(self) -> tuple[str | Path, ...]:
        """The paths below which hits lie."""
        return (self.under,) if isinstance(self.under, str | Path) else tuple(self.under)

    @property
    def patterns(self) -> tuple[str, ...]:
        """The patterns of which hits match one."""
        return (self.glob,) if isinstance(self.glob, str) else tuple(self.glob)

    def check_no_pictures(self) -> None:
        """Raise UsageError for what is about query pictures, where there are none."""
        if self.combine or self.minuses or self.box:
            raise UsageError(
                "combine, minus and box are about query pictures", hint="ask with Index.query"
            )


def check_k(k: int) -> None:
    """Raise UsageError for k < 1."""
    if k < 1:
        raise UsageError(f"k is {k}", hint="ask for at least 1 neighbour")


def as_asked(
    question: Question, number: int, *, box: Box | None = None, minus: bool = False
) -> Asked:
    """Give a question its parts; bytes are called by their *number*."""
    if isinstance(question, Asked):
        return Asked(question.query, question.path, question.data, question.box or box, minus)
    if isinstance(question, bytes):
        return Asked(f"bytes:{number}", None, question, box, minus)
    if not isinstance(question, str | Path):
        raise UsageError(
            f"a query is a {type(question).__name__}", hint="ask with a path, id:N or bytes"
        )
    return Asked(str(question), None, None, box, minus)
