"""What became of each file of a plan, taken into the next commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vecsearch.images.reader import ReadImage
from vecsearch.images.sources.notes import (
    KEPT,
    excluded_name,
    left_out_name,
    write_counts,
    write_excluded,
    write_texts,
)
from vecsearch.images.sources.scan import Scan
from vecsearch.indexing.build_options import BuildOptions
from vecsearch.indexing.diff import UNSETTLED, Plan
from vecsearch.indexing.worklist import ToRead
from vecsearch.store.change import REMOVED, Change
from vecsearch.store.commit_buffer import CommitBuffer
from vecsearch.store.segments import gather
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.writer import Writer
from vecsearch.types import ImageFile, Skipped, SourceName, Vectors


@dataclass(slots=True)
class Counts:
    """Numbers of images by what happened to them."""

    added: int = 0
    changed: int = 0
    moved: int = 0
    removed: int = 0
    unchanged: int = 0
    skipped: int = 0


class Stage:
    """Takes what became of each file of a plan, and commits it at intervals.

    *snapshot* is what the index held before, None for a new index.
    """

    def __init__(
        self,
        writer: Writer,
        snapshot: Snapshot | None,
        scans: Sequence[Scan],
        plan: Plan,
        options: BuildOptions,
    ) -> None:
        """Begin with what is known from *scans* and *plan*, before a file is read."""
        self._options = options
        self.counts = Counts(unchanged=plan.unchanged, skipped=plan.skipped)
        self.first_reason = ""
        self._work = plan.work
        self._snapshot = snapshot
        known = set(snapshot.sources()) if snapshot else set()
        change = Change(
            forgotten=list(plan.forgotten),
            skipped=list(plan.unreadable),
            sources=[one.root for one in scans if not one.gone and one.root not in known],
            stamps=_new_stamps([one for one in scans if not one.whole], snapshot)
            | _new_notes(scans, snapshot, options),
        )
        # That a source is as it was can be said when all of it is in the index.
        self._last_stamps = _new_stamps(
            [one for one in scans if one.whole and not one.hidden], snapshot
        )
        self._gone_sources = [one.root for one in scans if one.gone]
        self.counts.skipped += len(plan.unreadable)
        self._buffer = CommitBuffer(
            writer,
            commit_images=options.commit_images,
            commit_bytes=options.commit_bytes,
            commit_seconds=options.commit_seconds,
            by_path=True,
            change=change,
        )

    def knows(self, content_hash: bytes) -> bool:
        """Return whether the index needs no vector for this content; asked from reading threads."""
        return self._work.find_known(content_hash) is not None or self._stays_out(content_hash)

    def skip(self, source: ToRead, reason: str, settled: bool) -> None:
        """Record that a file cannot be used: if *settled*, until it changes.

        An image that the index has under its path stays as it was.
        """
        file = source.file
        self.counts.skipped += 1
        self.first_reason = self.first_reason or f"{file.as_path()} {reason}"
        self._buffer.change.skipped.append(
            Skipped(
                file.as_path(), file.size_bytes, file.mtime_ns if settled else UNSETTLED, reason
            )
        )

    def reuse(self, source: ToRead, file: ImageFile) -> None:
        """Add a file whose content the index knows: touched, moved, a copy, or removed before."""
        known = self._work.find_known(file.content_hash)
        if known is None:
            self._leave_out(source)
            return
        file = replace(file, width=known.width, height=known.height)
        if source.content_hash == file.content_hash:
            assert source.image_id is not None
            self._refile(source.image_id, file)
            self.counts.unchanged += 1
        elif source.image_id is None and (moved := self._work.take_gone(file.content_hash)):
            self._refile(moved, file)
            self.counts.moved += 1
        elif self._stays_out(file.content_hash):
            self._leave_out(source)
        else:
            assert self._snapshot is not None
            vector = gather(self._snapshot.segments, np.array([known.row]), self._snapshot.dim)
            self._add(source, file, vector)

    def embed(self, batch: list[tuple[ToRead, ReadImage]], vectors: Vectors) -> None:
        """Add a batch of files with their *vectors* (n, d)."""
        for number, (source, image) in enumerate(batch):
            self._add(source, image.file, vectors[number : number + 1])

    def commit_if_due(self) -> None:
        """Commit when enough images, bytes or seconds have gathered."""
        self._buffer.commit_if_due()

    def commit(self) -> None:
        """Commit what has gathered."""
        self._buffer.commit()

    def finish(self) -> None:
        """Commit the rest, with the removal of what is gone and has not moved."""
        gone = self._work.gone()
        self._buffer.change.removed.extend(gone)
        self.counts.removed += len(gone)
        self._buffer.change.gone_sources.extend(self._gone_sources)
        self._buffer.change.stamps.update(self._last_stamps)
        self.commit()

    def _stays_out(self, content_hash: bytes) -> bool:
        if self._snapshot is None or self._options.retry_skipped:
            return False
        return self._snapshot.is_removed(content_hash)

    def _leave_out(self, source: ToRead) -> None:
        """Skip what was removed, under whatever name; an image that it was before goes."""
        self.skip(source, REMOVED, settled=True)
        if source.image_id is not None:
            self._buffer.change.removed.append(source.image_id)
            self.counts.removed += 1

    def _add(self, source: ToRead, file: ImageFile, vector: Vectors) -> None:
        self._buffer.add([(source.image_id, file)], vector)
        self._buffer.change.forgotten.append(file.path)
        if self._options.retry_skipped:
            self._buffer.change.readmitted.append(file.content_hash)
        if source.image_id is None:
            self.counts.added += 1
        else:
            self.counts.changed += 1

    def _refile(self, image_id: int, file: ImageFile) -> None:
        self._buffer.change.refiled.append((image_id, file))
        self._buffer.change.forgotten.append(file.path)


def _new_stamps(scans: Sequence[Scan], snapshot: Snapshot | None) -> dict[SourceName, str]:
    return {
        one.root: one.stamp
        for one in scans
        if one.stamp and not (snapshot and snapshot.stamp(one.root) == one.stamp)
    }


def _new_notes(
    scans: Sequence[Scan], snapshot: Snapshot | None, options: BuildOptions
) -> dict[SourceName, str]:
    """Return the notes of what was left out, and why, that differ from those of the index."""
    walked = [one for one in scans if one.walked]
    noted: dict[SourceName, str] = {KEPT: write_texts(options.exclude or ())}
    for one in walked:
        noted[left_out_name(one.root)] = write_counts(one.left_out)
        noted[excluded_name(one.root)] = write_excluded(one.excluded)
    return {
        name: note
        for name, note in noted.items()
        if note != (snapshot.stamp(name) if snapshot else "")
    }
