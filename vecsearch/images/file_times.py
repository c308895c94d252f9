"""Times of files as the catalog has them: ns in 64 bits."""

from __future__ import annotations

import math
from typing import Final

_MOST: Final = 2**63 - 1
"""In the year 2262; some file systems have files of 2446, and tars of any time."""


def kept_ns(time_ns: int) -> int:
    """Return a time in ns, at most as far from 1970 as can be kept."""
    return max(-_MOST, min(_MOST, time_ns))


def ns_of(seconds: float) -> int:
    """Return a time in seconds as ns; NaN is 1970."""
    if math.isnan(seconds):
        return 0
    return kept_ns(round(max(-1e10, min(1e10, seconds)) * 1e9))
