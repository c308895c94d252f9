"""The report of the command ``duplicates``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vecsearch.types import SourceName

State = Literal[
    "there",
    "changed",
    "gone",
    "same file",
    "link",
    "outside",
    "in a tar",
    "behind a URL",
    "no file",
]
"""What is at the path of a copy. Only a file that is there, as it was indexed, can be moved: none
that lies outside of the sources, in a linked folder, or is a second path to a file."""

Kind = Literal["exact", "near", "edited", "similar"]
"""Why a picture is a copy of the kept one: the same bytes; the same pixels all over, but for size
and encoding; the same pixels in part, or changed ones; or, without a look at them, its features."""


Why = Literal["preferred", "unchanged", "pixels", "bytes", "oldest", "first"]
"""Why a picture is kept rather than the best of its copies: it was asked for; that one's file has
changed or is gone; it has more pixels; its file is larger; is older; or was indexed before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateCopy:
    """A picture of a group; ``score`` is its cosine to the one that is kept.

    ``kind`` tells why it is a copy of that; ``exact`` that it had the same bytes when they were
    indexed. ``agreement`` is the share of its parts, from 0 to 1, that look like the kept one's,
    None where that was not looked at. ``content_hash`` is empty where only the vector was imported.
    """

    id: int
    path: Path
    width: int
    height: int
    size_bytes: int
    mtime_ns: int
    content_hash: bytes
    score: float
    exact: bool
    kind: Kind
    agreement: float | None
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateGroup:
    """The best copy, ``kept``, and the others, best first: each is a copy of the kept one.

    ``why`` tells why that one is kept.
    """

    kept: DuplicateCopy
    others: tuple[DuplicateCopy, ...]
    freed_bytes: int
    why: Why = "first"

    @property
    def better(self) -> tuple[DuplicateCopy, ...]:
        """The copies that would be kept, were another one not preferred, and hold more than it.

        They have more pixels, or as many and a larger file.
        """
        if self.why != "preferred":
            return ()
        return tuple(
            one
            for one in self.others
            if not one.exact
            and one.state not in ("changed", "gone")
            and (pixels_of(one), one.size_bytes) > (pixels_of(self.kept), self.kept.size_bytes)
        )


def pixels_of(copy: DuplicateCopy) -> int:
    """Count the pixels of a picture."""
    return copy.width * copy.height


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicatesReport:
    """The groups, the surest first: by the least sure copy of each, its kind and then its score.

    ``by`` is what was compared: ``bytes``, ``cosine`` or ``pixels``. ``threshold`` is the cosine of
    copies, None where only bytes were compared; by pixels, it is that of pictures that could not be
    looked at. ``measured`` tells that what cosines mean was measured for this encoder.
    ``looked_at`` counts the pictures that were read, and ``pairs`` those whose pixels were
    compared. ``approximate`` tells that the index is, so that copies may have been missed.

    ``copies`` counts what is not kept; ``exact``, ``near``, ``edited`` and ``similar`` count those
    of these kinds, ``movable`` those that are files as they were indexed; ``freed_bytes`` is how
    much these take. ``not_copies`` counts the pairs of pictures of the index that were said to be
    no copies (`not_copies`), and are in no group for each other's sake. ``sources`` is what the
    index was built from.
    """

    index: Path
    images: int
    by: Literal["bytes", "cosine", "pixels"]
    threshold: float | None
    measured: bool
    looked_at: int
    pairs: int
    approximate: bool
    copies: int
    exact: int
    near: int
    edited: int
    similar: int
    movable: int
    freed_bytes: int
    not_copies: int
    groups: tuple[DuplicateGroup, ...]
    sources: tuple[SourceName, ...]
