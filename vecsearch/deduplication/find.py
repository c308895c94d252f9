"""The command ``duplicates``: groups of pictures that are copies of one, the best of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from vecsearch.arguments import checked
from vecsearch.cluster.open_index import open_index
from vecsearch.deduplication.assignment import (
    Assignment,
    assign_by_content,
    assign_by_cosine,
    assign_by_pixels,
)
from vecsearch.deduplication.groups import make_groups
from vecsearch.deduplication.ranked_images import rank_images
from vecsearch.deduplication.ranked_vectors import RankedVectors
from vecsearch.deduplication.report import DuplicateGroup, DuplicatesReport, Kind
from vecsearch.deduplication.scaled_pictures import ScaledPictures
from vecsearch.deduplication.thresholds import UNMEASURED, copy_cosines
from vecsearch.errors import UsageError
from vecsearch.search.index import Index
from vecsearch.types import Progress

_DIGITS: Final = 4
"""Of a score, by which groups are ordered: as many as are printed."""

_SURENESS: Final[Sequence[Kind]] = ("exact", "near", "edited", "similar")


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

    Pictures with similar features, or with similar small versions, are laid over each other. They
    are copies if at least half of their parts agree: ``near`` copies if all parts do, as after a
    change of size or encoding, otherwise ``edited`` ones, which are left out without *edited*. With
    *threshold*, no picture is read, and copies are pictures with at least this cosine. Where no
    picture can be read, the threshold of the encoder is used in the same way. With *exact*, only
    files with the same bytes are copies.

    The best copy of each group is kept: the one with the most pixels, then the largest file, then
    the oldest, then the one with the least id. A file that has changed since it was indexed comes
    after all that have not, and a file that is gone comes last. From the best picture to the worst,
    a picture that is in no group yet takes all its copies that are in none. So every copy is a copy
    of the kept picture, and a chain in which only neighbours are alike is not one group. The same
    index and files give the same groups. Pairs that the user has said are not copies (`not_copies`)
    are left out.

    *keep* names pictures that are kept before all others, the most preferred first: patterns as for
    ``QueryOptions.glob``, folders, files, or ``id:N``. A picture that matches is kept even if a
    copy of it is better, which `DuplicateGroup.better` lists. It takes only its own copies: a copy
    of the best picture that is not a copy of the preferred one is in another group.

    Time grows with the square of the number of pictures where the index is exact. Where it is
    approximate, it takes as long as that many queries. Without *threshold* every picture is read
    once more. Memory grows by about 120 bytes per picture, or 1,500 without *threshold*. Nothing is
    written. Pictures behind a URL are not read; *fetch* says, as for `open_index`, whether they may
    be when the copies are drawn.

    Raises UsageError for a threshold that is not a cosine, NotFoundError for a pattern of *keep*
    that no image matches, IndexFolderError or a subclass.
    """
    if threshold is not None and not -1.0 <= threshold <= 1.0:
        raise UsageError(f"the threshold is {threshold}", hint="a cosine lies between -1 and 1")
    with open_index(index, fetch=fetch) as asked:
        opened = asked.reader()
        patterns = [keep] if isinstance(keep, str) else keep
        vectors = RankedVectors(opened, rank_images(opened, progress, keep=patterns))
        cosines = copy_cosines(asked.encoder)
        if exact:
            assignment = assign_by_content(vectors.ranked)
            threshold = None
        elif threshold is not None:
            assignment = assign_by_cosine(vectors, threshold, progress)
        else:
            threshold = cosines.alone
            pictures = ScaledPictures(opened, vectors.ranked)
            assignment = assign_by_pixels(vectors, pictures, cosines, edited, progress)
        groups = sorted(make_groups(opened, vectors, assignment), key=_unsureness)
        measured = cosines is not UNMEASURED
        return _report(asked, vectors, assignment, groups, threshold, measured)


def _report(
    asked: Index,
    vectors: RankedVectors,
    assignment: Assignment,
    groups: Sequence[DuplicateGroup],
    threshold: float | None,
    measured: bool,
) -> DuplicatesReport:
    others = [one for group in groups for one in group.others]
    count = Counter(one.kind for one in others)
    return DuplicatesReport(
        index=asked.path,
        images=len(vectors.ranked),
        by=assignment.by,
        threshold=threshold,
        measured=measured,
        looked_at=assignment.looked_at,
        pairs=assignment.pairs,
        approximate=assignment.by != "bytes" and vectors.are_approximate,
        copies=len(others),
        exact=count["exact"],
        near=count["near"],
        edited=count["edited"],
        similar=count["similar"],
        movable=sum(one.state == "there" for one in others),
        freed_bytes=sum(group.freed_bytes for group in groups),
        not_copies=len(vectors.ranked.exclusions),
        groups=tuple(groups),
        sources=tuple(asked.reader().snapshot.sources()),
    )


def _unsureness(group: DuplicateGroup) -> tuple[int, float, int, int]:
    """Order groups: by the kind of the least sure copy, the least score, what they would free."""
    worst = max(_SURENESS.index(one.kind) for one in group.others)
    score = min(one.score for one in group.others)
    return worst, -round(score, _DIGITS), -group.freed_bytes, group.kept.id
