"""Opening an index folder or a collection, whichever a folder is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vecsearch.arguments import checked
from vecsearch.search.index import Index
from vecsearch.store.locate import is_collection, only_index
from vecsearch.store.snapshot import Snapshot

if TYPE_CHECKING:
    from vecsearch.store.stored_images import StoredImages


@checked
def open_index(path: str | Path | None = None, *, fetch: bool = False) -> Index:
    """Open the index in the folder *path*; without one, the only index in ``indexes/``.

    A folder with a collection of indexes is opened in the same way, and asked as one index.

    The index makes no request by itself: a picture behind a URL is read only below a source that
    was named on this machine (`build`, `plan`), or with *fetch*. So are those of its hits, where
    they are drawn.

    Raises IndexFolderError or a subclass.
    """
    folder = Path(path) if path is not None else only_index()
    if is_collection(folder):
        from vecsearch.cluster.collection_index import Collection

        return Collection(folder, fetch=fetch)
    return Index(folder, fetch=fetch)


def index_folders(folder: Path) -> list[Path]:
    """Return *folder*, and of a collection the index folders of its shards too."""
    if not is_collection(folder):
        return [folder]
    from vecsearch.cluster.shard_catalog import place_of_shard, read_catalog

    return [folder, *(place_of_shard(folder, one) for one in read_catalog(folder).shards)]


def open_stored(folder: Path) -> StoredImages:
    """Open the newest generation of an index or a collection, for what needs no search.

    Raises IndexFolderError or a subclass.
    """
    if is_collection(folder):
        from vecsearch.cluster.united_snapshot import UnitedSnapshot

        return UnitedSnapshot(folder)
    return Snapshot(folder)
