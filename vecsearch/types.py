"""The values that pass between the parts."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final, Literal, Protocol, Self

import numpy as np
import numpy.typing as npt

from vecsearch.spelling import as_on_disk

Vectors = npt.NDArray[np.float32]
"""(n, d) float32, each row of Euclidean length 1."""

Float16Vectors = npt.NDArray[np.float16]
"""(n, d) float16, rows as they lie on the disk."""

Pixels = npt.NDArray[np.uint8]
"""(h, w, 3) or (n, h, w, 3) uint8, RGB."""

Rows = npt.NDArray[np.int64]
"""(n,) int64, row numbers in the segments; the ids that FAISS knows."""

_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", re.DOTALL)
_LIST: Final = "list:"
_COLLAPSED: Final = re.compile(r"^([a-z][a-z0-9+.-]+):/(?!/)")

if TYPE_CHECKING:
    _OwnPath = Path
else:
    _OwnPath = type(Path())  # of this system's kind, for Path itself cannot be derived from


class TextPath(_OwnPath):
    """A text where a path is expected, letter by letter: so it prints, compares and is stored.

    For a `Path`, ``a//b``, ``./a`` and ``a/`` are other spellings of a file; as ids of an import
    they are ids of their own. Made from one text, such as `path_of` does.
    """

    _text: str | None = None

    def __new__(cls, *parts: str | os.PathLike[str]) -> Self:
        """Keep the text as it is given."""
        self = super().__new__(cls, *parts)
        if len(parts) == 1:
            self._text = os.fspath(parts[0])
        return self

    def __str__(self) -> str:
        """Return the text; of what was derived, such as a parent, that of the path."""
        return super().__str__() if self._text is None else self._text

    def __eq__(self, other: object) -> bool:
        """Compare letter by letter."""
        return str(self) == str(other) if isinstance(other, PurePath) else NotImplemented

    def __hash__(self) -> int:
        """Hash the text."""
        return hash(str(self))

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        """Copy the text, rather than the parts of a path."""
        return type(self), (str(self),)


class UrlPath(TextPath):
    """A URL where a path is expected: it prints, sorts and is stored as the URL.

    Files are not found under it, so whoever opens a picture asks `vecsearch.images.sources.access`.
    """

    def __str__(self) -> str:
        """Return the URL, whose two slashes are one in what was derived from it."""
        return _COLLAPSED.sub(r"\1://", super().__str__())

    def absolute(self) -> UrlPath:
        """Return itself: there is no current folder."""
        return self


class WantedUrl(UrlPath):
    """A URL that whoever runs this has asked for, so that what is behind it may be fetched.

    Any other URL must lie below a source that was named on this machine.
    """


def wanted(path: Path) -> Path:
    """Return *path*; a URL as one that may be fetched."""
    return WantedUrl(str(path)) if isinstance(path, UrlPath) else path


def path_of(value: bytes | str) -> Path:
    """Turn what is stored of a path, a URL or an id into it, letter by letter.

    Bytes that are not text survive.
    """
    text = os.fsdecode(value)
    if _URL.match(text):
        return UrlPath(text)
    path = Path(text)
    return path if str(path) == text else TextPath(text)


@dataclass(frozen=True, slots=True)
class ListName:
    """The name of a source that is a list of pictures: the file with the list.

    It prints, and is stored, as ``list:`` and the path of the file, ``list:-`` for standard input.
    """

    file: Path

    def __str__(self) -> str:
        """Return the text that is stored."""
        return f"{_LIST}{self.file}"

    @classmethod
    def of(cls, file: str | Path) -> ListName:
        """Name the list in *file*, ``-`` for standard input."""
        return STANDARD_INPUT if str(file) == "-" else cls(absolute_path(file))


STANDARD_INPUT: Final = ListName(Path("-"))

SourceName = Path | ListName
"""The name of a source: the path of a folder or tar, a URL, or a list."""


def source_name(value: bytes | str) -> SourceName:
    """Turn what is stored of the name of a source into it."""
    text = os.fsdecode(value)
    rest = text.removeprefix(_LIST)
    return path_of(text) if rest == text else ListName(path_of(rest))


def stored_name(name: SourceName) -> bytes:
    """Return what is stored of the name of a source; `source_name` reads it."""
    return os.fsencode(str(name))


def place_of(name: SourceName) -> Path:
    """Return where a source lies: a list where its file does."""
    return name.file if isinstance(name, ListName) else name


def absolute_path(given: str | Path) -> Path:
    """Turn what a user gives, a path or a URL, into what is stored: absolute and normalised.

    A path is spelled as the disk does. Of a URL only the scheme is normalised, and slashes at its
    end are left out: what lies behind it may tell ``a//b`` from ``a/b``, or be a URL itself.
    """
    text = os.fspath(given)
    if url := _URL.fullmatch(text):
        scheme, rest = url[1].lower(), url[2]
        if scheme not in ("file", "local"):
            return UrlPath(f"{scheme}://{rest.rstrip('/')}")
        text = rest
    return Path(as_on_disk(os.path.normpath(os.path.abspath(text))))  # noqa: PTH100 - no Path yet


def relative_path(given: str | Path) -> Path:
    """Turn what a user gives, a path or a URL, into another spelling: normalised only."""
    text = os.fspath(given)
    return absolute_path(text) if _URL.fullmatch(text) else Path(os.path.normpath(text))


def is_plain(text: str) -> bool:
    """Return whether a path is spelled as `relative_path` spells it.

    An id of an import that is not may differ from another id by its spelling alone.
    """
    return os.path.normpath(text) == text


@dataclass(frozen=True, slots=True)
class ImageFile:
    """The file of an image, as it was when it was read.

    ``taken`` is the date that its metadata have, ISO 8601, as the camera's clock showed it; empty
    if they have none, None if they were not read for it: they are when dates are asked for
    (`Index.read_dates`).
    """

    path: Path
    size_bytes: int
    mtime_ns: int
    content_hash: bytes
    width: int
    height: int
    taken: str | None = None


@dataclass(frozen=True, slots=True)
class Image(ImageFile):
    """An image in an index: its file as it was when it was read, an ``id`` and a ``row``.

    The id is stable and never reused; the row is where its vector lies.
    """

    id: int = field(kw_only=True)
    row: int = field(kw_only=True)

    @property
    def has_file(self) -> bool:
        """Return whether a file was ever seen at its path: not so for most imported vectors."""
        return bool(self.size_bytes or self.mtime_ns)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that looked like an image but could not be used, and why."""

    path: Path
    size_bytes: int
    mtime_ns: int
    reason: str


