"""What can be queried, wherever it lies; the command line knows nothing else of an open index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from vecsearch.search.info import IndexInfo, PictureInfo
    from vecsearch.search.list import ListOptions
    from vecsearch.search.map_vectors import MapVectors
    from vecsearch.search.query_image import Query
    from vecsearch.search.query_options import ImageFilter, QueryOptions
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


class Queryable(Protocol):
    """Images that can be queried; `vecsearch.search.index.Index`, which describes all, is one."""

    @property
    def path(self) -> Path:
        """Where it lies."""
        ...

    @property
    def generation(self) -> int:
        """The number of the newest generation: it grows with every commit."""
        ...

    def __len__(self) -> int:
        """Count the images."""
        ...

    def __enter__(self) -> Self:
        """Return itself."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...

    def query(
        self, queries: Query | Iterable[Query], *, k: int = ..., options: QueryOptions = ...
    ) -> list[Result]:
        """Find the *k* most similar images to each query, or to all of them combined."""
        ...

    def query_each(
        self,
        queries: Query | Iterable[Query],
        *,
        k: int = ...,
        options: QueryOptions = ...,
        progress: Progress | None = ...,
    ) -> Iterator[Result]:
        """Answer as `query` does; results come as they are ready."""
        ...

    def search(
        self, vectors: Vectors, *, k: int = ..., options: QueryOptions = ...
    ) -> list[Result]:
        """Find the *k* images nearest to each of *vectors*, (q, d) float32."""
        ...

    def recommend(self, *, k: int = ..., options: QueryOptions = ...) -> Iterator[Result]:
        """Return, for every image, its *k* most similar others."""
        ...

    def info(self) -> IndexInfo:
        """Describe it."""
        ...

    def look(self, queries: Query | Iterable[Query]) -> list[PictureInfo]:
        """Return what it knows of pictures, its own and others."""
        ...

    def image(self, image_id: int) -> Image:
        """Return the image with an id; raises NotFoundError."""
        ...

    def image_at(self, path: str | Path) -> Image | None:
        """Find the image at *path*."""
        ...

    def images_at(self, paths: Sequence[str | Path]) -> list[Image]:
        """Find the images at any of *paths*, letter by letter."""
        ...

    def list_images(self, options: ListOptions | None = ...) -> Iterator[ListedImage]:
        """Iterate over the images that *options* choose."""
        ...

    def read_dates(self, *, progress: Progress | None = ...) -> None:
        """Read when pictures were taken, where that is not known."""
        ...

    def words(self, prefix: str = ..., *, count: bool = ...) -> list[WordCount]:
        """List the words that begin with *prefix*."""
        ...

    def guess_at(self, paths: Iterable[str | Path]) -> dict[Path, tuple[Guess, ...]]:
        """Return the likeliest words of those of *paths* that it has."""
        ...

    def map_vectors(self, chosen: ImageFilter | None = ...) -> MapVectors:
        """Return what a map of the *chosen* images is made of."""
        ...

    def has_path(self, path: str | Path) -> bool:
        """Return whether *path* is a picture of it."""
        ...

    def observe(self, observer: Observer) -> None:
        """Tell *observer* how long the phases of queries take."""
        ...

    def check_copies(self, folder: str | Path) -> None:
        """Raise UsageError for a folder that copies of its hits must not lie in."""
        ...
