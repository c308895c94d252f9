"""The command ``export``: an index's vectors into a file that other programs read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from vecsearch.arguments import checked
from vecsearch.cluster.open_index import open_stored
from vecsearch.embed.spec import EncoderSpec
from vecsearch.errors import UsageError
from vecsearch.files import whole_file
from vecsearch.search.resolve import image_at
from vecsearch.search.vocabulary import Vocabulary
from vecsearch.store.locate import only_index
from vecsearch.store.segments import gather
from vecsearch.store.stored_images import StoredImages
from vecsearch.transfer.formats.ids import IdsWriter
from vecsearch.transfer.formats.npy import NpyWriter
from vecsearch.transfer.formats.parquet import ParquetWriter
from vecsearch.types import Image, Progress, Vectors

DTYPES: Final = ("float16", "float32")
_BLOCK_BYTES: Final = 32 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What was exported: how many vectors of how many dimensions, and into which files."""

    index: Path
    output: Path
    ids: Path | None
    vectors: int
    dim: int
    dtype: str
    seconds: float


@checked
def export_vectors(
    output: str | Path,
    *,
    ids: str | Path | None = None,
    index: str | Path | None = None,
    dtype: str = "float16",
    progress: Progress | None = None,
) -> ExportReport:
    """Write all vectors of an index, by the ids of their images, to a .npy or .parquet file.

    A .parquet has a row for each image: id, path, vector, size_bytes, mtime_ns, width, height,
    content_hash and, if the index has words, the three likeliest (words) and their shares
    (word_shares). A .npy has the vectors alone; their paths go to *ids*, a .txt or .json file.
    float16 is what the index holds; float32 are the same values. The files appear complete or not
    at all, and replace what was there.

    Raises UsageError for an unknown ending or dtype, or for a picture of the index that would be
    overwritten; IndexFolderError or a subclass; VecsearchError where the disk refuses.
    """
    start = time.monotonic()
    folder = Path(index) if index is not None else only_index()
    output = Path(output)
    ids = Path(ids) if ids is not None else None
    _check_choices(output, ids, dtype)
    with closing(open_stored(folder)) as snapshot:
        total = snapshot.generation.image_count
        for path in filter(None, (output, ids)):
            _refuse_pictures(snapshot, path)
        done = 0
        with _writing(output, snapshot, dtype) as write, _writing_ids(ids) as write_ids:
            for images, vectors in _blocks(snapshot):
                write(images, vectors)
                write_ids(images)
                done += len(images)
                if progress:
                    progress("exporting", done, total)
            assert done == total
    return ExportReport(
        index=folder,
        output=output,
        ids=ids,
        vectors=total,
        dim=snapshot.dim,
        dtype=dtype,
        seconds=time.monotonic() - start,
    )


def _check_choices(output: Path, ids: Path | None, dtype: str) -> None:
    kind = output.suffix.lower()
    if kind not in (".npy", ".parquet"):
        raise UsageError(f"{output} is neither .npy nor .parquet", hint="choose by the ending")
    if dtype not in DTYPES:
        raise UsageError(f"unknown dtype {dtype!r}", hint=f"known are {', '.join(DTYPES)}")
    if ids is not None and kind == ".parquet":
        raise UsageError("a .parquet has the ids itself", hint="leave --ids out")


@contextmanager
def _writing(
    output: Path, snapshot: StoredImages, dtype: str
) -> Iterator[Callable[[Sequence[Image], Vectors], object]]:
    """Begin the file that *output* asks for by its ending; return what writes images to it."""
    dim = snapshot.dim
    with whole_file(output) as file:
        if output.suffix.lower() == ".npy":
            array = NpyWriter(file, snapshot.generation.image_count, dim, dtype)
            yield lambda _, vectors: array.write(vectors)
            return
        words = None
        if snapshot.words_record is not None:
            words = Vocabulary(EncoderSpec.from_json(snapshot.encoder_json, dim)).of(snapshot)
        table = ParquetWriter(file, dim, dtype, snapshot.encoder_json, with_words=words is not None)
        try:
            yield lambda images, vectors: table.write(
                images, vectors, words.guess(vectors) if words else ()
            )
            table.finish()
        finally:
            table.discard()


@contextmanager
def _writing_ids(ids: Path | None) -> Iterator[Callable[[Sequence[Image]], object]]:
    """Begin the file of the ids, if there is to be one; return what writes them."""
    if ids is None:
        yield lambda _: None
        return
    with whole_file(ids) as file:
        writer = IdsWriter(file, ids)
        yield lambda images: writer.write(str(image.path) for image in images)
        writer.finish()


def _blocks(snapshot: StoredImages) -> Iterator[tuple[list[Image], Vectors]]:
    images = snapshot.images()
    step = max(1, _BLOCK_BYTES // (4 * snapshot.dim))
    while block := list(islice(images, step)):
        rows = np.array([image.row for image in block], np.int64)
        yield block, gather(snapshot.segments, rows, snapshot.dim)


def _refuse_pictures(snapshot: StoredImages, path: Path) -> None:
    image = image_at(snapshot, path)
    if image is not None and image.size_bytes:  # else it is an id, and no file's
        raise UsageError(
            f"{path} is a picture of the index, and would be overwritten",
            hint="choose another output",
        )
