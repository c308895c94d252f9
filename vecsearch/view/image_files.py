"""Files of drawings: the format that an ending stands for, and files that appear whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO

from PIL import Image
from PIL.ExifTags import Base

from vecsearch.errors import UsageError
from vecsearch.files import whole_file
from vecsearch.images.drawing_mark import MARK
from vecsearch.view import fonts

SAVE_OPTIONS: dict[str, dict[str, int]] = {
    "AVIF": {"quality": 85},
    "JPEG": {"quality": 92, "subsampling": 0},
    "PDF": {"quality": 92, "resolution": 144},
    "PNG": {"compress_level": 4},  # level 6, the default, takes twice as long for 2 % less
    "WEBP": {"quality": 90},
}
"""By Pillow's name of the format; a format that is not listed is written with its defaults."""


def format_of(out: Path, *, vector: bool = False) -> str:
    """Return Pillow's name of the format that the ending of *out* stands for; raises UsageError.

    With *vector*, SVG is one of them.
    """
    ending = out.suffix.lower()
    if vector and ending == ".svg":
        return "SVG"
    formats = Image.registered_extensions()
    if formats.get(ending) not in Image.SAVE:
        what = f"pictures cannot be written as {ending!r}" if ending else "has no ending"
        svg = ", .svg" if vector else ""
        raise UsageError(
            f"{fonts.printable(str(out))}: {what}",
            hint=f"usual endings are .png, .jpg, .webp, .pdf{svg} and .tif",
            path=out,
        )
    return formats[ending]


def write_image(image: Image.Image, out: Path) -> None:
    """Write *image* to *out* in the format of its ending: either whole, or not at all.

    Its metadata tell that it is a drawing, so that no build takes it for a picture. Raises
    UsageError for an ending or size that the format cannot have, and what `write_whole` raises.
    """
    kind = format_of(out)
    exif = Image.Exif()
    exif[Base.Software] = MARK
    # GIF and JPEG 2000 have a comment instead of EXIF; formats without either pass over them.
    options = {"exif": exif, "comment": MARK.encode(), **SAVE_OPTIONS.get(kind, {})}
    write_whole(out, lambda file: image.save(file, kind, **options))


def write_whole(out: Path, write: Callable[[IO[bytes]], None]) -> None:
    """Let *write* fill the file *out*, which appears, or is replaced, only once it is whole.

    Raises VecsearchError where the file cannot be written, UsageError where Pillow says so.
    """
    try:
        with whole_file(out) as file:
            write(file)
    except (OSError, ValueError) as error:  # a mode or size that the format does not have
        name = fonts.printable(str(out))
        raise UsageError(f"{name}: {error}", hint="try .png", path=out) from None
