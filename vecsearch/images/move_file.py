"""Move a file: never over another one, and without loss if the process is killed."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from pathlib import Path
from stat import S_ISREG
from typing import Final

from vecsearch.files import sync_folder

_BLOCK: Final = 1 << 20
_NAME: Final = 60  # of a name's letters, so that no file system finds it too long
_NO_LINKS: Final = {
    errno.EXDEV,
    errno.EPERM,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EMLINK,
    errno.EACCES,
}


def move_file(source: Path, target: Path) -> None:
    """Move a regular file, durably; raises OSError, FileExistsError if *target* is there.

    It is at *target* before it leaves *source*: by a hard link, or, on another file system, by a
    copy with the same times, which is compared before it gets its name. Killed in between, it is at
    both, and `take_back_half` tidies up; what `partial_of` names may be left of a copy.
    """
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _copy(source, target)
    sync_folder(target.parent)
    try:
        source.unlink()
    except OSError:
        target.unlink()  # it stays where it was, and nowhere else
        raise
    sync_folder(source.parent)


def take_back_half(source: Path, target: Path) -> bool:
    """Undo an interrupted move: delete *target* if it is the same file as *source*.

    False, and nothing is deleted, if *target* is another file, or the only name of this one.
    """
    before, after = source.lstat(), target.lstat()
    if not (S_ISREG(before.st_mode) and S_ISREG(after.st_mode)):
        return False  # a link to the one would be as equal as a copy
    if os.path.samestat(before, after):
        if before.st_nlink < 2:
            return False
    elif not _are_equal(source, target):
        return False
    target.unlink()
    sync_folder(target.parent)
    return True


def partial_of(target: Path) -> Path:
    """Return the name that a copy has until it is complete, which no scan of a folder takes up."""
    return target.with_name(f".vecsearch-{target.name[-_NAME:]}.partial")


def take_name(partial: Path, target: Path) -> None:
    """Let a complete file be at *target*, and perhaps no longer at *partial*.

    Raises FileExistsError if something is there, OSError.
    """
    try:
        os.link(partial, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        partial.rename(target)


def _copy(source: Path, target: Path) -> None:
    """Copy a file; it takes the name *target* when it is complete, unless that is taken."""
    partial = partial_of(target)
    partial.unlink(missing_ok=True)  # of a copy that was cut short, or a link to another file
    written = hashlib.sha256()
    try:
        with source.open("rb") as original, partial.open("xb") as copy:
            while block := original.read(_BLOCK):
                copy.write(block)
                written.update(block)
            copy.flush()
            shutil.copystat(source, partial)
            os.fsync(copy.fileno())
        with partial.open("rb") as again:
            if hashlib.file_digest(again, "sha256").digest() != written.digest():
                raise OSError(errno.EIO, "the copy differs from what was read", str(target))
        take_name(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _are_equal(a: Path, b: Path) -> bool:
    """Return whether two files have the same bytes."""
    with a.open("rb") as one, b.open("rb") as other:
        while block := one.read(_BLOCK):
            if other.read(len(block)) != block:
                return False
        return not other.read(1)
