"""Parquet tables with a column of vectors, through pyarrow, which is an extra."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import numpy as np

from vecsearch.errors import SourceError, UsageError
from vecsearch.transfer.formats.blocks import VECTOR_COLUMNS, Numbers
from vecsearch.transfer.formats.id_values import ID_COLUMNS, bytes_as_text, choose_column
from vecsearch.transfer.formats.npy import check_regular
from vecsearch.transfer.formats.parquet_footer import read_chunks
from vecsearch.types import Guess, Image

FACT_COLUMNS: Final = ("size_bytes", "mtime_ns", "width", "height")
TAKEN_COLUMN: Final = "taken"
_ENCODER: Final = b"vecsearch.encoder"
_BLOCK: Final = 8192

_ALWAYS_ROWS: Final = 1 << 20
_ALWAYS_BYTES: Final = 64 << 20
_MOST_ROWS: Final = 8
"""Rows for a byte of the file: one that has a vector and an id of its own takes more than a bit."""

_MOST_TIMES: Final = 1000
"""So many times as long as what is stored are columns of zeros."""

_VALUE_BYTES: Final = 4


class Facts(NamedTuple):
    """What a table tells of an image's file; 0, or an empty date, for what is not known."""

    size_bytes: int = 0
    mtime_ns: int = 0
    width: int = 0
    height: int = 0
    taken: str = ""


