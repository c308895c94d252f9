"""What is to be imported: files of vectors, each with its ids and what is known of the files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Final

import numpy as np

from vecsearch.arguments import check_fields
from vecsearch.embed.spec import MOST_DIM, EncoderSpec
from vecsearch.errors import SourceError, UsageError, VecsearchError
from vecsearch.transfer.formats.ids import read_ids
from vecsearch.transfer.formats.npz import NpzVectors
from vecsearch.transfer.formats.parquet import Facts
from vecsearch.transfer.formats.parquet_vectors import ParquetVectors
from vecsearch.transfer.formats.vectors import ENDINGS, VectorFile, open_vectors
from vecsearch.types import UrlPath, path_of, relative_path

_SHOWN: Final = 200
"""So much of an id is in a message."""

_LONGEST_ID: Final = 1 << 20

COMMIT_IMAGES: Final = 1 << 17
COMMIT_BYTES: Final = 128 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """Choices of an import.

    ``ids`` are files with an id for each vector, one file for each input; without, a .parquet or
    .npz has them itself, and the vectors of ``x.npy`` are called ``x:0``, ``x:1`` ...
    ``id_column`` and ``vector_column`` are columns of .parquet and .csv files, arrays of .npz ones;
    ``dtype`` is what the bytes of a binary column are. Ids are kept letter by letter; with ``root``
    they are paths from that folder on, and made absolute, but for URLs.

    A new index has the network of the index ``encoder``, which must be the one that made the
    vectors, or else none, and vectors said to be made by ``encoder_name``.

    Vectors are read ``block_bytes`` at a time, and committed after ``commit_bytes`` of them, which
    is how large a segment is, or ``commit_images``: what the catalog keeps of 131,072 takes 100 MB
    on its way there.
    """

    ids: Sequence[str | Path] = ()
    id_column: str | None = None
    vector_column: str | None = None
    root: str | Path | None = None
    encoder: str | Path | None = None
    encoder_name: str | None = None
    dtype: str | None = None
    commit_images: int = COMMIT_IMAGES
    commit_bytes: int = COMMIT_BYTES
    block_bytes: int = 4 << 20

    def __post_init__(self) -> None:
        """Raise UsageError for choices that exclude each other."""
        check_fields(self)
        if self.encoder is not None and self.encoder_name is not None:
            raise UsageError(
                "--encoder and --encoder-name are both given",
                hint="leave one out: the index given with --encoder names its encoder",
            )


@dataclass(frozen=True, slots=True)
class Input:
    """A file of vectors, with what goes with each of them.

    Rows without ids are called ``row_name``, a colon and their number.
    """

    vectors: VectorFile
    ids_file: Path | None
    id_column: str | None
    root: Path | None
    row_name: str = ""

    @property
    def path(self) -> Path:
        """The file of vectors."""
        return self.vectors.path

    @property
    def has_ids(self) -> bool:
        """Whether there are ids for the vectors."""
        return self.ids_file is not None or self.id_column is not None

    def claimed_encoder(self) -> EncoderSpec | None:
        """Read what made the vectors, if the file tells."""
        try:
            return EncoderSpec.from_json(self.vectors.encoder_json)
        except (ValueError, TypeError, KeyError, VecsearchError):
            return None  # nothing, or what only another version of vecsearch could read

    def paths(self) -> Iterator[str]:
        """Read the ids in order, as the catalog has them, or "" for a row without one.

        Raises SourceError for one that cannot be an id.
        """
        for row, one in enumerate(self._ids()):
            if not one:
                if row < self.vectors.row_count:
                    yield ""
                continue  # lists of ids may end with blank lines
            if len(one) > _LONGEST_ID:
                raise SourceError(
                    f"row {row} of {self.ids_file or self.path} has an id of {len(one):,} letters",
                    hint=f"an id has at most {_LONGEST_ID:,} letters",
                    path=self.ids_file or self.path,
                )
            if "\0" in one:
                raise self._bad_id(row, one)
            if not one.isascii():
                try:
                    one = os.fsdecode(os.fsencode(one))  # as it is stored
                except UnicodeEncodeError:
                    raise self._bad_id(row, one) from None
            yield self._below_root(one) if self.root is not None else one

    def facts(self) -> Iterator[Facts] | None:
        """Read what the file itself tells of the images' files; None if it does not."""
        if self.ids_file is None and isinstance(self.vectors, ParquetVectors):
            return self.vectors.table.facts()
        return None

    def _ids(self) -> Iterator[str]:
        if self.ids_file is not None:
            return read_ids(self.ids_file, self.id_column)
        if self.id_column is not None and isinstance(self.vectors, ParquetVectors):
            return self.vectors.table.ids(self.id_column)
        if self.id_column is not None and isinstance(self.vectors, NpzVectors):
            return self.vectors.ids(self.id_column)
        return (f"{self.row_name}:{row}" for row in range(self.vectors.row_count))

    def _below_root(self, one: str) -> str:
        assert self.root is not None
        return one if isinstance(path_of(one), UrlPath) else str(relative_path(self.root / one))

    def _bad_id(self, row: int, one: str) -> SourceError:
        return SourceError(
            f"row {row} of {self.ids_file or self.path} has the id {_shown(one)}, "
            "which is not text",
            hint="ids are Unicode without null characters; save a list of them as UTF-8",
            path=self.ids_file or self.path,
        )


