"""Sources that were renamed or moved: they are found, and their images keep their ids."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from vecsearch.errors import (
    ImageError,
    IndexFolderError,
    NotFoundError,
    SourceError,
)
from vecsearch.images.reader import read_image
from vecsearch.images.sources.access import stat_file
from vecsearch.images.sources.kinds import local_places
from vecsearch.images.sources.list_file import ListSource
from vecsearch.images.sources.scan import SEPARATOR, after, below
from vecsearch.store.locate import all_indexes
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.writer import Writer
from vecsearch.types import Image, ListName, SourceName, path_of, place_of

_SAMPLE: Final = 100
"""How many images at most are looked for in the new place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelocateReport:
    """How many ``images`` are below ``new`` now instead of ``old``.

    ``compared`` of them were looked for there, ``same`` were found with the same size and content.
    """

    index: Path
    old: Path
    new: Path
    images: int
    compared: int
    same: int
    dry_run: bool = False


def take_renamed(writer: Writer, roots: Sequence[SourceName]) -> list[RelocateReport]:
    """Find sources of the index that are gone and are at one of *roots*, and commit that.

    A source that is still there was copied, not renamed. One that was not known before, or has the
    source below it, as its parent has, may be the new place.
    """
    reports = []
    while renamed := _find_renamed(writer.folder, roots):
        report, sources = renamed
        writer.relocate(report.old, report.new, sources)
        reports.append(report)
    return reports


def check_not_renamed(roots: Sequence[SourceName], folder: Path) -> None:
    """Raise SourceError if an index has one of *roots* under another name, so that none is needed.

    *folder* is where the new one would be.
    """
    for index in all_indexes():
        with contextlib.suppress(IndexFolderError):  # whoever opens it is told
            if renamed := _find_renamed(index, roots):
                report, _ = renamed
                raise SourceError(
                    f"{report.new} has the pictures that {index} has as {report.old}",
                    hint=f"-i {index} keeps its ids and removals; -i {folder} makes another index",
                    path=report.new,
                )


def missing_sources(snapshot: Snapshot, asked: Sequence[SourceName]) -> list[Path]:
    """List the folders and tars that are gone, apart from those that were *asked* for."""
    sources = local_places(snapshot.sources())
    return [one for one in sources if one not in asked and _is_missing(one)]


def _is_missing(source: Path) -> bool:
    """Return whether a folder or tar is not there, or is as empty as where nothing is mounted."""
    try:
        with os.scandir(source) as entries:
            return next(entries, None) is None
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _find_renamed(
    folder: Path, roots: Sequence[SourceName]
) -> tuple[RelocateReport, dict[SourceName, tuple[SourceName, str]]] | None:
    with closing(Snapshot(folder)) as snapshot:
        known = set(local_places(snapshot.sources()))
        new = [one for one in local_places(roots) if one not in known]
        for old in sorted(known.difference(roots)) if new else ():
            if not _is_missing(old):
                continue
            sample = None
            for place in _places(old, new):
                if place in known or not place.exists():
                    continue
                sample = sample or _sample(snapshot, old)
                report = _compare(snapshot, sample, old, place)
                if 2 * report.same > report.compared:
                    return report, renamed_sources(snapshot, old, place)
    return None


def _places(old: Path, roots: Sequence[Path]) -> Iterator[Path]:
    """Return where *old* may be if one of *roots* is its new name, or one of a folder above it."""
    for root in sorted(roots, key=lambda root: root.name != old.name):
        yield root
        for start in range(1, len(old.parts)):
            yield root.joinpath(*old.parts[start:])


def check_place(
    snapshot: Snapshot, old: Path, new: Path, *, dry_run: bool = False
) -> RelocateReport:
    """Compare a sample of the images below *old* with what is below *new*.

    Raises NotFoundError if there are none, SourceError if too few are the same.
    """
    sample = _sample(snapshot, old)
    report = _compare(snapshot, sample, old, new, dry_run=dry_run)
    if not report.images:
        raise NotFoundError(
            f"{snapshot.folder} has no images below {old}",
            hint=f"its sources are {', '.join(map(str, snapshot.sources())) or 'none'}",
        )
    if 2 * report.same <= report.compared:
        raise SourceError(
            f"{report.same} of {report.compared} images of {old} were found unchanged below {new}, "
            "too few to take it for the same; nothing was changed",
            hint="name the folder in which they have the same relative paths",
            path=new,
        )
    return report


def _sample(snapshot: Snapshot, old: Path) -> tuple[int, list[Image]]:
    """Count the images at *old* or below it, and draw some of them."""
    bare = os.fsencode(old).rstrip(SEPARATOR)
    rows = snapshot.rows_between(below(bare), after(below(bare)))
    rows += snapshot.rows_between(bare, bare + b"\0")
    drawn = random.Random(0).sample(rows, min(len(rows), _SAMPLE))  # noqa: S311 - no secret
    return len(rows), list(snapshot.images_by_row(drawn).values())


def _compare(
    snapshot: Snapshot,
    sample: tuple[int, list[Image]],
    old: Path,
    new: Path,
    *,
    dry_run: bool = False,
) -> RelocateReport:
    """Look for the images of a sample at *new*, until it is plain that they are not there."""
    count, images = sample
    compared = same = 0
    for image in images:
        if 2 * (compared - same) > len(images):
            break
        compared += 1
        same += _is_there(image, _moved(image.path, old, new))
    return RelocateReport(
        index=snapshot.folder,
        old=old,
        new=new,
        images=count,
        compared=compared,
        same=same,
        dry_run=dry_run,
    )


def _is_there(image: Image, path: Path) -> bool:
    """Return whether an image's file is at *path*; of some imports nothing more is known of it."""
    try:
        size_bytes, _ = stat_file(path)
        if not image.size_bytes:
            return True
        if size_bytes != image.size_bytes:
            return False
        return read_image(path, 0, known=lambda _: True).file.content_hash == image.content_hash
    except (OSError, ValueError, ImageError):
        return False


def _moved(path: Path, old: Path, new: Path) -> Path:
    """Return where a path at or below *old* is at *new*."""
    rest = os.fsencode(path)[len(os.fsencode(old).rstrip(SEPARATOR)) :]
    return path_of(os.fsencode(new).rstrip(SEPARATOR) + rest)


def _is_below(path: Path, old: Path) -> bool:
    return path == old or os.fsencode(path).startswith(below(os.fsencode(old)))


def renamed_sources(
    snapshot: Snapshot, old: Path, new: Path
) -> dict[SourceName, tuple[SourceName, str]]:
    """Map the sources that move, lists among them, to their new names and stamps."""
    renamed: dict[SourceName, tuple[SourceName, str]] = {}
    for source in snapshot.sources():
        stamp = snapshot.stamp(source)
        name = source
        if _is_below(place := place_of(source), old):
            moved = _moved(place, old, new)
            name = ListName.of(moved) if isinstance(source, ListName) else moved
        if isinstance(name, ListName) and stamp:
            one = ListSource.of_stamp(name, stamp)
            if _is_below(one.base, old):
                stamp = replace(one, base=_moved(one.base, old, new)).stamp()
        if name != source or stamp != snapshot.stamp(source):
            renamed[source] = (name, stamp)
    return renamed
