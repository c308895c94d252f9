"""What is at the paths of the images of a group: whether a copy can be moved, and why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from stat import S_ISLNK

from vecsearch.deduplication.aside_journal import Inode
from vecsearch.deduplication.ranked_images import CHANGED, GONE
from vecsearch.deduplication.report import State
from vecsearch.deduplication.source_roots import is_outside
from vecsearch.types import Image, SourceName, UrlPath


def path_states(
    images: Sequence[Image], looked: list[int], sources: Sequence[SourceName]
) -> list[State]:
    """Return what is at the paths of the images of a group, the kept one first.

    A file with several paths in the group stays at all of them: moving it by one frees nothing, and
    the kept file may have another path.
    """
    states, inodes = [], []
    for place, (image, state) in enumerate(zip(images, looked, strict=True)):
        found, inode = _state(image, state, sources)
        states.append(found)
        # A link is not a second path to a file that may be moved, unless the link is kept.
        inodes.append(None if place and found == "link" else inode)
    seen = Counter(inode for inode in inodes if inode is not None)
    return [
        "same file" if place and state == "there" and inode and seen[inode] > 1 else state
        for place, (state, inode) in enumerate(zip(states, inodes, strict=True))
    ]


def _state(image: Image, looked: int, sources: Sequence[SourceName]) -> tuple[State, Inode | None]:
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
