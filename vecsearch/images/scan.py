"""A folder of pictures, walked once."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import Final

from vecsearch.errors import SourceError

SUFFIXES: Final = frozenset(
    b".apng .avif .bmp .dib .gif .ico .j2k .jfif .jp2 .jpe .jpeg .jpg .mpo .pbm .pcx .pgm .png "
    b".pnm .ppm .qoi .rgb .sgi .tga .tif .tiff .webp".split()
)
"""Endings, in any case, by which a file is taken for a picture."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that should be a picture; ``path`` is absolute, as bytes: names need not be text."""

    path: bytes
    size_bytes: int
    mtime_ns: int

    def as_path(self) -> Path:
        """Give ``path`` as the rest of the world wants it; undecodable bytes survive."""
        return Path(os.fsdecode(self.path))


@dataclass(slots=True)
class Scan:
    """What was found below ``root``, and the folders and files that could not be looked at.

    ``gone`` marks a root that is meant to have gone.
    """

    root: Path
    files: list[FoundFile] = field(default_factory=list)
    unreadable: list[tuple[bytes, str]] = field(default_factory=list)
    gone: bool = False


def scan(root: Path) -> Scan:
    """Walk *root* and list its pictures by path; raises SourceError if it is no readable folder.

    Hidden files and folders are left out, links are followed, a loop of links ends at its second
    round.
    """
    root = Path(os.path.normpath(root.absolute()))
    if not root.exists():
        raise SourceError(f"no such folder: {root}", hint="give a folder of pictures", path=root)
    if not root.is_dir():
        raise SourceError(f"{root} is a file", hint="give a folder of pictures", path=root)
    found = Scan(root)
    found.files.extend(_walk(os.fsencode(root), set(), found))
    if found.unreadable and found.unreadable[0][0] == os.fsencode(root):
        raise SourceError(f"{root} cannot be read: {found.unreadable[0][1]}", path=root)
    found.files.sort(key=lambda file: file.path)
    return found


def _walk(root: bytes, entered: set[tuple[int, int]], found: Scan) -> Iterator[FoundFile]:
    # Linked folders come last, so that a file is found under its own path and not the link's.
    pending, linked = deque([root]), deque[bytes]()
    while pending or linked:
        folder = pending.popleft() if pending else linked.popleft()
        try:
            stat = os.stat(folder)  # noqa: PTH116 - bytes
            if (stat.st_dev, stat.st_ino) in entered:
                continue
            entered.add((stat.st_dev, stat.st_ino))
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            found.unreadable.append((folder, error.strerror or str(error)))
            continue
        for entry in entries:
            if entry.name.startswith(b"."):
                continue
            try:
                if entry.is_dir():
                    (linked if entry.is_symlink() else pending).append(entry.path)
                elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:  # noqa: PTH122
                    facts = entry.stat()
                    if S_ISREG(facts.st_mode):
                        yield FoundFile(entry.path, facts.st_size, facts.st_mtime_ns)
                    else:
                        found.unreadable.append((entry.path, "not a regular file"))
            except OSError as error:
                found.unreadable.append((entry.path, error.strerror or str(error)))
