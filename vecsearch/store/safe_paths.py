"""What lies inside an index folder: names become paths here, and nothing outside is reached.

An index may come from somebody else, so its catalog and its folder are not believed: a name must be
one that vecsearch gives, and no link is followed below the folder. The folder itself may be given
as a link, for that is the user's own word.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vecsearch.errors import IndexDamagedError, IndexFolderError

FOLDERS: Final = ("vectors", "ann", "encoder")
TEMPORARY_PREFIX: Final = ".partial-"

KINDS: Final = {
    "vectors": ("vectors", "f16"),
    "ann": ("ann", "faiss"),
    "encoder_xml": ("encoder", "xml"),
    "encoder_bin": ("encoder", "bin"),
    "encoder_words": ("encoder", "words"),
}
"""The folders and endings of the files of an index, by what they are for."""

_KINDS: Final = {ending: kind for kind, (_, ending) in KINDS.items()}
_LEAST_DIGITS: Final = 6
_MOST_DIGITS: Final = 18

_TEMPORARY: Final = re.compile(rf"{re.escape(TEMPORARY_PREFIX)}[0-9a-f]+")


def is_name(name: object) -> bool:
    """Return whether *name* is one that vecsearch gives to a write-once file."""
    kind = _KINDS.get(name.rpartition(".")[2]) if isinstance(name, str) else None
    return kind is not None and is_name_of(name, kind)


def is_name_of(name: object, kind: str) -> bool:
    """Return whether *name* is one of a *kind* of `KINDS`: its folder, a number and its ending."""
    if not isinstance(name, str):
        return False
    folder, ending = KINDS[kind]
    number = name.removeprefix(f"{folder}/").removesuffix(f".{ending}")
    return (
        name == f"{folder}/{number}.{ending}"
        and number.isascii()
        and number.isdigit()
        and _LEAST_DIGITS <= len(number) <= _MOST_DIGITS
    )


def is_ours(folder: str, name: str) -> bool:
    """Return whether a file *name* in a *folder* of an index is one that vecsearch made there."""
    return folder in FOLDERS and (is_name(f"{folder}/{name}") or bool(_TEMPORARY.fullmatch(name)))


def file_path(folder: Path, name: str) -> Path:
    """Return the path of the write-once file *name* of the index in *folder*; it may be missing.

    Raises IndexDamagedError for a name that is not ours, a link, or what is no file.
    """
    if not is_name(name):
        raise IndexDamagedError(
            f"the catalog {folder / 'catalog.sqlite'} is damaged (it names a file {name!r})",
            hint="restore it from a copy, or build with --fresh",
            path=folder,
        )
    check_folder(folder, name.partition("/")[0])
    path = folder / name
    check_plain(path)
    return path


def check_folder(folder: Path, name: str) -> None:
    """Raise IndexDamagedError if the folder *name* of an index is a link or a file."""
    path = folder / name
    facts = _facts(path)
    if facts is not None and not stat.S_ISDIR(facts.st_mode):
        raise _refused(path, facts, "a folder")


def check_plain(path: Path) -> None:
    """Raise IndexDamagedError if *path*, in an index, is there and is not a regular file."""
    facts = _facts(path)
    if facts is not None and not stat.S_ISREG(facts.st_mode):
        raise _refused(path, facts, "a file")


def check_own(path: Path) -> None:
    """Raise IndexFolderError if *path*, to be written in place, has another name elsewhere too."""
    check_plain(path)
    if has_other_names(path):
        raise IndexFolderError(
            f"{path} has another name elsewhere (a hard link), and that file would be written too",
            hint="copy the index folder (cp -r), and use the copy",
            path=path,
        )


def is_file(path: Path) -> bool:
    """Return whether *path* is a file; raises IndexFolderError where that may not be looked at."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError as error:
        if error.errno == errno.ELOOP:
            return False
        raise IndexFolderError(f"{path} cannot be read: {error.strerror}", path=path) from None


def has_other_names(path: Path) -> bool:
    """Return whether *path* is a file with more than one name."""
    facts = _facts(path)
    return facts is not None and facts.st_nlink > 1


def our_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """List the files that only vecsearch writes, with their names; links lead nowhere here."""
    for name in FOLDERS:
        facts = _facts(folder / name)
        if facts is None or not stat.S_ISDIR(facts.st_mode):
            continue
        for path in (folder / name).iterdir():
            if is_ours(name, path.name):
                yield f"{name}/{path.name}", path


def _facts(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise IndexFolderError(f"{path} cannot be read: {error.strerror}", path=path) from None


def _refused(path: Path, facts: os.stat_result, wanted: str) -> IndexDamagedError:
    if stat.S_ISLNK(facts.st_mode):
        return IndexDamagedError(
            f"{path} is a link, and links in an index are not followed",
            hint="put the file that it leads to in its place, if you trust it",
            path=path,
        )
    return IndexDamagedError(
        f"{path} is not {wanted}", hint="restore it from a copy, or build with --fresh", path=path
    )
