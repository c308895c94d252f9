"""Shell patterns for paths."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from dataclasses import dataclass
from pathlib import Path

from vecsearch.spelling import composed


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A pattern of ``whole`` paths, or of file names; ``*`` stands for slashes too.

    All paths that it can match begin with ``start``, which ends with a slash or is empty. Letters
    with marks are the same in any spelling.
    """

    matcher: re.Pattern[str]
    whole: bool
    start: str

    @classmethod
    def of(cls, text: str) -> PathPattern:
        """Read a pattern; one with a slash matches whole paths, from the current folder on."""
        wanted, whole = text, "/" in text
        if whole and "://" not in text:
            absolute = os.path.join(glob.escape(str(Path.cwd())), text)  # noqa: PTH118
            wanted = os.path.normpath(absolute)
        wanted = composed(wanted)
        literal = re.split(r"[*?\[]|[^\0-\x7f]", wanted, maxsplit=1)[0] if whole else ""
        return cls(
            re.compile(fnmatch.translate(wanted), re.DOTALL),
            whole,
            literal[: literal.rfind("/") + 1],
        )

    def matches(self, path: str) -> bool:
        """Return whether it matches an absolute path or a URL."""
        name = path if self.whole else path.rpartition("/")[2]
        return self.matcher.match(composed(name)) is not None


def seen_from(folder: str, path: str) -> str:
    """Make the path of an image absolute: an imported path may be relative."""
    if "://" in path:
        return path
    return os.path.normpath(os.path.join(folder, path))  # noqa: PTH118 - a million times
