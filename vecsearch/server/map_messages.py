"""What goes over HTTP of maps and of work that takes long, as types."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from vecsearch.server.messages import Answer, FilterParameters, Request


class WorkInProgress(Answer, frozen=True, kw_only=True):
    """The answer is being made: ask again. `total` is 0 where it is not known how much there is."""

    state: Literal["working"]
    phase: str
    done: int
    total: int


class MapParameters(FilterParameters, frozen=True, kw_only=True):
    """How a collection is laid out and coloured, and which images of it.

    `method`: how vectors become places. `color`: what is coloured alike, and called a group.
    `seed`: another one, another arrangement.
    """

    method: Literal["tsne", "pca", "umap"] = "tsne"
    color: Literal["cluster", "folder", "none"] = "cluster"
    seed: Annotated[int, Meta(ge=0, le=(1 << 32) - 1)] = 0


class SheetParameters(Request, frozen=True, kw_only=True):
    """`made`: of which map, as its page tells."""

    made: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]


class MapGroup(Answer, frozen=True, kw_only=True):
    """A group of a map; `named` is false where nothing was found to call it by but its number."""

    name: str
    size: int
    named: bool


class Map(Answer, frozen=True, kw_only=True):
    """The places of images: image `ids[i]` is at `x[i]`, `y[i]`, in group `labels[i]`.

    A label is a place in `groups`, or -1 for none. All places are 0 where all vectors are equal.
    """

    generation: int
    method: str
    color: str
    seed: int
    ids: tuple[int, ...]
    x: tuple[float, ...]
    y: tuple[float, ...]
    labels: tuple[int, ...]
    groups: tuple[MapGroup, ...]
