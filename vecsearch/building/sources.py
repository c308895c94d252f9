"""The sources of a build, ready to be scanned; what is missing is a question, not a deletion."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from vecsearch.building.options import BuildOptions
from vecsearch.building.plan import Plan, add_known, add_scan
from vecsearch.building.worklist import Worklist
from vecsearch.errors import SourceError
from vecsearch.images.folder import scan_folder
from vecsearch.images.scan import Region, Scan, after, below
from vecsearch.store.snapshot import Snapshot

_PAGES_BYTES: Final = 192 << 20


def open_sources(
    roots: Sequence[Path], snapshot: Snapshot | None, options: BuildOptions
) -> list[Scan]:
    """Prepare to scan *roots*, or without any the sources of the index.

    Raises SourceError if one is missing; one that the index has images of may be missing with
    ``allow_empty``.
    """
    known = snapshot.sources() if snapshot else []
    scans = []
    if snapshot and not (roots or known):
        raise SourceError(
            f"{snapshot.folder} has no sources",
            hint="name the folders of its pictures",
            path=snapshot.folder,
        )
    wanted = list(dict.fromkeys(roots or known))
    for root in wanted:
        if root in known and options.allow_empty and not root.exists():
            scans.append(Scan(root, _nothing, gone=True))
            continue
        if snapshot and root in known and not root.exists():
            raise _question(snapshot, root, "is gone")
        scans.append(scan_folder(root, wanted))
    return scans


def plan_build(
    scans: Sequence[Scan], snapshot: Snapshot | None, work: Worklist, options: BuildOptions
) -> Plan:
    """Scan, and compare with the index; *work* takes what may be much.

    Raises SourceError if a source is unreadable, or without pictures and not meant to be.
    """
    plan = Plan(work)
    known = snapshot.sources() if snapshot else []
    if snapshot:
        snapshot.keep_pages(_PAGES_BYTES)
    for scan in scans:
        count = add_scan(plan, scan, snapshot, retry_skipped=options.retry_skipped)
        root = scan.root
        if count or (root in known and options.allow_empty):
            continue
        if snapshot and root in known:
            raise _question(snapshot, root, "has no pictures any more")
        raise SourceError(
            f"no images in {root}",
            hint="nothing was changed; give a folder with .jpg, .png or other picture files",
            path=root,
        )
    if snapshot:
        add_known(plan, snapshot)
    return plan


def _nothing(scan: Scan) -> list[Region]:
    return [(below(os.fsencode(scan.root)), iter(()))]


def _question(snapshot: Snapshot, root: Path, what: str) -> SourceError:
    start = below(os.fsencode(root))
    count = snapshot.count_between(start, after(start))
    return SourceError(
        f"{root} {what}, and the index has {count} images of it; nothing was changed",
        hint="is a disk not mounted? If they are to go, say --allow-empty",
        path=root,
    )
