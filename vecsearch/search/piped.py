"""What comes through a pipe: one picture, or a list of questions."""

from __future__ import annotations

import os
from typing import Final

from vecsearch.errors import UsageError
from vecsearch.search.options import Question
from vecsearch.types import Asked

NAME: Final = "-"
"""What a picture that came through a pipe is called."""


def read_piped(data: bytes, *, null: bool) -> list[Question]:
    """Tell what *data* are: a picture that Pillow knows, or questions, one a line.

    With *null*, questions that null bytes end. Blank lines are passed over. Raises UsageError where
    there is nothing, or neither.
    """
    if not null and _is_picture(data):
        return [Asked(NAME, None, data)]
    if not null and b"\0" in data:
        raise UsageError(
            "standard input is no picture that is known here, and no list: it has null bytes",
            hint="-0 is for lists in which these end the paths",
        )
    lines = data.split(b"\0" if null else b"\n")
    questions: list[Question] = [
        os.fsdecode(line if null else line.removesuffix(b"\r")) for line in lines if line.strip()
    ]
    if not questions:
        raise UsageError(
            "standard input is empty", hint="pipe a picture, or lines with paths or id:N, into it"
        )
    return questions


def _is_picture(data: bytes) -> bool:
    # No list begins like these, and most pipes bring lists: Pillow need not be loaded for them.
    if not data or data.startswith((b"/", b"./", b"id:")):
        return False
    from vecsearch.images.decode import open_image

    try:
        open_image(data)
    except Exception:  # noqa: BLE001 - of what is no picture, its readers raise nearly anything
        return False
    return True