class ParquetTable:
    """A .parquet file, whose columns are read one by one, a few rows at a time."""

    def __init__(self, path: Path) -> None:
        """Read the schema of *path*; raises SourceError, UsageError without pyarrow."""
        self._pa, parquet = load_pyarrow()
        self.path = path
        check_regular(path)
        with self._told():
            # Buffered: otherwise whole row groups, which may be a file each, are read at once.
            self._file = parquet.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
            self.row_count = int(self._file.metadata.num_rows)
            self.schema = self._file.schema_arrow
        self._checked: set[str] = set()
        most = max(_ALWAYS_ROWS, _MOST_ROWS * path.stat().st_size)
        if self.row_count > most:
            raise self._too_long(f"{self.row_count:,} rows")
        self.encoder_json = os.fsdecode((self.schema.metadata or {}).get(_ENCODER, b""))

    def batches(self, columns: Sequence[str], step: int) -> Iterator[Any]:
        """Read *columns* of all rows, at most *step* at a time; raises SourceError."""
        self._check_columns(columns)
        with self._told():
            for batch in self._file.iter_batches(batch_size=step, columns=list(columns)):
                yield [self._column(batch, name) for name in columns]

    def id_column(self, wanted: str | None, *, needed: bool = False) -> str | None:
        """Choose the column of the ids; None if there is none and it is not *needed*."""
        if wanted is not None or needed:
            return self._choose(wanted, ID_COLUMNS, "--id-column")
        return next((name for name in ID_COLUMNS if name in self.schema.names), None)

    def vector_column(self, wanted: str | None) -> str:
        """Choose the column of the vectors; raises UsageError."""
        return self._choose(wanted, VECTOR_COLUMNS, "--vector-column")

    def type_of(self, column: str) -> Any:
        """Return the type of a column; ``a.b`` is the field b of a column a."""
        if column in self.schema.names:
            return self.schema.field(column).type
        outer, _, name = column.rpartition(".")
        kind = self.type_of(outer) if outer else None
        if kind is None or not self._pa.types.is_struct(kind) or kind.get_field_index(name) < 0:
            return None
        return kind.field(name).type

    def ids(self, column: str | None) -> Iterator[str]:
        """Read the ids in *column*, texts, numbers, bytes or UUIDs; a missing one is empty."""
        assert column is not None
        types, kind = self._pa.types, self.type_of(column)
        if types.is_nested(kind):
            raise SourceError(
                f"column {column} of {self.path} holds {kind}",
                hint="ids are texts or whole numbers; choose with --id-column",
                path=self.path,
            )
        width = kind.byte_width if types.is_fixed_size_binary(kind) else 0
        as_text: Callable[[bytes], str] | None = None if width else os.fsdecode
        for (array,) in self.batches([column], _BLOCK):
            with self._told():  # a text may be no UTF-8
                values = array.to_pylist()
            if as_text is None and array.null_count < len(array):
                as_text = bytes_as_text([one for one in values if one is not None], width)
            for one in values:
                if one is None or one != one:  # not a number
                    yield ""
                elif type(one) is bytes:
                    assert as_text is not None
                    yield as_text(one)
                else:
                    yield str(one)

    def facts(self) -> Iterator[Facts] | None:
        """Read what is known of the images' files; None if the table does not tell."""
        is_integer = self._pa.types.is_integer
        known = [self.type_of(name) for name in FACT_COLUMNS]
        if not all(kind is not None and is_integer(kind) for kind in known):
            return None
        kind = self.type_of(TAKEN_COLUMN)
        types = self._pa.types
        has_dates = kind is not None and (types.is_string(kind) or types.is_large_string(kind))
        names = (*FACT_COLUMNS, TAKEN_COLUMN) if has_dates else FACT_COLUMNS
        return (
            Facts(size or 0, mtime or 0, width or 0, height or 0, taken or "")
            for batch in self.batches(names, _BLOCK)
            for size, mtime, width, height, taken in self._in_rows(batch)
        )

    def _in_rows(self, batch: Any) -> Iterator[tuple[Any, ...]]:
        """Return the rows of the columns of facts; dates are None where there is no column."""
        with self._told():  # a text may be no UTF-8
            *numbers, dates = [*(one.to_pylist() for one in batch), repeat(None)][:5]
        return zip(*numbers, dates, strict=False)

    def _choose(self, wanted: str | None, known: Sequence[str], option: str) -> str:
        if wanted is not None and self.type_of(wanted) is not None:
            return wanted
        return choose_column(self.path, self.schema.names, wanted, known, option)

    def _column(self, batch: Any, name: str) -> Any:
        if name in self.schema.names:
            return batch.column(name)
        outer, _, inner = name.rpartition(".")
        column = self._column(batch, outer)
        # Flattened, a field is missing where the whole is.
        return column.flatten()[column.type.get_field_index(inner)]

    def _check_columns(self, columns: Sequence[str]) -> None:
        """Raise SourceError if much less is stored of *columns* than they would take."""
        names = {name.partition(".")[0] for name in columns} - self._checked
        self._checked |= names
        with self._told():
            for chunk in read_chunks(self.path) if names else ():
                if chunk.name.partition(".")[0] in names:
                    long_bytes = chunk.long_bytes
                    if chunk.values > chunk.rows:  # lists
                        long_bytes = max(long_bytes, _VALUE_BYTES * chunk.values)
                    if long_bytes > max(_ALWAYS_BYTES, _MOST_TIMES * chunk.stored_bytes):
                        raise self._too_long(f"{long_bytes:,} bytes of {chunk.name}")

    def _too_long(self, what: str) -> SourceError:
        return SourceError(
            f"{self.path} tells of {what}, more than a file of its size can hold",
            hint="it may be malicious",
            path=self.path,
        )

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what pyarrow raises into SourceError."""
        errors = (OSError, ValueError, OverflowError, MemoryError, self._pa.ArrowException)
        try:
            yield
        except errors as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            if "crypt" in reason:
                reason = "it is encrypted"
            raise SourceError(f"cannot read {self.path} ({reason})", path=self.path) from None


class ParquetWriter:
    """Writes images and their vectors as a table, with the encoder's description."""

    def __init__(
        self, file: IO[bytes], dim: int, dtype: str, encoder_json: str, *, with_words: bool = False
    ) -> None:
        """Begin the table; raises UsageError without pyarrow."""
        self._pa, parquet = load_pyarrow()
        pa = self._pa
        value = {"float16": pa.float16(), "float32": pa.float32()}[dtype]
        numbers = [(name, pa.int64()) for name in FACT_COLUMNS]
        columns = [
            ("id", pa.int64()),
            ("path", pa.string()),
            ("vector", pa.list_(value, dim)),
            *numbers,
            ("content_hash", pa.binary()),
            (TAKEN_COLUMN, pa.string()),
        ]
        if with_words:
            columns += [("words", pa.list_(pa.string())), ("word_shares", pa.list_(pa.float32()))]
        self._with_words = with_words
        self._schema = pa.schema(columns, metadata={_ENCODER: os.fsencode(encoder_json)})
        self._dtype, self._dim = np.dtype(dtype), dim
        # Vectors do not compress, nor are their values worth a dictionary.
        self._writer = parquet.ParquetWriter(
            file, self._schema, use_dictionary=["path"], compression={"path": "zstd"}
        )

    def write(
        self, images: Sequence[Image], vectors: Numbers, guesses: Sequence[Sequence[Guess]] = ()
    ) -> None:
        """Write the next *images*, their (n, d) *vectors*, and their words if the table has them.

        Raises UsageError for a path that is not text.
        """
        pa = self._pa
        other = "export to a .npy with --ids of a .json file"
        paths = [text_path(image.path, other) for image in images]
        values = pa.array(np.ascontiguousarray(vectors, self._dtype).reshape(-1))
        arrays = [
            pa.array([image.id for image in images]),
            pa.array(paths, pa.string()),
            pa.FixedSizeListArray.from_arrays(values, self._dim),
            *(
                pa.array([getattr(image, name) for image in images], pa.int64())
                for name in FACT_COLUMNS
            ),
            pa.array([image.content_hash for image in images], pa.binary()),
            pa.array([image.taken or None for image in images], pa.string()),
        ]
        if self._with_words:
            words = [[guess.word for guess in one] for one in guesses]
            shares = [[guess.share for guess in one] for one in guesses]
            arrays += [
                pa.array(words, pa.list_(pa.string())),
                pa.array(shares, pa.list_(pa.float32())),
            ]
        self._writer.write_batch(pa.record_batch(arrays, schema=self._schema))

    def finish(self) -> None:
        """Write what comes last."""
        self._writer.close()

    def discard(self) -> None:
        """Close what is not to be finished, while the file is open still; else do nothing."""
        with contextlib.suppress(OSError, ValueError):
            self._writer.close()


def text_path(path: str | Path, other: str) -> str:
    """Return *path* as text; raises UsageError, with the hint *other*, if it is not text."""
    text = str(path)
    with contextlib.suppress(UnicodeEncodeError):
        text.encode()
        return text
    raise UsageError(f"{text!r} is not text, which a .parquet cannot hold", hint=other)


def load_pyarrow() -> tuple[Any, Any]:
    """Import pyarrow and its Parquet; raises UsageError."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UsageError(
            ".parquet files need pyarrow", hint="install it with: pip install 'vecsearch[parquet]'"
        ) from None
    return pyarrow, pyarrow.parquet
