"""The command ``duplicates``: groups of pictures that are copies of one, the best of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISLNK
from typing import Final, Literal

import numpy as np

from vecsearch.errors import UsageError
from vecsearch.index.search import CodedRows
from vecsearch.search.index import open_index
from vecsearch.search.opened import Opened
from vecsearch.search.ranked import (
    CHANGED,
    GONE,
    Numbers,
    Ranked,
    has_file,
    is_of_vector,
    rank_images,
)
from vecsearch.search.stars import Stars, same_content
from vecsearch.types import Image, Progress, UrlPath

THRESHOLD: Final = 0.997
"""No two different pictures of the trials that docs/design.md tells of are that similar."""

_LOOKED_UP: Final = 4096
_SCORED: Final = 1024

State = Literal[
    "there", "changed", "gone", "same file", "link", "in a tar", "behind a URL", "no file"
]
"""What is at the path of a copy. Only a file that is there, as it was indexed, can be moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateCopy:
    """A picture of a group; ``score`` is its cosine to the one that is kept.

    ``exact`` tells that it had the same bytes as that when they were indexed. ``content_hash`` is
    empty where only the vector was imported.
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
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateGroup:
    """The best copy, ``kept``, and the others, best first: each is a copy of the kept one."""

    kept: DuplicateCopy
    others: tuple[DuplicateCopy, ...]
    freed_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicatesReport:
    """The groups, those first that would free the most.

    ``threshold`` is None where only contents were compared. ``approximate`` tells that the index
    is, so that near duplicates may have been missed. ``copies`` counts what is not kept, ``exact``
    those with the bytes of the kept one, ``movable`` those that are files as they were indexed;
    ``freed_bytes`` is how much these take. ``sources`` is what the index was built from.
    """

    index: Path
    images: int
    threshold: float | None
    approximate: bool
    copies: int
    exact: int
    movable: int
    freed_bytes: int
    groups: tuple[DuplicateGroup, ...]
    sources: tuple[Path, ...]


def duplicates(
    index: str | Path | None = None,
    *,
    threshold: float = THRESHOLD,
    exact: bool = False,
    progress: Progress | None = None,
) -> DuplicatesReport:
    """Find pictures that are copies of each other: the same bytes, or a cosine of *threshold*.

    With *exact*, only the same bytes. Of each group the best copy is kept: the one with the most
    pixels, then the largest file, the oldest, the least id. A file that has changed since it was
    indexed counts as worse than any that has not, one that is gone as the worst. From the best
    picture to the worst, one that is in no group yet takes all that are in none and are copies of
    it. So every copy is one of the picture that is kept, and a chain in which only neighbours are
    alike is not one group. The same index and files give the same groups.

    Time grows with the square of the number of pictures where the index is exact, and as that many
    queries take where it is approximate; memory by about 120 bytes a picture. Nothing is written.

    Raises UsageError for a threshold that is no cosine, IndexFolderError and its kin.
    """
    if not -1.0 <= threshold <= 1.0:
        raise UsageError(f"the threshold is {threshold}", hint="a cosine lies between -1 and 1")
    with open_index(index) as asked:
        opened = asked.opened()
        ranked = rank_images(opened, progress)
        stars = Stars(opened, ranked, threshold)
        if exact:
            kept = same_content(ranked)
        else:
            stars.find(progress)
            kept = stars.kept
        groups = sorted(
            _groups(opened, ranked, stars, kept),
            key=lambda group: (-group.freed_bytes, group.kept.id),
        )
        others = [one for group in groups for one in group.others]
        return DuplicatesReport(
            index=asked.path,
            images=len(ranked),
            threshold=None if exact else threshold,
            approximate=not exact and any(isinstance(part, CodedRows) for part in opened.parts),
            copies=len(others),
            exact=sum(one.exact for one in others),
            movable=sum(one.state == "there" for one in others),
            freed_bytes=sum(group.freed_bytes for group in groups),
            groups=tuple(groups),
            sources=tuple(opened.snapshot.sources()),
        )


def _groups(
    opened: Opened, ranked: Ranked, stars: Stars, kept: Numbers
) -> Iterator[DuplicateGroup]:
    """Look up what the groups consist of, and nothing else."""
    copies = np.flatnonzero(kept != np.arange(len(kept)))
    copies = copies[np.argsort(kept[copies], kind="stable")].astype(np.int32)
    keepers, starts = np.unique(kept[copies], return_index=True)
    ends = np.append(starts[1:], len(copies))
    # Some groups at a time, for a look-up has its cost.
    first = 0
    while first < len(keepers):
        last = max(first + 1, int(np.searchsorted(ends, starts[first] + _LOOKED_UP)))
        members = np.concatenate([keepers[first:last], copies[starts[first] : ends[last - 1]]])
        images = opened.snapshot.images_by_row(ranked.rows[members].tolist())
        for place in range(first, last):
            ranks = np.append(keepers[place], copies[starts[place] : ends[place]])
            scores = _scores(stars, ranks.astype(np.int32))
            found = [images[row] for row in ranked.rows[ranks].tolist()]
            yield _group(opened, ranked, ranks.tolist(), found, scores)
        first = last


def _scores(stars: Stars, ranks: Numbers) -> list[float]:
    """Give the cosines of some images to the first, in float64, so that no order matters."""
    first = stars.unit(ranks[:1])[0].astype(np.float64)
    parts = [
        stars.unit(ranks[start : start + _SCORED]) @ first
        for start in range(0, len(ranks), _SCORED)
    ]
    scores: list[float] = np.clip(np.concatenate(parts), -1.0, 1.0).tolist()
    return scores


def _group(
    opened: Opened,
    ranked: Ranked,
    ranks: Sequence[int],
    images: Sequence[Image],
    scores: Sequence[float],
) -> DuplicateGroup:
    seen: set[tuple[int, int]] = set()
    made = []
    content = ranked.contents[ranks[0]]
    for rank, image, score in zip(ranks, images, scores, strict=True):
        made.append(
            DuplicateCopy(
                id=image.id,
                path=image.path,
                width=image.width,
                height=image.height,
                size_bytes=image.size_bytes,
                mtime_ns=image.mtime_ns,
                content_hash=_content_of(opened, image),
                score=score,
                exact=bool(content >= 0 and ranked.contents[rank] == content),
                state=_state(image, int(ranked.files[rank]), seen),
            )
        )
    kept, *others = made
    freed = sum(one.size_bytes for one in others if one.state == "there")
    return DuplicateGroup(kept=kept, others=tuple(others), freed_bytes=freed)


def _content_of(opened: Opened, image: Image) -> bytes:
    halves = opened.gather(np.array([image.row]))[0].astype(np.float16)
    return b"" if is_of_vector(image, halves) else image.content_hash


def _state(image: Image, looked: int, seen: set[tuple[int, int]]) -> State:
    """Tell what is at the path of an image; *seen* are files, by device and number, of its group.

    The first is the kept one. A second path to a file frees nothing, and may be that very file.
    """
    if isinstance(image.path, UrlPath):
        return "behind a URL"
    if not has_file(image):
        return "no file"
    if looked == GONE:
        return "gone"
    if looked == CHANGED:
        return "changed"
    try:
        is_link = S_ISLNK(image.path.lstat().st_mode)
        facts = image.path.stat()
    except NotADirectoryError:
        return "in a tar"
    except OSError:
        return "gone"
    identity = facts.st_dev, facts.st_ino
    if is_link and seen:
        return "link"  # which is not a second path to what may be moved
    if identity in seen:
        return "same file"
    seen.add(identity)
    return "link" if is_link else "there"
