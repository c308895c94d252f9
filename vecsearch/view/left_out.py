"""What of a source is left out, in words."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Final

from vecsearch.images.decoders.formats import way_to_read
from vecsearch.images.sources.exclude import IGNORE_FILE
from vecsearch.images.sources.notes import Excluded
from vecsearch.images.sources.scan import UNWANTED
from vecsearch.view.text import printable
from vecsearch.wording import counted

NEVER_INDEXED: Final = ", ".join(["hidden files", *sorted(map(os.fsdecode, UNWANTED))])
"""What no build looks at, unless it is named."""


def format_left_out(counts: Mapping[str, int]) -> str:
    """Say how many files of which endings were left out, and what would help."""
    by_way: dict[str, list[str]] = {}
    for ending, count in sorted(counts.items()):
        by_way.setdefault(way_to_read(ending), []).append(f"{count:,} {ending}")
    parts = [
        f"{', '.join(some)} ({way or 'not read; convert them to be indexed'})"
        for way, some in sorted(by_way.items(), key=lambda item: (not item[0], item[0]))
    ]
    return "left out: " + "; ".join(parts)


def format_patterns(texts: Sequence[str]) -> str:
    """Write patterns one after the other; one with spaces in quotation marks."""
    return ", ".join(
        printable(text if text.isprintable() and " " not in text else repr(text)) for text in texts
    )


def format_excluded(texts: Sequence[str], excluded: Excluded) -> list[str]:
    """Say in a line each what the patterns of an index and `.vecsearchignore` files left out."""
    lines = []
    if texts:
        number = _amount(excluded.pictures, excluded.folders)
        lines.append(f"{number} by {format_patterns(texts)}")
    if excluded.ignore_files:
        number = _amount(excluded.ignored_pictures, excluded.ignored_folders)
        lines.append(
            f"{number} by {counted(excluded.ignore_files, f'{os.fsdecode(IGNORE_FILE)} file')}"
        )
    return lines


def _amount(pictures: int, folders: int) -> str:
    parts = [counted(n, what) for n, what in ((pictures, "image"), (folders, "folder")) if n]
    return " and ".join(parts) or "nothing"