@dataclass(frozen=True, slots=True)
class Hit:
    """One neighbour: ``score`` is the cosine, ``distance`` the Euclidean one of unit vectors.

    Both are with the query that was searched: expanded, if it was. ``order`` is what a re-ranked
    hit is ordered by, larger is better; None for all others, which are ordered by their score.
    ``has_file`` and ``content_hash`` are those of its `Image`. ``gone`` is what a server says of
    the file, None where the file system here is asked.
    """

    rank: int
    id: int
    path: Path
    score: float
    distance: float
    order: float | None = None
    has_file: bool = True
    content_hash: bytes = b""
    gone: bool | None = field(default=None, compare=False, repr=False)

    @property
    def is_gone(self) -> bool:
        """Return whether its file is not there any more; the file system is asked every time.

        Of a member of a tar it is asked for the tar alone. It is not so for what is behind a URL,
        for imported vectors without a file or with a relative path, and where it cannot be told.
        """
        return self.has_file and _is_gone(self.path) if self.gone is None else self.gone


def _is_gone(path: Path) -> bool:
    if isinstance(path, UrlPath) or not path.is_absolute():
        return False
    try:
        os.stat(path)  # noqa: PTH116 - a third faster
    except FileNotFoundError:
        return True
    except NotADirectoryError:
        tars = (one for one in path.parents if one.suffix.lower() == ".tar")
        return not any(one.is_file() for one in tars)
    except (OSError, ValueError):
        return False
    return False


Box = tuple[int, int, int, int]
"""x, y, width, height in pixels of a picture as it is looked at, EXIF orientation applied."""


@dataclass(frozen=True, slots=True)
class Word:
    """A query for pictures of what a word of the index means, such as ``Word("strawberry")``."""

    name: str


@dataclass(frozen=True, slots=True)
class Guess:
    """A word that a picture may be of, and its ``share`` among all words, from 0 to 1.

    The share is None where the network's scale is not known.
    """

    word: str
    share: float | None


