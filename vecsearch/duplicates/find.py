"""The command ``duplicates``: groups of pictures that are copies of one, the best of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from stat import S_ISLNK
from typing import Final

import numpy as np

from vecsearch.ann.searcher import CodedRows
from vecsearch.arguments import checked
from vecsearch.duplicates.aside_journal import Inode
from vecsearch.duplicates.groups import (
    DuplicateCopy,
    DuplicateGroup,
    DuplicatesReport,
    Kind,
    State,
    Why,
    pixels_of,
)
from vecsearch.duplicates.places import is_outside
from vecsearch.duplicates.ranks import (
    CHANGED,
    GONE,
    Numbers,
    Ranked,
    is_of_vector,
    rank_images,
)
from vecsearch.duplicates.related import Related, by_content, by_cosine, by_pixels
from vecsearch.duplicates.second_look import EDITED, NEAR, NONE, SIMILAR
from vecsearch.duplicates.thresholds import UNMEASURED, copy_cosines
from vecsearch.duplicates.unit_rows import UnitRows
from vecsearch.errors import UsageError
from vecsearch.search.index import open_index
from vecsearch.search.index_reader import IndexReader
from vecsearch.types import Image, Progress, UrlPath

_LOOKED_UP: Final = 4096
_SCORED: Final = 1024

_DIGITS: Final = 4
"""Of a score, by which groups are ordered: as many as are printed."""

_SURENESS: Final[Sequence[Kind]] = ("exact", "near", "edited", "similar")

_KINDS: Final[Mapping[int, Kind]] = {
    NONE: "exact",
    NEAR: "near",
    EDITED: "edited",
    SIMILAR: "similar",
}


@checked
def duplicates(
    index: str | Path | None = None,
    *,
    threshold: float | None = None,
    exact: bool = False,
    edited: bool = True,
    keep: Sequence[str] | str = (),
    fetch: bool = False,
    progress: Progress | None = None,
) -> DuplicatesReport:
    """Find pictures that are copies of each other: the same bytes, or pixels that agree.

    Pictures with similar features, or small versions of them, are laid over each other, and are
    copies if at least half of the parts agree: ``near`` ones if all over, as after another size or
    encoding, otherwise ``edited`` ones, which are left out without *edited*. With *threshold*, no
    picture is read, and copies are those with such a cosine; so it is with the threshold of the
    encoder where no picture can be read. With *exact*, only files with the same bytes are copies.

    Of each group the best copy is kept: the one with the most pixels, then the largest file, the
    oldest, the least id. A file that has changed since it was indexed counts as worse than any that
    has not, one that is gone as the worst. From the best picture to the worst, one that is in no
    group yet takes all that are in none and are copies of it. So every copy is one of the picture
    that is kept, and a chain in which only neighbours are alike is not one group. The same index
    and files give the same groups. Pairs that were said to be no copies (`not_copies`) are none.

    *keep* names what is kept before all else, the most preferred first: patterns as for
    ``QueryOptions.glob``, folders, files, or ``id:N``. What matches is kept even if a copy of it is
    better, which `DuplicateGroup.better` tells. A picture that is preferred takes its own copies
    alone: what is a copy of the best picture, but not of the preferred one, is in another group.

    Time grows with the square of the number of pictures where the index is exact, and as that many
    queries take where it is approximate; without *threshold* every picture is read once more.
    Memory grows by about 120 bytes a picture, or 1,500. Nothing is written.

    What lies behind a URL is not read; whether it is when the copies are drawn, *fetch* says as for
    `open_index`.

    Raises UsageError for a threshold that is no cosine, NotFoundError for a pattern of *keep* that
    no image matches, IndexFolderError or a subclass.
    """
    if threshold is not None and not -1.0 <= threshold <= 1.0:
        raise UsageError(f"the threshold is {threshold}", hint="a cosine lies between -1 and 1")
    with open_index(index, fetch=fetch) as asked:
        opened = asked.reader()
        patterns = [keep] if isinstance(keep, str) else keep
        ranked = rank_images(opened, progress, keep=patterns)
        vectors = UnitRows(opened, ranked)
        cosines = copy_cosines(asked.encoder)
        if exact:
            related = by_content(ranked)
        elif threshold is not None:
            related = by_cosine(opened, ranked, vectors, threshold, progress)
        else:
            threshold = cosines.alone
            related = by_pixels(opened, ranked, vectors, cosines, edited, progress)
        groups = sorted(_groups(opened, ranked, vectors, related), key=_unsureness)
        others = [one for group in groups for one in group.others]
        count = Counter(one.kind for one in others)
        return DuplicatesReport(
            index=asked.path,
            images=len(ranked),
            by=related.by,
            threshold=None if exact else threshold,
            measured=cosines is not UNMEASURED,
            looked_at=related.looked_at,
            pairs=related.pairs,
            approximate=not exact and any(isinstance(part, CodedRows) for part in opened.parts),
            copies=len(others),
            exact=count["exact"],
            near=count["near"],
            edited=count["edited"],
            similar=count["similar"],
            movable=sum(one.state == "there" for one in others),
            freed_bytes=sum(group.freed_bytes for group in groups),
            not_copies=ranked.apart_count,
            groups=tuple(groups),
            sources=tuple(opened.snapshot.sources()),
        )


def _unsureness(group: DuplicateGroup) -> tuple[int, float, int, int]:
    """Order groups: by the kind of the least sure copy, the least score, what they would free."""
    worst = max(_SURENESS.index(one.kind) for one in group.others)
    score = min(one.score for one in group.others)
    return worst, -round(score, _DIGITS), -group.freed_bytes, group.kept.id


def _groups(
    opened: IndexReader, ranked: Ranked, vectors: UnitRows, related: Related
) -> Iterator[DuplicateGroup]:
    """Look up what the groups consist of, and nothing else."""
    kept = related.kept
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
            scores = _scores(vectors, ranks.astype(np.int32))
            found = [images[row] for row in ranked.rows[ranks].tolist()]
            yield _group(opened, ranked, related, ranks.tolist(), found, scores)
        first = last


def _scores(vectors: UnitRows, ranks: Numbers) -> list[float]:
    """Return the cosines of some images to the first, in float64, so that no order matters."""
    first = vectors.of(ranks[:1])[0].astype(np.float64)
    parts = [
        vectors.of(ranks[start : start + _SCORED]) @ first
        for start in range(0, len(ranks), _SCORED)
    ]
    scores: list[float] = np.clip(np.concatenate(parts), -1.0, 1.0).tolist()
    return scores


def _group(
    opened: IndexReader,
    ranked: Ranked,
    related: Related,
    ranks: Sequence[int],
    images: Sequence[Image],
    scores: Sequence[float],
) -> DuplicateGroup:
    states = _states(images, ranked.files[list(ranks)].tolist(), opened.snapshot.sources())
    made = []
    content = ranked.contents[ranks[0]]
    for rank, image, score, state in zip(ranks, images, scores, states, strict=True):
        same = rank == ranks[0] or bool(content >= 0 and ranked.contents[rank] == content)
        kind = _KINDS[related.found.kinds[rank]]
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
                kind="exact" if same else kind,
                agreement=None if same or kind == "similar" else float(related.found.shares[rank]),
                state=state,
            )
        )
    kept, *others = made
    freed = sum(one.size_bytes for one in others if one.state == "there")
    preferred = bool(ranked.places[ranks[0]] < ranked.places[ranks[1]])
    why = _why(kept, others[0], preferred=preferred)
    return DuplicateGroup(kept=kept, others=tuple(others), freed_bytes=freed, why=why)


def _why(kept: DuplicateCopy, next_best: DuplicateCopy, *, preferred: bool) -> Why:
    """Return by what the kept picture comes before the best of its copies."""
    if next_best.state in ("changed", "gone") and kept.state != next_best.state:
        return "unchanged"
    if preferred:
        return "preferred"
    if pixels_of(kept) != pixels_of(next_best):
        return "pixels"
    if kept.size_bytes != next_best.size_bytes:
        return "bytes"
    return "oldest" if kept.mtime_ns != next_best.mtime_ns else "first"


def _content_of(opened: IndexReader, image: Image) -> bytes:
    halves = opened.gather(np.array([image.row]))[0].astype(np.float16)
    return b"" if is_of_vector(image, halves) else image.content_hash


def _states(images: Sequence[Image], looked: list[int], sources: Sequence[Path]) -> list[State]:
    """Return what is at the paths of the images of a group, the kept one first.

    A file with several paths in the group stays at all of them: moving it by one frees nothing, and
    the kept file may have another path.
    """
    states, inodes = [], []
    for place, (image, state) in enumerate(zip(images, looked, strict=True)):
        found, inode = _state(image, state, sources)
        states.append(found)
        # A link is no second path to what may be moved, unless it is kept.
        inodes.append(None if place and found == "link" else inode)
    seen = Counter(inode for inode in inodes if inode is not None)
    return [
        "same file" if place and state == "there" and inode and seen[inode] > 1 else state
        for place, (state, inode) in enumerate(zip(states, inodes, strict=True))
    ]


def _state(image: Image, looked: int, sources: Sequence[Path]) -> tuple[State, Inode | None]:
    """Return what is at the path of an image, and which file that is."""
    if isinstance(image.path, UrlPath):
        return "behind a URL", None
    if not image.has_file:
        return "no file", None
    if looked == GONE:
        return "gone", None
    if looked == CHANGED:
        return "changed", None
    try:
        is_link = S_ISLNK(image.path.lstat().st_mode)
        facts = image.path.stat()
        outside = is_outside(image.path, sources)
    except NotADirectoryError:
        return "in a tar", None
    except OSError:
        return "gone", None
    state: State = "link" if is_link else "outside" if outside else "there"
    return state, (facts.st_ino, facts.st_dev)
