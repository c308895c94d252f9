"""Links below folders, and the files to which they lead."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from stat import S_ISREG

from vecsearch.deduplication.aside_journal import Inode


def files_of_links(folders: Iterable[Path]) -> dict[Inode, Path]:
    """Return the files that links below *folders* lead to, each with one of its links.

    Hidden files and folders are looked at too, and linked folders, each once.
    """
    found: dict[Inode, Path] = {}
    for link in _links(folders):
        if (inode := file_of_link(link)) is not None:
            found.setdefault(inode, link)
    return found


def file_of_link(link: Path) -> Inode | None:
    """Return the file that a link leads to, None if it leads to none."""
    with contextlib.suppress(OSError, ValueError):
        facts = link.stat()
        if S_ISREG(facts.st_mode):
            return facts.st_ino, facts.st_dev
    return None


def _links(folders: Iterable[Path]) -> Iterator[Path]:
    entered: set[Inode] = set()
    stack = list(folders)
    while stack:
        folder = stack.pop()
        # What cannot be read now has no link that can be followed.
        with contextlib.suppress(OSError):
            facts = folder.stat()
            if (facts.st_ino, facts.st_dev) in entered:
                continue
            entered.add((facts.st_ino, facts.st_dev))
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        yield Path(entry.path)
                    if entry.is_dir():
                        stack.append(Path(entry.path))
