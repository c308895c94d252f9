"""What a build has to do: the difference between the catalog and what the scans find."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from vecsearch.images.sources.scan import CHUNK, FoundFile, Scan, after, region_of
from vecsearch.indexing.worklist import ToRead, Worklist
from vecsearch.store.lookups import StoredFile
from vecsearch.store.snapshot import Snapshot
from vecsearch.types import Skipped, path_of, stored_name

UNSETTLED: Final = -1
"""The time of a skipped file that is tried again by every build."""

_PAGE: Final = CHUNK + 1
"""How many images are compared at a time: one more than a chunk of unchanged files has."""


@dataclass(slots=True)
class Difference:
    """What became of the files of a stretch of paths, in their order.

    ``new`` files are in no image, ``changed`` ones are not as their image was; ``gone`` are the
    paths of images without a file, ``forgotten`` those that need no longer be skipped. ``skipped``
    files could not be used last time and have not changed since.
    """

    new: list[FoundFile] = field(default_factory=list)
    changed: list[FoundFile] = field(default_factory=list)
    gone: list[bytes] = field(default_factory=list)
    forgotten: list[bytes] = field(default_factory=list)
    unchanged: int = 0
    skipped: int = 0


def compare(
    files: Iterable[FoundFile],
    images: Iterable[StoredFile],
    skipped: Iterable[StoredFile],
    is_gone: Callable[[bytes], bool],
    *,
    retry_skipped: bool = False,
) -> Difference:
    """Compare the *files* of a stretch of paths with what the catalog knows of it.

    A file counts as unchanged while its size and modification time are. A path without a file is
    gone if *is_gone* says so: there may be reasons not to have seen it.
    """
    found = {file.path: file for file in files}
    difference = Difference()
    outdated, kept = set(), set()
    for skip in skipped:
        path = skip[0]
        if path not in found:
            if is_gone(path):
                difference.forgotten.append(path)
        elif retry_skipped or found[path] != skip:
            outdated.add(path)
        else:
            difference.skipped += 1
            del found[path]
            kept.add(path)  # the image that it was before stays
    for image in images:
        path = image[0]
        file = found.pop(path, None)
        if file is None:
            if path not in kept and is_gone(path):
                difference.gone.append(path)
        elif file != image:
            difference.changed.append(file)
        else:
            difference.unchanged += 1
            if path in outdated:
                difference.forgotten.append(path)
    difference.new.extend(found.values())
    return difference


@dataclass(slots=True)
class Plan:
    """The work, and what is known without reading a file.

    Images that are gone and whose content turns up among the files to read have moved; the rest are
    removed. ``unreadable`` is what the scans could not look at.
    """

    work: Worklist
    unchanged: int = 0
    skipped: int = 0
    forgotten: list[Path] = field(default_factory=list)
    unreadable: list[Skipped] = field(default_factory=list)


def add_scan(
    plan: Plan,
    scan: Scan,
    snapshot: Snapshot | None,
    is_own: Callable[[bytes], bool],
    *,
    retry_skipped: bool,
) -> None:
    """Walk a scan and add to *plan* what differs from the catalog.

    Only what *is_own*, and lies where the scan could see it, can be gone. Of files that are
    unchanged, nothing is held but a chunk.
    """
    for region, chunks in scan.regions():
        start, end = region, after(region)

        def is_gone(path: bytes, region: bytes = region) -> bool:
            return is_own(path) and scan.sees(region)(path)

        for chunk in chunks:
            if snapshot is None:
                plan.work.add(map(ToRead, chunk))
            elif chunk:
                stop = _next(chunk[-1])
                _add_stretch(plan, snapshot, chunk, (start, stop), is_gone, retry_skipped)
                start = stop
        if snapshot is not None:
            _add_stretch(plan, snapshot, [], (start, end), is_gone, retry_skipped)
    plan.unreadable.extend(
        Skipped(path_of(path), 0, UNSETTLED, reason) for path, reason in scan.unreadable.items()
    )
    root = stored_name(scan.root)
    if snapshot is not None and root not in scan.unreadable:
        # What was a source as a whole, a damaged tar say, may have been skipped.
        plan.forgotten.extend(
            path_of(path) for path, _, _ in snapshot.skipped_between(root, root + b"\0")
        )


def add_unchanged(plan: Plan, scan: Scan, snapshot: Snapshot) -> bool:
    """Add a source that is as it was to *plan*, without a walk; False if it may not be."""
    if not (scan.whole and snapshot.stamp(scan.root) == scan.stamp):
        return False
    region = region_of(scan.root)
    skipped = snapshot.skipped_between(region, after(region))
    if any(mtime_ns == UNSETTLED for _, _, mtime_ns in skipped):
        return False
    unchanged = snapshot.count_between(region, after(region))
    scan.count = unchanged + len(skipped)
    plan.unchanged += unchanged
    plan.skipped += len(skipped)
    return True


def add_known(plan: Plan, snapshot: Snapshot) -> None:
    """Add to *plan* the content that need not be embedded again, after all scans."""
    plan.work.add_known(snapshot.images_with_sizes(plan.work.sizes()))


def _add_stretch(
    plan: Plan,
    snapshot: Snapshot,
    chunk: Sequence[FoundFile],
    stretch: tuple[bytes, bytes],
    is_gone: Callable[[bytes], bool],
    retry_skipped: bool,
) -> None:
    """Compare the files of a chunk with all images from a path to before another, in pages."""
    start, end = stretch
    full = True
    while full:
        images = snapshot.files_between(start, end, _PAGE)
        full = len(images) == _PAGE
        stop = _next(images[-1]) if full else end
        cut = bisect_left(chunk, (stop,)) if full else len(chunk)
        files, chunk = chunk[:cut], chunk[cut:]
        skipped = snapshot.skipped_between(start, stop)
        if images == files and not skipped:
            plan.unchanged += len(files)
        else:
            difference = compare(files, images, skipped, is_gone, retry_skipped=retry_skipped)
            _add(plan, difference, snapshot, start, stop)
        start = stop


def _add(plan: Plan, difference: Difference, snapshot: Snapshot, start: bytes, stop: bytes) -> None:
    plan.unchanged += difference.unchanged
    plan.skipped += difference.skipped
    plan.forgotten.extend(path_of(path) for path in difference.forgotten)
    if difference.changed or difference.gone:
        identities = snapshot.identities_between(start, stop)
        plan.work.add_gone(identities[path] for path in difference.gone)
        plan.work.add(ToRead(file, *identities[file.path]) for file in difference.changed)
    plan.work.add(map(ToRead, difference.new))


def _next(file: FoundFile | StoredFile) -> bytes:
    """Return the least path after that of *file*."""
    return file[0] + b"\0"
