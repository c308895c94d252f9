"""Query images -> vectors: stored vectors are copied, new pictures are read and embedded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import chain
from threading import Lock
from time import perf_counter
from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.embed.engines.engine import Engine
from vecsearch.embed.spec import EncoderSpec
from vecsearch.errors import (
    EncoderMismatchError,
    ImageError,
    NotFoundError,
    UsageError,
    VecsearchError,
)
from vecsearch.search.index_reader import IndexReader
from vecsearch.search.resolve import resolve
from vecsearch.search.vocabulary import Vocabulary, find_word, vector_of
from vecsearch.types import Image, Observer, Pixels, QueryImage, Vectors, no_observer

_EMBED_BATCH: Final = 8

Step = Callable[[int], None]
"""Is told how many more queries have their vectors, or cannot have them."""


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedQuery:
    """A query and its ``vector`` (d,): of one picture or word, or the mean of several.

    ``images`` are what the index has of the ``query_images``, in their order, None for what it does
    not have. Where ``error`` says why there is no vector, it is zero.
    """

    query_images: tuple[QueryImage, ...]
    images: tuple[Image | None, ...]
    vector: npt.NDArray[np.float32]
    error: VecsearchError | None = None

    @property
    def image_rows(self) -> frozenset[int]:
        """The rows of its images in the index, also of those of which it is only a part."""
        return frozenset(image.row for image in self.images if image)

    @property
    def whole_rows(self) -> frozenset[int]:
        """The rows of its images in the index that it has as a whole: their vectors are its own."""
        pairs = zip(self.query_images, self.images, strict=True)
        return frozenset(image.row for given, image in pairs if image and given.box is None)


def stacked(queries: Sequence[EmbeddedQuery]) -> Vectors:
    """Return the vectors of *queries*, (q, d)."""
    return np.stack([one.vector for one in queries])


def mean_query(batches: Iterable[Sequence[EmbeddedQuery]], dim: int) -> EmbeddedQuery:
    """Return one query of all that come in *batches*: the mean of their vectors, (dim,)."""
    query_images: list[QueryImage] = []
    images: list[Image | None] = []
    total = np.zeros(dim, np.float64)
    for batch in batches:
        for one in batch:
            query_images += one.query_images
            images += one.images
        total += stacked(batch).sum(axis=0, dtype=np.float64)
    mean = np.asarray(total / len(query_images), np.float32)
    return EmbeddedQuery(tuple(query_images), tuple(images), mean)


class Embedder:
    """Makes vectors of query images, for any number of threads.

    The network is started by the first query that needs it; others wait for it then.
    """

    def __init__(self, spec: EncoderSpec, vocabulary: Vocabulary) -> None:
        """Keep what the network is, and its words."""
        self._spec, self._vocabulary = spec, vocabulary
        self._engine: Engine | None = None
        self._starting = Lock()
        self._checked = False

    @property
    def encoder(self) -> str:
        """What makes the vectors, in a line."""
        return self._spec.title

    @property
    def dim(self) -> int:
        """How long the vectors are."""
        return self._spec.dim

    def embed(
        self,
        reader: IndexReader,
        query_images: Sequence[QueryImage],
        prepare: Callable[[], object],
        step: Step,
        observer: Observer = no_observer,
    ) -> list[EmbeddedQuery]:
        """Return the vector of each query; meanwhile *prepare* what will be needed next.

        What is wrong with one query is its ``error``. Raises IndexFolderError or a subclass.
        """
        vectors = np.zeros((len(query_images), self._spec.dim), np.float32)
        # Each has a line of the array as its vector, which is filled in later.
        # By ids no file is looked at, which could take long.
        by_id = all(one.query.startswith("id:") and one.path is None for one in query_images)
        with reader.snapshot.one_state() if by_id else nullcontext():
            found = [
                self._find(reader, one, vector)
                for one, vector in zip(query_images, vectors, strict=True)
            ]
        rows = {number: row for number, one in enumerate(found) for row in one.whole_rows}
        vectors[list(rows)] = reader.gather(np.array(list(rows.values()), np.int64))
        new = {
            number: given
            for number, one in enumerate(found)
            for given in one.query_images
            if not (number in rows or one.error or given.word)
        }
        step(len(found) - len(new))
        errors: dict[int, VecsearchError] = {}
        if new:
            try:
                self._spec.check_current(reader.snapshot.folder)
            except EncoderMismatchError as error:
                errors = dict.fromkeys(new, error)
            else:
                errors = self._embed(reader, new, vectors, prepare, step, observer)
        for number, why in errors.items():
            found[number] = replace(found[number], error=why)
        return found

    def _find(
        self, reader: IndexReader, given: QueryImage, vector: npt.NDArray[np.float32]
    ) -> EmbeddedQuery:
        """Find what a query is; of a word, fill in the *vector*."""
        try:
            if given.word:
                words = self._vocabulary.of(reader.snapshot)
                places = find_word(words, given.word)
                name = " / ".join(words.names[place] for place in places)
                vector[:] = vector_of(words, places)
                word = replace(given, query=f"word:{name}", word=name)
                return EmbeddedQuery((word,), (None,), vector)
            found, image = resolve(reader.snapshot, given, external=self._spec.is_external)
            return EmbeddedQuery((found,), (image,), vector)
        except (NotFoundError, UsageError) as error:
            return EmbeddedQuery((given,), (None,), vector, error)

    def _embed(
        self,
        reader: IndexReader,
        pictures: Mapping[int, QueryImage],
        vectors: Vectors,
        prepare: Callable[[], object],
        step: Step,
        observer: Observer,
    ) -> dict[int, VecsearchError]:
        """Fill in the *vectors* of *pictures*; return what was wrong with some, by number."""
        from concurrent.futures import ThreadPoolExecutor

        errors: dict[int, VecsearchError] = {}
        # OpenVINO holds Python up neither as it starts nor as it computes. Meanwhile this thread
        # waits for the first pictures, checks the network's constants, and loads FAISS.
        with ThreadPoolExecutor(1) as pool:
            engine = pool.submit(self._start_engine, reader)
            batches = self._read_batches(pictures, errors, step, observer)
            first = next(batches, None)

            def compute() -> None:
                for numbers, pixels in chain([first] if first else [], batches):
                    network = engine.result()
                    start = perf_counter()
                    found = network.embed(np.stack(pixels))
                    observer("embed", perf_counter() - start)
                    # A network that somebody has changed may compute anything.
                    for place in np.flatnonzero(~np.isfinite(found).all(axis=1)).tolist():
                        errors[numbers[place]] = _no_numbers()
                        found[place] = 0.0
                    vectors[numbers] = found
                    step(len(numbers))

            computed = pool.submit(compute)
            if not self._checked:
                reader.snapshot.check_constants()
                self._checked = True
            prepare()
            computed.result()
        return errors

    def _start_engine(self, reader: IndexReader) -> Engine:
        from vecsearch.embed.encoder import open_query_engine

        with self._starting:
            if self._engine is None:
                self._engine = open_query_engine(self._spec, *reader.snapshot.encoder_files())
            return self._engine

    def _read_batches(
        self,
        pictures: Mapping[int, QueryImage],
        errors: dict[int, VecsearchError],
        step: Step,
        observer: Observer,
    ) -> Iterator[tuple[list[int], list[Pixels]]]:
        """Read pictures as they are ready, into batches with their numbers."""
        from vecsearch.images.reader import in_threads, read_asked

        def read(numbered: tuple[int, QueryImage]) -> tuple[int, Pixels | VecsearchError]:
            number, given = numbered
            start = perf_counter()
            try:
                return number, read_asked(given, self._spec.image_size)
            except (ImageError, UsageError) as error:
                return number, error
            finally:
                observer("decode", perf_counter() - start)

        numbers: list[int] = []
        batch: list[Pixels] = []
        for number, pixels in in_threads(pictures.items(), read):
            if isinstance(pixels, VecsearchError):
                errors[number] = pixels
                step(1)
                continue
            numbers.append(number)
            batch.append(pixels)
            if len(batch) == _EMBED_BATCH:
                yield numbers, batch
                numbers, batch = [], []
        if batch:
            yield numbers, batch


def _no_numbers() -> ImageError:
    return ImageError(
        "the network of the index makes no finite numbers of it",
        hint="vecsearch verify looks for damage",
    )
