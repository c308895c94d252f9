"""The options of a query: which images may be hits, how many, and how a query is made."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vecsearch.arguments import check_fields
from vecsearch.errors import UsageError
from vecsearch.search.query_image import as_queries
from vecsearch.types import Box

if TYPE_CHECKING:
    from vecsearch.search.period import Moment
    from vecsearch.search.query_image import Query

COMBINATIONS: Final = ("mean", "max")

NEIGHBOURS: Final = 5
CANDIDATES: Final = 200
"""By how many neighbours to expand, and how many candidates to re-rank, where that is wanted and no
number is given: see docs/experiments/rerank.md."""

MOST_EXPANDED: Final = 100
MOST_RERANKED: Final = 1000
"""All candidates are compared with each other, so time and memory grow with the square."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFilter:
    """Which images to take: those that match all of these.

    They lie below any path of ``under``, a folder, tar or URL, and match any pattern of ``glob``:
    without a slash it is compared with file names, else with whole paths. They were taken ``since``
    a date and ``until`` another, all of which counts (a day, a month, a year). Dates are texts as
    the command line has them, or Python's, and are compared with what the camera's clock showed;
    of a picture whose metadata have no date, with the time of its file, as the clocks here show it.
    """

    under: str | Path | Sequence[str | Path] = ()
    glob: str | Sequence[str] = ()
    since: Moment | None = None
    until: Moment | None = None

    def __bool__(self) -> bool:
        """Return whether it may leave out any."""
        return bool(self.folders or self.patterns) or self.has_dates

    @property
    def has_dates(self) -> bool:
        """Return whether dates matter."""
        return self.since is not None or self.until is not None

    @property
    def folders(self) -> tuple[str | Path, ...]:
        """The paths below which images lie."""
        return (self.under,) if isinstance(self.under, str | Path) else tuple(self.under)

    @property
    def patterns(self) -> tuple[str, ...]:
        """The patterns of which images match one."""
        return (self.glob,) if isinstance(self.glob, str) else tuple(self.glob)

    def check(self) -> None:
        """Raise UsageError for values that make no sense."""
        if not all(map(os.fspath, (*self.folders, *self.patterns))):
            raise UsageError("a path or pattern is empty", hint="leave it out to ask among all")
        if self.has_dates:
            from vecsearch.search.period import period_of

            period_of(self.since, self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryOptions:
    """Which images may be hits, and how pictures make a query.

    ``threshold`` (cosine) leaves out hits below it, ``offset`` as many of the nearest;
    ``include_self`` lets an indexed picture be its own hit. ``under``, ``glob``, ``since`` and
    ``until`` choose which images may be hits, as in `ImageFilter`. Hits are exact, however few
    images that leaves.

    ``expand`` moves each query towards as many of its nearest in the index before the search
    (`vecsearch.search.expand`); scores are then cosines with the expanded query. ``rerank`` orders
    as many of the first candidates anew, by the neighbours that they have in common with the query
    (`vecsearch.search.rerank`); their scores stay cosines, and ``order`` is what they are ordered
    by. 0 is for neither. An indexed picture is not among its own neighbours, nor are those of
    ``minus``; if it may be its own hit, it is the first of those that are re-ranked.

    ``combine`` makes one query of all pictures and words: by the ``mean`` of their vectors, or by
    the ``max``, an image's largest cosine with any of them. Hits are less like the pictures of
    ``minus``, and never these themselves. ``box`` is the part (x, y, width, height) of every query
    picture that is meant, in pixels of the upright picture.
    """

    threshold: float = -1.0
    include_self: bool = False
    offset: int = 0
    expand: int = 0
    rerank: int = 0
    combine: str | None = None
    minus: Query | Sequence[Query] = ()
    box: Box | None = None
    under: str | Path | Sequence[str | Path] = ()
    glob: str | Sequence[str] = ()
    since: Moment | None = None
    until: Moment | None = None

    def __post_init__(self) -> None:
        """Raise UsageError for values that make no sense."""
        check_fields(self)
        if not -1.0 <= self.threshold <= 1.0:
            raise UsageError(
                f"the threshold is {self.threshold}", hint="a cosine lies between -1 and 1"
            )
        if self.offset < 0:
            raise UsageError(f"the offset is {self.offset}", hint="give how many hits to pass over")
        if not 0 <= self.expand <= MOST_EXPANDED:
            raise UsageError(
                f"a query cannot be expanded by {self.expand} neighbours",
                hint=f"give 1 to {MOST_EXPANDED}, or 0 for none",
            )
        if not 0 <= self.rerank <= MOST_RERANKED:
            raise UsageError(
                f"{self.rerank} candidates cannot be re-ranked",
                hint=f"give 1 to {MOST_RERANKED:,}, or 0 for none",
            )
        if self.rerank and self.combine == "max":
            raise UsageError(
                "hits of a maximum cannot be re-ranked: there is no single query",
                hint="combine the pictures by mean, or leave re-ranking out",
            )
        if self.combine not in (None, *COMBINATIONS):
            raise UsageError(
                f"unknown combination {self.combine!r}",
                hint=f"known are {', '.join(COMBINATIONS)}",
            )
        if self.box is not None and not _is_box(self.box):
            raise UsageError(f"the box is {self.box}", hint="give x, y, width, height in pixels")
        self.filter.check()

    @property
    def minuses(self) -> tuple[Query, ...]:
        """The pictures that hits should not be like."""
        return tuple(as_queries(self.minus))

    @property
    def filter(self) -> ImageFilter:
        """Which images may be hits."""
        return ImageFilter(under=self.under, glob=self.glob, since=self.since, until=self.until)

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


def _is_box(value: object) -> bool:
    if not isinstance(value, Iterable) or isinstance(value, str | bytes):
        return False
    parts = list(value)
    return len(parts) == 4 and all(isinstance(one, Real) for one in parts)
