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
    """Give the usual other spellings of a path: all composed, all decomposed."""
    if not text.isascii():
        for form in ("NFC", "NFD"):
            if (other := unicodedata.normalize(form, text)) != text:
                yield other


def as_on_disk(path: str) -> str:
    """Spell a path as the disk does, where it has one that differs in spelling alone."""
    if path.isascii() or os.path.lexists(path):
        return path
    folder, name = os.path.split(path)
    if not name:
        return path
    folder = as_on_disk(folder)
    wanted = os.path.join(folder, name)  # noqa: PTH118 - texts, as they are given
    if os.path.lexists(wanted) or name.isascii():
        return wanted
    try:
        with os.scandir(folder or os.curdir) as entries:
            same = [one.name for one in entries if composed(one.name) == composed(name)]
    except (OSError, ValueError):
        return path
    return os.path.join(folder, same[0]) if same else path  # noqa: PTH118
