"""Parquet tables with a column of vectors, through pyarrow, which is an extra."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final

import numpy as np

from vecsearch.errors import SourceError, UsageError
from vecsearch.exchange.npy import Floats
from vecsearch.types import Guess, Image

VECTOR_COLUMNS: Final = ("vector", "embedding", "embeddings", "emb", "features")
ID_COLUMNS: Final = ("path", "image_path", "file_name", "filename", "url", "key", "id")
"""Names that are looked for, in this order, where none is given."""

FACT_COLUMNS: Final = ("size_bytes", "mtime_ns", "width", "height")
_ENCODER: Final = b"vecsearch.encoder"
_BLOCK: Final = 8192

Facts = tuple[int, int, int, int]
"""Of an image's file: its size in bytes, modification time in ns, width and height; 0: unknown."""


class ParquetTable:
    """A .parquet file, whose columns are read one by one, a few rows at a time."""

    def __init__(self, path: Path) -> None:
        """Read the schema of *path*; raises SourceError, UsageError without pyarrow."""
        _, parquet = load_pyarrow()
        self.path = path
        try:
            # Buffered: otherwise whole row groups, which may be a file each, are read at once.
            self._file = parquet.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise SourceError(f"cannot read {path} ({reason})", path=path) from None
        self.row_count = int(self._file.metadata.num_rows)
        self.schema = self._file.schema_arrow
        self.encoder_json = os.fsdecode((self.schema.metadata or {}).get(_ENCODER, b""))

    def batches(self, columns: Sequence[str], step: int) -> Iterator[Any]:
        """Read *columns* of all rows, at most *step* at a time; raises SourceError."""
        try:
            for batch in self._file.iter_batches(batch_size=step, columns=list(columns)):
                yield [batch.column(name) for name in columns]
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise SourceError(f"cannot read {self.path} ({reason})", path=self.path) from None

    def id_column(self, wanted: str | None, *, needed: bool = False) -> str | None:
        """Choose the column of the ids; None if there is none and it is not *needed*."""
        if wanted is not None or needed:
            return self._choose(wanted, ID_COLUMNS, "ids", "--id-column")
        return next((name for name in ID_COLUMNS if name in self.schema.names), None)

    def vector_column(self, wanted: str | None) -> str:
        """Choose the column of the vectors; raises UsageError."""
        return self._choose(wanted, VECTOR_COLUMNS, "vectors", "--vector-column")

    def ids(self, column: str | None) -> Iterator[str]:
        """Read the ids in *column*, texts or numbers."""
        assert column is not None
        for (array,) in self.batches([column], _BLOCK):
            for one in array.to_pylist():
                yield "" if one is None else os.fsdecode(one) if type(one) is bytes else str(one)

    def facts(self) -> Iterator[Facts] | None:
        """Read what is known of the images' files; None if the table does not tell."""
        if not set(FACT_COLUMNS) <= set(self.schema.names):
            return None
        columns = self.batches(FACT_COLUMNS, _BLOCK)
        return (
            (size or 0, mtime or 0, width or 0, height or 0)
            for batch in columns
            for size, mtime, width, height in zip(*(c.to_pylist() for c in batch), strict=True)
        )

    def _choose(self, wanted: str | None, known: Sequence[str], what: str, option: str) -> str:
        names = self.schema.names
        found = next((name for name in ([wanted] if wanted else known) if name in names), None)
        if found is None:
            raise UsageError(
                f"{self.path} has no column {wanted or f'of {what} by a name known here'}",
                hint=f"choose with {option}: {', '.join(names)}",
                path=self.path,
            )
        return str(found)


class ParquetVectors:
    """The vectors in a column of lists of a .parquet file, as `NpyVectors` has those of a .npy."""

    def __init__(self, table: ParquetTable, column: str | None = None) -> None:
        """Find the column and the length of its vectors; raises SourceError and UsageError."""
        self.path, self.table = table.path, table
        self.row_count, self.encoder_json = table.row_count, table.encoder_json
        self._column = table.vector_column(column)
        kind = table.schema.field(self._column).type
        pa, _ = load_pyarrow()
        is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
        self._fixed = pa.types.is_fixed_size_list(kind)
        if not ((is_list or self._fixed) and pa.types.is_floating(kind.value_type)):
            raise SourceError(
                f"column {self._column} of {self.path} holds {kind}",
                hint="vectors are lists of float16, float32 or float64",
                path=self.path,
            )
        self.dim = int(kind.list_size) if self._fixed else self._first_length()

    def blocks(self, step: int) -> Iterator[Floats]:
        """Read all rows in order, at most *step* at a time; a missing vector is NaN."""
        row = 0
        for (array,) in self.table.batches([self._column], step):
            there = np.asarray(array.is_valid())
            values = array.flatten()
            if not self._fixed:
                lengths = np.asarray(array.value_lengths().fill_null(self.dim))
                if other := np.flatnonzero(lengths != self.dim).tolist():
                    raise SourceError(
                        f"row {row + other[0]} of {self.path} has {lengths[other[0]]} values, "
                        f"the rows before have {self.dim}",
                        path=self.path,
                    )
            block = np.asarray(values.to_numpy(zero_copy_only=False)).reshape(-1, self.dim)
            if not there.all():
                whole = np.full((len(array), self.dim), np.nan, block.dtype)
                whole[there] = block
                block = whole
            yield block
            row += len(array)

    def _first_length(self) -> int:
        for (array,) in self.table.batches([self._column], 64):
            for length in array.value_lengths().to_pylist():
                if length:
                    return int(length)
        raise SourceError(f"{self.path} has no vectors", path=self.path)


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
        self, images: Sequence[Image], vectors: Floats, guesses: Sequence[Sequence[Guess]] = ()
    ) -> None:
        """Write the next *images*, their (n, d) *vectors*, and their words if the table has them.

        Raises UsageError for a path that is no text.
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


def text_path(path: Path, other: str) -> str:
    """Give *path* as text; raises UsageError, which names the *other* way, where it is none."""
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
