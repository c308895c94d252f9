"""An opened index: queries by picture, by id or by vector, and recommendations for all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Final

import numpy as np

from vecsearch.embed.engine import Engine
from vecsearch.embed.spec import EncoderSpec
from vecsearch.errors import ImageError, IndexFolderError, NotFoundError, UsageError
from vecsearch.search.opened import Opened
from vecsearch.store.locate import only_index
from vecsearch.types import Agreement, Hit, Image, Pixels, Result, Skipped, Vectors

_EMBED_BATCH: Final = 8
_SEARCH_BATCH: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexInfo:
    """What an index is: its encoder, its size, where its pictures are, what was skipped.

    ``agreement`` is what the build measured of an int8 encoder against fp32, None for others.
    """

    path: Path
    images: int
    generation: int
    recipe: str
    size_bytes: int
    encoder: EncoderSpec
    agreement: Agreement | None
    sources: tuple[Path, ...]
    skipped: tuple[Skipped, ...]


class Index:
    """An index, open for questions; each is answered from the newest committed generation.

    An iteration keeps to the generation that it began with. A context manager and, after
    `open_index`, all there is to searching::

        with open_index("indexes/db") as index:
            for hit in index.query(["photo.jpg"], k=5)[0].hits:
                print(hit.rank, hit.path, hit.score)
    """

    def __init__(self, path: Path) -> None:
        """Open the index folder *path*; raises IndexFolderError and its kin."""
        self.path = path
        self._opened = Opened(path)
        self.encoder = EncoderSpec.from_json(self._opened.snapshot.encoder_json)
        self._engine: Engine | None = None

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

    def query(
        self,
        queries: str | Path | Sequence[str | Path],
        *,
        k: int = 5,
        threshold: float = -1.0,
        include_self: bool = False,
    ) -> list[Result]:
        """Find the *k* most similar images to each of *queries*: picture files or ``id:N``.

        In an index of imported vectors, also the ids of the import, as they were given.

        A picture that the index has, unchanged, is answered from its stored vector. It is never
        its own hit unless *include_self*. Hits below *threshold* (cosine) are left out.

        Raises ImageError for a file that is no picture, NotFoundError for an id that is not there,
        UsageError for k < 1.
        """
        _check_k(k, threshold)
        if isinstance(queries, str | Path):
            queries = [queries]
        opened = self._newest()
        known = [_find(opened, query, self.encoder.is_external) for query in queries]
        vectors = np.empty((len(queries), self.encoder.dim), np.float32)
        rows = np.array([image.row for image in known if image], dtype=np.int64)
        vectors[[image is not None for image in known]] = opened.gather(rows)
        new = [number for number, image in enumerate(known) if image is None]
        if new and self.encoder.is_external:
            raise NotFoundError(
                f"{self.path} has no image {queries[new[0]]}, and no network for new ones: it was "
                "imported",
                hint="ask with id:N, an id of the import or a vector, or import it with "
                "--encoder INDEX",
                path=self.path,
            )
        vectors[new] = self._embed(opened, [Path(queries[number]) for number in new])
        excluded = [image.row if image and not include_self else -1 for image in known]
        hits = _hits(opened, vectors, k, excluded, threshold)
        paths = [
            image.path if image else Path(query)
            for query, image in zip(queries, known, strict=True)
        ]
        return [
            Result(str(query), path, found)
            for query, path, found in zip(queries, paths, hits, strict=True)
        ]

    def search(self, vectors: Vectors, *, k: int = 5, threshold: float = -1.0) -> list[Result]:
        """Find the *k* images nearest to each of *vectors*, (q, d) float32 of any length.

        Raises UsageError for another shape, a vector that is not finite or zero, or k < 1.
        """
        xq = np.array(vectors, np.float32, ndmin=2)
        lengths = np.linalg.norm(xq, axis=1, keepdims=True)
        if xq.ndim != 2 or xq.shape[1] != self.encoder.dim:
            raise UsageError(f"vectors of shape (q, {self.encoder.dim}) are needed, not {xq.shape}")
        if not (np.isfinite(lengths).all() and lengths.all()):
            raise UsageError("a query vector is zero or not finite")
        _check_k(k, threshold)
        opened, xq = self._newest(), xq / lengths
        hits = chain.from_iterable(
            _hits(opened, part, k, [-1] * len(part), threshold)
            for part in (xq[i : i + _SEARCH_BATCH] for i in range(0, len(xq), _SEARCH_BATCH))
        )
        return [Result(f"vector:{number}", None, found) for number, found in enumerate(hits)]

    def recommend(self, *, k: int = 5, threshold: float = -1.0) -> Iterator[Result]:
        """Give, for every image by id, its *k* most similar others; raises UsageError for k < 1."""
        _check_k(k, threshold)
        opened = self._newest()
        batch: list[Image] = []
        for image in opened.snapshot.images():
            batch.append(image)
            if len(batch) == _SEARCH_BATCH:
                yield from _recommend(opened, batch, k, threshold)
                batch = []
        if batch:
            yield from _recommend(opened, batch, k, threshold)

    def has_path(self, path: Path) -> bool:
        """Tell whether *path* is a picture of the index."""
        return _at(self._newest(), path) is not None

    def vectors(self) -> tuple[list[Image], Vectors]:
        """Give all images by id and their vectors, (n, d) float32, in the same order."""
        opened = self._newest()
        images = list(opened.snapshot.images())
        return images, opened.gather(np.array([image.row for image in images], dtype=np.int64))

    def info(self) -> IndexInfo:
        """Describe the index."""
        opened = self._newest()
        snapshot = opened.snapshot
        return IndexInfo(
            path=self.path,
            images=len(opened),
            generation=snapshot.generation.id,
            recipe=", ".join(dict.fromkeys(one.recipe for one in snapshot.bases.values())),
            size_bytes=sum(file.size_bytes for file in snapshot.files()),
            encoder=self.encoder,
            agreement=Agreement(**json.loads(snapshot.agreement)) if snapshot.agreement else None,
            sources=tuple(snapshot.sources()),
            skipped=tuple(snapshot.skipped()),
        )

    def _newest(self) -> Opened:
        """Take up the newest generation if it is another; raises IndexFolderError and its kin."""
        if not self._opened.snapshot.is_newest():
            opened = Opened(self.path, self._opened)
            if EncoderSpec.from_json(opened.snapshot.encoder_json) != self.encoder:
                opened.snapshot.close()
                raise IndexFolderError(
                    f"{self.path} was built anew with another encoder",
                    hint="open it again",
                    path=self.path,
                )
            self._opened = opened
        return self._opened

    def _embed(self, opened: Opened, paths: Sequence[Path]) -> Vectors:
        if not paths:
            return np.empty((0, self.encoder.dim), np.float32)
        from concurrent.futures import ThreadPoolExecutor

        # OpenVINO holds Python up neither as it starts nor as it computes. Meanwhile this thread
        # reads the first pictures, checks the network's constants, and loads FAISS.
        with ThreadPoolExecutor(1) as pool:
            engine = pool.submit(self._start_engine, opened)
            batches = self._read_batches(paths)
            first = next(batches)
            vectors = pool.submit(
                lambda: [engine.result().embed(batch) for batch in chain([first], batches)]
            )
            if self._engine is None:
                opened.snapshot.check_constants()
            _ = opened.searcher
            self._engine = engine.result()
            return np.concatenate(vectors.result())

    def _start_engine(self, opened: Opened) -> Engine:
        from vecsearch.embed.encoder import open_query_engine

        return self._engine or open_query_engine(self.encoder, *opened.snapshot.encoder_files())

    def _read_batches(self, paths: Sequence[Path]) -> Iterator[Pixels]:
        from vecsearch.images.read import read_image

        for start in range(0, len(paths), _EMBED_BATCH):
            batch = []
            for path in paths[start : start + _EMBED_BATCH]:
                try:
                    image = read_image(path, self.encoder.image_size)
                except ImageError as error:
                    raise ImageError(
                        f"query {path}: {error}",
                        hint="give a picture file, or id:N for a picture of the index",
                        path=path,
                    ) from None
                assert image.pixels is not None
                batch.append(image.pixels)
            yield np.stack(batch)


def open_index(path: str | Path | None = None) -> Index:
    """Open the index in the folder *path*; without one, the only index in ``indexes/``.

    Raises IndexFolderError and its kin.
    """
    return Index(Path(path) if path is not None else only_index())


def _find(opened: Opened, query: str | Path, external: bool) -> Image | None:
    """Find the image that a query means; None for a picture that the index does not have.

    Where there is no network (*external*), one that has changed since is what it was.
    """
    text = os.fspath(query)
    if text.startswith("id:"):
        digits = text[3:]
        plausible = digits.isdecimal() and len(digits) < 19  # SQLite's integers end there
        image = opened.snapshot.image_by_id(int(digits)) if plausible else None
        if image is None:
            raise NotFoundError(
                f"{opened.snapshot.folder} has no image {text}",
                hint="the hits of any query, and vecsearch recommend --json, tell the ids",
            )
        return image
    image = _at(opened, Path(text))
    return image if image and (external or _unchanged(image)) else None


def _at(opened: Opened, path: Path) -> Image | None:
    """Find the image at *path*, which the index may have from the root, from here, or as it is."""
    whole = _normal(path)
    names = [whole, Path(os.path.normpath(path))]
    if whole.is_relative_to(Path.cwd()):
        names.append(whole.relative_to(Path.cwd()))
    for name in dict.fromkeys(names):
        if image := opened.snapshot.image_by_path(name):
            return image
    return None


def _recommend(
    opened: Opened, images: Sequence[Image], k: int, threshold: float
) -> Iterator[Result]:
    rows = np.array([image.row for image in images], dtype=np.int64)
    hits = _hits(opened, opened.gather(rows), k, rows.tolist(), threshold)
    for image, found in zip(images, hits, strict=True):
        yield Result(f"id:{image.id}", image.path, found)


def _hits(
    opened: Opened, xq: Vectors, k: int, excluded: Sequence[int], threshold: float
) -> Iterator[tuple[Hit, ...]]:
    """Search *xq*; leave out, for each, the row in *excluded* (-1: none)."""
    D, I = opened.search(xq, min(k + 1, len(opened)))  # noqa: N806, E741
    D = np.clip(D, -1.0, 1.0)  # noqa: N806 - float16 is a little off the unit sphere
    images = opened.snapshot.images_by_row(np.unique(I[I >= 0]).tolist())
    for scores, rows, out in zip(D.tolist(), I.tolist(), excluded, strict=True):
        nearest = [
            (score, images[row])
            for score, row in zip(scores, rows, strict=True)
            if row not in (-1, out) and score >= threshold
        ]
        yield tuple(
            Hit(rank, image.id, image.path, score, float(np.sqrt(2.0 - 2.0 * score)))
            for rank, (score, image) in enumerate(nearest[:k], start=1)
        )


def _normal(path: Path) -> Path:
    return Path(os.path.normpath(path.absolute()))


def _check_k(k: int, threshold: float) -> None:
    if k < 1:
        raise UsageError(f"k is {k}", hint="ask for at least 1 neighbour")
    if not -1.0 <= threshold <= 1.0:
        raise UsageError(f"the threshold is {threshold}", hint="a cosine lies between -1 and 1")


def _unchanged(image: Image) -> bool:
    """Tell whether the file is as it was indexed; one that is gone counts as unchanged."""
    try:
        facts = image.path.stat()
    except OSError:
        return True
    return (facts.st_size, facts.st_mtime_ns) == (image.size_bytes, image.mtime_ns)
