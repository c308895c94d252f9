"""What a build has to do: the difference between the catalog and the folders, computed purely."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from vecsearch.images.scan import FoundFile, Scan
from vecsearch.types import Image, Skipped

Source = tuple[Image | None, FoundFile]
"""A file to read, and the image that the index has under its path, None for a new one."""


UNSETTLED: Final = -1
"""The time of a skipped file that is tried again by every build."""


@dataclass(slots=True)
class Plan:
    """Files to read, and images whose file is gone.

    ``gone`` ones whose content turns up among the files to read have moved; the rest are removed.
    ``skipped`` files could not be used last time and have not changed since; ``forgotten`` ones
    are no longer there; ``unreadable`` is what the scan could not look at.
    """

    to_read: list[Source] = field(default_factory=list)
    gone: list[Image] = field(default_factory=list)
    unchanged: int = 0
    skipped: int = 0
    forgotten: list[Path] = field(default_factory=list)
    unreadable: list[Skipped] = field(default_factory=list)


def make_plan(
    images: Iterable[Image],
    skipped: Iterable[Skipped],
    scans: Iterable[Scan],
    *,
    retry_skipped: bool = False,
) -> Plan:
    """Compare what the catalog knows with what the scans found.

    A file counts as unchanged while its size and modification time are. Only what lies below a
    scanned root, and not below a folder that could not be read, can be gone.
    """
    scans = list(scans)
    found = {file.path: file for one in scans for file in one.files}
    roots = tuple(_below(os.fsencode(one.root)) for one in scans)
    unreadable = {path for one in scans for path, _ in one.unreadable}
    hidden = tuple(_below(path) for path in unreadable)
    plan = Plan(
        unreadable=[
            Skipped(Path(os.fsdecode(path)), 0, UNSETTLED, reason)
            for one in scans
            for path, reason in one.unreadable
        ]
    )

    def is_gone(path: bytes) -> bool:
        return path.startswith(roots) and not (path in unreadable or path.startswith(hidden))

    outdated: dict[bytes, Path] = {}
    for skip in skipped:
        path = os.fsencode(skip.path)
        file = found.get(path)
        if file is None:
            if is_gone(path):
                plan.forgotten.append(skip.path)
        elif retry_skipped:
            outdated[path] = skip.path
        elif (file.size_bytes, file.mtime_ns) == (skip.size_bytes, skip.mtime_ns):
            plan.skipped += 1
            del found[path]
            unreadable.add(path)  # the image that it was before stays
        else:
            outdated[path] = skip.path
    for image in images:
        path = os.fsencode(image.path)
        file = found.pop(path, None)
        if file is None:
            if is_gone(path):
                plan.gone.append(image)
        elif (file.size_bytes, file.mtime_ns) == (image.size_bytes, image.mtime_ns):
            plan.unchanged += 1
            if path in outdated:
                plan.forgotten.append(outdated[path])
        else:
            plan.to_read.append((image, file))
    plan.to_read.extend((None, file) for file in found.values())
    return plan


def _below(folder: bytes) -> bytes:
    """Give what the paths of all files below *folder* begin with."""
    return folder.rstrip(os.fsencode(os.sep)) + os.fsencode(os.sep)
