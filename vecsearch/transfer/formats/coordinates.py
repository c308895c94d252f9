"""The places of pictures on a map, written for other programs as .csv or .parquet."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.errors import UsageError
from vecsearch.files import whole_file
from vecsearch.paths import shown
from vecsearch.spreadsheet import csv_lines
from vecsearch.transfer.formats.parquet import load_pyarrow, text_path
from vecsearch.types import Image

COLUMNS: Final = ("id", "path", "x", "y", "group")
ENDINGS: Final = (".csv", ".parquet")


def check_coordinates(out: Path) -> None:
    """Raise UsageError for another ending than `ENDINGS`, and for .parquet without pyarrow."""
    if out.suffix.lower() not in ENDINGS:
        raise UsageError(
            f"coordinates to {out}: unknown ending", hint=f"known are {', '.join(ENDINGS)}"
        )
    if out.suffix.lower() == ".parquet":
        load_pyarrow()


def write_coordinates(
    out: Path,
    images: Sequence[Image],
    points: npt.NDArray[np.float32],
    groups: Sequence[str],
    *,
    raw_csv: bool = False,
) -> None:
    """Write a row for each image: id, path, its place (n, 2), and the name of its group or "".

    Paths are as `shown` writes them. The file appears whole or not at all. Texts in a .csv are
    guarded as `csv_lines` does, unless *raw_csv*. Raises UsageError as `check_coordinates`, and for
    a path that the format cannot hold, VecsearchError where the file cannot be written.
    """
    check_coordinates(out)
    with whole_file(out) as file:
        if out.suffix.lower() == ".csv":
            text = io.TextIOWrapper(file, "utf-8", errors="surrogateescape", newline="")
            rows = (
                (image.id, shown(image.path), x, y, group)
                for image, (x, y), group in zip(images, points.tolist(), groups, strict=True)
            )
            text.writelines(f"{line}\n" for line in csv_lines(COLUMNS, rows, raw=raw_csv))
            text.detach()
            return
        pa, parquet = load_pyarrow()
        columns = [
            pa.array([image.id for image in images], pa.int64()),
            pa.array([text_path(shown(one.path), "write a .csv") for one in images], pa.string()),
            *(pa.array(np.ascontiguousarray(points[:, axis]), pa.float32()) for axis in (0, 1)),
            pa.array(list(groups), pa.string()),
        ]
        parquet.write_table(pa.table(columns, names=list(COLUMNS)), file)
