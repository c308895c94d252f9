"""The command ``remove``: images out of the index, their files untouched."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from vecsearch.arguments import checked
from vecsearch.errors import NotFoundError, UsageError
from vecsearch.images.patterns import PathPattern, seen_from
from vecsearch.indexing.compaction import compact_if_due
from vecsearch.spelling import composed
from vecsearch.store.change import REMOVED, Change
from vecsearch.store.locate import only_index
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.writer import open_writer
from vecsearch.types import Image, Progress, Skipped, absolute_path, is_plain, path_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveReport:
    """The images that were removed, or with *dry_run* would be, and how many the index has now."""

    index: Path
    removed: tuple[Image, ...]
    dry_run: bool
    total: int


@checked
def remove(
    *targets: str | Path,
    index: str | Path | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> RemoveReport:
    """Remove images from an index: ``id:N``, a file, all below a folder, or a glob pattern.

    What is the very path or id of an image means this image alone, whatever else it could mean.

    A pattern with a slash is compared with whole paths, one without with file names; ``*`` stands
    for slashes too. Files are not touched. Later builds leave out their content, whatever the name
    and time of the file, until they are asked for by ``BuildOptions(retry_skipped=True)``.

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
                    removed_contents=[image.content_hash for image in found],
                    skipped=[
                        Skipped(image.path, image.size_bytes, image.mtime_ns, REMOVED)
                        for image in found
                    ],
                )
            )
            compact_if_due(writer, progress)
            total = writer.generation().image_count
    return RemoveReport(index=folder, removed=tuple(found), dry_run=dry_run, total=total)


def _find(snapshot: Snapshot, targets: Sequence[str | Path]) -> list[Image]:
    """Find the images that *targets* mean; raises NotFoundError for one that means none."""
    wanted = [_Target.of(os.fspath(target)) for target in targets]
    exact = {one.text: snapshot.image_by_path(path_of(one.text)) for one in wanted}
    chosen = {image.id: image for image in exact.values() if image}
    wanted = [one for one in wanted if not exact[one.text]]
    if wanted:
        chosen.update((image.id, image) for image in _search(snapshot, wanted))
    return [chosen[number] for number in sorted(chosen)]


def _search(snapshot: Snapshot, wanted: Sequence[_Target]) -> Iterator[Image]:
    """Find the images that targets mean which are not the very paths of some."""
    ids = {one.image_id for one in wanted}
    paths = {composed(one.path) for one in wanted if one.image_id is None}
    plain_paths = {
        composed(one.path) for one in wanted if one.image_id is None and is_plain(one.text)
    }
    names = {composed(one.text) for one in wanted if one.image_id is None}
    patterns = {one.pattern for one in wanted if one.pattern is not None}
    found: defaultdict[str, list[Image]] = defaultdict(list)
    here = str(Path.cwd())
    for image in snapshot.images():
        # Imported ids may be relative; a target is meant from here, and so are they.
        path = composed(seen_from(here, os.fspath(image.path)))
        if image.id in ids:
            found[f"id:{image.id}"].append(image)
        # An id that is no file's is not meant by another spelling of it.
        own = paths if image.size_bytes else plain_paths if is_plain(str(image.path)) else ()
        if path in own:
            found[f"path:{path}"].append(image)
        for folder in _folders(path):
            if folder in paths:
                found[f"path:{folder}"].append(image)
        if (name := composed(image.path.name)) in names:
            found[f"name:{name}"].append(image)
        for pattern in patterns:
            if pattern.matches(path):
                found[f"glob:{pattern.matcher.pattern}"].append(image)
    for one in wanted:
        hits = next((found[key] for key in one.meanings() if key in found), None)
        if hits is None:
            raise NotFoundError(
                f"{snapshot.folder} has no image {one.text}",
                hint="nothing was removed; vecsearch list shows ids and paths",
            )
        yield from hits


def _folders(path: str) -> Iterator[str]:
    """Return the folders above an absolute path or URL, the nearest first."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path or "/"


@dataclass(frozen=True, slots=True)
class _Target:
    """What a target may mean: an id, or a path, a file's name, a pattern, the first that hits."""

    text: str
    image_id: int | None = None
    path: str = ""
    pattern: PathPattern | None = None

    @classmethod
    def of(cls, text: str) -> _Target:
        if not text:
            raise UsageError("a target is empty", hint="give id:N, a path or a pattern")
        if re.fullmatch(r"id:[0-9]{1,18}", text):
            return cls(text, image_id=int(text[3:]))
        path = os.fspath(absolute_path(text))  # may be a pattern
        # A file that is there is meant as it is, whatever characters its name has.
        if not re.search(r"[*?\[]", text) or os.path.lexists(path):
            return cls(text, path=path)
        return cls(text, path=path, pattern=PathPattern.of(text))

    def meanings(self) -> list[str]:
        if self.image_id is not None:
            return [f"id:{self.image_id}"]
        keys = [f"path:{composed(self.path)}"]
        if self.pattern is not None:
            keys += [f"name:{composed(self.text)}", f"glob:{self.pattern.matcher.pattern}"]
        return keys
