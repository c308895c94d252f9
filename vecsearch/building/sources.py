"""The folders of a build, scanned; what is missing is a question and never a deletion."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from vecsearch.building.options import BuildOptions
from vecsearch.errors import SourceError
from vecsearch.images.scan import Scan, scan
from vecsearch.store.snapshot import Snapshot


def scan_sources(
    roots: Sequence[Path], snapshot: Snapshot | None, options: BuildOptions
) -> list[Scan]:
    """Scan *roots*, or without any the sources of the index.

    Raises SourceError if one is missing, unreadable or without pictures; one that the index has
    images of may be missing or empty with ``allow_empty``.
    """
    known = snapshot.sources() if snapshot else []
    scans = []
    if snapshot and not (roots or known):
        raise SourceError(
            f"{snapshot.folder} has no sources",
            hint="name the folders of its pictures",
            path=snapshot.folder,
        )
    for root in roots or known:
        if root in known and options.allow_empty and not root.exists():
            scans.append(Scan(root, gone=True))
            continue
        if snapshot and root in known and not root.exists():
            raise _question(snapshot, root, "is gone")
        found = scan(root)
        if not found.files and not (root in known and options.allow_empty):
            if snapshot and root in known:
                raise _question(snapshot, root, "has no pictures any more")
            raise SourceError(
                f"no images in {root}",
                hint="nothing was changed; give a folder with .jpg, .png or other picture files",
                path=root,
            )
        scans.append(found)
    return scans


def _question(snapshot: Snapshot, root: Path, what: str) -> SourceError:
    below = os.path.join(root, "")  # noqa: PTH118 - with the slash
    count = sum(os.fspath(image.path).startswith(below) for image in snapshot.images())
    return SourceError(
        f"{root} {what}, and the index has {count} images of it; nothing was changed",
        hint="is a disk not mounted? If they are to go, say --allow-empty",
        path=root,
    )
