"""What the shards of a collection are, whether they can be opened or not."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from vecsearch.arguments import checked
from vecsearch.cluster.shard_catalog import (
    ShardCatalog,
    ShardRecord,
    place_of_shard,
    read_catalog,
)
from vecsearch.cluster.united_snapshot import check_known, first_of
from vecsearch.errors import VecsearchError
from vecsearch.store.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardInfo:
    """A shard of a collection: its ``number``, which stays, and the index folder at ``path``.

    ``first_id`` is what its ids begin after: an image has that plus its id in the shard. Where
    ``problem`` says why the shard cannot be used, the figures are None.
    """

    number: int
    name: str
    path: Path
    first_id: int
    images: int | None
    generation: int | None
    size_bytes: int | None
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionReport:
    """What a collection is: the ``fingerprint`` of its encoder, and its shards by number.

    ``generation`` grows with each change of its catalog, and not by what happens in a shard.
    """

    collection: Path
    generation: int
    fingerprint: str
    shards: tuple[ShardInfo, ...]


@checked
def list_shards(collection: str | Path) -> CollectionReport:
    """List the shards of the folder *collection*, those that cannot be used with the reason.

    Raises IndexFolderError for a folder that is no collection, or a subclass.
    """
    folder = Path(collection)
    catalog = read_catalog(folder)
    return CollectionReport(
        collection=folder,
        generation=catalog.generation,
        fingerprint=catalog.fingerprint,
        shards=tuple(_describe(folder, catalog, one) for one in catalog.shards),
    )


def _describe(folder: Path, catalog: ShardCatalog, shard: ShardRecord) -> ShardInfo:
    place = place_of_shard(folder, shard)
    images = generation = size_bytes = None
    problem = ""
    try:
        with closing(Snapshot(place)) as opened:
            check_known(folder, catalog, shard, place, opened)
            images, generation = opened.generation.image_count, opened.generation.id
            size_bytes = sum(file.size_bytes for file in opened.files())
    except VecsearchError as error:
        problem = str(error)
    return ShardInfo(
        number=shard.number,
        name=shard.name,
        path=place,
        first_id=first_of(shard.number),
        images=images,
        generation=generation,
        size_bytes=size_bytes,
        problem=problem,
    )
