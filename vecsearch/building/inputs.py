"""What is to be imported: files of vectors, each with its ids and what is known of the files."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np

from vecsearch.embed.spec import EncoderSpec
from vecsearch.errors import SourceError, UsageError, VecsearchError
from vecsearch.exchange.ids import read_ids
from vecsearch.exchange.npy import NpyVectors
from vecsearch.exchange.parquet import Facts, ParquetVectors
from vecsearch.exchange.vectors import open_vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """Choices of an import.

    ``ids`` are files with an id for each vector, one file for each input; without, a .parquet has
    them itself, and the vectors of ``x.npy`` are called ``x:0``, ``x:1`` ... ``id_column`` and
    ``vector_column`` are those of .parquet files. Ids are kept as they are given; with ``root``
    they are paths from that folder on, and made absolute.

    A new index has the network of the index ``encoder``, which must be the one that made the
    vectors, or else none, and vectors said to be made by ``encoder_name``.
    """

    ids: Sequence[str | Path] = ()
    id_column: str | None = None
    vector_column: str | None = None
    root: str | Path | None = None
    encoder: str | Path | None = None
    encoder_name: str | None = None

    def __post_init__(self) -> None:
        """Raise UsageError for choices that exclude each other."""
        if self.encoder is not None and self.encoder_name is not None:
            raise UsageError(
                "an encoder and a name of an encoder are given",
                hint="the index given with --encoder has a name for it already",
            )


@dataclass(frozen=True, slots=True)
class Input:
    """A file of vectors, with what goes with each of them."""

    vectors: NpyVectors | ParquetVectors
    ids_file: Path | None
    id_column: str | None
    root: Path | None

    @property
    def path(self) -> Path:
        """The file of vectors."""
        return self.vectors.path

    def claimed_encoder(self) -> EncoderSpec | None:
        """Read what made the vectors, if the file tells."""
        try:
            return EncoderSpec.from_json(self.vectors.encoder_json)
        except (ValueError, TypeError, KeyError, VecsearchError):
            return None  # nothing, or what only another version of vecsearch could read

    def paths(self) -> Iterator[str]:
        """Read the ids in order, as the catalog has them; raises SourceError for an empty one."""
        for row, one in enumerate(self._ids()):
            if not one or "\0" in one:
                raise SourceError(f"row {row} of {self.path} has the id {one!r}", path=self.path)
            yield os.path.normpath(self.root / one if self.root else one)

    def facts(self) -> Iterator[Facts] | None:
        """Read what the file itself tells of the images' files; None if it does not."""
        if self.ids_file is None and isinstance(self.vectors, ParquetVectors):
            return self.vectors.table.facts()
        return None

    def _ids(self) -> Iterator[str]:
        if self.ids_file is not None:
            return read_ids(self.ids_file, self.id_column)
        if isinstance(self.vectors, ParquetVectors) and self.id_column is not None:
            return self.vectors.table.ids(self.id_column)
        return (f"{self.path.stem}:{row}" for row in range(self.vectors.row_count))


def open_inputs(files: Sequence[str | Path], options: ImportOptions) -> list[Input]:
    """Open *files* and compare them with each other.

    Raises SourceError and UsageError for what cannot be read, for vectors of several lengths, for
    as many ids as there are not vectors, and for an id that is there twice.
    """
    if not files:
        raise UsageError("nothing to import", hint="name .npy or .parquet files of vectors")
    ids = [Path(one) for one in options.ids]
    if ids and len(ids) != len(files):
        raise UsageError(
            f"there are {len(files)} inputs and {len(ids)} files of ids",
            hint="give --ids for each of them, in their order",
        )
    pairs: list[tuple[Path, Path | None]] = []
    for file, ids_file in zip_longest(map(Path, files), ids):
        if file.is_dir() and ids_file is not None:
            raise UsageError(
                f"{file} is a folder, which has its ids itself", hint="leave out --ids"
            )
        pairs += _pairs_in(file) if file.is_dir() else [(file, ids_file)]
    inputs = [_open(*pair, options) for pair in pairs]
    for one in inputs[1:]:
        if one.vectors.dim != inputs[0].vectors.dim:
            raise SourceError(
                f"the vectors in {inputs[0].path} have {inputs[0].vectors.dim} dimensions, "
                f"those in {one.path} have {one.vectors.dim}",
                hint="import them into different indexes",
                path=one.path,
            )
    _check_ids(inputs)
    return inputs


def _open(file: Path, ids_file: Path | None, options: ImportOptions) -> Input:
    root = Path(options.root).absolute() if options.root is not None else None
    vectors = open_vectors(file, options.vector_column)
    column = options.id_column
    if ids_file is None and isinstance(vectors, ParquetVectors):
        column = vectors.table.id_column(column)
    return Input(vectors, ids_file, column, root)


def _pairs_in(folder: Path) -> list[tuple[Path, Path | None]]:
    """Find clip-retrieval's ``img_emb/img_emb_0.npy`` and ``metadata/metadata_0.parquet``."""
    found = {}
    for path in (folder / "img_emb").glob("img_emb_*.npy"):
        if number := re.fullmatch(r"img_emb_([0-9]+)", path.stem):
            found[int(number[1])] = (path, folder / "metadata" / f"metadata_{number[1]}.parquet")
    if not found:
        raise SourceError(
            f"{folder} has no img_emb/img_emb_0.npy",
            hint="give files of vectors, or a folder that clip-retrieval inference wrote",
            path=folder,
        )
    return [found[number] for number in sorted(found)]


def _check_ids(inputs: Sequence[Input]) -> None:
    """Raise SourceError if ids are missing, too many, or there twice.

    What is kept of an id meanwhile is its hash, 8 bytes.
    """
    parts = []
    for one in inputs:
        parts.append(np.fromiter(map(hash, one.paths()), np.int64))
        if len(parts[-1]) != one.vectors.row_count:
            raise SourceError(
                f"{one.path} has {one.vectors.row_count} vectors and "
                f"{one.ids_file or one.path} has {len(parts[-1])} ids",
                hint="give one id for each vector, in their order",
                path=one.path,
            )
    hashes = np.sort(np.concatenate(parts))
    if not len(hashes):
        raise SourceError(f"there are no vectors in {', '.join(str(one.path) for one in inputs)}")
    suspects = set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
    if not suspects:
        return
    seen: Counter[str] = Counter()
    for path in chain.from_iterable(one.paths() for one in inputs):
        if hash(path) in suspects:
            seen[path] += 1
            if seen[path] > 1:
                raise SourceError(
                    f"the id {path} is there twice",
                    hint="an id is for one vector; none was imported",
                )
