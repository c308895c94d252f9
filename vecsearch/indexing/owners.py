"""Which source an image belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from vecsearch.images.sources.scan import is_found_in, region_of
from vecsearch.types import ListName, SourceName


@dataclass(frozen=True, slots=True)
class Owners:
    """Which source an image belongs to: by its path, for that is all that is kept.

    It is that of a folder, tar or URL if the scan of this would find it there, else that of the
    lists. An index with one source asks no further: what lies below it is its own.
    """

    scanned: tuple[bytes, ...]
    all: tuple[bytes, ...]
    lists_scanned: bool
    single: bool

    @classmethod
    def of(cls, wanted: Sequence[SourceName], known: Sequence[SourceName]) -> Owners:
        """Divide paths between the sources that are *wanted* now, and all that are *known*."""
        every = {*wanted, *known}
        return cls(
            tuple(filter(None, map(region_of, wanted))),
            tuple(filter(None, map(region_of, every))),
            set(lists_in(known)) <= set(wanted),
            len(every) == 1,
        )

    def owns(self, root: SourceName) -> Callable[[bytes], bool]:
        """Return the test whether a path is *root*'s own."""
        if isinstance(root, ListName):
            return lambda path: self.lists_scanned and not is_found_in(self.all, path)
        if self.single:
            return lambda path: True
        region = (region_of(root),)
        return lambda path: is_found_in(region, path)


def lists_in(sources: Iterable[SourceName]) -> list[ListName]:
    """List the lists among *sources*."""
    return [one for one in sources if isinstance(one, ListName)]
