"""An open collection: the shards of its catalog, asked as one index."""

from __future__ import annotations

from pathlib import Path

from vecsearch.cluster.united_snapshot import UnitedSnapshot
from vecsearch.search.generations import OpenNewest
from vecsearch.search.index import Index
from vecsearch.store.stored_images import StoredImages


class Collection(Index):
    """An open collection, made by `open_index`: an `Index` over all images of its shards.

    A query's vector is computed once, all segments of all shards are searched, and what is near is
    merged by score. Expansion, re-ranking and means are over the whole collection. So where the
    shards are exact, an answer is that of one index with the same images. Ids are those of the
    shards plus the number of the shard times 2**36.

    What is committed to a shard, and changes of the catalog, count from the next query on.
    """

    @staticmethod
    def _open_newest() -> OpenNewest:
        """Return what opens the newest generation of all shards."""
        return open_united


def open_united(folder: Path, before: StoredImages | None, fetch: bool) -> StoredImages:
    """Open the newest generation of a collection; raises IndexFolderError or a subclass."""
    return UnitedSnapshot(folder, before, fetch)
