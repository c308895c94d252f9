"""Pictures behind a URL that may be fetched: in S3 and other stores, or on a web server."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

from vecsearch.errors import ImageError, SourceError
from vecsearch.forks import ProcessLock
from vecsearch.images.decoders.formats import has_picture_name
from vecsearch.images.sources.allowed_urls import WAY, check_fetch, is_below, may_fetch
from vecsearch.images.sources.exclude import Patterns
from vecsearch.images.sources.external_sort import sorted_chunks
from vecsearch.images.sources.scan import FoundFile, Region, Scan, below, is_unwanted
from vecsearch.images.sources.source import LARGEST_BYTES, NO_TIME, TOO_LARGE, Content, FileStat
from vecsearch.types import UrlPath

_TIMES: Final = ("LastModified", "Last-Modified", "last_modified", "mtime", "updated", "created")
_TAGS: Final = ("ETag", "etag", "Content-MD5", "content_md5", "md5Hash")
_SECOND_NS: Final = 10**9
_MOST_SECONDS: Final = 9 * 10**9
"""About as far from 1970 as can be kept in ns."""

_SCHEMES: Final = {"http", "https", "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "memory"}
"""Stores of files by name. What else fsspec knows opens files here, or URLs within URLs."""

_LONGEST_S: Final = 60.0
"""Reading a picture behind a URL, or a page of a web server, takes no longer."""

_LONGEST_LISTING_S: Final = 3600.0
"""No folder of a store takes longer to list; a million objects are a thousand requests."""

_LONGEST_NAME: Final = 4096
"""Servers may list a folder in itself, and so on."""

_BLOCK_BYTES: Final = 1 << 20
_ATTEMPTS: Final = 3
_lock = ProcessLock()


@dataclass(frozen=True, slots=True)
class UrlSource:
    """What lies below a URL, which is requested only if it may be."""

    root: UrlPath

    def stamp(self, exclude: Patterns | None = None) -> str:
        """Return an empty stamp: what lies below a URL is listed every time."""
        return ""

    def scan(self, exclude: Patterns | None = None, others: Sequence[bytes] = ()) -> Scan:
        """Prepare to list what lies below the URL; files of patterns behind it are not read.

        Raises SourceError if it cannot be reached, FileNotFoundError if there is nothing.
        """
        if not may_fetch(self.root):
            raise SourceError(
                f"{self.root} is a source of the index that was not named on this machine; nothing "
                "was requested",
                hint="if you trust it, name it as SOURCE, or say --fetch",
                path=self.root,
            )
        with _told(self.root, missing_too=False):
            _ask(_filesystem_of(self.root), "info", _key(self.root))
        return Scan(self.root, partial(_walk, self.root), exclude=exclude or Patterns())

    def stat(self, path: Path) -> FileStat:
        """Ask for the size and time of what a URL means, as its listing has them.

        Raises OSError, also if it may not be fetched.
        """
        if not may_fetch(path):
            raise OSError(1, f"not fetched; {WAY}")
        with _as_os_errors():
            told = _size_and_time(_ask(_filesystem_of(path), "info", _key(path)))
        if told.size_bytes > LARGEST_BYTES:
            raise OSError(27, TOO_LARGE)
        return told

    def read(self, path: Path) -> Content:
        """Read the whole of what a URL means.

        Raises OSError, NotFetchedError, ImageError if it is too long.
        """
        check_fetch(path)
        with _as_os_errors():
            filesystem, key = _filesystem_of(path), _key(path)
            if "s3" in filesystem.protocol:
                data = _within(filesystem, _read_object(filesystem, key), _LONGEST_S)
            else:
                data = _ask(filesystem, "cat_file", key)
        if len(data) > LARGEST_BYTES:
            raise ImageError(TOO_LARGE, path=path)
        return Content(bytes(data), NO_TIME)


def _walk(root: UrlPath, scan: Scan) -> Iterator[Region]:
    prefix = below(os.fsencode(root))
    # All is listed before anything is compared: half a listing would be half a deletion.
    yield prefix, sorted_chunks(_list(root, scan))


def _list(source: UrlPath, scan: Scan) -> Iterator[FoundFile]:
    prefix = below(os.fsencode(source))
    with _told(source):
        filesystem, root = _filesystem_of(source), _key(source)
        # fsspec's own walk leaves out folders that it fails to list.
        pending = [root]
        while pending:
            folder = pending.pop()
            for facts in _ask(filesystem, "ls", folder, _LONGEST_LISTING_S, detail=True):
                key = str(facts["name"])
                name = os.fsencode(key.rstrip("/").rpartition("/")[2])
                inside = is_below(root, key) and key.rstrip("/") != folder.rstrip("/")
                if not inside or is_unwanted(name) or len(key) > _LONGEST_NAME:
                    continue
                path = os.fsencode(key[len(root) :].strip("/"))
                is_folder = facts["type"] == "directory"
                if scan.exclude and scan.exclude.decide(path + b"/" if is_folder else path):
                    if is_folder or has_picture_name(name):
                        scan.excluded.count(path + b"/" if is_folder else path, given=True)
                elif is_folder:
                    pending.append(key.rstrip("/"))
                elif scan.takes(name):
                    # Web servers list names only.
                    known = facts.get("size") is not None
                    yield from _entry(
                        scan,
                        prefix + os.fsencode(key[len(root) :].lstrip("/")),
                        facts if known else _ask(filesystem, "info", key),
                    )


def _entry(scan: Scan, path: bytes, facts: Mapping[str, Any]) -> Iterator[FoundFile]:
    """Return a picture, if it can be one."""
    if (facts.get("size") or 0) > LARGEST_BYTES:
        scan.unreadable[path] = TOO_LARGE
    else:
        yield FoundFile(path, *_size_and_time(facts))
    scan.count += 1


async def _read_object(filesystem: Any, key: str) -> bytes:
    """Read an object of S3 in one request, up to the largest size."""
    attempt = 0
    while True:
        attempt += 1
        file = await filesystem.open_async(key, "rb")
        blocks, size = [], 0
        try:
            while size <= LARGEST_BYTES and (block := await file.read(_BLOCK_BYTES)):
                blocks.append(block)
                size += len(block)
            return b"".join(blocks)
        except Exception as error:
            # Any library on the way says in its own words that the connection broke.
            if attempt == _ATTEMPTS or isinstance(error, FileNotFoundError | PermissionError):
                raise
        finally:
            if file.r is not None:
                file.r.close()


def _ask(
    filesystem: Any, method: str, key: str, timeout_s: float = _LONGEST_S, **options: bool
) -> Any:
    """Ask a file system about *key*, and for an answer within a time."""
    if filesystem.async_impl:
        return _within(filesystem, getattr(filesystem, f"_{method}")(key, **options), timeout_s)
    return getattr(filesystem, method)(key, **options)


def _within(filesystem: Any, asked: Coroutine[Any, Any, Any], timeout_s: float) -> Any:
    from fsspec.asyn import sync

    return sync(filesystem.loop, lambda: asked, timeout=timeout_s)


def _size_and_time(facts: Mapping[str, Any]) -> FileStat:
    """Return size and time of an object, with its tag in the place of the fractions of a second.

    So an object that gets another tag within a second counts as changed, and the time can be read.
    """
    time: Any = next((facts[name] for name in _TIMES if facts.get(name)), 0)
    tag = next((str(facts[name]) for name in _TAGS if facts.get(name)), "")
    if isinstance(time, str):
        try:
            time = parsedate_to_datetime(time)
        except ValueError:
            tag, time = tag + time, 0
    seconds = time.timestamp() if isinstance(time, datetime) else float(time)
    if math.isnan(seconds):
        seconds = 0
    seconds = max(-_MOST_SECONDS, min(_MOST_SECONDS, seconds))
    if not tag:
        return FileStat(int(facts.get("size") or 0), round(seconds * 1e6) * 1000)
    digest = hashlib.sha256(tag.strip('"').encode()).digest()
    fraction = int.from_bytes(digest[:8], "big") % _SECOND_NS
    return FileStat(int(facts.get("size") or 0), int(seconds) * _SECOND_NS + fraction)


def _filesystem_of(path: Path) -> Any:
    scheme, _, rest = str(path).partition("://")
    with _lock:
        return _filesystem(scheme, rest.partition("/")[0])


@lru_cache(maxsize=32)
def _filesystem(scheme: str, host: str) -> Any:
    """Start what reads a kind of URL, once for all threads; raises SourceError."""
    url = f"{scheme}://{host}"
    if scheme not in _SCHEMES or "::" in host:
        raise SourceError(
            f"{url} cannot be read: Protocol not known: {url.rpartition('::')[0] or scheme}",
            hint="give a folder, s3://..., or http://...",
        )
    options: dict[str, Any] = {"use_listings_cache": False}
    if scheme in ("s3", "s3a"):
        # Many pictures are read at a time, each in one request instead of being measured first.
        options["max_concurrency"] = 1
    try:
        import fsspec

        if scheme in ("http", "https"):
            from vecsearch.images.sources.http import client_options

            options["client_kwargs"] = client_options(_LONGEST_S)
        filesystem, _ = fsspec.url_to_fs(url, **options)
    except ImportError as error:
        extra = "s3" in scheme or "http" in scheme
        raise SourceError(
            f"{url} cannot be read with what is installed",
            hint="pip install 'vecsearch[s3]'" if extra else " ".join(str(error).split()),
        ) from None
    except ValueError as error:
        raise SourceError(
            f"{url} cannot be read: {error}", hint="give a folder, s3://..., or http://..."
        ) from None
    return filesystem


def _key(path: Path) -> str:
    """Return the name that the file system has for a URL."""
    return str(_filesystem_of(path)._strip_protocol(str(path)))


@contextmanager
def _told(root: Path, *, missing_too: bool = True) -> Iterator[None]:
    """Turn what a file system raises into SourceError, FileNotFoundError if *missing_too*."""
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        if _is_missing(error) and not missing_too:
            raise
        raise SourceError(
            f"{root} cannot be listed: {_reason(error)}",
            hint="nothing was changed; is the network up, and are the credentials right?",
            path=root,
        ) from None


@contextmanager
def _as_os_errors() -> Iterator[None]:
    try:
        yield
    except ImageError:
        raise
    except Exception as error:
        if _is_missing(error):
            raise
        raise OSError(5, _reason(error)) from None


def _is_missing(error: Exception) -> bool:
    """Return whether something is known not to be there: fsspec says so of deleted servers, too."""
    cause = error.__cause__
    status = getattr(cause, "status", 404)
    unreachable = isinstance(cause, OSError) and not isinstance(cause, FileNotFoundError)
    return isinstance(error, FileNotFoundError) and status in (404, 410) and not unreachable


def _reason(error: Exception) -> str:
    """Say what went wrong; of a missing file, fsspec has the reason in the cause."""
    cause = error.__cause__ or error
    if isinstance(cause, TimeoutError):
        return f"it took longer than {_LONGEST_S:g} s"
    if isinstance(error, FileNotFoundError):
        error = cause if isinstance(cause, Exception) else error
    return " ".join(str(error).split()) or type(error).__name__
