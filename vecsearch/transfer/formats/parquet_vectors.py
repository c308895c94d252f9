"""The vectors in a column of a .parquet: lists of numbers, their bytes, or texts of such lists."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from vecsearch.errors import SourceError
from vecsearch.transfer.formats.blocks import DTYPES, NO_VECTOR, Block, Numbers, as_numbers
from vecsearch.transfer.formats.parquet import ParquetTable, load_pyarrow

_JUDGED: Final = 1024
"""So many vectors tell how long vectors are: most of them, for one may be cut off."""

_NO_LIST: Final = -1

_Lengths = npt.NDArray[np.int64]
_Read = Callable[[Any], tuple[_Lengths, Callable[[npt.NDArray[np.bool_]], Numbers]]]
"""Takes a column; gives the lengths (n,), and what reads all values of chosen rows, 1-d."""


class ParquetVectors:
    """The vectors in a column of a .parquet file, as `NpyVectors` has those of a .npy.

    ``dim`` is 0 if there are none.
    """

    def __init__(self, table: ParquetTable, column: str | None, dtype: str | None) -> None:
        """Find the column and the length of its vectors; raises SourceError and UsageError.

        *dtype* is what the bytes of a binary column are.
        """
        self.path, self.table = table.path, table
        self.row_count, self.encoder_json = table.row_count, table.encoder_json
        self._column = table.vector_column(column)
        self._read = self._reader(table.type_of(self._column), dtype)
        self.dim = self._usual_length()

    def blocks(self, step: int) -> Iterator[Block]:
        """Read all rows in order, at most *step* at a time."""
        for (array,) in self.table.batches([self._column], step):
            lengths, values_of = self._read(array)
            good = lengths == self.dim
            values = values_of(good).reshape(-1, self.dim)
            if good.all():
                yield Block(values)
                continue
            kind = np.result_type(values.dtype, np.float16)
            whole = np.full((len(good), self.dim), np.nan, kind)
            whole[good] = values
            bad = np.flatnonzero(~good).tolist()
            yield Block(whole, {place: self._fault(int(lengths[place])) for place in bad})

    def _fault(self, length: int) -> str:
        if length == _NO_LIST:
            return "its vector is not a list of numbers"
        return f"its vector has {length} values, not {self.dim}" if length else NO_VECTOR

    def _usual_length(self) -> int:
        counts: Counter[int] = Counter()
        for (array,) in self.table.batches([self._column], 64):
            lengths, _ = self._read(array)
            counts.update(lengths[lengths > 0].tolist())
            if counts.total() >= _JUDGED:
                break
        # Of equally many, the first that was seen.
        return counts.most_common(1)[0][0] if counts else 0

    def _reader(self, kind: Any, dtype: str | None) -> _Read:
        pa, _ = load_pyarrow()
        types = pa.types
        if isinstance(kind, pa.BaseExtensionType):
            inner = self._reader(kind.storage_type, dtype)
            return lambda array: inner(array.storage)
        if types.is_dictionary(kind):
            inner = self._reader(kind.value_type, dtype)
            return lambda array: inner(array.dictionary_decode())
        if types.is_null(kind):
            return _read_nothing
        if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
            value = kind.value_type
            if types.is_floating(value) or types.is_integer(value):
                return _read_lists
            if types.is_decimal(value):
                return lambda array: _read_lists(array, pa.float64())
        if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
            return _read_texts
        if (
            types.is_binary(kind)
            or types.is_large_binary(kind)
            or types.is_binary_view(kind)
            or types.is_fixed_size_binary(kind)
        ):
            if dtype is not None:
                return lambda array: _read_bytes(array, dtype)
            hint = f"say what they are with --dtype: {', '.join(DTYPES)}"
        elif types.is_struct(kind):
            names = ", ".join(f"{self._column}.{field.name}" for field in kind)
            hint = f"choose a field with --vector-column: {names}"
        else:
            hint = "vectors are lists of floats or whole numbers; choose with --vector-column"
        raise SourceError(
            f"column {self._column} of {self.path} holds {kind}", hint=hint, path=self.path
        )


def _read_nothing(array: Any) -> tuple[_Lengths, Callable[[npt.NDArray[np.bool_]], Numbers]]:
    return np.zeros(len(array), np.int64), lambda _: np.empty(0, np.float32)


def _read_lists(
    array: Any, cast: Any = None
) -> tuple[_Lengths, Callable[[npt.NDArray[np.bool_]], Numbers]]:
    pa, _ = load_pyarrow()
    if pa.types.is_fixed_size_list(array.type):
        lengths = np.where(np.asarray(array.is_valid()), array.type.list_size, 0)
    else:
        lengths = np.asarray(array.value_lengths().fill_null(0))

    def values_of(good: npt.NDArray[np.bool_]) -> Numbers:
        values = (array if good.all() else array.filter(pa.array(good))).flatten()
        if cast is not None:
            values = values.cast(cast)
        return np.asarray(values.to_numpy(zero_copy_only=False))

    return lengths.astype(np.int64), values_of


def _read_bytes(
    array: Any, dtype: str
) -> tuple[_Lengths, Callable[[npt.NDArray[np.bool_]], Numbers]]:
    kind = np.dtype("V2") if dtype == "bfloat16" else np.dtype(dtype).newbyteorder("<")
    given = [one or b"" for one in array.to_pylist()]
    lengths = [_NO_LIST if len(one) % kind.itemsize else len(one) // kind.itemsize for one in given]

    def values_of(good: npt.NDArray[np.bool_]) -> Numbers:
        chosen = b"".join(one for one, is_good in zip(given, good.tolist(), strict=True) if is_good)
        return as_numbers(np.frombuffer(chosen, kind))

    return np.array(lengths, np.int64), values_of


def _read_texts(array: Any) -> tuple[_Lengths, Callable[[npt.NDArray[np.bool_]], Numbers]]:
    pa, _ = load_pyarrow()
    lists = [_parsed(one) for one in array.cast(pa.large_binary()).to_pylist()]
    lengths = [_NO_LIST if one is None else len(one) for one in lists]

    def values_of(good: npt.NDArray[np.bool_]) -> Numbers:
        chosen = [lists[place] for place in np.flatnonzero(good).tolist()]
        return np.array(chosen, np.float64).reshape(-1)

    return np.array(lengths, np.int64), values_of


def _parsed(text: bytes | None) -> Sequence[float] | None:
    """Read a JSON list of numbers; None for anything else, empty for no text."""
    if not text:
        return []
    try:
        values = json.loads(text)
        if type(values) is list and all(type(one) in (int, float) for one in values):
            return [float(one) for one in values]
    except (ValueError, OverflowError, RecursionError):
        pass
    return None
