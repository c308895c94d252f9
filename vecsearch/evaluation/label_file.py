"""Labels in a CSV file: a line with the path, or id, and the label of each image."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from vecsearch.errors import SourceError
from vecsearch.paths import real_path
from vecsearch.store.stored_images import StoredImages
from vecsearch.types import Image, absolute_path, is_plain, relative_path

_LABELS: Final = ("label", "class", "category")
_IMAGES: Final = ("path", "image_path", "file", "file_name", "filename", "image", "id")
"""Names of the columns, in any case; the first that there is counts."""

_DELIMITERS: Final = ",;\t"
_LOOKED_UP: Final = 2048
_LONGEST_LINE: Final = 1 << 16
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


class _Entry(NamedTuple):
    """The label of an image, which is named by its path or id."""

    line: int
    name: str
    label: str


def read_label_file(path: Path, snapshot: StoredImages) -> tuple[dict[int, str], int]:
    """Read the labels of images: row -> label, and how many lines name no image.

    A header names the columns; without one they are path and label. Commas, semicolons or tabs are
    between them. A path is as the index has it, or from the folder of the file, or from the current
    folder; whatever is not a path of the index may be an id, ``17`` or ``id:17``.

    Raises SourceError for a file that cannot be read, is no such table, or contradicts itself.
    """
    labels: dict[int, str] = {}
    unknown = 0
    entries = _entries(path)
    while block := list(islice(entries, _LOOKED_UP)):
        for entry, image in zip(block, _find(path, block, snapshot), strict=True):
            if image is None:
                unknown += 1
            elif labels.setdefault(image.row, entry.label) != entry.label:
                raise SourceError(
                    f"{path} line {entry.line}: {entry.name} is labelled {entry.label!r}, and "
                    f"{labels[image.row]!r} before",
                    hint="give each image one label",
                    path=path,
                )
    return labels, unknown


def _find(path: Path, block: Sequence[_Entry], snapshot: StoredImages) -> list[Image | None]:
    """Look up the images that the entries of *block* name."""
    folders = dict.fromkeys((path.absolute().parent, real_path(path).parent, Path.cwd()))
    candidates = [
        [
            name,
            os.fspath(relative_path(name)),
            *(str(absolute_path(name if "://" in name else folder / name)) for folder in folders),
        ]
        for name in (entry.name for entry in block)
    ]
    by_path = snapshot.images_by_path([name for names in candidates for name in names])
    ids = [_id(entry.name) for entry in block]
    by_id = snapshot.images_by_id([number for number in ids if number is not None])
    return [
        next(
            (by_path[one] for one in names if one in by_path and _means(names[0], by_path[one])),
            None,
        )
        or (by_id.get(number) if number is not None else None)
        for names, number in zip(candidates, ids, strict=True)
    ]


def _means(name: str, image: Image) -> bool:
    """Return whether *name* may mean an image by another spelling: not, if it is no file's path."""
    return is_plain(name) or bool(image.size_bytes) or name == os.fspath(image.path)


def _id(name: str) -> int | None:
    digits = name.removeprefix("id:")
    plausible = digits.isascii() and digits.isdecimal() and len(digits) < 19  # as SQLite has them
    return int(digits) if plausible else None


def _entries(path: Path) -> Iterator[_Entry]:
    """Read the lines of the table that are not empty."""
    try:
        if path.exists() and not path.is_file():  # a pipe might never bring anything
            raise SourceError(f"{path} cannot be read (not a regular file)", path=path)
        with path.open("rb") as raw:
            if raw.read(2) in _UTF_16:
                raise SourceError(f"{path} is UTF-16", hint="save it as UTF-8", path=path)
        # Paths may be bytes that are no text; labels must be.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            first = file.readline(_LONGEST_LINE)
            file.seek(0)
            delimiter = next((one for one in _DELIMITERS if one in first), ",")
            reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
            columns: tuple[int, int] | None = None
            for cells in reader:
                if not any(cells):
                    continue
                if columns is None:
                    columns, is_header = _columns(path, cells)
                    if is_header:
                        continue
                if len(cells) <= max(columns):
                    raise _no_table(path, reader.line_num, "has too few columns")
                label = cells[columns[1]].strip()
                if not label.isprintable():
                    is_text = not any("\udc80" <= letter <= "\udcff" for letter in label)
                    what = f"has the label {label!r}" if is_text else "is not UTF-8"
                    raise _no_table(path, reader.line_num, what)
                yield _Entry(reader.line_num, cells[columns[0]], label)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}", path=path) from None
    except csv.Error as error:
        raise _no_table(path, reader.line_num, f"cannot be read ({error})") from None


def _columns(path: Path, cells: Sequence[str]) -> tuple[tuple[int, int], bool]:
    """Return which columns have the image and the label, and whether *cells* are their names."""
    names = [cell.strip().lower() for cell in cells]
    image = next((names.index(one) for one in _IMAGES if one in names), None)
    label = next((names.index(one) for one in _LABELS if one in names), None)
    if image is not None and label is not None:
        return (image, label), True
    if image is not None or (label is not None and label != 1):
        missing = "label" if label is None else "path"
        raise SourceError(
            f"{path} has the columns {', '.join(names)}, and none called {missing}",
            hint="name two of them path and label",
            path=path,
        )
    return (0, 1), False


def _no_table(path: Path, line: int, what: str) -> SourceError:
    hint = "give a line with path and label for each image, in UTF-8"
    return SourceError(f"{path} line {line} {what}", hint=hint, path=path)
