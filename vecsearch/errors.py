"""The errors vecsearch raises on purpose; a caller who catches the first catches them all.

VecsearchError
├── UsageError            an option or argument that cannot be meant: an unknown layer, k < 1
├── SourceError           pictures, vectors or labels to read that are missing, unreadable or empty
├── ImageError            a file that cannot be decoded as a picture
│   └── UnreadableError       a file that cannot be read, whatever it holds
│       └── NotFetchedError       a picture behind a URL that nobody here has asked for
├── WeightsError          pretrained weights that cannot be had or cannot be believed
├── EncoderMismatchError  an index that was built with another encoder, or int8 far from fp32
├── NotFoundError         an image (by id or path) that is not in the index
└── IndexFolderError      a folder that is not an index, or an index that cannot be used
    ├── IndexDamagedError     a file of the index is not what was written
    ├── IndexFormatError      the index was written by another version of vecsearch
    ├── IndexOutdatedError    what was opened is no longer there, because of commits since
    └── IndexLockedError      another process is writing
"""

from __future__ import annotations

from pathlib import Path

_LONGEST = 5000
"""A path has up to 4096 bytes; what else is long is not worth reading."""

_LINE_ENDS = {ord(one): repr(one)[1:-1] for one in "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"}


class VecsearchError(Exception):
    """Base of all errors of this package.

    ``str(error)`` is one line: what is wrong, where, and (``hint``) what to do about it.
    """

    def __init__(self, message: str, *, hint: str = "", path: Path | str | None = None) -> None:
        """Join *message* and *hint*; *path* is kept as a field for callers.

        Names from outside may hold line ends, which are written as escapes, and be of any length.
        """
        text = (f"{message}; {hint}" if hint else message).translate(_LINE_ENDS)
        super().__init__(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")
        self.hint = hint
        self.path = path


class UsageError(VecsearchError):
    """An option or argument that cannot be meant."""


class SourceError(VecsearchError):
    """A source of pictures, a file of vectors or labels, that is missing, unreadable or empty."""


class ImageError(VecsearchError):
    """A file that cannot be decoded as a picture."""


class UnreadableError(ImageError):
    """A file that cannot be read now, whatever it holds."""


class NotFetchedError(UnreadableError):
    """A picture behind a URL that is below no source named on this machine, and so not fetched."""


class WeightsError(VecsearchError):
    """Pretrained weights that cannot be had or cannot be believed."""


class EncoderMismatchError(VecsearchError):
    """An index that was built with another encoder."""


class NotFoundError(VecsearchError):
    """An image, by id or path, that is not in the index."""


class IndexFolderError(VecsearchError):
    """A folder that is not an index, or an index that cannot be used."""


class IndexDamagedError(IndexFolderError):
    """A file of the index is not what was written."""


class IndexFormatError(IndexFolderError):
    """The index was written by another version of vecsearch, and cannot be read by this one."""


class IndexOutdatedError(IndexFolderError):
    """What was opened of an index is no longer there, because of what was committed since."""


class IndexLockedError(IndexFolderError):
    """Another process is writing to the index."""
