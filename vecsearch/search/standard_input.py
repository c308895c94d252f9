"""What comes through a pipe: one picture, or a list of queries."""

from __future__ import annotations

import os
import re
from itertools import islice
from typing import Final

from vecsearch.errors import UsageError
from vecsearch.images.sources.source import LARGEST_BYTES
from vecsearch.images.sources.utf8 import as_utf8
from vecsearch.search.query_image import Query
from vecsearch.types import QueryImage

MOST_BYTES: Final = LARGEST_BYTES
"""As large as a picture in a file may be; a pipe need not end."""

_MOST: Final = 1_000_000
"""The most queries that are read."""

NAME: Final = "-"
"""What a picture that came through a pipe is called."""


def read_piped(data: bytes, *, null: bool) -> list[Query]:
    """Return the queries in *data*: a picture that Pillow knows, or a list, one query a line.

    With *null*, null bytes end the queries. Blank lines are skipped. Raises UsageError where
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
    queries: list[Query] = list(map(os.fsdecode, islice(told, _MOST + 1)))
    if len(queries) > _MOST:
        raise UsageError(
            f"standard input has more than {_MOST:,} lines", hint="ask with fewer at a time"
        )
    if not queries:
        raise UsageError(
            "standard input is empty", hint="pipe a picture, or lines with paths or id:N, into it"
        )
    return queries


def _is_picture(data: bytes) -> bool:
    # No list begins like these, and most pipes bring lists: Pillow need not be loaded for them.
    if not data or data.startswith((b"/", b"./", b"id:")):
        return False
    from vecsearch.images.decoders.to_rgb import is_picture

    return is_picture(data)
