"""Lists of other systems, read as UTF-8: a byte order mark tells their encoding."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
"""UTF-32 comes first: its little-endian mark begins with that of UTF-16."""


def as_utf8(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Return the *blocks* of a text as UTF-8 without the mark, or unchanged if there is none."""
    blocks = iter(blocks)
    first = next(blocks, b"")
    coding = next((coding for mark, coding in _MARKS if first.startswith(mark)), None)
    if coding is None:
        yield from chain([first], blocks)
        return
    errors = "surrogateescape" if coding == "utf-8-sig" else "replace"
    decoder = codecs.getincrementaldecoder(coding)(errors)
    for block in chain([first], blocks):
        yield decoder.decode(block).encode("utf-8", "surrogateescape")
    yield decoder.decode(b"", final=True).encode("utf-8", "surrogateescape")
