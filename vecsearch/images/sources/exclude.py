"""Which files of a source are left out: patterns of the user, and `.vecsearchignore` files."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from stat import S_ISREG
from typing import Final

from vecsearch.errors import UsageError
from vecsearch.images.sources.notes import write_texts
from vecsearch.images.sources.utf8 import as_utf8
from vecsearch.spelling import composed

IGNORE_FILE: Final = b".vecsearchignore"
"""A file of patterns, one a line, for the folder that it is in and all below."""

_MOST_BYTES: Final = 64 << 10
_MOST_PATTERNS: Final = 1000
_LONGEST: Final = 4096
_MOST_REMEMBERED: Final = 10_000
_SLASH: Final = b"/"

_STAR: Final = "[^/]*"
_FOLDERS_BEFORE: Final = "^(?:.+/)?"
_FOLDERS_BETWEEN: Final = "(?:/.+)?"
"""What pathspec writes for ``*``, for a leading ``**/`` and for ``/**`` within a pattern."""


class PatternError(ValueError):
    """A pattern that is not valid, and why."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """A pattern: what it matches, and whether that is left out or taken after all."""

    text: str
    excludes: bool
    matches: Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Patterns:
    """Patterns by gitignore's rules: of those that match a path, the last one decides."""

    texts: tuple[str, ...] = ()
    rules: tuple[_Rule, ...] = field(default=(), repr=False, compare=False)
    used: set[str] = field(default_factory=set, repr=False, compare=False)
    _folders: dict[bytes, bool] = field(default_factory=dict, repr=False, compare=False)

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return bool(self.rules)

    @property
    def stamp(self) -> str:
        """A hash of the patterns; empty if there are none."""
        return hashlib.sha256(write_texts(self.texts).encode()).hexdigest()[:16] if self else ""

    def decide(self, path: bytes) -> bool | None:
        """Return whether a relative path, a folder's with a slash, is left out; None: unknown.

        The folders above it are not looked at.
        """
        text = composed(os.fsdecode(path))
        for rule in self.rules:
            if rule.matches(text):
                self.used.add(rule.text)
                return rule.excludes
        return None

    def exclude_file(self, path: bytes) -> bool:
        """Return whether the file at a relative path is left out, or a folder that it is in."""
        return bool(self.rules) and (self.exclude_folder(path) or bool(self.decide(path)))

    def exclude_folder(self, path: bytes) -> bool:
        """Return whether a folder that a relative path goes through is left out."""
        folder = path[: path.rfind(_SLASH) + 1]
        if not (folder and self.rules):
            return False
        if folder not in self._folders:
            if len(self._folders) >= _MOST_REMEMBERED:
                self._folders.clear()
            above = self.exclude_folder(folder[:-1])
            self._folders[folder] = above or bool(self.decide(folder))
        return self._folders[folder]


@dataclass(frozen=True, slots=True)
class Chain:
    """The patterns of an ignore file, for all below *prefix*, and those of folders above."""

    prefix: bytes
    patterns: Patterns
    above: Chain | None

    def decide(self, path: bytes) -> bool | None:
        """Return whether a path, that of a folder with a slash, is left out; None: unknown."""
        one: Chain | None = self
        while one is not None:
            decided = one.patterns.decide(path[len(one.prefix) :])
            if decided is not None:
                return decided
            one = one.above
        return None


def given_patterns(texts: Iterable[str]) -> Patterns:
    """Read patterns as `build --exclude` has them; raises UsageError.

    They follow gitignore's rules, but for ``#``, which begins no comment.
    """
    texts = tuple(texts)
    if len(texts) > _MOST_PATTERNS:
        raise UsageError(f"--exclude is given {len(texts)} times", hint=f"at most {_MOST_PATTERNS}")
    rules = []
    for text in texts:
        try:
            rule = _rule(f"\\{text}" if text.startswith("#") else text, text)
            if rule is None:
                raise PatternError("it is empty")
        except PatternError as error:
            raise UsageError(
                f"--exclude {text!r:.200} is no pattern: {error}",
                hint="a pattern is like a line of a .gitignore: '*.gif', private/, /raw/old",
            ) from None
        rules.append(rule)
    return Patterns(texts, tuple(reversed(rules)))


def read_ignore_file(path: bytes) -> Patterns:
    """Read a `.vecsearchignore`; raises OSError, PatternError if it cannot be used."""
    # No link is followed, as git follows none, and no pipe is waited for.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        handle = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise PatternError("it is a link") from None
        raise
    with open(handle, "rb") as file:  # noqa: PTH123 - a descriptor
        if not S_ISREG(os.fstat(handle).st_mode):
            raise PatternError("it is no regular file")
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise PatternError(f"it has more than {_MOST_BYTES >> 10} KiB")
    return _patterns_of(b"".join(as_utf8([data])))


@lru_cache(maxsize=256)
def _patterns_of(data: bytes) -> Patterns:
    lines = os.fsdecode(data).split("\n")
    rules = []
    for number, line in enumerate(lines, 1):
        try:
            rule = None if line.startswith("#") else _rule(line, line)
        except PatternError as error:
            raise PatternError(f"line {number} is no pattern: {error}") from None
        if rule is not None:
            rules.append(rule)
    if len(rules) > _MOST_PATTERNS:
        raise PatternError(f"it has more than {_MOST_PATTERNS} patterns")
    return Patterns(tuple(rule.text for rule in rules), tuple(reversed(rules)))


@lru_cache(maxsize=4096)
def _rule(line: str, text: str) -> _Rule | None:
    """Read a line of a gitignore; None for a blank one. Raises PatternError."""
    from pathspec import GitIgnoreSpec

    if "\0" in line:
        raise PatternError("it has a null character")
    if len(line) > _LONGEST:
        raise PatternError(f"it is longer than {_LONGEST} characters")
    line = composed(line) if line.endswith("\\ ") else composed(line).rstrip()
    # For git, a/** is what lies in a, at any depth, and not a itself.
    line = re.sub(r"/\*\*(/?)\Z", r"/**/*\1", line)
    if not line.strip():
        return None
    if "[:" in line:
        raise PatternError("classes such as [:alpha:] are not known")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of brackets within brackets
            (pattern,) = GitIgnoreSpec.from_lines([line], backend="simple").patterns
            if pattern.include is None or pattern.regex is None:
                raise PatternError("a [ without ]" if "[" in line else "it matches nothing")
            matcher = re.compile(_whole(pattern.regex.pattern), re.DOTALL)
    except re.error as error:
        raise PatternError(error.msg) from None
    except ValueError as error:
        if isinstance(error, PatternError):
            raise
        raise PatternError("a \\ at its end" if line.endswith("\\") else "see gitignore") from None
    return _Rule(text, bool(pattern.include), matcher.fullmatch)


def _whole(expression: str) -> str:
    """Make pathspec's expression one for whole paths, in time that names cannot multiply.

    Its own is looked for anywhere in a path, and so takes what lies below a match for a match; here
    folders are asked about one by one, as git does. Wildcards take the first place that fits, and
    no other, where nothing after them could depend on it: else each ``*`` would multiply the
    time by the length of a name, and each ``**`` by that of a path.
    """
    if expression in (".", "/"):
        return ".+"
    if expression == "(?P<ps_d>/)":
        return ".+/"
    pieces = expression.split(_FOLDERS_BETWEEN)
    written = []
    for number, piece in enumerate(pieces):
        before = "(?:/.+?)??" if number else "^"
        if number == 0 and piece.startswith(_FOLDERS_BEFORE):
            before = "^(?:.+?/)??"
            piece = piece.removeprefix(_FOLDERS_BEFORE)
        first, *stars = piece.removeprefix("^" if not number else "").split(_STAR)
        inner = [f"(?>[^/]*?{one})" for one in stars[:-1]]
        whole = "".join([before, first, *inner, *(_STAR + one for one in stars[-1:])])
        written.append(f"(?>{whole}(?=/))" if number < len(pieces) - 1 else whole)
    return "".join(written)
