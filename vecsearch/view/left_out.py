"""What of a source is left out, in words."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from vecsearch.images.heif import WAY
from vecsearch.images.scan import HEIF_SUFFIXES, UNWANTED

NEVER_INDEXED: Final = ", ".join(["hidden files", *sorted(map(os.fsdecode, UNWANTED))])
"""What no build looks at, unless it is named."""


def format_left_out(counts: Mapping[str, int]) -> str:
    """Say how many files of which endings were left out, and what would help."""
    heif = {ending: n for ending, n in counts.items() if ending.encode() in HEIF_SUFFIXES}
    rest = {ending: n for ending, n in counts.items() if ending not in heif}
    parts = [
        f"{', '.join(f'{n:,} {ending}' for ending, n in sorted(some.items()))} ({way})"
        for some, way in ((heif, WAY), (rest, "not read; convert them to be indexed"))
        if some
    ]
    return "left out: " + "; ".join(parts)
