"""What lies beside a catalog and is replayed into it: only a journal such as a commit leaves.

SQLite rolls back whatever journal it finds when it opens a database. One that somebody made can
name a file anywhere as the super-journal above it, which SQLite looks into, and may delete where it
takes it for a stale one; or a size to which the catalog is then extended. Formats:
https://sqlite.org/fileformat2.html#the_rollback_journal, https://sqlite.org/atomiccommit.html
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from vecsearch.errors import IndexDamagedError, IndexFolderError
from vecsearch.store.safe_paths import check_own, check_plain

_MAGIC: Final = bytes.fromhex("d9d505f920a163d7")
_TAIL_BYTES: Final = 16  # length and checksum of a name, and the magic number
_HEADER_BYTES: Final = 28
_PAGE_SIZES: Final = (0, 4096)


def has_journal(path: Path) -> bool:
    """Return whether a journal lies beside the catalog *path*: of a commit, or of a killed one."""
    return os.path.lexists(path.with_name(f"{path.name}-journal"))


def check_beside(path: Path) -> None:
    """Raise IndexDamagedError unless SQLite may replay what lies beside the catalog *path*."""
    for end in ("-wal", "-shm"):
        other = path.with_name(path.name + end)
        if os.path.lexists(other):
            raise _refused(other, "vecsearch does not write such a file")
    journal = path.with_name(f"{path.name}-journal")
    check_plain(journal)
    try:
        size = journal.stat().st_size
        with journal.open("rb") as file:
            head = file.read(_HEADER_BYTES)
            file.seek(max(0, size - _TAIL_BYTES))
            tail = file.read(_TAIL_BYTES)
    except FileNotFoundError:
        return
    except OSError as error:
        raise IndexFolderError(f"{journal} cannot be read: {error.strerror}", path=path) from None
    check_own(journal)
    if len(tail) == _TAIL_BYTES and tail.endswith(_MAGIC):
        name_bytes = int.from_bytes(tail[:4])
        if 0 < name_bytes <= size - _TAIL_BYTES:
            raise _refused(journal, "it names another journal")
    if len(head) == _HEADER_BYTES and head.startswith(_MAGIC):
        pages, page_bytes = int.from_bytes(head[16:20]), int.from_bytes(head[24:28])
        if page_bytes not in _PAGE_SIZES:
            raise _refused(journal, f"its pages have {page_bytes} bytes")
        # What a transaction has cut off the catalog is all in its journal.
        if pages * _PAGE_SIZES[-1] > size + _size(path) + _PAGE_SIZES[-1]:
            raise _refused(journal, f"it would make the catalog {pages} pages long")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _refused(path: Path, why: str) -> IndexDamagedError:
    return IndexDamagedError(
        f"{path} is not a journal that a commit left ({why})",
        hint="delete it if you do not know where it comes from, then run vecsearch verify",
        path=path,
    )
