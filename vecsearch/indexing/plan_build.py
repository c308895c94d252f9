"""The sources of a build are scanned, and compared with the index."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from vecsearch.errors import SourceError
from vecsearch.images.sources.exclude import IGNORE_FILE
from vecsearch.images.sources.scan import Scan
from vecsearch.indexing.build_options import BuildOptions
from vecsearch.indexing.diff import Plan, add_known, add_scan, add_unchanged
from vecsearch.indexing.lost_sources import has_images, images_of, lost_source
from vecsearch.indexing.owners import Owners
from vecsearch.indexing.worklist import Worklist
from vecsearch.store.snapshot import Snapshot
from vecsearch.types import ListName, place_of
from vecsearch.wording import counted

_PAGES_BYTES: Final = 192 << 20


def plan_build(
    scans: Sequence[Scan], snapshot: Snapshot | None, work: Worklist, options: BuildOptions
) -> Plan:
    """Scan, and compare with the index; *work* takes what may be much.

    Raises SourceError if a source is unreadable, or without pictures and not meant to be.
    """
    plan = Plan(work)
    known = snapshot.sources() if snapshot else []
    owners = Owners.of([scan.root for scan in scans], known)
    if snapshot:
        snapshot.keep_pages(_PAGES_BYTES)
    for scan in scans:
        if snapshot and not options.retry_skipped and add_unchanged(plan, scan, snapshot):
            continue
        is_own = owners.owns(scan.root)
        add_scan(plan, scan, snapshot, is_own, retry_skipped=options.retry_skipped)
    for scan in scans:
        if not scan.count:
            _check_empty(scan, snapshot, scan.root in known, options.allow_empty)
    if snapshot:
        add_known(plan, snapshot)
    return plan


def _check_empty(scan: Scan, snapshot: Snapshot | None, is_known: bool, allow_empty: bool) -> None:
    """Raise SourceError for a source without pictures, unless that is believed."""
    root = scan.root
    if snapshot and is_known:
        if allow_empty or not has_images(snapshot, root):
            return
        if what := _all_excluded(scan):
            raise SourceError(
                f"{place_of(root)} {what}; nothing was changed",
                hint=f"to drop {images_of(snapshot, root)} from the index, say --allow-empty",
                path=place_of(root),
            )
        raise lost_source(snapshot, root, "has no pictures any more")
    if what := _all_excluded(scan):
        place = place_of(root)
        raise SourceError(f"{place} {what}", hint="nothing was changed", path=place)
    raise SourceError(
        f"no images in {place_of(root)}",
        hint=f"nothing was changed; {_what_is_there(scan)}",
        path=place_of(root),
    )


def _what_is_there(scan: Scan) -> str:
    """Return what a source without pictures has instead, and what to do about it."""
    root = scan.root
    if isinstance(root, ListName):
        if not scan.unreadable:
            return "give a folder with .jpg, .png or other picture files"
        path, reason = min(scan.unreadable.items())
        names = counted(len(scan.unreadable), "file")
        first = f"{os.fsdecode(path)}: {reason}"
        return f"none of {names} that it names can be read; the first: {first}"
    tars = sorted(root.glob("*.tar")) if root.is_dir() else []
    if tars:
        have = counted(len(tars), "tar")
        return f"it has {have}; name them as sources: vecsearch build {root}/*.tar"
    return "give a folder with .jpg, .png or other picture files"


def _all_excluded(scan: Scan) -> str:
    """Return that all pictures of a source are left out by patterns; empty if not so."""
    counts = scan.excluded
    if not counts.total:
        return ""
    given = [repr(text) for text in scan.exclude.texts if text in scan.exclude.used]
    by = [f"--exclude {', '.join(given)}"] if counts.pictures or counts.folders else []
    if counts.ignored_pictures or counts.ignored_folders:
        by.append(f"{os.fsdecode(IGNORE_FILE)}")
    return f"has no pictures but what is excluded by {' and '.join(by)}"
