"""Picture files -> network input, in threads, a bounded number at a time."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Final, Generic, TypeVar

from vecsearch.errors import ImageError, UnreadableError
from vecsearch.images.decode import MAX_MEGAPIXELS, OVERSAMPLING, decode, preprocess
from vecsearch.types import Pixels

WINDOW: Final = 64
"""How many pictures are being read or wait to be taken; each waiting one holds 150 kB."""

_ATTEMPTS: Final = 3
_PAUSE_S: Final = 0.1
"""How often, and after what time, a file that changed while it was read is read again."""

LARGEST_BYTES: Final = 1 << 30
"""No picture file is larger; what is would only fill the memory."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ReadImage:
    """A file that was read: ``pixels`` (size, size, 3), or None if its content is known already."""

    path: Path
    size_bytes: int
    mtime_ns: int
    content_hash: bytes
    width: int
    height: int
    pixels: Pixels | None


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What became of one file: an image, or the reason why there is none.

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
) -> ReadImage:
    """Read, hash, decode and squash one picture; raises ImageError.

    A picture whose content hash (SHA-256, 16 bytes) is *known* is not decoded.
    """
    data, facts = _read_whole(path)
    digest = hashlib.sha256(data).digest()[:16]
    if known is not None and known(digest):
        return ReadImage(path, facts.st_size, facts.st_mtime_ns, digest, 0, 0, None)
    try:
        image, (width, height) = decode(data, at_least=OVERSAMPLING * size, max_pixels=max_pixels)
        pixels = preprocess(image, size)
    except MemoryError:
        raise UnreadableError("cannot be decoded: not enough memory", path=path) from None
    return ReadImage(path, facts.st_size, facts.st_mtime_ns, digest, width, height, pixels)


def _read_whole(path: Path) -> tuple[bytes, os.stat_result]:
    """Read a file that stays as it is meanwhile; raises ImageError."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE_S)
        data, before, after = _read_once(path)
        if len(data) == after.st_size and before.st_mtime_ns == after.st_mtime_ns:
            return data, after
    raise UnreadableError("cannot be read: it changes all the time", path=path)


def _read_once(path: Path) -> tuple[bytes, os.stat_result, os.stat_result]:
    """Read a file, and what it was before and after."""
    try:
        # A pipe that is called like a picture must not hold up anything.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(handle, "rb") as file:  # noqa: PTH123 - a descriptor
            facts = os.fstat(handle)
            if not S_ISREG(facts.st_mode):
                raise UnreadableError("cannot be read: not a regular file", path=path)
            if facts.st_size > LARGEST_BYTES:
                raise ImageError(f"larger than {LARGEST_BYTES >> 20} MiB", path=path)
            return file.read(), facts, path.stat()
    except (OSError, ValueError, MemoryError) as error:  # ValueError: a path with a null byte
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UnreadableError(f"cannot be read: {reason}", path=path) from None


def read_images(
    files: Iterable[tuple[T, Path]],
    size: int,
    *,
    known: Callable[[bytes], bool] | None = None,
    max_pixels: int = round(1e6 * MAX_MEGAPIXELS),
    threads: int | None = None,
) -> Iterator[Outcome[T]]:
    """Read many pictures in *threads* and give them as they are ready.

    One slow file holds up none but itself; one bad file is an outcome with a reason.
    """

    def work(tag: T, path: Path) -> Outcome[T]:
        try:
            return Outcome(tag, read_image(path, size, known=known, max_pixels=max_pixels))
        except ImageError as error:
            return Outcome(tag, None, str(error), not isinstance(error, UnreadableError))

    count = threads or min(16, os.cpu_count() or 1)
    with ThreadPoolExecutor(count, thread_name_prefix="read") as pool:
        pending: set[Future[Outcome[T]]] = set()
        try:
            for tag, path in files:
                if len(pending) >= WINDOW:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
                pending.add(pool.submit(work, tag, path))
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            for future in pending:
                future.cancel()
