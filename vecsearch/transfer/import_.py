"""The command ``import``: vectors that another program made become an index, or part of one."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import compress, islice
from pathlib import Path
from typing import Final

import numpy as np

from vecsearch.arguments import checked
from vecsearch.embed.spec import EncoderSpec
from vecsearch.errors import SourceError
from vecsearch.images.date_taken import read_date
from vecsearch.images.file_times import kept_ns
from vecsearch.indexing.compaction import compact_if_due
from vecsearch.store.change import Change
from vecsearch.store.commit_buffer import CommitBuffer
from vecsearch.store.locate import has_index, index_of
from vecsearch.store.segments import gather
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.writer import Writer, open_writer
from vecsearch.transfer.formats.blocks import Block
from vecsearch.transfer.formats.parquet import Facts
from vecsearch.transfer.inputs import ImportOptions, Input, check_ids, open_inputs
from vecsearch.transfer.normalise import to_halves
from vecsearch.transfer.row_names import name_rows
from vecsearch.transfer.vector_encoder import check_same_encoder, new_index
from vecsearch.types import Float16Vectors, Image, ImageFile, Progress, Skipped, SourceName, path_of
from vecsearch.wording import counted

NO_DIRECTION: Final = "its vector is zero or not finite"

_LONGEST_DATE: Final = 64

_UNKNOWN: Final = Facts()


@dataclass(slots=True, kw_only=True)
class ImportReport:
    """What an import did, in numbers of vectors, and what the index holds now.

    ``skipped`` ones are zero, not finite, missing or of another length; `Index.info` names them.
    ``nameless`` rows have no id, and are not imported either; the first is at ``nameless_at``.
    """

    index: Path
    encoder: EncoderSpec
    added: int = 0
    replaced: int = 0
    unchanged: int = 0
    skipped: int = 0
    nameless: int = 0
    nameless_at: str = ""
    total: int = 0
    seconds: float = 0.0


@checked
def import_vectors(
    *files: str | Path,
    index: str | Path | None = None,
    options: ImportOptions | None = None,
    progress: Progress | None = None,
) -> ImportReport:
    """Make vectors in .npy, .npz and .parquet files searchable, in an index that is there or not.

    Without *index*: ``indexes/`` and the name of the first file. Vectors are normalised; those that
    are zero, not finite, missing or of another length are skipped and listed. An id that the index
    has gets the new vector, so the same import again is an update, or goes on where it was
    interrupted; what is there already is not written again.

    Raises SourceError, UsageError, EncoderMismatchError, IndexFolderError.
    """
    start = time.monotonic()
    options = options or ImportOptions()
    inputs = open_inputs(files, options)
    folder = Path(os.path.normpath(index or index_of(Path(files[0]).with_suffix(""))))
    if has_index(folder):
        with open_writer(folder) as writer, closing(Snapshot(folder)) as snapshot:
            spec = EncoderSpec.from_json(snapshot.encoder_json, snapshot.dim)
            check_same_encoder(spec, folder, inputs, options)
            report = ImportReport(index=folder, encoder=spec)
            _copy(*name_rows(inputs, snapshot), writer, snapshot, report, options, progress)
    else:
        named, stamps = name_rows(inputs, None)
        check_ids(named)
        new = new_index(inputs, options, Path(files[0]).stem)
        report = ImportReport(index=folder, encoder=EncoderSpec.from_json(new.encoder_json))
        with open_writer(folder, new) as writer:
            _copy(named, stamps, writer, None, report, options, progress)
    report.seconds = time.monotonic() - start
    return report


def _copy(
    inputs: Sequence[Input],
    stamps: Mapping[SourceName, str],
    writer: Writer,
    snapshot: Snapshot | None,
    report: ImportReport,
    options: ImportOptions,
    progress: Progress | None,
) -> None:
    if snapshot is not None:
        check_ids(inputs)
    total = sum(one.vectors.row_count for one in inputs)
    buffer = CommitBuffer(
        writer,
        commit_images=options.commit_images,
        commit_bytes=options.commit_bytes,
        change=Change(stamps=dict(stamps)),
    )
    taker = _Import(buffer, snapshot, report)
    done = 0
    for one in inputs:
        paths = one.paths()
        facts = one.facts()
        row = 0
        step = max(1, options.block_bytes // (4 * one.vectors.dim))
        for block in one.vectors.blocks(step):
            count = len(block.values)
            names = list(islice(paths, count))
            known = map(_stat, names) if facts is None else islice(facts, count)
            if "" in names:
                first = f"row {row + names.index('')} of {one.ids_file or one.path}"
                report.nameless_at = report.nameless_at or first
                report.nameless += names.count("")
            taker.take(names, known, block)
            buffer.commit_if_due()
            row += count
            done += count
            if progress:
                progress("importing", done, total)
    buffer.commit()
    report.total = writer.generation().image_count
    if not report.total:
        raise SourceError(
            f"none of {counted(total, 'vector')} can be used: all are zero, not finite or missing, "
            "or have no id",
            path=inputs[0].path,
        )
    compact_if_due(writer, progress)


class _Import:
    """Compares what was read with the index, and adds what differs to the next commit.

    *snapshot* is what the index held before, None for a new one. Ids are there once in an import,
    so what is committed meanwhile is not asked for.
    """

    def __init__(
        self, buffer: CommitBuffer, snapshot: Snapshot | None, report: ImportReport
    ) -> None:
        self._buffer = buffer
        self._snapshot = snapshot
        self._report = report
        self._were_skipped = {one.path for one in snapshot.skipped()} if snapshot else set()

    def take(self, names: list[str], facts: Iterator[Facts], block: Block) -> None:
        """Add the vectors in *block* with their ids *names* and what is known of their files."""
        halves, usable = to_halves(block.values)
        known, same = self._known(names, halves)
        row_bytes = halves.data.cast("B")
        width = 2 * halves.shape[1]
        change, report = self._buffer.change, self._report
        new: list[int] = []
        embedded: list[tuple[int | None, ImageFile]] = []
        columns = enumerate(zip(names, facts, usable.tolist(), strict=True))
        for place, (name, (size_bytes, mtime_ns, w, h, date), good) in columns:
            if not name:
                continue
            before = known.get(name) if known else None
            has_file = (size_bytes or mtime_ns) and "://" not in name
            taken = read_date(date[:_LONGEST_DATE]) or (None if has_file else "")
            if not good:
                reason = block.faults.get(place, NO_DIRECTION)
                change.skipped.append(Skipped(path_of(name), size_bytes, mtime_ns, reason))
                report.skipped += 1
            elif before is None or before.id not in same:
                row = row_bytes[place * width : (place + 1) * width]
                content_hash = hashlib.sha256(row).digest()[:16]
                file = ImageFile(path_of(name), size_bytes, mtime_ns, content_hash, w, h, taken)
                embedded.append((before.id if before else None, file))
                new.append(place)
                report.added += before is None
                report.replaced += before is not None
            else:
                report.unchanged += 1
                if mtime_ns and (size_bytes, mtime_ns) != (before.size_bytes, before.mtime_ns):
                    touched = replace(before, size_bytes=size_bytes, mtime_ns=mtime_ns, taken=taken)
                    change.refiled.append((before.id, touched))
        if self._were_skipped:
            good_names = compress(names, usable.tolist())
            change.forgotten += self._were_skipped.intersection(map(path_of, good_names))
        self._buffer.add(embedded, halves if len(new) == len(halves) else halves[new])

    def _known(self, names: list[str], halves: Float16Vectors) -> tuple[dict[str, Image], set[int]]:
        """Find the images that the index has of *names*, and the ids of those with the vectors."""
        if self._snapshot is None or not self._snapshot.generation.image_count:
            return {}, set()
        known = self._snapshot.images_by_path(names)
        found = [(place, known[name]) for place, name in enumerate(names) if name in known]
        if not found:
            return known, set()
        rows = np.array([image.row for _, image in found], np.int64)
        stored = gather(self._snapshot.segments, rows, self._snapshot.dim)
        equal = (stored == halves[[place for place, _ in found]]).all(axis=1).tolist()
        return known, {image.id for (_, image), same in zip(found, equal, strict=True) if same}


def _stat(path: str) -> Facts:
    """Look for the file that an id may be the path of, so that it can be asked for by it."""
    try:
        facts = os.stat(path)  # noqa: PTH116 - for a million of them
    except (OSError, ValueError):
        return _UNKNOWN
    if not stat.S_ISREG(facts.st_mode):
        return _UNKNOWN
    return Facts(facts.st_size, kept_ns(facts.st_mtime_ns))
