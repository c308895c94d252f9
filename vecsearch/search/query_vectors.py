"""Questions -> vectors: stored ones are copied, new pictures are read ahead and embedded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from threading import Lock
from typing import Final

import numpy as np

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
from vecsearch.search.resolve import Meant, resolve
from vecsearch.search.vocabulary import Vocabulary, find_word, vector_of
from vecsearch.types import Pixels, QueryImage, Vectors

_EMBED_BATCH: Final = 8

Step = Callable[[int], None]
"""Is told how many more questions have their vectors, or are refused."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """Questions, what they mean, and ``vectors`` (n, d), in one order.

    What was wrong with one of them is in ``refused``, by its place; its vector is zero.
    """

    meant: list[Meant]
    vectors: Vectors
    refused: dict[int, VecsearchError]


class Embedder:
    """Makes vectors of questions, for any number of threads.

    The network is started by the first question that needs it; others wait for it then.
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
        opened: IndexReader,
        questions: Sequence[QueryImage],
        prepare: Callable[[], object],
        step: Step,
    ) -> Embedded:
        """Give *questions* their vectors; meanwhile *prepare* what will be needed next.

        Raises IndexFolderError or a subclass.
        """
        meant: list[Meant] = []
        refused: dict[int, VecsearchError] = {}
        words: dict[int, Vectors] = {}
        for number, question in enumerate(questions):
            try:
                if question.word:
                    named, words[number] = self._find_word(opened, question)
                    meant.append(Meant(named, None))
                    continue
                meant.append(resolve(opened.snapshot, question, external=self._spec.is_external))
            except (NotFoundError, UsageError) as error:
                meant.append(Meant(question, None))
                refused[number] = error
        vectors = np.zeros((len(meant), self._spec.dim), np.float32)
        for number, vector in words.items():
            vectors[number] = vector
        rows = {number: one.row for number, one in enumerate(meant) if one.row is not None}
        vectors[list(rows)] = opened.gather(np.array(list(rows.values()), np.int64))
        known = rows.keys() | refused.keys() | words.keys()
        new = [number for number in range(len(meant)) if number not in known]
        step(len(meant) - len(new))
        try:
            if new:
                self._spec.check_current(opened.snapshot.folder)
        except EncoderMismatchError as error:
            refused.update(dict.fromkeys(new, error))
            new = []
        if new:
            pictures = [(number, meant[number].asked) for number in new]
            self._embed(opened, pictures, Embedded(meant, vectors, refused), prepare, step)
        return Embedded(meant, vectors, refused)

    def _find_word(self, opened: IndexReader, question: QueryImage) -> tuple[QueryImage, Vectors]:
        """Return the question with the word as it is written, and its direction (d,)."""
        words = self._vocabulary.of(opened.snapshot)
        places = find_word(words, question.word)
        name = " / ".join(words.names[place] for place in places)
        return replace(question, query=f"word:{name}", word=name), vector_of(words, places)

    def _embed(
        self,
        opened: IndexReader,
        pictures: Sequence[tuple[int, QueryImage]],
        into: Embedded,
        prepare: Callable[[], object],
        step: Step,
    ) -> None:
        from concurrent.futures import ThreadPoolExecutor

        # OpenVINO holds Python up neither as it starts nor as it computes. Meanwhile this thread
        # waits for the first pictures, checks the network's constants, and loads FAISS.
        with ThreadPoolExecutor(1) as pool:
            engine = pool.submit(self._start_engine, opened)
            batches = self._read_batches(pictures, into.refused, step)
            first = next(batches, None)

            def compute() -> None:
                for numbers, pixels in chain([first] if first else [], batches):
                    into.vectors[numbers] = engine.result().embed(np.stack(pixels))
                    step(len(numbers))

            computed = pool.submit(compute)
            if not self._checked:
                opened.snapshot.check_constants()
                self._checked = True
            prepare()
            computed.result()

    def _start_engine(self, opened: IndexReader) -> Engine:
        from vecsearch.embed.encoder import open_query_engine

        with self._starting:
            if self._engine is None:
                self._engine = open_query_engine(self._spec, *opened.snapshot.encoder_files())
            return self._engine

    def _read_batches(
        self,
        pictures: Sequence[tuple[int, QueryImage]],
        refused: dict[int, VecsearchError],
        step: Step,
    ) -> Iterator[tuple[list[int], list[Pixels]]]:
        """Read pictures as they are ready, into batches with their numbers."""
        from vecsearch.images.reader import in_threads, read_asked

        def read(numbered: tuple[int, QueryImage]) -> tuple[int, Pixels | VecsearchError]:
            number, asked = numbered
            try:
                return number, read_asked(asked, self._spec.image_size)
            except (ImageError, UsageError) as error:
                return number, error

        numbers: list[int] = []
        batch: list[Pixels] = []
        for number, pixels in in_threads(pictures, read):
            if isinstance(pixels, VecsearchError):
                refused[number] = pixels
                step(1)
                continue
            numbers.append(number)
            batch.append(pixels)
            if len(batch) == _EMBED_BATCH:
                yield numbers, batch
                numbers, batch = [], []
        if batch:
            yield numbers, batch
