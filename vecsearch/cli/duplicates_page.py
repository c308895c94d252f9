"""The page of ``duplicates --html``: what to keep of each group, and why."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from vecsearch.cli.open import open_queryable
from vecsearch.cli.output import tell_not_fetched
from vecsearch.deduplication.report import DuplicatesReport
from vecsearch.types import Progress, absolute_path
from vecsearch.view.duplicates_gallery import duplicates_gallery, pictures_of
from vecsearch.view.gallery import Decisions, write_gallery


def write_page(
    report: DuplicatesReport,
    out: Path,
    options: Sequence[str],
    keep: Sequence[str],
    progress: Progress | None,
) -> None:
    """Write the groups of *report* side by side, the kept picture of each first.

    *options* are those that the copies were found with, *keep* what was preferred.
    """
    paths = pictures_of(report)
    with open_queryable(report.index) as index:
        guesses = index.guess_at(paths)
    command = ["vecsearch", "duplicates", "-i", str(absolute_path(report.index))]
    decisions = Decisions(
        not_copies=shlex.join([*command, "--not-copies"]),
        again=shlex.join([*command, *options]),
        keep=shlex.join([part for one in keep for part in ("--keep", _from_anywhere(one))]),
    )
    write_gallery(duplicates_gallery(report, guesses, decisions), out, progress=progress)
    tell_not_fetched(paths)


def _from_anywhere(pattern: str) -> str:
    """Write what is to be kept so that it means the same in another folder."""
    is_name = "/" not in pattern.removesuffix("/")
    if "://" in pattern or (is_name and not Path(pattern).is_dir()):
        return pattern
    return str(Path.cwd() / pattern)
