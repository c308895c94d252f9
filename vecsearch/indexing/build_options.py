"""The options of a build."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vecsearch.arguments import check_fields
from vecsearch.errors import UsageError
from vecsearch.images.decoders.to_rgb import MAX_MEGAPIXELS
from vecsearch.images.sources.exclude import given_patterns

DECODERS: Final = ("cpu", "device")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """Options of one build.

    ``fresh`` starts over; the old index answers until the new one is complete. ``force`` takes an
    int8 network that agrees little with fp32. ``allow_empty`` believes that a source that is gone
    or empty is meant to be, and drops its images. ``retry_skipped`` tries again what was skipped,
    removed images among it. What was embedded is committed after ``commit_images`` of them,
    vectors of ``commit_bytes``, or ``commit_seconds``. A picture of more than ``max_megapixels``,
    or half of that in a format whose decoder holds copies of it (AVIF, JPEG 2000, WebP), is skipped
    before it is decoded.
    ``decode`` on the ``device`` lets the torch engine's accelerator decode and resize JPEGs.
    ``recipe``, which the index keeps, is for a new one: ``auto`` or a FAISS factory string.
    ``fetch`` also reads URLs that the index has as sources, and were not named on this machine.
    ``exclude`` are patterns by the rules of a .gitignore, from each source on, of what is not to be
    in the index. The index keeps them: None leaves those that it has, and none at all ends them.
    """

    fresh: bool = False
    force: bool = False
    allow_empty: bool = False
    retry_skipped: bool = False
    commit_images: int = 2000
    commit_seconds: float = 60.0
    commit_bytes: int = 256 << 20
    max_megapixels: float = MAX_MEGAPIXELS
    decode: str = "cpu"
    recipe: str | None = None
    fetch: bool = False
    exclude: Sequence[str] | None = None

    def __post_init__(self) -> None:
        """Raise UsageError for a limit that is not positive, an unknown decoder, a bad pattern."""
        check_fields(self)
        for name in ("commit_images", "commit_seconds", "commit_bytes", "max_megapixels"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise UsageError(f"--{name.replace('_', '-')} is {value}", hint="give a number > 0")
        if self.decode not in DECODERS:
            raise UsageError(
                f"unknown decoder {self.decode!r}", hint=f"known are {', '.join(DECODERS)}"
            )
        if self.exclude is not None:
            texts = (self.exclude,) if isinstance(self.exclude, str) else tuple(self.exclude)
            object.__setattr__(self, "exclude", texts)
            given_patterns(texts)

    @property
    def max_pixels(self) -> int:
        """The limit in pixels."""
        return round(min(1e6 * self.max_megapixels, float(sys.maxsize)))
