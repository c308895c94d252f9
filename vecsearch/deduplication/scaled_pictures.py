"""The pictures of an index, scaled down: to 32 pixels for all, to 128 for a few."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage

from vecsearch.deduplication.arrays import Flags, Floats, Ranks
from vecsearch.deduplication.coarse_to_fine import COLOUR_SIDE, FINE_SIDE, FinePicture
from vecsearch.deduplication.ranked_images import THERE, RankedImages
from vecsearch.deduplication.structural_similarity import is_featureless
from vecsearch.deduplication.template_matching import SIDE
from vecsearch.errors import ImageError
from vecsearch.images.decoders.frames import has_frames
from vecsearch.images.decoders.to_rgb import decode
from vecsearch.images.reader import in_threads
from vecsearch.images.sources.access import read_content
from vecsearch.search.index_reader import IndexReader
from vecsearch.types import Progress, UrlPath

_LOOKED_UP: Final = 4096
_OVERSAMPLING: Final = 2
_KEPT: Final = 2048
"""How many fine pictures are kept, of 17 kB each."""

Grey = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Coarse:
    """A grey picture of (32, 32), its size in pixels, and whether there are more frames."""

    grey: Grey
    size: tuple[int, int]
    several: bool = False


@dataclass(frozen=True, slots=True)
class _CompactFine:
    """A `FinePicture` in a quarter of its memory."""

    grey: Grey
    colours: Grey
    size: tuple[int, int]

    def opened(self) -> FinePicture:
        grey, colours = self.grey.astype(np.float32), self.colours.astype(np.float32)
        return FinePicture(grey, colours, self.size)


class ScaledPictures:
    """Pictures at two small scales, by rank.

    ``small`` (n, 32, 32) uint8 are grey pictures squashed to squares. ``readable`` (n,) could be
    read, and ``seen`` (n,) show something besides. ``several`` (n,) are animations or documents, of
    which the first frame is taken. ``sizes`` (n, 2) are widths and heights in pixels. A file that
    has changed since it was indexed is not read, nor is a picture behind a URL.
    """

    def __init__(self, opened: IndexReader, ranked: RankedImages) -> None:
        """Read nothing yet."""
        self._opened, self._ranked = opened, ranked
        self._fine: OrderedDict[int, _CompactFine | None] = OrderedDict()
        count = len(ranked)
        self.small: Grey = np.zeros((count, SIDE, SIDE), np.uint8)
        self.seen: Flags = np.zeros(count, np.bool_)
        self.readable: Flags = np.zeros(count, np.bool_)
        self.several: Flags = np.zeros(count, np.bool_)
        self.sizes: Floats = np.ones((count, 2), np.float32)

    def read(self, ranks: Ranks, progress: Progress | None = None) -> None:
        """Read the small pictures of *ranks*, in threads."""
        for done, (rank, picture) in enumerate(
            in_threads(self._files(ranks), lambda file: (file[0], _read_coarsely(file[1]))), start=1
        ):
            if picture is not None:
                self.small[rank], self.sizes[rank] = picture.grey, picture.size
                self.seen[rank] = self.readable[rank] = True
                self.several[rank] = picture.several
            if progress:
                progress("looking at pictures", done, len(ranks))
        for start in range(0, len(ranks), _LOOKED_UP):
            part = ranks[start : start + _LOOKED_UP]
            self.seen[part] &= ~is_featureless(self.small[part].astype(np.float32))

    def fine(self, ranks: Ranks) -> list[FinePicture | None]:
        """Read the larger pictures of *ranks*, None for those that cannot be read any more."""
        wanted = [rank for rank in np.unique(ranks).tolist() if rank not in self._fine]
        read = in_threads(
            self._files(np.array(wanted, np.int32)), lambda file: (file[0], _read_finely(file[1]))
        )
        found = dict(read)
        for rank in wanted:
            self._fine[rank] = found.get(rank)
        pictures: list[FinePicture | None] = []
        for rank in ranks.tolist():
            kept = self._fine[rank]
            self._fine.move_to_end(rank)
            pictures.append(kept.opened() if kept else None)
        while len(self._fine) > _KEPT:
            self._fine.popitem(last=False)
        return pictures

    def content(self, rank: int) -> bytes | None:
        """Read the file of a picture, None if it cannot be read any more."""
        for _, path in self._files(np.array([rank], np.int32)):
            with contextlib.suppress(ImageError):
                return read_content(path).data
        return None

    def _files(self, ranks: Ranks) -> Iterator[tuple[int, Path]]:
        """Look up the files of *ranks* that can be read."""
        for start in range(0, len(ranks), _LOOKED_UP):
            part = ranks[start : start + _LOOKED_UP]
            rows = self._ranked.rows[part].tolist()
            images = self._opened.snapshot.images_by_row(rows)
            for rank, row in zip(part.tolist(), rows, strict=True):
                image = images[row]
                if can_be_read(int(self._ranked.files[rank]), image.path) and image.has_file:
                    yield rank, image.path


def can_be_read(state: int, path: Path) -> bool:
    """Return whether a picture may be read: not behind a URL, nor if it has changed or is gone."""
    return state == THERE and not isinstance(path, UrlPath)


def scale_coarsely(data: bytes) -> tuple[Floats, Floats]:
    """Return a small grey picture, (1, 32, 32), and its size, (1, 2); raises ImageError."""
    picture = _scale_coarsely(data)
    return picture.grey[None].astype(np.float32), np.array([picture.size], np.float32)


def scale_finely(data: bytes) -> FinePicture:
    """Return a picture for `compare_finely`; raises ImageError."""
    return _scale_finely(data).opened()


def _read_coarsely(path: Path) -> _Coarse | None:
    try:
        data = read_content(path).data
        return replace(_scale_coarsely(data), several=has_frames(data))
    except (ImageError, MemoryError):
        return None


def _read_finely(path: Path) -> _CompactFine | None:
    try:
        return _scale_finely(read_content(path).data)
    except (ImageError, MemoryError):
        return None


def _scale_coarsely(data: bytes) -> _Coarse:
    picture, size = decode(data, at_least=_OVERSAMPLING * SIDE)
    squashed = picture.resize((SIDE, SIDE), PillowImage.Resampling.BILINEAR)
    return _Coarse(np.asarray(squashed.convert("L")), size)


def _scale_finely(data: bytes) -> _CompactFine:
    picture, size = decode(data, at_least=_OVERSAMPLING * FINE_SIDE)
    squashed = picture.resize((FINE_SIDE, FINE_SIDE), PillowImage.Resampling.BILINEAR)
    colours = squashed.convert("YCbCr").reduce(FINE_SIDE // COLOUR_SIDE)
    return _CompactFine(np.asarray(squashed.convert("L")), np.asarray(colours), size)
