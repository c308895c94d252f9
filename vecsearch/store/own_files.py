"""What lies in an index folder: which names are vecsearch's own, and deleting only these."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Final

from vecsearch.errors import IndexFolderError
from vecsearch.store import schema
from vecsearch.store.lock import HOLDER_FILE, LOCK_FILE
from vecsearch.store.migrate import COPY
from vecsearch.store.safe_paths import FOLDERS, check_folder, is_ours, our_files

NEXT: Final = "next.sqlite"
"""A catalog that is being made beside the one in force."""

_BEGUN: Final = tuple(f"{name}{end}" for name in (NEXT, COPY) for end in ("", "-journal"))
_FILES: Final = {
    *FOLDERS,
    *_BEGUN,
    LOCK_FILE,
    HOLDER_FILE,
}


def check_free(folder: Path, *, fresh: bool = False) -> None:
    """Raise IndexFolderError if *folder* holds anything that vecsearch did not put there."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise IndexFolderError(f"{folder} is a file", hint="give a folder", path=folder)
    if (folder / schema.COLLECTION).is_file():
        raise schema.not_an_index(folder)
    for name in FOLDERS:
        check_folder(folder, name)
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if name in (schema.CATALOG, f"{schema.CATALOG}-journal"):
            # A damaged one is known by what lies beside it.
            ours = fresh and (schema.is_catalog(folder / schema.CATALOG) or has_our_files(folder))
        elif path.parent != folder:
            ours = path.parent.parent == folder and is_ours(path.parent.name, path.name)
        else:
            ours = name in _FILES
        if not ours:
            raise IndexFolderError(
                f"{folder} is not an index and not empty (it has {name})",
                hint="give another folder with -i",
                path=folder,
            )


def has_our_files(folder: Path) -> bool:
    """Return whether *folder* has files that only vecsearch writes."""
    return any(True for _ in our_files(folder))


def delete_begun(folder: Path) -> None:
    """Delete what is left of catalogs that were being made beside the one in force."""
    for name in _BEGUN:
        (folder / name).unlink(missing_ok=True)


def delete_unnamed(folder: Path, named: set[str]) -> None:
    """Delete files of ours that are not *named*: left by a crash, or by what was replaced.

    One that cannot be deleted now is tried again by the next writer.
    """
    for name, path in our_files(folder):
        if name not in named:
            with contextlib.suppress(OSError):
                path.unlink()


def discard(folder: Path, made: bool) -> None:
    """Delete the files of a new index, and its folder if that was *made* for it."""
    (folder / schema.CATALOG).unlink(missing_ok=True)
    delete_unnamed(folder, set())
    for name in FOLDERS:
        if (folder / name).is_dir():
            (folder / name).rmdir()
    if made:
        for name in (LOCK_FILE, HOLDER_FILE):
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()