@dataclass(frozen=True, slots=True)
class ListedImage:
    """An image of an index as it is listed.

    ``taken`` is the date in its metadata, as `Image` has it, empty if there is none. ``words`` are
    the likeliest words, if they were asked for. ``has_file`` and ``content_hash`` are those of its
    `Image`, and ``gone`` is as in `Hit`.
    """

    id: int
    path: Path
    width: int
    height: int
    size_bytes: int
    mtime_ns: int
    taken: str
    words: tuple[Guess, ...] = ()
    has_file: bool = True
    content_hash: bytes = b""
    gone: bool | None = field(default=None, compare=False, repr=False)

    @property
    def modified(self) -> str:
        """When its file was modified: ISO 8601, of the time zone here; empty if nobody knows."""
        return local_time(self.mtime_ns) if self.has_file else ""

    @property
    def date(self) -> str:
        """By what it is sorted and chosen: when it was taken, else when its file was modified."""
        return self.taken or self.modified

    @property
    def is_gone(self) -> bool:
        """Return whether its file is not there any more, as `Hit.is_gone`."""
        return self.has_file and _is_gone(self.path) if self.gone is None else self.gone


def local_time(time_ns: int) -> str:
    """Write a file's time in ns as the clocks here show it; empty if there is no such year."""
    try:
        return datetime.fromtimestamp(time_ns // 1_000_000_000).astimezone().isoformat()
    except (OverflowError, OSError, ValueError):
        return ""


@dataclass(frozen=True, slots=True)
class WordCount:
    """A word of an index, and of how many ``images`` it is the first guess; None: not counted."""

    word: str
    images: int | None


@dataclass(frozen=True, slots=True)
class QueryImage:
    """A picture that a query is made of: a file, or the bytes of one, and the part that is meant.

    ``query`` is how it was given; ``path`` is None for bytes and for a bare vector; ``box`` is None
    for the whole picture; ``minus`` is for one that hits should not be like. With ``word`` it is
    this word, and no picture.
    """

    query: str
    path: Path | None
    data: bytes | None = None
    box: Box | None = None
    minus: bool = False
    word: str = ""

    @property
    def name(self) -> str:
        """What a picture of it is called: the file's name, or how it was given."""
        if self.word:
            return self.word
        if self.path is not None:
            return self.path.name
        return "standard input" if self.query == "-" else self.query


@dataclass(frozen=True, slots=True)
class Result:
    """A query and its hits, best first.

    ``path`` is None unless the query is one picture that has a path. ``asked`` has the pictures of
    which the query is made, none for a bare vector. ``error`` says why there are no hits, where a
    query of many could not be answered. The query was expanded by ``expand`` of its neighbours,
    and the first ``rerank`` candidates were re-ranked; 0 for neither. ``encoder`` is what made the
    vectors, in a line.
    """

    query: str
    path: Path | None
    hits: tuple[Hit, ...]
    asked: tuple[QueryImage, ...] = ()
    error: str = ""
    expand: int = 0
    rerank: int = 0
    encoder: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedQuery:
    """A query for images with the label of an image: its first hits, and their labels.

    ``average_precision`` is that of its whole ranking, in which the first image with its label has
    the rank ``first_right``; None if there is none as far as was looked.
    """

    result: Result
    label: str
    hit_labels: tuple[str, ...]
    average_precision: float
    first_right: int | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """How int8 compares with fp32 over ``pictures`` that it was not calibrated on.

    ``overlap`` is the mean share of the fp32 network's ``k`` nearest that int8 finds too.
    """

    pictures: int
    k: int
    overlap: float
    mean_cosine: float


@dataclass(frozen=True, slots=True)
class Reduction:
    """What a PCA trained on ``sample`` pictures keeps.

    ``variance_kept`` is a share of the sample's variance, ``overlap`` the mean share of the ``k``
    nearest by full vectors that the reduced ones find too, asked by ``pictures`` of all that were
    looked at: such as were ``held_out`` of the sample or, of few pictures, the sample's own.
    """

    sample: int
    variance_kept: float
    pictures: int
    held_out: bool
    k: int
    overlap: float


DamageKind = Literal["catalog", "vectors", "ann", "encoder", "words"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Damage to an index: the file, what is wrong with it, and which rows it concerns.

    What is ``unreadable``, for want of a permission say, need not be damaged.
    """

    kind: DamageKind
    path: Path
    what: str
    rows: tuple[int, ...] = ()
    unreadable: bool = False


class Progress(Protocol):
    """What long work reports to: a phase, how much of it is done, and how much there is."""

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Report that *done* of *total* units of *phase* are finished."""


class Observer(Protocol):
    """What is told how long the phases of queries take: decode, embed, search, look-up."""

    def __call__(self, phase: str, seconds: float) -> None:
        """Note that a *phase* took so many *seconds*; may be called from any thread."""


def no_observer(phase: str, seconds: float) -> None:
    """Tell nobody."""


def no_progress(phase: str, done: int, total: int) -> None:
    """Report to nobody."""
