"""What comes through a pipe: one picture, or a list of questions."""

from __future__ import annotations

import os
import re
from itertools import islice
from typing import Final

from vecsearch.errors import UsageError
from vecsearch.images.sources.source import LARGEST_BYTES
from vecsearch.images.sources.utf8 import as_utf8
from vecsearch.search.query_options import Question
from vecsearch.types import QueryImage

MOST_BYTES: Final = LARGEST_BYTES
"""As large as a picture in a file may be; a pipe need not end."""

_MOST: Final = 1_000_000
"""So many questions are held together."""

NAME: Final = "-"
"""What a picture that came through a pipe is called."""


def read_piped(data: bytes, *, null: bool) -> list[Question]:
    """Return what *data* are: a picture that Pillow knows, or questions, one a line.

    With *null*, questions that null bytes end. Blank lines are passed over. Raises UsageError where
    there is nothing, or neither, or more than can be held.
    """
    if len(data) > MOST_BYTES:
        raise UsageError(
            f"standard input has more than {MOST_BYTES >> 20} MiB",
            hint="pipe a picture, or lines with paths or id:N, into it",
        )
    if not null and _is_picture(data):
        return [QueryImage(NAME, None, data)]
    data = b"".join(as_utf8([data]))
    if not null and b"\0" in data:
        raise UsageError(
            "standard input is neither a known picture nor a list: it has null bytes",
            hint="add -0 if null bytes end the paths of a list",
        )
    lines = (found[0] for found in re.finditer(rb"[^\0]+" if null else rb"[^\n]+", data))
    told = (line if null else line.removesuffix(b"\r") for line in lines if line.strip())
    questions: list[Question] = list(map(os.fsdecode, islice(told, _MOST + 1)))
    if len(questions) > _MOST:
        raise UsageError(
            f"standard input has more than {_MOST:,} lines", hint="ask with fewer at a time"
        )
    if not questions:
        raise UsageError(
            "standard input is empty", hint="pipe a picture, or lines with paths or id:N, into it"
        )
    return questions


def _is_picture(data: bytes) -> bool:
    # No list begins like these, and most pipes bring lists: Pillow need not be loaded for them.
    if not data or data.startswith((b"/", b"./", b"id:")):
        return False
    from vecsearch.images.decoders.decode import is_picture

    return is_picture(data)
