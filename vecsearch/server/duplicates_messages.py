"""What goes over HTTP of copies, as types."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from vecsearch.server.messages import Answer, Id, Request, Texts

MOST_PAIRS = 256


class CopiesParameters(Request, frozen=True, kw_only=True):
    """What counts as a copy, and which one to keep.

    `threshold`: do not look at pictures, copies have at least this cosine. `exact`: only files with
    the same bytes. `edited`: also copies that were cropped, turned, framed and so on. `keep`: keep
    what is like this before all else, a pattern, folder, file or id:N.
    """

    threshold: Annotated[float, Meta(ge=-1, le=1)] | None = None
    exact: bool = False
    edited: bool = True
    keep: Texts = ()


class DuplicatesParameters(CopiesParameters, frozen=True, kw_only=True):
    """Copies, and which of their groups: `limit` at most, those that follow the first `after`."""

    after: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class CopiedImage(Answer, frozen=True, kw_only=True):
    """An image of a group; `score` is its cosine to the kept one, `state` what is at its path.

    `agreement` is the share of its parts that look like the kept one's.
    """

    id: int
    path: str
    width: int
    height: int
    size_bytes: int
    mtime_ns: int
    score: float
    kind: str
    exact: bool
    state: str
    version: str
    agreement: float | None = None


class CopiesGroup(Answer, frozen=True, kw_only=True):
    """The image that is kept, why, and its copies, best first."""

    kept: CopiedImage
    why: str
    copies: tuple[CopiedImage, ...]
    freed_bytes: int


class Duplicates(Answer, frozen=True, kw_only=True):
    """Groups of copies, the surest first, and figures of all of them.

    `by` is what was compared: bytes, cosine or pixels. `next` is `after` for the groups that
    follow, none at the end: ask for them while `generation` is the same.
    """

    generation: int
    by: str
    threshold: float | None
    approximate: bool
    total_groups: int
    total_copies: int
    freed_bytes: int
    not_copies: int
    groups: tuple[CopiesGroup, ...]
    next: int | None = None


class NotCopiesRequest(Request, frozen=True, kw_only=True):
    """Pairs of ids that are no copies of each other; with `forget` that is taken back."""

    pairs: Annotated[tuple[tuple[Id, Id], ...], Meta(min_length=1, max_length=MOST_PAIRS)]
    forget: bool = False


class NotCopies(Answer, frozen=True, kw_only=True):
    """How many pairs of images are remembered as no copies now."""

    total: int
