"""Letters with marks, which may be written as one character or as several.

Where someone types, ``ü`` and ``u`` with a following diaeresis are one letter (Unicode Standard
Annex 15); file systems keep them apart, and macOS writes the second.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator


def composed(text: str) -> str:
    """Write a text so that all its spellings are one (NFC)."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def spellings(text: str) -> Iterator[str]:
    """Return the usual other spellings of a path: all composed, all decomposed."""
    if not text.isascii():
        for form in ("NFC", "NFD"):
            if (other := unicodedata.normalize(form, text)) != text:
                yield other


def as_on_disk(path: str) -> str:
    """Spell a path as the disk does, where it has one that differs in spelling alone."""
    if path.isascii() or os.path.lexists(path):
        return path
    folder = ""
    for name in path.split(os.sep):  # noqa: PTH206 - with the slashes that it has
        spelled = _spelled(folder, name)
        if spelled is None:
            return path
        folder += f"{spelled}{os.sep}"
    return folder.removesuffix(os.sep)


def _spelled(folder: str, name: str) -> str | None:
    """Spell a name as *folder*, which ends with a slash, has it; None if it has none."""
    if name.isascii() or os.path.lexists(folder + name):
        return name
    try:
        with os.scandir(folder or os.curdir) as entries:
            found = (one.name for one in entries)
            return next((one for one in found if composed(one) == composed(name)), None)
    except (OSError, ValueError):
        return None
