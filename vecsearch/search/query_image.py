"""What a query may be, and its parts: a picture, the part of it that counts, or a word."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from vecsearch.errors import UsageError
from vecsearch.images.in_memory import as_file, is_picture_in_memory
from vecsearch.types import Box, QueryImage, Word

if TYPE_CHECKING:
    from vecsearch.images.in_memory import Picture

Query: TypeAlias = "str | Path | bytes | QueryImage | Word | Picture"
"""A picture file, ``id:N`` or an id of an import, the bytes of a picture, or any with its parts; a
word; or a picture in memory, PIL's or an array (h, w), (h, w, 3) or (h, w, 4) uint8."""


def as_queries(given: Query | Iterable[Query]) -> list[Query]:
    """Return one query, or several, as a list."""
    if isinstance(given, str | Path | bytes | QueryImage | Word) or is_picture_in_memory(given):
        return [given]
    if not hasattr(given, "__iter__"):
        return [as_query_image(given, 1)]  # which says that it is none
    return list(given)  # type: ignore[arg-type]  # TypeGuard tells nothing where it is False


def as_query_image(
    query: Query, number: int, *, box: Box | None = None, minus: bool = False
) -> QueryImage:
    """Return the parts of a query; bytes and pictures in memory are named by their *number*.

    Raises UsageError for what is no query.
    """
    if isinstance(query, QueryImage):
        box = None if query.word else query.box or box
        return QueryImage(query.query, query.path, query.data, box, minus, query.word)
    if isinstance(query, Word):
        if not query.name.strip():
            raise UsageError("a word is empty", hint="vecsearch words lists all")
        return QueryImage(f"word:{query.name}", None, minus=minus, word=query.name)
    if is_picture_in_memory(query):
        return QueryImage(f"picture:{number}", None, as_file(query), box, minus)
    if isinstance(query, bytes):
        return QueryImage(f"bytes:{number}", None, query, box, minus)
    if not isinstance(query, str | Path):
        raise UsageError(
            f"a query is a {type(query).__name__}",
            hint="ask with a path, id:N, bytes, a PIL picture, an array or a Word",
        )
    return QueryImage(str(query), None, None, box, minus)
