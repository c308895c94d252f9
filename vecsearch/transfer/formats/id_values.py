"""Values that other programs keep as ids, as text: numbers, texts, bytes, UUIDs."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vecsearch.errors import SourceError, UsageError

ID_COLUMNS: Final = ("path", "image_path", "file_name", "filename", "url", "key", "id", "ids")
"""Names of columns that are looked for, in this order, where none is given."""

_UUID_BYTES: Final = 16
_MOST_NAMED: Final = 20
"""Of more columns, these are named in a message."""


def choose_column(
    where: object, names: Sequence[str], wanted: str | None, known: Sequence[str], option: str
) -> str:
    """Choose among the columns called *names*; raises UsageError, which tells the *option*."""
    found = next((name for name in ([wanted] if wanted else known) if name in names), None)
    if found is None:
        more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
        what = wanted or f"of {option.strip('-').split('-')[0]}s by a name known here"
        raise UsageError(
            f"{where} has no column {what}",
            hint=f"choose with {option}: {', '.join(names[:_MOST_NAMED])}{more}",
            path=str(where),
        )
    return found


def are_ids(dtype: np.dtype[Any]) -> bool:
    """Return whether an array of a type can hold ids."""
    is_uuid = dtype.kind == "V" and dtype.itemsize == _UUID_BYTES and dtype.names is None
    return dtype.kind in "iuSU" or (is_uuid and dtype.subdtype is None)


def texts_of_arrays(arrays: Iterable[npt.NDArray[Any]], where: str) -> Iterator[str]:
    """Write the values of arrays (n,) for which `are_ids` holds as text; the type is one for all.

    Bytes of a fixed number that are no text are UUIDs, if there are 16, and else hexadecimal; the
    first array decides. Raises SourceError, which tells *where* they are from, for texts that are
    no Unicode.
    """
    as_text: Callable[[bytes], str] | None = None
    for array in arrays:
        if array.dtype.kind == "U":
            numbers = array.view(np.dtype("u4").newbyteorder(array.dtype.byteorder))
            if numbers.max(initial=0) > sys.maxunicode:
                raise SourceError(f"{where} has texts that are not Unicode", hint="save it anew")
        if array.dtype.kind in "iuU":
            yield from map(str, array.tolist())
            continue
        values = [bytes(one) for one in array.tolist()]
        as_text = as_text or bytes_as_text(values, array.dtype.itemsize)
        yield from map(as_text, values)


def bytes_as_text(values: Iterable[bytes], width: int) -> Callable[[bytes], str]:
    """Choose how the bytes of a column of *width* bytes a value are written, by its first *values*.

    NumPy cuts null bytes off the end of values, which belong to those that are no text.
    """
    if all(map(_is_text, values)):
        return os.fsdecode
    if width == _UUID_BYTES:
        return lambda value: str(uuid.UUID(bytes=value.ljust(width, b"\0")))
    return lambda value: value.ljust(width, b"\0").hex()


def _is_text(value: bytes) -> bool:
    try:
        return value.decode().isprintable()
    except UnicodeDecodeError:
        return False
