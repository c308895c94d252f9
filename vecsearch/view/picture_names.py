"""What pictures are called beside each other: as much of the path as tells them apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

from vecsearch.types import Result

_NUMBER: Final = re.compile(r"(?=[a-f]*\d)[0-9a-f]{8,}|\d+")
"""A number, or a checksum."""

_SAYS_NOTHING: Final = frozenset(
    ["", "img", "image", "imag", "imgp", "imgwa", "dsc", "dscn", "dscf", "dcp", "pict", "pic",
     "picture", "photo", "foto", "pxl", "p", "mvi", "gopr", "scan", "frame", "wp", "sam"]
)  # fmt: skip
"""The letters of names that cameras and data sets count with."""


def picture_names(paths: Iterable[Path]) -> dict[Path, str]:
    """Return a name for each of *paths*, all shown on one sheet or page.

    The name is the file's. Where several files have one name, or names that differ by their
    numbers alone, and lie in different folders, it begins with as many of the last folders as
    tell these apart; and with one folder where the file's name says nothing:
    cougar_face/image_0013.jpg. No two names are the same.
    """
    split = {path: _split(path) for path in paths}
    groups: dict[str, list[Path]] = {}
    for path, (_, file) in split.items():
        groups.setdefault(_shape(file), []).append(path)
    names = {}
    for shape, members in groups.items():
        folders = {split[path][0] for path in members}
        known = _short_folders(folders, least=int(_letters(shape) in _SAYS_NOTHING))
        times = Counter(split[path][1] for path in members)
        for path in members:
            folder, file = split[path]
            said = known[folder]
            # Names that begin with their folder's, such as n02/n02_17.jpg, say it already.
            if times[file] == 1 and _begins_with(file, said):
                said = ""
            names[path] = f"{said.rstrip('/')}/{file}" if said else file
    return {path: names[path] for path in split}


def names_of_results(results: Iterable[Result]) -> dict[Path, str]:
    """Return a name for each picture of a query or a hit, as `picture_names` does."""
    paths: set[Path] = set()
    for result in results:
        paths.update(one.path for one in result.asked if one.path is not None)
        if result.path is not None:
            paths.add(result.path)
        paths.update(hit.path for hit in result.hits)
    return picture_names(sorted(paths))


def _split(path: Path) -> tuple[str, str]:
    folder, slash, file = str(path).rpartition("/")
    return (folder or slash, file) if file else ("", str(path))


def _begins_with(file: str, folder: str) -> bool:
    rest = file[len(folder) :]
    return file.lower().startswith(folder.lower()) and not rest[:1].isalpha()


def _shape(file: str) -> str:
    """Return a file name without its numbers and ending, which alone tell nothing."""
    stem, dot, _ = file.rpartition(".")
    return _NUMBER.sub("0", (stem if dot and stem else file).lower())


def _letters(shape: str) -> str:
    return "".join(c for c in shape if c.isalpha())


def _short_folders(folders: Collection[str], least: int) -> dict[str, str]:
    """Return for each of *folders* its last parts, as few as no other ends in, at *least* so many.

    Of a single one none need be there.
    """
    if len(folders) == 1:
        return {folder: folder.rpartition("/")[2] if least else "" for folder in folders}
    parts = {folder: folder.split("/") for folder in folders}
    short: dict[str, str] = {}
    left = set(folders)
    for count in range(1, max(map(len, parts.values())) + 1):
        ends = {folder: "/".join(parts[folder][-count:]) for folder in left}
        times = Counter(ends.values())
        for folder, end in ends.items():
            # The whole of a folder may be the end of another, and is all there is of it.
            if times[end] == 1 or end == folder:
                short[folder] = end
                left.discard(folder)
        if not left:
            break
    return short
