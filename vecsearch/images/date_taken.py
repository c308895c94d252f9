"""When a picture was taken, as its metadata say: EXIF and XMP, read without decoding it.

The few entries that matter are read here, and no others: what else metadata hold may be of any
size. Times are those of the camera's clock. CIPA DC-008 (Exif), ISO 16684-1 (XMP).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from vecsearch.errors import ImageError
from vecsearch.images.decoders.heif import is_heif, reads_heif
from vecsearch.images.sources.access import read_content, read_head

FIRST_YEAR: Final = 1800
LAST_YEAR: Final = 2199
"""Scans of old photographs have their years; any other year is garbage."""

HEAD_BYTES: Final = 256 << 10
"""The metadata of a JPEG nearly always lie within its first bytes."""

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_EXIF: Final = b"Exif\0\0"
_XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_CHUNK: Final = b"XML:com.adobe.xmp\0"

_EXIF_IFD: Final = 0x8769
_XMP_TAG: Final = 0x02BC


class _TimeTags(NamedTuple):
    """The EXIF entries of a time, of the fraction of its second, and of its distance from UTC."""

    time: int
    fraction: int
    zone: int


_ORIGINAL: Final = _TimeTags(0x9003, 0x9291, 0x9011)
_DIGITIZED: Final = _TimeTags(0x9004, 0x9292, 0x9012)
_CHANGED: Final = _TimeTags(0x0132, 0x9290, 0x9010)

_POINTERS: Final = frozenset({4, 13})
_TEXTS: Final = frozenset({1, 2, 7, 129})
_MOST_ENTRIES: Final = 4096
_LONGEST: Final = 64
_MOST_XMP: Final = 1 << 20

_DATE: Final = re.compile(
    r"(\d{4})[-:/.](\d\d?)[-:/.](\d\d?)"
    r"(?:[ T]\s*(\d\d?):(\d\d)(?::(?:(\d\d)(?:[.,](\d+))?|\s*))?)?"
    r"\s*(Z|[-+]\d\d:?\d\d)?",
    re.ASCII,
)
_IN_XMP: Final = re.compile(
    rb"""\b(exif:DateTimeOriginal|photoshop:DateCreated|xmp:CreateDate)"""
    rb"""(?:\s*=\s*["']|>)\s*([^"'<>]{8,64}?)\s*["'<]"""
)


def date_taken(data: bytes) -> str | None:
    """Return the date and time at which a picture was taken, from the bytes of its file.

    ISO 8601, such as ``2026-08-01T12:30:15.25+02:00``: what the camera's clock showed, then its
    distance from UTC if that is written down; the day alone if no more is. Two of them compare as
    texts as the clocks did. Empty where the metadata have no date, or what is none; None of a HEIC
    where nothing is installed that reads it.

    The first of: EXIF's DateTimeOriginal and DateTimeDigitized, XMP's exif:DateTimeOriginal and
    photoshop:DateCreated, EXIF's DateTime, XMP's xmp:CreateDate.
    """
    if is_heif(data) and not reads_heif():
        return None
    exif, xmp = b"", b""
    for part in _metadata(data):
        if part.startswith(b"<"):
            xmp = xmp or part[:_MOST_XMP]
        else:
            exif = exif or part
    entries = _entries(exif)
    if b"<" in (packet := entries.get(_XMP_TAG, b"")):
        xmp = xmp or packet
    told: dict[bytes, bytes] = dict(reversed(_IN_XMP.findall(xmp)))  # the first of each counts
    found = (
        *(_from_exif(entries, tags) for tags in (_ORIGINAL, _DIGITIZED)),
        *(_from_xmp(told, name) for name in (b"exif:DateTimeOriginal", b"photoshop:DateCreated")),
        _from_exif(entries, _CHANGED),
        _from_xmp(told, b"xmp:CreateDate"),
    )
    return next(filter(None, found), "")


def date_taken_in(path: Path) -> str | None:
    """Read the date of a picture file here, or of a member of a tar; None if it cannot be read."""
    try:
        head = read_head(path, HEAD_BYTES)
        is_enough = len(head) < HEAD_BYTES or _has_all_metadata(head)
        return date_taken(head if is_enough else read_content(path).data)
    except (ImageError, OSError, ValueError, MemoryError):
        return None


def _has_all_metadata(head: bytes) -> bool:
    """Return whether *head*, how a file begins, is of a JPEG and has all before its pixels."""
    return head.startswith(b"\xff\xd8") and any(kind == 0xDA for kind, _ in _segments(head))


def read_date(text: str, part: str = "", zone: str = "") -> str:
    """Write the date in *text* as `date_taken` does; empty if *text* is not a date.

    *part* are the digits of the second's fraction, *zone* the distance from UTC, if these stand
    elsewhere.
    """
    match = _DATE.fullmatch(text.strip(" \0\t\r\n"))
    if match is None:
        return ""
    year, month, day, hour, minute, second, fraction, own_zone = match.groups()
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0)
        )
    except ValueError:
        return ""
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        return ""
    if hour is None:
        return moment.date().isoformat()
    digits = (fraction or part.strip(" \0"))[:6]
    digits = digits.rstrip("0") if digits.isascii() and digits.isdigit() else ""
    return moment.isoformat() + (f".{digits}" if digits else "") + _zone(own_zone or zone)


def _zone(text: str) -> str:
    text = text.strip(" \0")
    if text == "Z":
        return "+00:00"
    match = re.fullmatch(r"([-+])(\d\d):?([0-5]\d)", text, re.ASCII)
    return f"{match[1]}{match[2]}:{match[3]}" if match and int(match[2]) <= 14 else ""


def _from_exif(entries: dict[int, bytes], tags: _TimeTags) -> str:
    texts = (entries.get(tag, b"").partition(b"\0")[0] for tag in tags)
    return read_date(*(text.decode("latin-1") for text in texts))


def _from_xmp(told: dict[bytes, bytes], name: bytes) -> str:
    return read_date(told.get(name, b"").decode("latin-1"))


def _metadata(data: bytes) -> Iterator[bytes]:
    """Return the parts of a file that may have a date: TIFF structures of EXIF, packets of XMP."""
    if data.startswith(b"\xff\xd8"):
        for _, body in _segments(data):
            if body.startswith(_EXIF):
                yield body[len(_EXIF) :]
            elif body.startswith(_XMP):
                yield body[len(_XMP) :].lstrip()
    elif data.startswith(_PNG):
        for kind, body in _chunks(data, len(_PNG), ">I4s", 4):
            if kind == b"eXIf":
                yield body.removeprefix(_EXIF)
            elif kind == b"iTXt" and body.startswith(_XMP_CHUNK):
                # Behind the name: whether it is compressed, how, its language, its name again.
                yield body[max(0, body.find(b"<")) :] if body[18:19] == b"\0" else b""
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        for kind, body in _chunks(data, 12, "<4sI", 0):
            if kind == b"EXIF":
                yield body.removeprefix(_EXIF)
            elif kind == b"XMP ":
                yield body.lstrip()
    elif data[:4] in (b"II*\0", b"MM\0*"):
        yield data
    elif data[4:8] == b"ftyp":
        yield from _of_container(data)


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Return kind and body of the segments of a JPEG, up to its pixels, which are 0xDA."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        kind = data[place + 1]
        if kind == 0xFF:  # filled up
            place += 1
            continue
        if kind == 0xDA:
            yield kind, b""
            return
        if kind == 0x01 or 0xD0 <= kind <= 0xD8:  # without a body
            place += 2
            continue
        length = int.from_bytes(data[place + 2 : place + 4])
        yield kind, data[place + 4 : place + 2 + length] if 0xE0 <= kind <= 0xEF else b""
        place += 2 + max(2, length)


def _chunks(data: bytes, place: int, form: str, checksum: int) -> Iterator[tuple[bytes, bytes]]:
    """Return kind and body of the chunks from *place* on; RIFF pads them to an even length."""
    wanted = (b"eXIf", b"iTXt", b"EXIF", b"XMP ")
    while place + 8 <= len(data):
        one, other = struct.unpack_from(form, data, place)
        kind, length = (other, one) if checksum else (one, other)
        if kind in wanted:
            yield kind, data[place + 8 : place + 8 + length]
        place += 8 + length + (checksum or length % 2)


def _of_container(data: bytes) -> Iterator[bytes]:
    """Return the EXIF and XMP of a HEIC or AVIF, as far as Pillow finds them."""
    from vecsearch.images.decoders.to_rgb import open_image

    try:
        info = open_image(data).info
    except Exception:  # noqa: BLE001 - a container that is damaged raises nearly anything
        return
    exif, xmp = info.get("exif"), info.get("xmp")
    if isinstance(exif, bytes):
        yield exif.removeprefix(_EXIF)
    if isinstance(xmp, bytes):
        yield xmp.lstrip()


def _entries(tiff: bytes) -> dict[int, bytes]:
    """Read the texts of a TIFF structure's first directory and its EXIF directory."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return {}
    found: dict[int, bytes] = {}
    try:
        (place,) = struct.unpack_from(f"{order}I", tiff, 4)
        pointer = _read_directory(tiff, order, place, found)
        if pointer:
            _read_directory(tiff, order, pointer, found)
    except struct.error:
        pass  # cut off: what came before counts
    return found


def _read_directory(tiff: bytes, order: str, place: int, found: dict[int, bytes]) -> int:
    """Read the texts of a directory into *found*; return where the EXIF directory is, 0 if none."""
    (count,) = struct.unpack_from(f"{order}H", tiff, place)
    pointer = 0
    for number in range(min(count, _MOST_ENTRIES)):
        entry = place + 2 + 12 * number
        tag, kind, length, value = struct.unpack_from(f"{order}HHII", tiff, entry)
        if tag == _EXIF_IFD and kind in _POINTERS:
            pointer = value
        elif tag in _WANTED and kind in _TEXTS:
            start = value if length > 4 else entry + 8
            most = _MOST_XMP if tag == _XMP_TAG else _LONGEST
            found.setdefault(tag, tiff[start : start + min(length, most)])
    return pointer


_WANTED: Final = frozenset({*_ORIGINAL, *_DIGITIZED, *_CHANGED, _XMP_TAG})
