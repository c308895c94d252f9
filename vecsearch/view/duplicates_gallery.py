"""The gallery of copies: what is kept of each group, and why, beside what is not."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from vecsearch.deduplication.move_aside import is_safe
from vecsearch.deduplication.report import (
    DuplicateCopy,
    DuplicateGroup,
    DuplicatesReport,
    Why,
    pixels_of,
)
from vecsearch.paths import shown
from vecsearch.types import Guess
from vecsearch.view.gallery import Compared, Decisions, Gallery, Section, Tile
from vecsearch.wording import counted, written_size

_WHY: Final[Mapping[Why, str]] = {
    "preferred": "preferred",
    "unchanged": "the others changed or are gone",
    "pixels": "most pixels",
    "bytes": "largest file",
    "oldest": "oldest file",
    "first": "first in the index",
}


def duplicates_gallery(
    report: DuplicatesReport, guesses: Mapping[Path, Sequence[Guess]], decisions: Decisions
) -> Gallery:
    """Lay the groups of *report* out side by side, the kept picture of each first.

    *guesses* are the likeliest words of the `pictures_of` a report.
    """
    sections = [
        Section(
            heading=" ".join(shown(one.path) for one in (group.kept, *group.others)),
            queries=[_tile(group.kept, f"kept: {_WHY[group.why]}", kept=True)],
            tiles=[_tile(one, _remark(one, group), kept=False) for one in group.others],
            note=f"{written_size(group.freed_bytes)} to free",
        )
        for group in report.groups
    ]
    title = f"{counted(len(sections), 'group')} of copies"
    freed = f"{counted(report.copies, 'copy')}, {written_size(report.freed_bytes)} to free"
    others = [(one, group) for group in report.groups for one in group.others]
    there = [(one, group) for one, group in others if one.state == "there"]
    if edited := sum(not is_safe(one, group, report) for one, group in there):
        freed += f"; {edited:,} of them are moved with --edited alone"
    return Gallery(
        title=title, subtitle=freed, sections=sections, guesses=guesses, decisions=decisions
    )


def pictures_of(report: DuplicatesReport) -> list[Path]:
    """Return the paths of all pictures of the groups, in their order."""
    return [one.path for group in report.groups for one in (group.kept, *group.others)]


def _tile(copy: DuplicateCopy, remark: str, *, kept: bool) -> Tile:
    alike = "same bytes" if copy.exact else f"{copy.kind} {copy.score:.4f}"
    size = f"{copy.width} x {copy.height}, {written_size(copy.size_bytes)}"
    state = "" if copy.state == "there" else f" ({copy.state})"
    return Tile(
        picture=copy.path,
        left="keep" if kept else alike,
        right=size + state,
        mark=kept,
        compared=Compared(copy.id, _facts(copy, kept=kept), remark, certain=copy.exact),
    )


def _facts(copy: DuplicateCopy, *, kept: bool) -> dict[str, str]:
    facts = {
        "Name": copy.path.name,
        "Folder": shown(copy.path.parent),
        "Pixels": f"{copy.width} x {copy.height}" if copy.width else "",
        "Size": written_size(copy.size_bytes),
        "Modified": _date(copy.mtime_ns),
        "State": "" if copy.state == "there" else copy.state,
    }
    if not kept:
        facts["Copy"] = "same bytes" if copy.exact else copy.kind
        facts["Score"] = f"{copy.score:.4f}"
        if copy.agreement is not None:
            facts["Agrees"] = f"{copy.agreement:.0%} of the parts"
    return {name: value for name, value in facts.items() if value}


def _remark(copy: DuplicateCopy, group: DuplicateGroup) -> str:
    """Say in what a copy differs from the kept one, as far as it matters."""
    kept = group.kept
    differences = []
    pixels, kept_pixels = pixels_of(copy), pixels_of(kept)
    if copy in group.better:
        what = "larger" if pixels > kept_pixels else "a larger file"
        differences.append(f"{what} than the kept one")
    if pixels != kept_pixels and kept_pixels and pixels:
        share = pixels / kept_pixels
        times = f"{share:.1f} times" if share > 1 else f"{share:.0%} of"
        differences.append(f"{times} its pixels")
    if copy.size_bytes != kept.size_bytes:
        more = copy.size_bytes > kept.size_bytes
        size = written_size(abs(copy.size_bytes - kept.size_bytes))
        differences.append(f"{size} {'more' if more else 'less'}")
    if copy.mtime_ns // 10**9 != kept.mtime_ns // 10**9:
        differences.append("newer" if copy.mtime_ns > kept.mtime_ns else "older")
    if copy.path.parent != kept.path.parent:
        differences.append("in another folder")
    return ", ".join(differences)


def _date(mtime_ns: int) -> str:
    """Write the time of a file; nothing, where there is none that can be written."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(mtime_ns // 10**9))
    except (OverflowError, ValueError, OSError):
        return ""
