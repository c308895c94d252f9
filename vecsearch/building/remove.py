"""The command ``remove``: images out of the index, their files untouched."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vecsearch.building.compact import compact_if_due
from vecsearch.errors import NotFoundError
from vecsearch.store.change import Change
from vecsearch.store.locate import only_index
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.writer import open_writer
from vecsearch.types import Image, Progress, Skipped

REASON: Final = "removed with vecsearch remove"

_Matcher = Callable[[Image], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveReport:
    """The images that were removed, or with *dry_run* would be, and how many the index has now."""

    index: Path
    removed: tuple[Image, ...]
    dry_run: bool
    total: int


def remove(
    *targets: str | Path,
    index: str | Path | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> RemoveReport:
    """Remove images from an index: ``id:N``, a file, all below a folder, or a glob pattern.

    A pattern with a slash is compared with whole paths, one without with file names; ``*`` stands
    for slashes too. Files are not touched, and later builds leave them out until they change or
    are asked for by ``BuildOptions(retry_skipped=True)``.

    Raises NotFoundError, and removes nothing, if a target means no image of the index.
    """
    folder = Path(index) if index is not None else only_index()
    if dry_run:
        with closing(Snapshot(folder)) as snapshot:
            found = _find(snapshot, targets)
            total = snapshot.generation.image_count
    else:
        with open_writer(folder) as writer:
            with closing(Snapshot(folder)) as snapshot:
                found = _find(snapshot, targets)
            writer.commit(
                Change(
                    removed=[image.id for image in found],
                    skipped=[
                        Skipped(image.path, image.size_bytes, image.mtime_ns, REASON)
                        for image in found
                    ],
                )
            )
            compact_if_due(writer, progress)
            total = writer.generation().image_count
    return RemoveReport(index=folder, removed=tuple(found), dry_run=dry_run, total=total)


def _find(snapshot: Snapshot, targets: Sequence[str | Path]) -> list[Image]:
    matchers = [_matcher(snapshot, os.fspath(target)) for target in targets]
    unused = dict.fromkeys(range(len(targets)))
    found = []
    for image in snapshot.images():
        hits = [number for number, matches in enumerate(matchers) if matches(image)]
        for number in hits:
            unused.pop(number, None)
        if hits:
            found.append(image)
    for number in unused:
        raise NotFoundError(
            f"{snapshot.folder} has no image {os.fspath(targets[number])}",
            hint="nothing was removed; the hits of any query tell ids and paths",
        )
    return found


def _matcher(snapshot: Snapshot, target: str) -> _Matcher:
    if re.fullmatch(r"id:[0-9]+", target):
        number = int(target[3:])
        return lambda image: image.id == number
    path = os.path.normpath(os.path.abspath(target))  # noqa: PTH100 - a pattern
    below = path.rstrip(os.sep) + os.sep
    if not re.search(r"[*?\[]", target) or snapshot.image_by_path(Path(path)) is not None:
        return lambda image: (name := os.fspath(image.path)) == path or name.startswith(below)
    whole = "/" in target
    pattern = re.compile(fnmatch.translate(path if whole else target), re.DOTALL)
    return lambda image: bool(pattern.match(os.fspath(image.path) if whole else image.path.name))
