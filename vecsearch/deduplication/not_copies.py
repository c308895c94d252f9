"""The command ``duplicates --not-copies``: pictures that the user says are not copies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from vecsearch.arguments import checked
from vecsearch.cluster.open_index import open_stored
from vecsearch.errors import NotFoundError, UsageError
from vecsearch.search.resolve import image_at
from vecsearch.store.change import Change
from vecsearch.store.config_keys import HASH_BYTES, MOST_APART
from vecsearch.store.locate import only_index
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.stored_images import StoredImages
from vecsearch.store.writer import open_writer
from vecsearch.types import Image

_Pair = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotCopiesReport:
    """Which pairs of pictures are not copies of each other.

    ``pairs`` are those that a call has added or, with ``forgotten``, taken back; without pictures
    all that the index has, the one with the lesser id first. Of several images with the bytes of
    one that was meant, the first stands for all. ``total`` is how many pairs are remembered now, of
    which ``unknown`` are of pictures that the index has no longer.
    """

    index: Path
    pairs: tuple[tuple[Image, Image], ...]
    forgotten: bool
    total: int
    unknown: int


@checked
def not_copies(
    *pictures: str | Path, index: str | Path | None = None, forget: bool = False
) -> NotCopiesReport:
    """Say that *pictures*, ``id:N`` or paths, are not copies of each other, in all pairs of them.

    `duplicates` leaves these pairs out from then on. They hold by content, also when files are
    renamed, moved or copied, through all later builds, merges and repairs; a file with another
    content is another picture. With *forget* it is taken back, of one picture in all its pairs.
    Without pictures all pairs are listed, and nothing is written.

    Raises NotFoundError for a picture that the index does not have, UsageError for one picture
    alone, for two with the same bytes, and where there are too many pairs; IndexFolderError or a
    subclass.
    """
    folder = Path(index) if index is not None else only_index()
    if not pictures:
        if forget:
            raise UsageError(
                "no pictures are named that may be copies again", hint="give id:N or paths"
            )
        with closing(open_stored(folder)) as stored:
            known = stored.apart()
            return _report(stored, known, known, forgotten=False)
    if len(pictures) < 2 and not forget:
        raise UsageError(f"{pictures[0]} alone is not a pair", hint="name two pictures or more")
    with open_writer(folder) as writer, closing(Snapshot(folder)) as snapshot:
        known = snapshot.apart()
        hashes = [_content_of(snapshot, one) for one in pictures]
        if forget:
            own = set(hashes)
            change = {
                pair for pair in known if (own & set(pair) if len(own) == 1 else own >= set(pair))
            }
            after = known - change
            if change:
                writer.commit(Change(rejoined=sorted(change)))
        else:
            change = _pairs_of(pictures, hashes) - known
            after = known | change
            if len(after) > MOST_APART:
                raise UsageError(
                    f"{folder} would have more than {MOST_APART:,} pairs that are no copies",
                    hint="forget some",
                )
            if change:
                writer.commit(Change(apart=sorted(change)))
        return _report(snapshot, change, after, forgotten=forget)


def _pairs_of(pictures: Sequence[str | Path], hashes: Sequence[bytes]) -> set[_Pair]:
    pairs = set()
    for (one, first), (other, second) in combinations(zip(pictures, hashes, strict=True), 2):
        if first == second:
            raise UsageError(f"{one} and {other} have the same bytes", hint="they are copies")
        pairs.add((min(first, second), max(first, second)))
    return pairs


def _content_of(snapshot: Snapshot, given: str | Path) -> bytes:
    """Find the content hash of a picture of the index; raises NotFoundError."""
    text = str(given)
    image = image_at(snapshot, given)
    if image is None and text.startswith("id:") and text[3:].isdecimal() and len(text) < 22:
        image = snapshot.image_by_id(int(text[3:]))
    if image is None or len(image.content_hash) != HASH_BYTES:
        raise NotFoundError(
            f"{snapshot.folder} has no image {text}",
            hint="nothing was changed; vecsearch duplicates tells ids and paths",
            path=snapshot.folder,
        )
    return image.content_hash


def _report(
    snapshot: StoredImages, pairs: Iterable[_Pair], known: set[_Pair], *, forgotten: bool
) -> NotCopiesReport:
    images = snapshot.images_by_content({one for pair in known.union(pairs) for one in pair})
    told = [
        sorted((images[a], images[b]), key=lambda image: image.id)
        for a, b in pairs
        if a in images and b in images
    ]
    told.sort(key=lambda pair: (pair[0].id, pair[1].id))
    return NotCopiesReport(
        index=snapshot.folder,
        pairs=tuple((first, second) for first, second in told),
        forgotten=forgotten,
        total=len(known),
        unknown=sum(not (a in images and b in images) for a, b in known),
    )
