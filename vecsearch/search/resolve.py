"""Which image of the index a query is, or which picture to read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from vecsearch.errors import NotFoundError
from vecsearch.images.sources.access import stat_file
from vecsearch.paths import from_root, real_path
from vecsearch.spelling import as_on_disk, spellings
from vecsearch.store.stored_images import StoredImages
from vecsearch.types import (
    Image,
    QueryImage,
    UrlPath,
    absolute_path,
    is_plain,
    path_of,
    relative_path,
    wanted,
)


def resolve(
    lookups: StoredImages, query: QueryImage, *, external: bool
) -> tuple[QueryImage, Image | None]:
    """Return a query with the path of its picture, and what the index has of that, as it is.

    Raises NotFoundError for an id that is not there, and for a picture that would need a network
    where the index has none (*external*).
    """
    image = None
    if query.data is None:
        name = query.query
        if query.path is not None and not name.startswith("id:"):
            name = str(query.path)
        # Who names a path beside it means the number.
        if query.path is None and name.startswith("id:"):
            image = lookups.image_by_path(path_of(name))
        image = image or _find(lookups, name, external)
        query = replace(query, path=image.path if image else as_given(name))
    if external and (image is None or query.box is not None):
        raise NotFoundError(
            f"{lookups.folder} has no image {query.query}, and no network for new ones: it was "
            "imported"
            if image is None
            else f"{lookups.folder} has no network for a part of a picture: it was imported",
            hint="ask with id:N, an id of the import or a vector, or import it with "
            "--encoder INDEX",
            path=lookups.folder,
        )
    return query, image


def image_at(lookups: StoredImages, path: str | Path) -> Image | None:
    """Find the image at *path*, which the index may have from the root, from here, or as it is.

    A file is found under any spelling of its path, an id that is no file's letter by letter.
    """
    text = os.fspath(path)
    plain = is_plain(text)
    tried: set[Path] = set()
    for name in paths_like(text):
        image = None if name in tried else lookups.image_by_path(name)
        if image and (not tried or plain or image.size_bytes):
            return image
        tried.add(name)
    return None


def paths_like(text: str) -> Iterator[Path]:
    """Return a path as it is given, and then its other spellings."""
    yield path_of(text)
    whole = absolute_path(text)
    yield whole
    yield relative_path(text)
    yield from map(Path, spellings(str(whole)))
    if isinstance(whole, UrlPath):
        return
    if whole.is_relative_to(Path.cwd()):
        relative = whole.relative_to(Path.cwd())
        yield relative
        yield path_of(f"./{relative}")  # as find writes it
    # Through links: those of folders above it alone, for the index may have the link itself.
    with contextlib.suppress(OSError, ValueError):  # no path
        yield real_path(whole.parent) / whole.name
        yield real_path(whole)


def as_given(query: str | Path) -> Path:
    """Return the file or URL that a query names, from the root on; that URL may be fetched."""
    text = os.fspath(query)
    return wanted(absolute_path(text)) if "://" in text else from_root(Path(as_on_disk(text)))


def _find(lookups: StoredImages, text: str, external: bool) -> Image | None:
    """Find the image that a query names; None for a picture that the index does not have.

    Where there is no network (*external*), one that has changed since counts as it was.
    """
    if text.startswith("id:"):
        digits = text[3:]
        plausible = digits.isdecimal() and len(digits) < 19  # SQLite's integers end there
        image = lookups.image_by_id(int(digits)) if plausible else None
        if image is None:
            raise NotFoundError(
                f"{lookups.folder} has no image {text}",
                hint="vecsearch list shows ids and paths"
                if plausible
                else f"a file of that name is ./{text}",
            )
        return image
    image = image_at(lookups, text)
    return image if image and (external or _unchanged(image)) else None


def _unchanged(image: Image) -> bool:
    """Return whether the file is as it was indexed; one that is gone counts as unchanged."""
    try:
        return stat_file(image.path) == (image.size_bytes, image.mtime_ns)
    except OSError:
        return True
