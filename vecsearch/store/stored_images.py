"""What can be read of one generation of images, of an index folder or of several that are one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from vecsearch.store.lookups import SortKey
    from vecsearch.store.records import Base, Generation
    from vecsearch.store.segments import Segment
    from vecsearch.store.snapshot import EncoderFiles, Snapshot
    from vecsearch.store.write_once import FileRecord
    from vecsearch.types import Image, Rows, Skipped, SourceName

T = TypeVar("T")


class StoredImages(Protocol):
    """A generation that is open for reading; `vecsearch.store.snapshot.Snapshot`, which describes
    all, is one.
    """

    @property
    def folder(self) -> Path:
        """Where it lies."""
        ...

    @property
    def dim(self) -> int:
        """How long the vectors are."""
        ...

    @property
    def generation(self) -> Generation:
        """The newest commit, and how many images there are."""
        ...

    @property
    def encoder_json(self) -> str:
        """What makes the vectors, as JSON."""
        ...

    @property
    def agreement(self) -> str:
        """How int8 compares with fp32, as JSON, or nothing."""
        ...

    @property
    def reduction(self) -> str:
        """What the PCA keeps, as JSON, or nothing."""
        ...

    @property
    def words_record(self) -> FileRecord | None:
        """The file of the words, if there is one."""
        ...

    @property
    def segments(self) -> list[Segment]:
        """The files of vectors, by their first rows."""
        ...

    @property
    def bases(self) -> Mapping[int, Base]:
        """The FAISS files, by the first rows of their segments."""
        ...

    @property
    def deleted_rows(self) -> Rows:
        """The rows without an image, sorted."""
        ...

    def shards(self) -> Sequence[tuple[int, Snapshot]]:
        """Return the index folders of which it is made, each with its first row, and first id."""
        ...

    def close(self) -> None:
        """Close it."""
        ...

    def is_newest(self) -> bool:
        """Return whether nothing was committed since."""
        ...

    def one_state(self) -> AbstractContextManager[None]:
        """Hold one state for several look-ups."""
        ...

    def images(self) -> Iterator[Image]:
        """Iterate over all images by id."""
        ...

    def images_by_row(self, rows: Iterable[int]) -> dict[int, Image]:
        """Find the images of *rows*, which must have one."""
        ...

    def images_by_id(self, ids: Iterable[int]) -> dict[int, Image]:
        """Find the images with any of *ids*."""
        ...

    def images_by_path(self, paths: Sequence[str]) -> dict[str, Image]:
        """Find the images at any of *paths*."""
        ...

    def image_by_id(self, image_id: int) -> Image | None:
        """Find an image by its id."""
        ...

    def image_by_path(self, path: Path) -> Image | None:
        """Find an image by its path."""
        ...

    def rows_between(self, start: bytes, end: bytes | None) -> list[int]:
        """List the rows of the images from a path to before another."""
        ...

    def paths_between(self, start: bytes, end: bytes | None) -> Iterator[tuple[int, bytes]]:
        """Return row and path of the images from a path to before another."""
        ...

    def rows_taken(self, since: str, until: str, since_ns: int, until_ns: int) -> list[int]:
        """List the rows of the images that were taken from a time to before another."""
        ...

    def sort_keys(self, column: str, rows: Sequence[int] | None) -> list[SortKey]:
        """List a *column* with id and row, of all images or of some *rows*."""
        ...

    def sources(self) -> list[SourceName]:
        """List what was scanned."""
        ...

    def skipped(self) -> list[Skipped]:
        """List the files that could not be used."""
        ...

    def files(self) -> list[FileRecord]:
        """List the write-once files."""
        ...

    def apart(self) -> set[tuple[bytes, bytes]]:
        """Read the pairs of content hashes that are said to be no copies."""
        ...

    def images_by_content(self, hashes: Iterable[bytes]) -> dict[bytes, Image]:
        """Find an image with each of these content hashes."""
        ...

    def base_path(self, base: Base) -> Path:
        """Return where a FAISS file lies."""
        ...

    def open_base(self, base: Base, opener: Callable[[Path], T]) -> T | None:
        """Return what *opener* makes of a checked FAISS file, None if it is there no longer."""
        ...

    def encoder_files(self) -> EncoderFiles:
        """Return the files of the network."""
        ...

    def check_constants(self) -> None:
        """Compare the checksum of the network's constants."""
        ...

    def words_path(self) -> Path:
        """Return where the file of the words lies, which must be there."""
        ...

    def read_words(self) -> bytes:
        """Read the file of the words, which must be there."""
        ...
