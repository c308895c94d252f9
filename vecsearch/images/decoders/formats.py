"""The formats of pictures: their names, the endings of their files, and what reads them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Final


@dataclass(frozen=True, slots=True)
class Format:
    """A format, called ``name`` by its decoder, and the ``endings`` of its files, in lower case.

    ``decoder`` is the module of this folder that reads it. ``package`` is what that needs beside
    the dependencies of vecsearch, and ``extra`` installs it. ``pixel_share`` is how much of the
    limit in pixels the decoder may use: less than 1 where it holds a picture several times over.
    """

    name: str
    endings: str
    decoder: str = "pillow"
    package: str = ""
    extra: str = ""
    pixel_share: float = 1.0


FORMATS: Final = (
    Format("JPEG", ".jfif .jpe .jpeg .jpg .mpo"),
    Format("PNG", ".apng .png"),
    Format("WEBP", ".webp", pixel_share=0.5),
    Format("GIF", ".gif"),
    Format("BMP", ".bmp .dib"),
    Format("PPM", ".pbm .pgm .pnm .ppm"),
    Format("TIFF", ".tif .tiff"),
    Format("AVIF", ".avif", pixel_share=0.5),
    Format("ICO", ".ico"),
    Format("JPEG2000", ".j2k .jp2", pixel_share=0.5),
    Format("PCX", ".pcx"),
    Format("QOI", ".qoi"),
    Format("SGI", ".rgb .sgi"),
    Format("TGA", ".tga"),
    # 33 megapixels took up to 550 MB, and telephones make 48.8.
    Format(
        "HEIF",
        ".heic .heics .heif .heifs .hif",
        decoder="heif",
        package="pillow_heif",
        extra="heif",
        pixel_share=0.8,
    ),
)
"""Raster pictures that people keep. Decoders try their formats in this order."""

_UNREAD: Final = frozenset(
    b".3fr .arw .bpg .cr2 .cr3 .crw .dds .dng .erf .exr .hdr .jxl .kra .mrw .nef .nrw .orf .pef "
    b".psb .psd .raf .raw .rw2 .sr2 .srf .srw .x3f .xcf".split()
)
"""Endings of pictures that no decoder reads."""

_NAMED: Final = {one.name: one for one in FORMATS}
_BY_ENDING: Final = {ending.encode(): one for one in FORMATS for ending in one.endings.split()}


@cache
def has_package(name: str) -> bool:
    """Return whether a package is installed, without loading it."""
    return find_spec(name) is not None


def is_read(form: Format) -> bool:
    """Return whether what reads a format is installed."""
    return not form.package or has_package(form.package)


def names_of(decoder: str) -> tuple[str, ...]:
    """Return the names of the formats that a decoder reads."""
    return tuple(one.name for one in FORMATS if one.decoder == decoder)


def pixel_share(name: str | None) -> float:
    """Return how much of the limit in pixels the decoder of a format may use."""
    return _NAMED[name].pixel_share if name in _NAMED else 1.0


def has_picture_name(name: bytes) -> bool:
    """Return whether a file is taken for a picture by the ending of its name."""
    form = _BY_ENDING.get(_ending(name))
    return form is not None and is_read(form)


def left_out_ending(name: bytes) -> str:
    """Return the ending of a picture in a format that is not read here; empty for other files."""
    ending = _ending(name)
    form = _BY_ENDING.get(ending)
    unread = ending in _UNREAD if form is None else not is_read(form)
    return ending.decode() if unread else ""


def way_to_read(ending: str) -> str:
    """Say what to install to read files with an ending; empty if nothing helps."""
    form = _BY_ENDING.get(ending.encode())
    return install_hint(form.extra) if form and form.extra else ""


def install_hint(extra: str) -> str:
    """Say how to install an extra that reads a format."""
    return f"pip install 'vecsearch[{extra}]' reads them"


def installed_extras() -> list[str]:
    """List the extras that read formats, as far as they are installed."""
    return sorted({one.extra for one in FORMATS if one.extra and is_read(one)})


def _ending(name: bytes) -> bytes:
    return name[name.rfind(b".") :].lower()
