"""One generation of all shards of a collection, read as if it were that of one index.

Rows and ids of the shard with number n begin at n * 2**36. So they are unique, those of the first
shard are the shard's own, and the order of rows is that of shards and, within one, of its own rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from vecsearch.cluster.shard_catalog import (
    ShardCatalog,
    ShardRecord,
    catalog_stamp,
    place_of_shard,
    read_catalog,
)
from vecsearch.embed.spec import EncoderSpec
from vecsearch.errors import EncoderMismatchError, IndexDamagedError, IndexFolderError
from vecsearch.store.lookups import SortKey
from vecsearch.store.records import Base, Generation
from vecsearch.store.snapshot import EncoderFiles, Snapshot
from vecsearch.store.stored_images import StoredImages
from vecsearch.store.write_once import FileRecord
from vecsearch.types import Image, Rows, Skipped, SourceName

T = TypeVar("T")

SHIFT: Final = 36
"""A shard has fewer than 2**36 rows and ids."""


def first_of(number: int) -> int:
    """Return the first row, and the first id, of the shard with a *number*."""
    return number << SHIFT


class UnitedSnapshot:
    """The shards of a collection as one `StoredImages`.

    Each is at the newest generation that it had as the collection was opened. Where several shards
    have an image of one path, a question by path finds that of the least number.
    """

    def __init__(
        self, folder: Path, before: StoredImages | None = None, fetch: bool = False
    ) -> None:
        """Open the newest generation of the collection *folder*.

        What *before*, an older one, has open and is still the newest is taken over. Raises
        IndexFolderError or a subclass, which names the shard; EncoderMismatchError.
        """
        self.folder = folder
        self._stamp = catalog_stamp(folder)
        self.catalog: Final = read_catalog(folder)
        older = before if isinstance(before, UnitedSnapshot) else None
        known = older.opened_shards() if older else {}
        self._opened: dict[ShardRecord, Snapshot] = {}
        try:
            for shard in self.catalog.shards:
                self._opened[shard] = _open_shard(folder, self.catalog, shard, known, fetch)
        except BaseException:
            self._close_all(but=known)
            raise
        self._shards = [(first_of(one.number), shard) for one, shard in self._opened.items()]
        if not self._shards:
            raise IndexFolderError(
                f"{folder} has no shards", hint="vecsearch collection add adds some", path=folder
            )
        self._unite()

    def _unite(self) -> None:
        """Put together what is read of every shard at once."""
        first = self._shards[0][1]
        self.dim, self.encoder_json = first.dim, first.encoder_json
        # What was measured of one encoder may differ from shard to shard; then nothing is told.
        self.agreement = _same([one.agreement for _, one in self._shards])
        self.reduction = _same([one.reduction for _, one in self._shards])
        self._with_words = next((one for _, one in self._shards if one.words_record), first)
        self.words_record = self._with_words.words_record
        generations = [(start, one.generation) for start, one in self._shards]
        self.generation = Generation(
            self.catalog.generation + sum(one.id for _, one in generations),
            max(one.created_ns for _, one in generations),
            max(start + one.next_row for start, one in generations),
            sum(one.image_count for _, one in generations),
        )
        self.segments = [
            replace(segment, first_row=start + segment.first_row)
            for start, one in self._shards
            for segment in one.segments
        ]
        self.bases = {
            start + base.first_row: replace(base, first_row=start + base.first_row)
            for start, one in self._shards
            for base in one.bases.values()
        }
        self.deleted_rows: Rows = np.concatenate(
            [start + one.deleted_rows for start, one in self._shards]
        )

    def opened_shards(self) -> dict[ShardRecord, Snapshot]:
        """Return the open shards, by what the catalog has of them."""
        return self._opened.copy()

    def shards(self) -> Sequence[tuple[int, Snapshot]]:
        """Return the open shards, each with its first row, which is its first id."""
        return self._shards

    def close(self) -> None:
        """Close all shards."""
        self._close_all()

    def _close_all(self, but: dict[ShardRecord, Snapshot] | None = None) -> None:
        kept = set(map(id, (but or {}).values()))
        for shard in self._opened.values():
            if id(shard) not in kept:
                shard.close()

    def is_newest(self) -> bool:
        """Return whether neither the catalog nor a shard has changed since."""
        return self._stamp == catalog_stamp(self.folder) and all(
            one.is_newest() for _, one in self._shards
        )

    @contextmanager
    def one_state(self) -> Iterator[None]:
        """Hold one state of every shard; see `Snapshot`."""
        with ExitStack() as stack:
            for _, one in self._shards:
                stack.enter_context(one.one_state())
            yield

    def images(self) -> Iterator[Image]:
        """Iterate over all images, in the order of their ids."""
        for first, one in self._shards:
            for image in one.images():
                yield _moved(image, first)

    def images_by_row(self, rows: Iterable[int]) -> dict[int, Image]:
        """Find the images of *rows*, which must have one; raises IndexDamagedError."""
        return {
            image.row: image
            for first, shard, own in self._split(rows)
            for image in (_moved(one, first) for one in shard.images_by_row(own).values())
        }

    def images_by_id(self, ids: Iterable[int]) -> dict[int, Image]:
        """Find the images with any of *ids*."""
        return {
            image.id: image
            for first, shard, own in self._split(ids)
            for image in (_moved(one, first) for one in shard.images_by_id(own).values())
        }

    def _split(self, numbers: Iterable[int]) -> Iterator[tuple[int, Snapshot, list[int]]]:
        """Split rows or ids by shard: its first, the shard, and its own numbers."""
        own: dict[int, list[int]] = {}
        for number in numbers:
            own.setdefault(number >> SHIFT, []).append(number & (1 << SHIFT) - 1)
        for first, shard in self._shards:
            if found := own.get(first >> SHIFT):
                yield first, shard, found

    def images_by_path(self, paths: Sequence[str]) -> dict[str, Image]:
        """Find the images at any of *paths*."""
        found: dict[str, Image] = {}
        for first, shard in self._shards:
            for path, image in shard.images_by_path(paths).items():
                found.setdefault(path, _moved(image, first))
        return found

    def image_by_id(self, image_id: int) -> Image | None:
        """Find an image by its id."""
        return self.images_by_id([image_id]).get(image_id) if image_id >= 0 else None

    def image_by_path(self, path: Path) -> Image | None:
        """Find an image by its path."""
        for first, shard in self._shards:
            if image := shard.image_by_path(path):
                return _moved(image, first)
        return None

    def images_by_content(self, hashes: Iterable[bytes]) -> dict[bytes, Image]:
        """Find an image, the one with the least id, with each of these content hashes."""
        wanted = frozenset(hashes)
        found: dict[bytes, Image] = {}
        for first, shard in self._shards:
            for content, image in shard.images_by_content(wanted).items():
                found.setdefault(content, _moved(image, first))
        return found

    def rows_between(self, start: bytes, end: bytes | None) -> list[int]:
        """List the rows of the images from a path to before another (None: all after it)."""
        return [first + row for first, one in self._shards for row in one.rows_between(start, end)]

    def paths_between(self, start: bytes, end: bytes | None) -> Iterator[tuple[int, bytes]]:
        """Return row and path of the images from a path to before another, shard by shard."""
        for first, shard in self._shards:
            for row, path in shard.paths_between(start, end):
                yield first + row, path

    def rows_taken(self, since: str, until: str, since_ns: int, until_ns: int) -> list[int]:
        """List the rows of the images that were taken from a time to before another."""
        return [
            first + row
            for first, one in self._shards
            for row in one.rows_taken(since, until, since_ns, until_ns)
        ]

    def sort_keys(self, column: str, rows: Sequence[int] | None) -> list[SortKey]:
        """List a *column* of the catalogs with id and row, of all images or of some *rows*."""
        chosen = (
            ((first, shard, None) for first, shard in self._shards)
            if rows is None
            else self._split(rows)
        )
        is_id = column == "images.id"
        found = [
            (first + key if is_id else key, first + number, first + row)
            for first, shard, own in chosen
            for key, number, row in shard.sort_keys(column, own)
        ]
        if len({type(key) for key, _, _ in found} - {type(None)}) > 1:
            raise IndexDamagedError(
                f"the shards of {self.folder} have a {column} of several kinds",
                hint="vecsearch verify looks for damage",
                path=self.folder,
            )
        return found

    def sources(self) -> list[SourceName]:
        """List what was scanned for any shard."""
        return sorted({name for _, one in self._shards for name in one.sources()}, key=str)

    def skipped(self) -> list[Skipped]:
        """List the files that could not be used, by path."""
        found = [skipped for _, one in self._shards for skipped in one.skipped()]
        return sorted(found, key=lambda one: str(one.path))

    def files(self) -> list[FileRecord]:
        """List the write-once files of all shards, each by its name in its own shard."""
        return [record for _, one in self._shards for record in one.files()]

    def apart(self) -> set[tuple[bytes, bytes]]:
        """Read the pairs of content hashes that any shard has as no copies."""
        return set().union(*(one.apart() for _, one in self._shards))

    def _own(self, base: Base) -> tuple[Snapshot, Base]:
        first = base.first_row >> SHIFT << SHIFT
        shard = next(one for start, one in self._shards if start == first)
        return shard, replace(base, first_row=base.first_row - first)

    def base_path(self, base: Base) -> Path:
        """Return where a FAISS file lies."""
        shard, own = self._own(base)
        return shard.base_path(own)

    def open_base(self, base: Base, opener: Callable[[Path], T]) -> T | None:
        """Return what *opener* makes of a checked FAISS file, None if it is there no longer."""
        shard, own = self._own(base)
        return shard.open_base(own, opener)

    def encoder_files(self) -> EncoderFiles:
        """Return the files of the network, of which every shard has an equal one."""
        return self._shards[0][1].encoder_files()

    def check_constants(self) -> None:
        """Compare the checksum of the network's constants; raises IndexDamagedError."""
        self._shards[0][1].check_constants()

    def words_path(self) -> Path:
        """Return where the file of the words lies, which must be there."""
        return self._with_words.words_path()

    def read_words(self) -> bytes:
        """Read the file of the words, which must be there; raises IndexDamagedError."""
        return self._with_words.read_words()


