"""A source that is gone or empty: a question to the user, not a deletion."""

from __future__ import annotations

from vecsearch.errors import SourceError
from vecsearch.images.sources.scan import after, region_of
from vecsearch.store.snapshot import Snapshot
from vecsearch.types import ListName, SourceName, place_of
from vecsearch.wording import counted


def has_images(snapshot: Snapshot, root: SourceName) -> bool:
    """Return whether images may be lost with a source; of a list it is not known which are its."""
    return isinstance(root, ListName) or _count(snapshot, root) > 0


def _count(snapshot: Snapshot, root: SourceName) -> int:
    start = region_of(root)
    return snapshot.count_between(start, after(start))


def images_of(snapshot: Snapshot, root: SourceName) -> str:
    """Return, in words, how many images of a source an index has."""
    if isinstance(root, ListName):
        images = counted(snapshot.generation.image_count, "image")
        return f"{images}, some of them listed there"
    return f"{counted(_count(snapshot, root), 'image')} of it"


def lost_source(snapshot: Snapshot, root: SourceName, what: str) -> SourceError:
    """Return the error for a source whose images are not dropped unless that is asked for."""
    place = place_of(root)
    return SourceError(
        f"{place} {what}, and the index has {images_of(snapshot, root)}; nothing was changed",
        hint="is a disk not mounted? If it has another name now, say vecsearch relocate "
        f"{place} NEW -i {snapshot.folder}; to drop them, say --allow-empty",
        path=place,
    )
