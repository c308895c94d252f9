"""An open index: queries by picture, by id or by vector, and recommendations for all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeVar

import numpy as np

from vecsearch.arguments import check_results, checked
from vecsearch.embed.spec import EncoderSpec
from vecsearch.embed.words import Words
from vecsearch.errors import IndexOutdatedError, NotFoundError
from vecsearch.search.generations import Generations, OpenNewest, open_snapshot
from vecsearch.search.index_reader import IndexReader
from vecsearch.search.query import QueryRun
from vecsearch.search.query_image import Query, as_queries, as_query_image
from vecsearch.search.query_options import QueryOptions, check_k
from vecsearch.search.resolve import image_at
from vecsearch.search.vocabulary import list_words
from vecsearch.types import (
    Guess,
    Image,
    ListedImage,
    Observer,
    Progress,
    Result,
    Vectors,
    WordCount,
)

if TYPE_CHECKING:
    from vecsearch.search.copy_hits import CopyReport
    from vecsearch.search.info import IndexInfo, PictureInfo
    from vecsearch.search.list import ListOptions
    from vecsearch.search.map_vectors import MapVectors
    from vecsearch.search.query_options import ImageFilter

T = TypeVar("T")

_DEFAULTS: Final = QueryOptions()


class Index:
    """An open index; each query is answered from the newest committed generation.

    Any number of threads may query an index at once, and each is answered as if it were alone, also
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
        self._generations = Generations(Path(path), fetch=fetch, open_newest=self._open_newest())

    @staticmethod
    def _open_newest() -> OpenNewest:
        """Return what opens the newest generation."""
        return open_snapshot

    @property
    def path(self) -> Path:
        """The index folder, as it was given."""
        return self._generations.path

    @property
    def generation(self) -> int:
        """The number of the newest generation: it grows with every commit."""
        return self.reader().snapshot.generation.id

    @property
    def encoder(self) -> EncoderSpec:
        """What makes the vectors."""
        return self._generations.encoder

    def __reduce__(self) -> tuple[Callable[[], Index], tuple[()]]:
        """Return how another process opens it."""
        place, fetch = self._generations.place, self._generations.fetch
        return partial(type(self), place, fetch=fetch), ()

    def __enter__(self) -> Self:
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
        return len(self.reader())

    def __iter__(self) -> Iterator[Image]:
        """Iterate over the images by id."""
        return self.reader().snapshot.images()

    def close(self) -> None:
        """Close the catalog."""
        self._generations.close()

    @checked
    def query(
        self,
        queries: Query | Iterable[Query],
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
        queries: Query | Iterable[Query],
        *,
        k: int = 5,
        options: QueryOptions = _DEFAULTS,
        progress: Progress | None = None,
    ) -> Iterator[Result]:
        """Answer as `query` does, 256 queries at a time, so that results come as they are ready.

        Raises what concerns all queries at the first result.
        """
        check_k(k)
        given = [
            as_query_image(one, number, box=options.box)
            for number, one in enumerate(as_queries(queries))
        ]
        minus = [as_query_image(one, n, minus=True) for n, one in enumerate(options.minuses)]
        if not given:
            return
        done = 0
        while True:
            reader = self.reader()
            run = QueryRun(self._generations, reader, k, options, progress)
            try:
                if options.combine:
                    yield run.combined(given, minus)
                    return
                for result in run.each(given, minus, first=done):
                    yield result
                    done += 1
                return
            except IndexOutdatedError:
                if self.reader() is reader:
                    raise

    @checked
    def search(
        self, vectors: Vectors, *, k: int = 5, options: QueryOptions = _DEFAULTS
    ) -> list[Result]:
        """Find the *k* images nearest to each of *vectors*, (q, d) float32 of any length.

        Raises UsageError for another shape, a vector that is not finite or zero, k < 1, or options
        that are about pictures; NotFoundError if no image may be a hit.
        """
        from vecsearch.search.by_vector import search_vectors, unit_vectors

        xq = unit_vectors(vectors, self.encoder.dim)
        check_k(k)
        options.check_no_pictures()
        title = self.encoder.title
        return self._run(lambda reader: search_vectors(reader, xq, k, options, title))

    @checked
    def recommend(self, *, k: int = 5, options: QueryOptions = _DEFAULTS) -> Iterator[Result]:
        """Return, for every image by id, its *k* most similar others.

        Raises UsageError for k < 1 or options that are about query pictures, NotFoundError if no
        image may be a hit.
        """
        check_k(k)
        options.check_no_pictures()
        from vecsearch.search.recommend import recommend

        yield from recommend(self.reader(), k, options, self.encoder.title)

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

    def observe(self, observer: Observer) -> None:
        """Tell *observer* from now on how long the phases of queries take."""
        self._generations.observer = observer

    @checked
    def check_copies(self, folder: str | Path) -> None:
        """Raise UsageError for a folder that `copy_hits` would refuse."""
        from vecsearch.search.copy_hits import check_copies

        places = self._run(
            lambda reader: [(one.folder, one.sources()) for _, one in reader.snapshot.shards()]
        )
        for place, sources in [(self.path, []), *places]:
            check_copies(folder, place, sources)

    @checked
    def has_path(self, path: str | Path) -> bool:
        """Return whether *path* is a picture of the index."""
        return self.image_at(path) is not None

    @checked
    def image_at(self, path: str | Path) -> Image | None:
        """Find the image at *path*, under any spelling; None if the index has none there."""
        return self._run(lambda reader: image_at(reader.snapshot, path))

    @checked
    def images_at(self, paths: Sequence[str | Path]) -> list[Image]:
        """Find the images at any of *paths*, letter by letter as the index has them."""
        names = [os.fspath(path) for path in dict.fromkeys(paths)]
        return self._run(lambda reader: list(reader.snapshot.images_by_path(names).values()))

    @checked
    def image(self, image_id: int) -> Image:
        """Return the image with an id; raises NotFoundError if there is none."""
        image = None
        if abs(image_id) < 1 << 63:  # SQLite's integers end there
            image = self._run(lambda reader: reader.snapshot.image_by_id(image_id))
        if image is None:
            raise NotFoundError(
                f"{self.path} has no image id:{image_id}",
                hint="vecsearch list shows ids and paths",
                path=self.path,
            )
        return image

    def vectors(self) -> tuple[list[Image], Vectors]:
        """Return all images by id and their vectors, (n, d) float32, in the same order."""

        def read(reader: IndexReader) -> tuple[list[Image], Vectors]:
            images = list(reader.snapshot.images())
            return images, reader.gather(np.array([image.row for image in images], dtype=np.int64))

        return self._run(read)

    @checked
    def map_vectors(self, chosen: ImageFilter | None = None) -> MapVectors:
        """Return the images that are *chosen*, or all, with what a map is made of.

        Raises NotFoundError if a filter leaves none.
        """
        from vecsearch.search.map_vectors import map_vectors

        words, title = self._words(), self.encoder.title
        return self._run(lambda reader: map_vectors(reader, chosen, words, title))

    @property
    def has_words(self) -> bool:
        """Return whether the index has the words of its network's classifier."""
        return self.reader().snapshot.words_record is not None

    @checked
    def words(self, prefix: str = "", *, count: bool = False) -> list[WordCount]:
        """List the words of the index, those one of whose parts begins with *prefix*.

        With *count*, also count the images of which each is the first guess, most first; this reads
        all vectors. Raises NotFoundError for an index without words.
        """
        reader = self.reader()
        words = self._generations.vocabulary.of(reader.snapshot)
        return list_words(words, prefix, reader if count else None)

    def guess(self, vectors: Vectors) -> list[tuple[Guess, ...]]:
        """Return the three likeliest words of each of *vectors*, (n, d) as `vectors` has them.

        The likeliest comes first. Raises NotFoundError for an index without words.
        """
        return self._generations.vocabulary.of(self.reader().snapshot).guess(vectors)

    @checked
    def guess_at(self, paths: Iterable[str | Path]) -> dict[Path, tuple[Guess, ...]]:
        """Return the likeliest words of those of *paths* that the index has; none without words."""
        if not self.has_words:
            return {}
        names = [os.fspath(path) for path in dict.fromkeys(paths)]

        def read(reader: IndexReader) -> tuple[list[Image], Vectors]:
            images = list(reader.snapshot.images_by_path(names).values())
            return images, reader.gather(np.array([image.row for image in images], np.int64))

        images, vectors = self._run(read)
        return dict(zip((image.path for image in images), self.guess(vectors), strict=True))

    @checked
    def list_images(self, options: ListOptions | None = None) -> Iterator[ListedImage]:
        """Iterate over the images that *options* choose, in their order; over all by id without.

        They have words if *options* say so. Raises NotFoundError if no image is chosen, or for
        words of an index that has none.
        """
        from vecsearch.search.list import ListOptions, list_images

        options = options or ListOptions()
        reader = self.reader()
        words = self._generations.vocabulary.of(reader.snapshot) if options.words else None
        return list_images(reader, words, options)

    def read_dates(self, *, progress: Progress | None = None) -> None:
        """Read when pictures were taken, of those that an older vecsearch has indexed.

        The files are read once, and dates are written down where the index folder can be written.
        Whatever needs dates does it by itself; this is for those who want to see the *progress*.
        """
        from vecsearch.search.missing_dates import dates_read

        self._run(lambda reader: dates_read(reader.snapshot, progress))

    def info(self) -> IndexInfo:
        """Describe the index."""
        from vecsearch.search.info import describe

        words = self._words()
        count = len(words.names) if words else 0
        return self._run(lambda reader: describe(reader, self.encoder, count))

    @checked
    def look(
        self, queries: Query | Iterable[Query], *, progress: Progress | None = None
    ) -> list[PictureInfo]:
        """Return what the index knows of pictures, its own and others, with their likeliest words.

        Raises ImageError for a file that is no picture, NotFoundError for an id that is not there,
        UsageError for a word.
        """
        from vecsearch.search.info import look

        given = [as_query_image(one, number) for number, one in enumerate(as_queries(queries))]
        words, embedder = self._words(), self._generations.embedder
        return self._run(lambda reader: look(reader, embedder, words, given, progress))

    def reader(self) -> IndexReader:
        """Return the newest generation, for what works below queries: an evaluation."""
        return self._generations.newest()

    def _words(self) -> Words | None:
        """Return the words of the newest generation; None if it has none."""
        snapshot = self.reader().snapshot
        return self._generations.vocabulary.of(snapshot) if snapshot.words_record else None

    def _run(self, task: Callable[[IndexReader], T]) -> T:
        return self._generations.run(task)
