"""Labels of images: the name of their folder, what a CSV file says, or a part of their name."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.errors import NotFoundError, UsageError
from vecsearch.evaluation.label_file import read_label_file
from vecsearch.store.stored_images import StoredImages
from vecsearch.types import Image, Rows

FOLDER: Final = "folder"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Labelled:
    """The images that have a label.

    ``rows`` (n,) are their rows, sorted; ``classes`` (n,) int64 are places in ``names``, which are
    the labels, sorted. ``unlabelled`` images have no label; ``unknown`` lines of a CSV file name no
    image.
    """

    rows: Rows
    classes: npt.NDArray[np.int64]
    names: tuple[str, ...]
    unlabelled: int
    unknown: int


def label_images(
    labels: str | Path, snapshot: StoredImages, chosen: Rows | None = None
) -> Labelled:
    """Find the labels of the images of *snapshot*, or of its *chosen* rows.

    *labels* is ``folder``, for the name of the folder that an image is in; a CSV file, which is any
    path of a file, or ends in ``.csv``; or else a regular expression that is searched in the file
    name, where its first group, or else the whole match, is the label. An empty label is none.

    Raises UsageError for a bad expression, SourceError for a file that cannot be used,
    NotFoundError if no image has a label, UsageError if no two labels differ or none is there
    twice.
    """
    unknown = 0
    if is_file(labels):
        found, unknown = read_label_file(Path(labels), snapshot)
    else:
        label = _of_folder if labels == FOLDER else _by_pattern(str(labels))
        found = {image.row: label(image) for image in snapshot.images()}
    images = snapshot.generation.image_count
    if chosen is not None:
        images = len(chosen)
        among = frozenset(chosen.tolist())
        found = {row: name for row, name in found.items() if row in among}
    found = {row: name for row, name in sorted(found.items()) if name}
    names, classes = np.unique(np.array(list(found.values()), np.object_), return_inverse=True)
    labelled = Labelled(
        rows=np.fromiter(found, np.int64),
        classes=classes.astype(np.int64),
        names=tuple(names.tolist()),
        unlabelled=images - len(found),
        unknown=unknown,
    )
    _check(labelled, labels, snapshot.folder)
    return labelled


def is_file(labels: str | Path) -> bool:
    """Return whether *labels* means a file: any path that is one, or ends in ``.csv``."""
    if labels == FOLDER:
        return False
    text = os.fspath(labels)
    # A long regular expression is not a path at all, which `Path.is_file` would complain of.
    return isinstance(labels, Path) or text.lower().endswith(".csv") or os.path.isfile(text)  # noqa: PTH113


def _of_folder(image: Image) -> str:
    return image.path.parent.name


def _by_pattern(text: str) -> Callable[[Image], str]:
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise UsageError(
            f"the labels {text!r} are not a regular expression ({error})",
            hint="give folder, a .csv file, or an expression such as '^[a-z]+'",
        ) from None
    group = 1 if pattern.groups else 0

    def label(image: Image) -> str:
        found = pattern.search(image.path.name)
        return found[group] or "" if found else ""

    return label


def _check(labelled: Labelled, labels: str | Path, folder: Path) -> None:
    if not labelled.names:
        raise NotFoundError(
            f"{labels} labels no image of {folder}",
            hint="paths in a file are relative to its folder, or to the current folder"
            if is_file(labels)
            else "give folder, a .csv file, or a regular expression for the file name",
            path=folder,
        )
    if len(labelled.names) == 1:
        raise UsageError(
            f"all {len(labelled.rows)} labelled images of {folder} are of one class, "
            f"{labelled.names[0]!r}",
            hint="at least two classes are needed",
        )
    if len(labelled.names) == len(labelled.rows):
        raise UsageError(
            f"no two of the {len(labelled.rows)} labelled images of {folder} have the same label",
            hint="a class has at least two images",
        )
