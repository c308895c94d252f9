"""Patterns of pictures that are kept before others: folders, names, or single pictures."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from vecsearch.errors import NotFoundError, UsageError
from vecsearch.images.patterns import PathPattern, seen_from
from vecsearch.spelling import composed
from vecsearch.types import Image, absolute_path


@dataclass(frozen=True, slots=True)
class _KeepPattern:
    """What a user gives: ``id:N``, or a pattern that is also a folder's or a file's path.

    With a slash at its end, and no other, it is also the name of folders anywhere.
    """

    text: str
    image_id: int | None = None
    pattern: PathPattern | None = None
    path: str = ""

    @classmethod
    def of(cls, text: str) -> _KeepPattern:
        if not text:
            raise UsageError("a pattern of what to keep is empty", hint="such as 'originals/**'")
        if re.fullmatch(r"id:[0-9]{1,18}", text):
            return cls(text, image_id=int(text[3:]))
        return cls(text, None, PathPattern.of(text), composed(os.fspath(absolute_path(text))))

    def matches(self, image: Image, path: str) -> bool:
        if self.pattern is None:
            return image.id == self.image_id
        if path == self.path or path.startswith(f"{self.path}/") or self.pattern.matches(path):
            return True
        name = self.text.removesuffix("/")
        if name == self.text or "/" in name:
            return False
        return any(fnmatchcase(part, composed(name)) for part in path.split("/")[:-1])


class KeepPatterns:
    """Patterns by which pictures are kept, the most preferred first."""

    def __init__(self, patterns: Sequence[str]) -> None:
        """Read *patterns*; raises UsageError for an empty one."""
        self._patterns = [_KeepPattern.of(one) for one in patterns]
        self._unseen = dict.fromkeys(range(len(patterns)))
        self._here = str(Path.cwd())

    @property
    def least(self) -> int:
        """The place of images that no pattern matches."""
        return len(self._patterns)

    def place_of(self, image: Image) -> int:
        """Return the place of the first pattern that matches *image*, `least` if none does."""
        if not self._patterns:
            return 0
        path = composed(seen_from(self._here, os.fspath(image.path)))
        found = [n for n, one in enumerate(self._patterns) if one.matches(image, path)]
        for number in found:
            self._unseen.pop(number, None)
        return found[0] if found else self.least

    def check_all_seen(self, index: Path) -> None:
        """Raise NotFoundError for a pattern that no image has matched."""
        for number in self._unseen:
            raise NotFoundError(
                f"{index} has no image like {self._patterns[number].text}, which is to be kept",
                hint="NAME/ is any folder so called; with a slash within, it is a whole path",
                path=index,
            )
