"""The command ``relocate``: a library that is somewhere else now; its images keep their ids."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from vecsearch.arguments import checked
from vecsearch.errors import UsageError
from vecsearch.images.sources.allowed_urls import name_source
from vecsearch.indexing.renamed import RelocateReport, check_place, renamed_sources
from vecsearch.store.locate import only_index
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.writer import open_writer
from vecsearch.types import absolute_path


@checked
def relocate(
    old: str | Path, new: str | Path, *, index: str | Path | None = None, dry_run: bool = False
) -> RelocateReport:
    """Change the paths of an index after *old*, a folder, tar, URL or file, was moved to *new*.

    Images keep their ids and vectors, and what was removed or skipped stays so. Before that is
    committed, up to 100 images are looked for at *new*: more than half of them must be there, with
    the same size and content. Files that differ are seen to by the next build.

    Raises UsageError, NotFoundError if there is nothing of *old* in the index, SourceError if it is
    not at *new*; then nothing was changed.
    """
    folder = Path(index) if index is not None else only_index()
    before, there = absolute_path(old), absolute_path(new)
    if before == there:
        raise UsageError(
            f"{before} and {there} are the same place", hint="name the old place, then the new one"
        )
    name_source(there)  # who relocates to a URL may fetch from it
    if dry_run:
        with closing(Snapshot(folder)) as snapshot:
            return check_place(snapshot, before, there, dry_run=True)
    with open_writer(folder) as writer:
        with closing(Snapshot(folder)) as snapshot:
            report = check_place(snapshot, before, there)
            sources = renamed_sources(snapshot, before, there)
        writer.relocate(before, there, sources)
        return report
