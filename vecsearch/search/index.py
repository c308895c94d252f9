"""An opened index: queries by picture, by id or by vector, and recommendations for all."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Final, TypeVar
from weakref import WeakSet

import numpy as np

from vecsearch.arguments import check_results, checked
from vecsearch.embed.spec import EncoderSpec
from vecsearch.errors import IndexFolderError, IndexOutdatedError, UsageError
from vecsearch.locks import free_at_fork
from vecsearch.search.hits import Candidates
from vecsearch.search.index_reader import IndexReader
from vecsearch.search.query import Answers
from vecsearch.search.query_options import QueryOptions, Question, as_asked, as_questions, check_k
from vecsearch.search.query_vectors import Embedder
from vecsearch.search.ranker import NONE_APART, Apart
from vecsearch.search.resolve import image_at
from vecsearch.search.vocabulary import Vocabulary, list_words
from vecsearch.store.locate import only_index
from vecsearch.types import (
    Guess,
    Image,
    ListedImage,
    Progress,
    QueryImage,
    Result,
    Vectors,
    WordCount,
)

if TYPE_CHECKING:
    from vecsearch.search.copy_hits import CopyReport
    from vecsearch.search.info import IndexInfo, PictureInfo
    from vecsearch.search.list import ListOptions

T = TypeVar("T")

_SEARCH_BATCH: Final = 256
_DEFAULTS: Final = QueryOptions()


_all_open: Final[WeakSet[Index]] = WeakSet()


def _inherit_all() -> None:
    """Ready a forked process: nothing that is open is its own, nor the threads of OpenMP."""
    if faiss := sys.modules.get("faiss"):
        faiss.omp_set_num_threads(1)  # the forking thread would wait for the others for ever
    for index in _all_open:
        index._inherit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_inherit_all)


class Index:
    """An index, open for questions; each is answered from the newest committed generation.

    Any number of threads may ask one index at once, and each is answered as if it were alone, also
    while other processes change the index. An iteration keeps to the generation that it began with,
    and raises IndexOutdatedError if commits take that apart. An index that is pickled, or inherited
    by a forked process, is opened anew there; a forked one refuses new pictures if the process that
    it comes from had started the network: use spawn or forkserver.

    A context manager and, after `open_index`, all there is to searching::

        with open_index("indexes/db") as index:
            for hit in index.query(["photo.jpg"], k=5)[0].hits:
                print(hit.rank, hit.path, hit.score)
    """

    @checked
    def __init__(self, path: str | Path, *, fetch: bool = False) -> None:
        """Open the index folder *path*, as `open_index`; raises IndexFolderError or a subclass."""
        self.path = path = Path(path)
        self._fetch = fetch
        self._place = path.absolute()
        self._taking_up = free_at_fork(Lock())
        self._inherited: tuple[IndexReader, Embedder] | None = None
        with self._taking_up:
            self._open(path)
        _all_open.add(self)

    def _open(self, path: Path) -> None:
        self._opened = IndexReader(path, fetch=self._fetch)
        snapshot = self._opened.snapshot
        try:
            self.encoder = EncoderSpec.from_json(snapshot.encoder_json, snapshot.dim)
        except IndexFolderError:
            self.close()
            raise
        self._vocabulary = Vocabulary(self.encoder)
        self._embedder = Embedder(self.encoder, self._vocabulary)

    def __reduce__(self) -> tuple[Callable[[], Index], tuple[()]]:
        """Tell another process how to open it there."""
        return partial(type(self), self._place, fetch=self._fetch), ()

    def __enter__(self) -> Index:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def __len__(self) -> int:
        """Count the images."""
        return len(self._newest())

    def __iter__(self) -> Iterator[Image]:
        """Iterate over the images by id."""
        return self._newest().snapshot.images()

    def close(self) -> None:
        """Close the catalog."""
        self._opened.snapshot.close()

    @checked
    def query(
        self,
        queries: Question | Iterable[Question],
        *,
        k: int = 5,
        options: QueryOptions = _DEFAULTS,
        progress: Progress | None = None,
    ) -> list[Result]:
        """Find the *k* most similar images to each of *queries*, or to all of them combined.

        A query is a picture file, ``id:N``, the bytes of a picture, a PIL picture, an array (h, w),
        (h, w, 3) or (h, w, 4) uint8, or a `Word`; in an index of imported vectors, also an id of
        the import, as it was given. A picture that the index has,
        unchanged, is answered from its stored vector. It is never its own hit unless *options* say
        so.

        Of several queries, one that cannot be answered is a result with ``error``. A single or
        combined one raises ImageError for a file that is no picture, NotFoundError for an id that
        is not there, UsageError for a box outside the picture. So do pictures of ``minus``, and
        NotFoundError is also raised if no image may be a hit, UsageError for k < 1.
        """
        return list(self.query_each(queries, k=k, options=options, progress=progress))

    @checked
    def query_each(
        self,
        queries: Question | Iterable[Question],
        *,
        k: int = 5,
        options: QueryOptions = _DEFAULTS,
        progress: Progress | None = None,
    ) -> Iterator[Result]:
        """Answer as `query` does, 256 queries at a time, for more than should wait for the last.

        Raises what concerns all queries at the first result.
        """
        check_k(k)
        given = as_questions(queries)
        asked = [as_asked(one, number, box=options.box) for number, one in enumerate(given)]
        minus = [as_asked(one, n, minus=True) for n, one in enumerate(options.minuses)]
        if not asked:
            return
        given_out = 0
        while True:
            opened = self._newest()
            answers = Answers(opened, self._embedder, k, options, progress)
            try:
                if options.combine:
                    yield answers.combined(asked, minus)
                    return
                for result in answers.each(asked, minus, first=given_out):
                    yield result
                    given_out += 1
                return
            except IndexOutdatedError:
                if self._newest() is opened:
                    raise

    @checked
    def search(
        self, vectors: Vectors, *, k: int = 5, options: QueryOptions = _DEFAULTS
    ) -> list[Result]:
        """Find the *k* images nearest to each of *vectors*, (q, d) float32 of any length.

        Raises UsageError for another shape, a vector that is not finite or zero, k < 1, or options
        that are about pictures; NotFoundError if no image may be a hit.
        """
        try:
            xq = np.array(vectors, np.float32, ndmin=2)
        except (TypeError, ValueError, OverflowError):
            raise UsageError(f"{vectors!r:.100} are no vectors", hint="give an array") from None
        if xq.ndim != 2 or xq.shape[1] != self.encoder.dim:
            raise UsageError(f"vectors of shape (q, {self.encoder.dim}) are needed, not {xq.shape}")
        with np.errstate(over="ignore", invalid="ignore"):  # what is too large is refused below
            lengths = np.linalg.norm(xq, axis=1, keepdims=True)
        if not (np.isfinite(lengths).all() and lengths.all()):
            raise UsageError("a query vector is zero or not finite")
        check_k(k)
        options.check_no_pictures()
        return self._ask(lambda opened: self._nearest(opened, xq / lengths, k, options))

    def _nearest(
        self, opened: IndexReader, xq: Vectors, k: int, options: QueryOptions
    ) -> list[Result]:
        candidates = Candidates(opened, k, options)
        results: list[Result] = []
        for start in range(0, len(xq), _SEARCH_BATCH):
            part = xq[start : start + _SEARCH_BATCH]
            for found in candidates.nearest(part, [NONE_APART] * len(part)):
                label = f"vector:{len(results)}"
                made = options.expand, options.rerank, self.encoder.title
                results.append(Result(label, None, found, (), "", *made))
        return results

    @checked
    def recommend(self, *, k: int = 5, options: QueryOptions = _DEFAULTS) -> Iterator[Result]:
        """Return, for every image by id, its *k* most similar others.

        Raises UsageError for k < 1 or options that are about query pictures, NotFoundError if no
        image may be a hit.
        """
        check_k(k)
        options.check_no_pictures()
        opened = self._newest()
        candidates = Candidates(opened, k, options)
        images = opened.snapshot.images()
        while batch := list(islice(images, _SEARCH_BATCH)):
            rows = np.array([image.row for image in batch], dtype=np.int64)
            own = [frozenset({image.row}) for image in batch]
            apart = [Apart(frozenset() if options.include_self else one, one) for one in own]
            found = candidates.nearest(opened.gather(rows), apart)
            for image, hits in zip(batch, found, strict=True):
                asked = QueryImage(f"id:{image.id}", image.path)
                made = options.expand, options.rerank, self.encoder.title
                yield Result(asked.query, image.path, hits, (asked,), "", *made)

    @checked
    def copy_hits(
        self, results: Sequence[Result], folder: str | Path, *, link: bool = False
    ) -> CopyReport:
        """Copy the hits of *results*, as `query` gives them, into *folder*, or *link* to them.

        Files are called by rank and name, ``01_burger.jpg``; of several results each has a folder
        of its own. Nothing is overwritten, and what cannot be copied is told in the report.

        Raises UsageError for a *folder* that is a file, or lies in a source of the index, where the
        next build would take the copies in; VecsearchError where it cannot be written.
        """
        from vecsearch.search.copy_hits import copy_hits

        check_results(results)
        self.check_copies(folder)
        return copy_hits(results, folder, link=link)

    @checked
    def check_copies(self, folder: str | Path) -> None:
        """Raise UsageError for a folder that `copy_hits` would refuse."""
        from vecsearch.search.copy_hits import check_copies

        sources = self._ask(lambda opened: opened.snapshot.sources())
        check_copies(folder, self.path, sources)

    @checked
    def has_path(self, path: str | Path) -> bool:
        """Return whether *path* is a picture of the index."""
        return self._ask(lambda opened: image_at(opened.snapshot, path) is not None)

    def vectors(self) -> tuple[list[Image], Vectors]:
        """Return all images by id and their vectors, (n, d) float32, in the same order."""

        def read(opened: IndexReader) -> tuple[list[Image], Vectors]:
            images = list(opened.snapshot.images())
            return images, opened.gather(np.array([image.row for image in images], dtype=np.int64))

        return self._ask(read)

    @property
    def has_words(self) -> bool:
        """Return whether the index has the words of its network's classifier."""
        return self._newest().snapshot.words_record is not None

    @checked
    def words(self, prefix: str = "", *, count: bool = False) -> list[WordCount]:
        """List the words of the index, those one of whose parts begins with *prefix*.

        *count* tells of how many images each is the first guess, most first, for which all vectors
        are read. Raises NotFoundError for an index without words.
        """
        opened = self._newest()
        return list_words(self._vocabulary.of(opened.snapshot), prefix, opened if count else None)

    def guess(self, vectors: Vectors) -> list[tuple[Guess, ...]]:
        """Return the three likeliest words of each of *vectors*, (n, d) as `vectors` has them.

        The likeliest comes first. Raises NotFoundError for an index without words.
        """
        return self._vocabulary.of(self._newest().snapshot).guess(vectors)

    @checked
    def guess_at(self, paths: Iterable[str | Path]) -> dict[Path, tuple[Guess, ...]]:
        """Return the likeliest words of those of *paths* that the index has; none without words."""
        if not self.has_words:
            return {}
        names = [os.fspath(path) for path in dict.fromkeys(paths)]

        def read(opened: IndexReader) -> tuple[list[Image], Vectors]:
            images = list(opened.snapshot.images_by_path(names).values())
            return images, opened.gather(np.array([image.row for image in images], np.int64))

        images, vectors = self._ask(read)
        return dict(zip((image.path for image in images), self.guess(vectors), strict=True))

    @checked
    def list_images(self, options: ListOptions | None = None) -> Iterator[ListedImage]:
        """Iterate over the images that *options* choose, in their order; over all by id without.

        Their words are told if *options* say so. Raises NotFoundError if no image is chosen, or for
        words of an index that has none.
        """
        from vecsearch.search.list import ListOptions, list_images

        options = options or ListOptions()
        opened = self._newest()
        words = self._vocabulary.of(opened.snapshot) if options.words else None
        return list_images(opened, words, options)

    def read_dates(self, *, progress: Progress | None = None) -> None:
        """Read when pictures were taken, of those that an older vecsearch has indexed.

        The files are read once, and dates are written down where the index folder can be written.
        It is done by itself where dates are asked for; this is for who wants to see the *progress*.
        """
        from vecsearch.search.missing_dates import dates_read

        self._ask(lambda opened: dates_read(opened.snapshot, progress))

    def info(self) -> IndexInfo:
        """Describe the index."""
        from vecsearch.search.info import describe

        words = self._vocabulary.of(self._newest().snapshot) if self.has_words else None
        count = len(words.names) if words else 0
        return self._ask(lambda opened: describe(opened, self.encoder, count))

    @checked
    def look(
        self, queries: Question | Iterable[Question], *, progress: Progress | None = None
    ) -> list[PictureInfo]:
        """Return what the index knows of pictures, its own and others, with their likeliest words.

        Raises ImageError for a file that is no picture, NotFoundError for an id that is not there,
        UsageError for a word.
        """
        from vecsearch.search.info import look

        given = as_questions(queries)
        asked = [as_asked(one, number) for number, one in enumerate(given)]
        words = self._vocabulary.of(self._newest().snapshot) if self.has_words else None
        return self._ask(lambda opened: look(opened, self._embedder, words, asked, progress))

    def opened(self) -> IndexReader:
        """Return the newest generation, for what looks below the questions: an evaluation."""
        return self._newest()

    def _newest(self) -> IndexReader:
        """Take up the newest generation if it is another; raises IndexFolderError or a subclass."""
        with self._taking_up:
            if self._inherited is not None and self._opened is self._inherited[0]:
                self._open(self._place)
            elif not self._opened.snapshot.is_newest():
                opened = IndexReader(self.path, self._opened, fetch=self._fetch)
                snapshot = opened.snapshot
                if EncoderSpec.from_json(snapshot.encoder_json, snapshot.dim) != self.encoder:
                    opened.snapshot.close()
                    raise IndexFolderError(
                        f"{self.path} was built anew with another encoder",
                        hint="open it again",
                        path=self.path,
                    )
                self._opened = opened
            return self._opened

    def _ask(self, question: Callable[[IndexReader], T]) -> T:
        """Answer from the newest generation; from a newer one, if commits take that apart."""
        while True:
            opened = self._newest()
            try:
                return question(opened)
            except IndexOutdatedError:
                if self._newest() is opened:
                    raise

    def _inherit(self) -> None:
        """Be opened anew by the next question: this process was forked from the one that opened it.

        What is open is kept as it is. SQLite's connections and the threads of the libraries belong
        to the other process.
        """
        self._inherited = self._opened, self._embedder


@checked
def open_index(path: str | Path | None = None, *, fetch: bool = False) -> Index:
    """Open the index in the folder *path*; without one, the only index in ``indexes/``.

    The index makes no request by itself: a picture behind a URL is read only below a source that
    was named on this machine (`build`, `plan`), or with *fetch*. So are those of its hits, where
    they are drawn.

    Raises IndexFolderError or a subclass.
    """
    return Index(Path(path) if path is not None else only_index(), fetch=fetch)
