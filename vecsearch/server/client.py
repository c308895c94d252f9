"""An index that a server has, asked as if it were open here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

import numpy as np

from vecsearch.arguments import checked
from vecsearch.errors import NotFoundError, UsageError, VecsearchError
from vecsearch.search.by_vector import unit_vectors
from vecsearch.search.list import ListOptions
from vecsearch.search.query_image import Query, as_queries, as_query_image
from vecsearch.search.query_options import QueryOptions, check_k
from vecsearch.server import received
from vecsearch.server.asking import Asker, filter_fields, query_fields, retold, told_as_given
from vecsearch.server.channel import Channel, quoted
from vecsearch.server.remote_query import RemoteQueryRun, at_once
from vecsearch.server.request_limits import MOST_JSON_BYTES, MOST_QUERIES
from vecsearch.types import (
    Guess,
    Image,
    ListedImage,
    Progress,
    Result,
    UrlPath,
    Vectors,
    WordCount,
)

if TYPE_CHECKING:
    from vecsearch.search.info import IndexInfo, PictureInfo
    from vecsearch.search.map_vectors import MapVectors
    from vecsearch.search.query_options import ImageFilter

_DEFAULTS: Final = QueryOptions()
_NUMBER_BYTES: Final = 25
"""A number of a vector has no more, as JSON."""


class RemoteIndex:
    """An index of a server; a `Queryable`, so `Index` describes what its methods do.

    Pictures that the index has, unchanged, are asked for by name; others are read here, and sent.
    Paths of results are those that the server has. Any number of threads may ask at once.

    All methods raise VecsearchError where the server cannot be reached or has too much to do, and
    else what those of `Index` raise. A context manager and, after `connect`, all there is to it::

        with connect("http://127.0.0.1:8765") as index:
            for hit in index.query(["photo.jpg"], k=5)[0].hits:
                print(hit.rank, hit.path, hit.score)
    """

    def __init__(self, channel: Channel, facts: received.Message) -> None:
        """Ask by *channel* for the index that *facts* are of; `connect` finds both."""
        self._channel, self._facts = channel, facts
        self._address: Final = f"/indexes/{quoted(facts['name'])}"
        self._imported: Final[bool] = facts["imported"]
        self._asker: Final = Asker(channel, self._address, imported=self._imported)

    @property
    def path(self) -> Path:
        """The address of the server, and the name of the index."""
        return UrlPath(f"{self._channel.url}/{self._facts['name']}")

    @property
    def generation(self) -> int:
        """The number of the newest generation: it grows with every commit."""
        return int(self._channel.get(self._address)["generation"])

    def __len__(self) -> int:
        """Count the images."""
        return int(self._channel.get(self._address)["images"])

    def __enter__(self) -> RemoteIndex:
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

    def close(self) -> None:
        """Close the connections."""
        self._channel.close()

    @checked
    def query(
        self,
        queries: Query | Iterable[Query],
        *,
        k: int = 5,
        options: QueryOptions = _DEFAULTS,
        progress: Progress | None = None,
    ) -> list[Result]:
        """Find the *k* most similar images to each of *queries*, or to all of them combined."""
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
        """Answer as `query` does; results come as they are ready."""
        check_k(k)
        given = [
            as_query_image(one, number, box=options.box)
            for number, one in enumerate(as_queries(queries))
        ]
        minus = [as_query_image(one, n, minus=True) for n, one in enumerate(options.minuses)]
        run = RemoteQueryRun(self._channel, self._address, self._asker, k, options)
        done = 0
        for batch in run.batches(given):
            yield from run.answered(batch, minus, alone=len(given) == 1)
            done += len(batch)
            if progress:
                progress("embedding", done, len(given))

    @checked
    def search(
        self, vectors: Vectors, *, k: int = 5, options: QueryOptions = _DEFAULTS
    ) -> list[Result]:
        """Find the *k* images nearest to each of *vectors*, (q, d) float32 of any length."""
        unit_vectors(vectors, self._facts["dim"])
        check_k(k)
        options.check_no_pictures()
        xq = np.array(vectors, np.float32, ndmin=2)
        found: list[Result] = []
        most = max(1, min(at_once(k), MOST_JSON_BYTES // (_NUMBER_BYTES * xq.shape[1])))
        for start in range(0, len(xq), most):
            body = query_fields(options, k, imported=self._imported)
            body["vectors"] = xq[start : start + most].tolist()
            with told_as_given(options.filter):
                answer = self._channel.post(f"{self._address}/query/vectors", body)
            for one in answer["results"]:
                result = received.to_result(one, answer["encoder"], ())
                found.append(replace(result, query=f"vector:{len(found)}"))
        return found

    @checked
    def recommend(self, *, k: int = 5, options: QueryOptions = _DEFAULTS) -> Iterator[Result]:
        """Return, for every image by id, its *k* most similar others."""
        check_k(k)
        options.check_no_pictures()
        parameters = query_fields(options, k, imported=self._imported)
        encoder = self._facts["encoder"]
        with told_as_given(options.filter):
            for one in self._channel.lines(f"{self._address}/recommend", parameters):
                yield received.to_result(one, encoder, ())

    def info(self) -> IndexInfo:
        """Describe the index, as the server has it."""
        return received.to_info(self._channel.get(f"{self._address}/info"))

    @checked
    def look(
        self, queries: Query | Iterable[Query], *, progress: Progress | None = None
    ) -> list[PictureInfo]:
        """Return what the index knows of pictures, its own and others."""
        given = [as_query_image(one, number) for number, one in enumerate(as_queries(queries))]
        if any(one.word for one in given):
            raise UsageError("a word is not a picture", hint="vecsearch words lists the words")
        found: list[PictureInfo] = []
        for batch in self._asker.batches(given, MOST_QUERIES):
            body = {"queries": [one.message for one in batch]}
            try:
                answer = self._channel.post(f"{self._address}/look", body)
            except VecsearchError as error:
                raise retold(error, batch) from None
            pairs = zip(answer["pictures"], batch, strict=True)
            found += [received.to_picture(one, asked.given) for one, asked in pairs]
            if progress:
                progress("embedding", len(found), len(given))
        return found

    @checked
    def image(self, image_id: int) -> Image:
        """Return the image with an id; its row is none. Raises NotFoundError if there is none."""
        number = max(-1, int(image_id))
        if number < 0:
            raise NotFoundError(f"{self.path} has no image id:{image_id}", path=self.path)
        return received.to_image(self._channel.get(f"{self._address}/images/{number}"))

    @checked
    def image_at(self, path: str | Path) -> Image | None:
        """Find the image at *path*, under any spelling; None if the index has none there."""
        return next(iter(self._asker.find([str(path)]).values()), None)

    @checked
    def images_at(self, paths: Sequence[str | Path]) -> list[Image]:
        """Find the images at any of *paths*, letter by letter as the index has them."""
        return [received.to_image(one) for one in self._asker.find_exactly(map(str, paths))]

    @checked
    def has_path(self, path: str | Path) -> bool:
        """Return whether *path* is a picture of the index."""
        return self.image_at(path) is not None

    @checked
    def list_images(self, options: ListOptions | None = None) -> Iterator[ListedImage]:
        """Iterate over the images that *options* choose, in their order; over all by id without."""
        given = options or ListOptions()
        parameters = filter_fields(given.filter, imported=self._imported)
        for name in ("sort", "reverse", "words", "dates", "limit"):
            if (value := getattr(given, name)) is not None:
                parameters[name] = value
        with told_as_given(given.filter):
            for one in self._channel.lines(f"{self._address}/list", parameters):
                yield received.to_listed(one)

    def observe(self, observer: Callable[[str, float], None]) -> None:
        """Tell *observer* nothing: the server measures its own phases."""

    def read_dates(self, *, progress: Progress | None = None) -> None:
        """Do nothing: the server reads dates when they are asked for."""

    @checked
    def words(self, prefix: str = "", *, count: bool = False) -> list[WordCount]:
        """List the words of the index, those one of whose parts begins with *prefix*."""
        address = f"{self._address}/words"
        found = self._channel.get(address, {"prefix": prefix, "count": count})["words"]
        return [WordCount(one["word"], one["images"]) for one in found]

    @checked
    def guess_at(self, paths: Iterable[str | Path]) -> dict[Path, tuple[Guess, ...]]:
        """Return the likeliest words of those of *paths* that the index has; none without words."""
        if not self._facts["has_words"]:
            return {}
        found = self._asker.find_exactly(map(str, paths), words=True)
        return {received.to_image(one).path: received.to_guesses(one) for one in found}

    @checked
    def map_vectors(self, chosen: ImageFilter | None = None) -> MapVectors:
        """Raise UsageError: a server does not send its vectors."""
        raise UsageError(
            f"{self.path} is an index of a server, which does not send vectors",
            hint="ask for a map where the index lies: vecsearch viz",
        )

    @checked
    def check_copies(self, folder: str | Path) -> None:
        """Raise UsageError for a folder that copies of hits must not lie in."""
        from vecsearch.search.copy_hits import check_copies

        info = self.info()
        check_copies(folder, info.path, info.sources)


@checked
def connect(url: str, *, index: str | None = None, token: str | None = None) -> RemoteIndex:
    """Ask the server at *url*, which ``vecsearch serve`` prints, as if its index were open here.

    *index* is the name of one of its indexes, which need not be given if there is only one. The
    *token* may also stand in *url*, as ``?token=``.

    Raises UsageError for an address or a token that is none, and where there are several indexes
    and no name; NotFoundError for a name that the server does not have; VecsearchError if the
    server cannot be reached, is none of vecsearch, or does not take the token.
    """
    channel = Channel(url, token)
    try:
        return RemoteIndex(channel, _chosen(channel, index))
    except BaseException:
        channel.close()
        raise


def _chosen(channel: Channel, index: str | None) -> received.Message:
    """Return the facts of the index that is meant."""
    try:
        facts = {one["name"]: one for one in channel.get("/indexes")["indexes"]}
    except (KeyError, TypeError):
        raise VecsearchError(f"{channel.url} does not answer as vecsearch does") from None
    names = ", ".join(facts)
    if index is None and len(facts) != 1:
        raise UsageError(f"{channel.url} has the indexes {names}", hint="name one of them")
    name = index if index is not None else next(iter(facts))
    if name not in facts:
        raise NotFoundError(f"{channel.url} has no index {name!r}", hint=f"it has {names}")
    found: received.Message = facts[name]
    return found
