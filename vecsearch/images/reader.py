"""Picture files -> network input, in threads, a bounded number at a time.

JPEGs may be left to another decoder, a group at a time; what it refuses is Pillow's again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, Generic, TypeVar

from vecsearch.errors import ImageError, UnreadableError
from vecsearch.images.decoders.jpeg import Jpeg, JpegDecoder, plain_jpeg
from vecsearch.images.decoders.to_rgb import MAX_MEGAPIXELS, OVERSAMPLING, decode, preprocess
from vecsearch.images.drawing_mark import is_drawn
from vecsearch.images.sources.access import read_content
from vecsearch.images.sources.source import NO_TIME
from vecsearch.types import ImageFile, Pixels, QueryImage

WINDOW: Final = 64
"""How many pictures are being read or wait to be taken; each waiting one holds 150 kB."""

_NO_MEMORY: Final = "cannot be decoded: not enough memory"

_GROUP: Final = 64
_GROUP_PIXELS: Final = 256_000_000
"""How many JPEGs, or pixels of them, are decoded together; these take 768 MB decoded."""

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ReadImage:
    """A file that was read: ``pixels`` (size, size, 3), or None if its content is known already.

    Of what is not decoded the file has no width and height. ``jpeg`` is what another decoder still
    has to make pixels of; `read_images` gives none.
    """

    file: ImageFile
    pixels: Pixels | None = None
    jpeg: Jpeg | None = None

    def timed(self, mtime_ns: int) -> ReadImage:
        """Return it with the time in its listing, if reading did not tell the time."""
        if self.file.mtime_ns != NO_TIME:
            return self
        return replace(self, file=replace(self.file, mtime_ns=mtime_ns))


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """The outcome of one file: an image, or the reason why there is none.

    ``settled`` tells that the reason lies in the content, and not in having been unable to read it.
    """

    tag: T
    image: ReadImage | None
    reason: str = ""
    settled: bool = True


def read_image(
    path: Path,
    size: int,
    *,
    known: Callable[[bytes], bool] | None = None,
    max_pixels: int = round(1e6 * MAX_MEGAPIXELS),
    leave_jpegs: bool = False,
) -> ReadImage:
    """Read, hash, decode and squash one picture of a collection; raises ImageError.

    Drawings of ours are none. A picture whose content hash (SHA-256, 16 bytes) is *known* is not
    decoded, nor are plain JPEGs if they are to be left.
    """
    from vecsearch.images.date_taken import date_taken  # which queries do without

    content = read_content(path)
    data = content.data
    if is_drawn(data):
        raise ImageError("is a sheet or map drawn by vecsearch", path=path)
    digest = hashlib.sha256(data).digest()[:16]
    taken = date_taken(data)
    file = ImageFile(path, len(data), content.mtime_ns, digest, 0, 0, taken)
    if known is not None and known(digest):
        return ReadImage(file)
    if leave_jpegs and (jpeg := plain_jpeg(data, max_pixels)):
        width, height = jpeg.upright_size
        return ReadImage(replace(file, width=width, height=height), jpeg=jpeg)
    return _decoded(file, data, size, max_pixels)


def _decoded(file: ImageFile, data: bytes, size: int, max_pixels: int) -> ReadImage:
    try:
        picture, (width, height) = decode(data, at_least=OVERSAMPLING * size, max_pixels=max_pixels)
        pixels = preprocess(picture, size)
    except MemoryError:
        raise UnreadableError(_NO_MEMORY, path=file.path) from None
    return ReadImage(replace(file, width=width, height=height), pixels)


def read_images(
    files: Iterable[tuple[T, Path]],
    size: int,
    *,
    known: Callable[[bytes], bool] | None = None,
    max_pixels: int = round(1e6 * MAX_MEGAPIXELS),
    threads: int | None = None,
    decode_jpegs: JpegDecoder | None = None,
) -> Iterator[Outcome[T]]:
    """Read many pictures in threads and return them as they are ready.

    One slow file holds up none but itself; one bad file is an outcome with a reason. With
    *decode_jpegs* the threads leave plain JPEGs undecoded, and that decodes them, in groups.
    """
    leave_jpegs = decode_jpegs is not None

    def work(file: tuple[T, Path]) -> Outcome[T]:
        tag, path = file
        return _outcome(
            tag,
            lambda: read_image(
                path, size, known=known, max_pixels=max_pixels, leave_jpegs=leave_jpegs
            ),
        )

    outcomes = in_threads(files, work, threads)
    if decode_jpegs is not None:
        return _decode_left(outcomes, decode_jpegs, size, max_pixels)
    return outcomes


def read_asked(asked: QueryImage, size: int) -> Pixels:
    """Read the picture of a query, or the part of it that is meant, as `read_image` does.

    Raises ImageError, UsageError for a box outside the picture.
    """
    data = asked.data
    if data is None:
        assert asked.path is not None
        data = read_content(asked.path).data
    try:
        picture, _ = decode(data, at_least=OVERSAMPLING * size, box=asked.box)
        return preprocess(picture, size)
    except MemoryError:
        raise UnreadableError(_NO_MEMORY, path=asked.path) from None


def _outcome(tag: T, read: Callable[[], ReadImage]) -> Outcome[T]:
    try:
        return Outcome(tag, read())
    except ImageError as error:
        return Outcome(tag, None, str(error), not isinstance(error, UnreadableError))


def in_threads(
    items: Iterable[S], work: Callable[[S], T], threads: int | None = None
) -> Iterator[T]:
    """Call *work* with each item in threads; return the results as they are ready.

    At most `WINDOW` items are taken ahead of what was given.
    """
    count = threads or min(16, os.cpu_count() or 1)
    with ThreadPoolExecutor(count, thread_name_prefix="read") as pool:
        pending: set[Future[T]] = set()
        try:
            for item in items:
                if len(pending) >= WINDOW:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
                pending.add(pool.submit(work, item))
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            for future in pending:
                future.cancel()


@dataclass(frozen=True, slots=True)
class _Left(Generic[T]):
    """A file that was read, with the JPEG that is still to be decoded."""

    tag: T
    image: ReadImage
    jpeg: Jpeg


def _decode_left(
    outcomes: Iterable[Outcome[T]], decode_jpegs: JpegDecoder, size: int, max_pixels: int
) -> Iterator[Outcome[T]]:
    """Decode the JPEGs that were left, in groups; other outcomes do not wait for them."""
    left: list[_Left[T]] = []

    def decoded() -> Iterator[Outcome[T]]:
        squares = decode_jpegs([one.jpeg for one in left], size)
        for one, pixels in zip(left, squares, strict=True):
            if pixels is None:
                read = partial(_decoded, one.image.file, one.jpeg.data, size, max_pixels)
                yield _outcome(one.tag, read)
            else:
                yield Outcome(one.tag, ReadImage(one.image.file, pixels))
        left.clear()

    for outcome in outcomes:
        if outcome.image is None or outcome.image.jpeg is None:
            yield outcome
            continue
        left.append(_Left(outcome.tag, outcome.image, outcome.image.jpeg))
        pixels = sum(one.jpeg.width * one.jpeg.height for one in left)
        if len(left) >= _GROUP or pixels >= _GROUP_PIXELS:
            yield from decoded()
    if left:
        yield from decoded()
