"""The command ``merge``: indexes of one encoder become one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from vecsearch.arguments import checked
from vecsearch.embed.spec import EncoderSpec
from vecsearch.errors import SourceError, UsageError
from vecsearch.images.sources.notes import KEPT
from vecsearch.indexing.compaction import compact_if_due
from vecsearch.paths import real_path
from vecsearch.store.audit import check_sound
from vecsearch.store.change import Change
from vecsearch.store.commit_buffer import CommitBuffer
from vecsearch.store.config_keys import MOST_APART
from vecsearch.store.locate import has_index
from vecsearch.store.segments import gather
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.writer import Writer, open_writer
from vecsearch.transfer.inputs import COMMIT_BYTES, COMMIT_IMAGES
from vecsearch.transfer.vector_encoder import carried, differing
from vecsearch.types import Image, ListName, Progress, SourceName

_BLOCK_BYTES: Final = 16 << 20


@dataclass(slots=True, kw_only=True)
class MergeReport:
    """What a merge did, in numbers of images, and what the index holds now.

    ``replaced`` ones were in the index with an older file, ``present`` ones with the same or a
    newer one; ``differing`` of these have another content with the same time, as vectors have that
    were imported from elsewhere under one id, such as ``differing_at``.
    """

    index: Path
    merged: tuple[Path, ...]
    added: int = 0
    replaced: int = 0
    present: int = 0
    differing: int = 0
    differing_at: Path | None = None
    total: int = 0
    seconds: float = 0.0


@checked
def merge(
    *indexes: str | Path,
    index: str | Path,
    commit_images: int = COMMIT_IMAGES,
    commit_bytes: int = COMMIT_BYTES,
    block_bytes: int = _BLOCK_BYTES,
    progress: Progress | None = None,
) -> MergeReport:
    """Put the images of *indexes* into *index*, a new one or one that is there.

    All must have one encoder. Of images at the same path the one with the newest file stays, among
    equal ones the first: that of *index*, then in the order of *indexes*, which are only read.
    Images get new ids; folders to scan and skipped files are united. What is committed stays if the
    merge is interrupted, and the same call goes on from there. Vectors are read *block_bytes* at a
    time, and committed as `ImportOptions` says.

    Raises SourceError where there is nothing to merge, UsageError, EncoderMismatchError,
    IndexFolderError or a subclass.
    """
    start = time.monotonic()
    target = Path(os.path.normpath(index))
    folders = [Path(os.path.normpath(one)) for one in indexes]
    if not folders:
        raise UsageError("nothing to merge", hint="name the indexes to take images from")
    if real_path(target) in [real_path(one) for one in folders]:
        raise UsageError(
            f"{target} cannot be merged into itself",
            hint="name only the others to add them to it, or choose another index with -i",
        )
    for one in folders:
        check_sound(one)
    report = MergeReport(index=target, merged=tuple(folders))
    with ExitStack() as stack:
        sources = [stack.enter_context(closing(Snapshot(one))) for one in folders]
        # A new index excludes what all exclude alike; each has its own sources otherwise.
        kept = {one.stamp(KEPT) for one in sources}
        notes: dict[SourceName, str] = (
            {KEPT: kept.pop()} if len(kept) == 1 and not has_index(target) else {}
        )
        writer = stack.enter_context(_opened(target, sources))
        total = sum(one.generation.image_count for one in sources)
        buffer = CommitBuffer(writer, commit_images=commit_images, commit_bytes=commit_bytes)
        done = 0
        for source in sources:
            with closing(Snapshot(target)) as present:
                for count in _take(source, present, buffer, report, notes, block_bytes):
                    done += count
                    if progress:
                        progress("merging", done, total)
        if not writer.generation().image_count:
            raise SourceError(f"there are no images in {', '.join(map(str, folders))}")
        with closing(Snapshot(target)) as present:
            _take_skipped(sources, present, writer)
        compact_if_due(writer, progress)
        report.total = writer.generation().image_count
    report.seconds = time.monotonic() - start
    return report


@contextmanager
def _opened(target: Path, sources: Sequence[Snapshot]) -> Iterator[Writer]:
    """Open the index to merge into, after comparing the encoders."""
    if has_index(target):
        with open_writer(target) as writer:
            with closing(Snapshot(target)) as present:
                _check_encoders([present, *sources])
            yield writer
        return
    _check_encoders(sources)
    new = carried(sources[0])
    if not new.encoder_words and (others := [one for one in sources if one.words_record]):
        new = replace(new, encoder_words=others[0].read_words())
    with open_writer(target, new) as writer:
        yield writer


def _check_encoders(snapshots: Sequence[Snapshot]) -> None:
    specs = [EncoderSpec.from_json(one.encoder_json, one.dim) for one in snapshots]
    for other, spec in zip(snapshots[1:], specs[1:], strict=True):
        if spec.fingerprint != specs[0].fingerprint:
            raise differing(snapshots[0].folder, specs[0], other.folder, spec)


def _take(
    source: Snapshot,
    present: Snapshot,
    buffer: CommitBuffer,
    report: MergeReport,
    notes: Mapping[SourceName, str],
    block_bytes: int,
) -> Iterator[int]:
    """Commit what *source* has and *present*, the index so far, lacks; yield numbers of images."""
    images = source.images()
    skipped = {one.path for one in present.skipped()}
    known_sources = set(present.sources())
    new_sources = [one for one in source.sources() if one not in known_sources]
    # A list is read with its stamp, which tells what it is relative to. A tar is opened again.
    stamps: dict[SourceName, str] = {
        one: source.stamp(one) for one in new_sources if isinstance(one, ListName)
    }
    stamps |= {
        name: file for name, file in source.stamps_of_rows().items() if not present.stamp(name)
    }
    stamps |= {name: note for name, note in notes.items() if note != present.stamp(name)}
    buffer.change = Change(sources=new_sources, stamps=stamps)
    step = min(max(1, block_bytes // (4 * source.dim)), source.generation.image_count + 1)
    while block := list(islice(images, step)):
        new = list(_newer(block, present, report))
        if new:
            rows = np.array([image.row for _, image in new], np.int64)
            buffer.add(new, gather(source.segments, rows, source.dim).astype(np.float16))
            if skipped:
                buffer.change.forgotten += skipped.intersection(image.path for _, image in new)
        buffer.commit_if_due()
        yield len(block)
    buffer.commit()


def _newer(
    block: Sequence[Image], present: Snapshot, report: MergeReport
) -> Iterator[tuple[int | None, Image]]:
    """Choose the images that are not *present* with a file as new, with the ids of the older."""
    known = present.images_by_path([os.fspath(image.path) for image in block])
    for image in block:
        before = known.get(os.fspath(image.path))
        if before is None:
            report.added += 1
            yield None, image
        elif before.mtime_ns < image.mtime_ns:
            report.replaced += 1
            yield before.id, image
        else:
            report.present += 1
            if before.mtime_ns == image.mtime_ns and before.content_hash != image.content_hash:
                report.differing += 1
                report.differing_at = report.differing_at or image.path


def _united_apart(sources: Sequence[Snapshot], present: Snapshot) -> list[tuple[bytes, bytes]]:
    """Return the pairs of no copies that *present* lacks, as many as there is room for."""
    known = present.apart()
    new = sorted(set().union(*(one.apart() for one in sources)) - known)
    return new[: MOST_APART - len(known)]


def _take_skipped(sources: Sequence[Snapshot], present: Snapshot, writer: Writer) -> None:
    """Commit the files that an index skipped and none has an image of, and what was removed."""
    known = {one.path for one in present.skipped()}
    skipped = {one.path: one for source in reversed(sources) for one in source.skipped()}
    paths = [path for path in skipped if path not in known]
    there = present.images_by_path([os.fspath(path) for path in paths])
    change = Change(
        skipped=[skipped[path] for path in paths if os.fspath(path) not in there],
        removed_contents=[one for source in sources for one in source.removed_contents()],
        apart=_united_apart(sources, present),
    )
    if change:
        writer.commit(change)