def open_inputs(files: Sequence[str | Path], options: ImportOptions) -> list[Input]:
    """Open *files* and compare them with each other.

    Raises SourceError and UsageError for what cannot be read, where there are no vectors, and for
    vectors of several lengths.
    """
    if not files:
        raise UsageError("nothing to import", hint=f"name files of vectors: {', '.join(ENDINGS)}")
    ids = [Path(one) for one in options.ids]
    if ids and len(ids) != len(files):
        raise UsageError(
            f"there are {len(files)} inputs and {len(ids)} files of ids",
            hint="give --ids for each of them, in their order",
        )
    pairs: list[tuple[Path, Path | None]] = []
    for file, ids_file in zip_longest(map(Path, files), ids):
        if file.is_dir() and ids_file is not None:
            raise UsageError(f"{file} is a folder, which contains its ids", hint="leave out --ids")
        pairs += _pairs_in(file) if file.is_dir() else [(file, ids_file)]
    inputs = [_open(*pair, options) for pair in pairs]
    full = [one for one in inputs if one.vectors.dim]
    if not full:
        raise SourceError(f"there are no vectors in {', '.join(str(one.path) for one in inputs)}")
    for one in full:
        if one.vectors.dim > MOST_DIM:
            raise SourceError(
                f"the vectors in {one.path} have {one.vectors.dim:,} dimensions",
                hint=f"an index has at most {MOST_DIM:,}",
                path=one.path,
            )
    for one in inputs:
        # A part of no rows, or of rows without vectors, goes with the others.
        one.vectors.dim = one.vectors.dim or full[0].vectors.dim
        if one.vectors.dim != full[0].vectors.dim:
            raise SourceError(
                f"the vectors in {full[0].path} have {full[0].vectors.dim} dimensions, "
                f"those in {one.path} have {one.vectors.dim}",
                hint="import them into different indexes",
                path=one.path,
            )
    return inputs


def _open(file: Path, ids_file: Path | None, options: ImportOptions) -> Input:
    root = Path(options.root).absolute() if options.root is not None else None
    vectors = open_vectors(file, options.vector_column, options.dtype)
    column = options.id_column
    if ids_file is None:
        if isinstance(vectors, ParquetVectors):
            column = vectors.table.id_column(column)
        else:
            column = vectors.id_column(column) if isinstance(vectors, NpzVectors) else None
    return Input(vectors, ids_file, column, root)


def _pairs_in(folder: Path) -> list[tuple[Path, Path | None]]:
    """Find the files of vectors in a folder, and those of their ids.

    That is clip-retrieval's ``img_emb/img_emb_0.npy`` and ``metadata/metadata_0.parquet``, or the
    parts of a table, at any depth: Spark and others begin with _ or . what is none.
    """
    found: dict[int, tuple[Path, Path | None]] = {}
    for path in (folder / "img_emb").glob("img_emb_*.npy"):
        if number := re.fullmatch(r"img_emb_([0-9]+)", path.stem):
            found[int(number[1])] = (path, folder / "metadata" / f"metadata_{number[1]}.parquet")
    if found:
        return [found[number] for number in sorted(found)]
    parts = [
        path
        for path in sorted(folder.rglob("*.parquet"))
        if path.is_file() and not any(map(_is_hidden, path.relative_to(folder).parts))
    ]
    if not parts:
        raise SourceError(
            f"{folder} has no img_emb/img_emb_0.npy and no .parquet",
            hint="give files of vectors, a folder that clip-retrieval inference wrote, or one of "
            ".parquet parts",
            path=folder,
        )
    return [(path, None) for path in parts]


def _is_hidden(name: str) -> bool:
    return name.startswith(("_", "."))


def _shown(one: str) -> str:
    """Write an id so that it is part of a line."""
    text = one if one.isprintable() else repr(one)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def check_ids(inputs: Sequence[Input]) -> None:
    """Raise SourceError if ids are missing, too many, or there twice.

    What is kept of an id meanwhile is its hash, 8 bytes. Rows without an id are not compared.
    """
    nameless = hash("")
    parts = []
    for one in inputs:
        hashes = np.fromiter(map(hash, one.paths()), np.int64)
        if len(hashes) != one.vectors.row_count:
            raise SourceError(
                f"{one.path} has {one.vectors.row_count} vectors and "
                f"{one.ids_file or one.path} has {len(hashes)} ids",
                hint="give one id for each vector, in their order",
                path=one.path,
            )
        parts.append(hashes[hashes != nameless])
    hashes = np.sort(np.concatenate(parts))
    suspects = set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
    if not suspects:
        return
    seen: dict[str, str] = {}
    for one in inputs:
        for row, path in enumerate(one.paths()):
            if hash(path) not in suspects or not path:
                continue
            place = f"row {row} of {one.ids_file or one.path}"
            if path in seen:
                raise SourceError(
                    f"the id {_shown(path)} is there twice: {seen[path]} and {place}",
                    hint="each vector needs an id of its own; nothing was imported",
                )
            seen[path] = place
