"""The sources that a build was given, and the index that they mean."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from vecsearch.errors import IndexFolderError, UsageError
from vecsearch.images.sources.allowed_urls import name_source
from vecsearch.images.sources.tar import is_tar
from vecsearch.store.locate import all_indexes, has_index, index_of, only_index
from vecsearch.store.snapshot import Snapshot
from vecsearch.types import STANDARD_INPUT, ListName, SourceName, absolute_path, place_of


@dataclass(frozen=True, slots=True)
class Named:
    """The sources that a build was given; ``null`` tells that nulls end the lines of its lists."""

    roots: tuple[SourceName, ...]
    null: bool = False

    @classmethod
    def of(
        cls, sources: Iterable[str | Path], lists: Iterable[str | Path], *, null: bool = False
    ) -> Named:
        """Make them absolute, each once; raises UsageError for an empty one.

        URLs and lists count as named on this machine from now on.
        """
        sources, lists = list(sources), list(lists)
        if not all(map(os.fspath, named := [*sources, *lists])):
            raise UsageError(
                f"one of the {len(named)} sources is empty",
                hint="name a folder of pictures, a .tar, a URL, or --from-list FILE",
            )
        roots: list[SourceName] = [*map(absolute_path, sources), *map(ListName.of, lists)]
        for root in roots:
            name_source(root)
        return cls(tuple(dict.fromkeys(roots)), null)

    def index(self) -> Path:
        """Return the index that is meant if none is named; raises UsageError.

        Without a source it is the only one that there is; with one, that of its name, or the one
        that has it as a source.
        """
        if not self.roots and all_indexes():
            return only_index()
        root: SourceName = self.roots[0] if self.roots else Path("db")
        if root == STANDARD_INPUT:
            raise UsageError(
                "a list from standard input has no name", hint="name the index with -i INDEX"
            )
        place = place_of(root)
        is_file = isinstance(root, ListName) or is_tar(place)
        folder = index_of(place.with_suffix("") if is_file else place)
        if not has_index(folder):
            # As after the folder was renamed and the index was told: it keeps its own name.
            for index in all_indexes():
                with suppress(IndexFolderError), closing(Snapshot(index)) as snapshot:
                    if root in snapshot.sources():
                        return index
        return folder
