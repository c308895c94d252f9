"""The folders of an index's sources: what lies outside of them, and what may go back into them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from vecsearch.deduplication.aside_journal import Inode
from vecsearch.images.decoders.formats import has_picture_name
from vecsearch.images.sources.kinds import local_places
from vecsearch.images.sources.scan import below, is_ordinary
from vecsearch.paths import real_path
from vecsearch.types import SourceName

_NOT_MOUNTED: Final = "is a disk not mounted?"


class SourceRoots:
    """The folders of an index, and the files that its lists name."""

    def __init__(self, sources: Sequence[SourceName], is_listed: Callable[[Path], bool]) -> None:
        """Take the sources of an index; *is_listed* tells of a path that one of its lists has."""
        self._roots = local_places(sources)
        self._is_listed = is_listed

    def root_of(self, path: Path) -> Path | None:
        """Return the folder that *path* lies below, the innermost of several."""
        roots = [one for one in self._roots if path.is_relative_to(one) and path != one]
        return max(roots, key=lambda one: len(one.parts), default=None)

    def missing(self, path: Path, folders: Sequence[Inode]) -> str:
        """Return why the folder of *path* counts as missing now, or an empty text.

        *folders* are those above *path*, as they were when the file was moved. An empty one that is
        not the same any more is what a disk that is not mounted leaves.
        """
        root = self.root_of(path)
        if root is None:
            return ""
        if not root.is_dir():
            return f"{root} is gone: {_NOT_MOUNTED}"
        nearest = _nearest(path)
        if not nearest.is_dir() or any(nearest.iterdir()):
            return ""
        depth = path.parents.index(nearest)
        if depth >= len(folders):
            unknown = nearest == root
        else:
            same = folders[depth][0] == nearest.stat().st_ino
            above = folders[min(depth + 1, len(folders) - 1)]
            unknown = not same and (nearest == root or folders[depth][1] != above[1])
        what = f"{nearest} is empty, and was not: {_NOT_MOUNTED}"
        return f"{what} (if not, put any file into it)" if unknown else ""

    def obstacle(self, path: Path) -> str:
        """Return why no file may be put at *path*, or an empty text; raises OSError.

        Files lie below a folder of the index, where a scan of it would find them, and no link on
        the way leads out of it; or they are listed, and their folder is there.
        """
        root = self.root_of(path)
        nearest = _nearest(path)
        if root is None:
            if not self._is_listed(path):
                return "it is not below a source of the index"
            return "" if nearest == path.parent and nearest.is_dir() else "its folder is gone"
        rest = os.fsencode(path)[len(below(os.fsencode(root))) :]
        if not is_ordinary(rest) or not has_picture_name(os.fsencode(path.name)):
            return f"a build of {root} would not find it"
        if not real_path(nearest).is_relative_to(real_path(root)):
            return f"{nearest} leads out of {root}"
        return "" if nearest.is_dir() else f"{nearest} is not a folder"


def is_outside(path: Path, sources: Sequence[SourceName]) -> bool:
    """Return whether a file below a folder of *sources* really lies outside of them.

    So it is below a link to a folder elsewhere.
    """
    return _is_below(path, sources) and not _is_really_below(path.parent, sources)


def leads_outside(link: Path, sources: Sequence[SourceName]) -> bool:
    """Return whether a link below a folder of *sources* leads out of them."""
    return _is_below(link, sources) and not _is_really_below(link, sources)


def _is_below(path: Path, sources: Sequence[SourceName]) -> bool:
    return any(path.is_relative_to(one) for one in local_places(sources))


def _is_really_below(path: Path, sources: Sequence[SourceName]) -> bool:
    real = real_path(path)
    return any(real.is_relative_to(real_path(one)) for one in local_places(sources))


def _nearest(path: Path) -> Path:
    """Return the nearest folder or file above *path* that exists."""
    return next(one for one in path.parents if os.path.lexists(one))
