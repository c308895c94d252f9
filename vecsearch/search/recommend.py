"""The command ``recommend``: for every image of an index, the most similar others."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

import numpy as np

from vecsearch.search.hits import HitFinder
from vecsearch.search.index_reader import IndexReader
from vecsearch.search.query_options import QueryOptions
from vecsearch.search.ranker import Apart
from vecsearch.types import QueryImage, Result

_BATCH: Final = 256


def recommend(reader: IndexReader, k: int, options: QueryOptions, encoder: str) -> Iterator[Result]:
    """Return, for every image by id, its *k* most similar others.

    *encoder* is named in the results. Raises NotFoundError if no image may be a hit.
    """
    finder = HitFinder(reader, k, options)
    images = reader.snapshot.images()
    while batch := list(islice(images, _BATCH)):
        rows = np.array([image.row for image in batch], dtype=np.int64)
        own = [frozenset({image.row}) for image in batch]
        apart = [Apart(frozenset() if options.include_self else one, one) for one in own]
        found = finder.nearest(reader.gather(rows), apart)
        for image, hits in zip(batch, found, strict=True):
            query_image = QueryImage(f"id:{image.id}", image.path)
            yield Result(
                query=query_image.query,
                path=image.path,
                hits=hits,
                asked=(query_image,),
                expand=options.expand,
                rerank=options.rerank,
                encoder=encoder,
            )