def _open_shard(
    folder: Path,
    catalog: ShardCatalog,
    record: ShardRecord,
    known: dict[ShardRecord, Snapshot],
    fetch: bool,
) -> Snapshot:
    """Open a shard, or take over what is open of it; raises IndexFolderError, which names it."""
    before = known.get(record)
    if before is not None and before.is_newest():
        return before
    place = place_of_shard(folder, record)
    try:
        shard = Snapshot(place, before, fetch=fetch)
    except IndexDamagedError:
        raise  # it names the file
    except IndexFolderError as error:
        raise type(error)(
            f"shard {record.name} of {folder}: {error}", hint=_HINT, path=place
        ) from None
    try:
        check_known(folder, catalog, record, place, shard)
    except BaseException:
        shard.close()
        raise
    return shard


_HINT: Final = "vecsearch collection move tells where it is now, drop leaves it out"


def check_shard(folder: Path, catalog: ShardCatalog, place: Path, shard: Snapshot) -> None:
    """Raise EncoderMismatchError, IndexDamagedError for an index that cannot be a shard."""
    spec = EncoderSpec.from_json(shard.encoder_json, shard.dim)
    if spec.fingerprint != catalog.fingerprint:
        raise EncoderMismatchError(
            f"{place} has another encoder than {folder}: {spec.title} "
            f"({spec.fingerprint[:8]}, not {catalog.fingerprint[:8]})",
            hint="all shards have one; build it with that of the others",
            path=place,
        )
    if shard.generation.next_row >= 1 << SHIFT:
        raise IndexDamagedError(f"{place} has rows beyond 2**{SHIFT}", path=place)


def check_known(
    folder: Path, catalog: ShardCatalog, record: ShardRecord, place: Path, shard: Snapshot
) -> None:
    """Raise IndexFolderError unless *shard*, at *place*, is the index that *record* names.

    Then a catalog from somebody else opens no index of this machine: whoever wrote it would have to
    know a random number that is in that index. Raises what `check_shard` raises, too.
    """
    check_shard(folder, catalog, place, shard)
    if shard.instance != record.instance:
        raise IndexFolderError(
            f"{place} is another index than shard {record.name} of {folder} was",
            hint="if it was built anew: vecsearch collection drop takes the shard out, add takes "
            "it in again",
            path=place,
        )


def _moved(image: Image, first: int) -> Image:
    """Return *image* with the id and the row that it has in the collection."""
    if not 0 <= image.id < 1 << SHIFT:
        raise IndexDamagedError(f"the image {image.path} has the id {image.id}", path=image.path)
    return replace(image, id=first + image.id, row=first + image.row) if first else image


def _same(texts: Sequence[str]) -> str:
    return texts[0] if len(set(texts)) == 1 else ""
