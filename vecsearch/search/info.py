"""What an index is, in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from vecsearch.embed.classifier import why_no_words
from vecsearch.embed.spec import EncoderSpec
from vecsearch.embed.words import Words
from vecsearch.errors import UsageError
from vecsearch.fields import read_fields
from vecsearch.images.sources.notes import (
    KEPT,
    Excluded,
    excluded_name,
    left_out_name,
    read_counts,
    read_excluded,
    read_texts,
)
from vecsearch.search.index_reader import IndexReader
from vecsearch.search.missing_dates import dates_of
from vecsearch.search.query import BATCH, check_embedded
from vecsearch.search.query_vectors import Embedder, stacked
from vecsearch.store.schema import CATALOG
from vecsearch.store.snapshot import Snapshot
from vecsearch.store.sqlite import damaged_catalog
from vecsearch.store.stored_images import StoredImages
from vecsearch.types import Agreement, Guess, Progress, QueryImage, Reduction, Skipped, SourceName

T = TypeVar("T", Reduction, Agreement)
N = TypeVar("N")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexInfo:
    """What an index is: its encoder, its size, where its pictures are, what was skipped.

    ``reduction`` is what the build measured of a PCA, ``agreement`` of an int8 encoder against
    fp32, None for others. ``words`` is how many words it has; where there are none,
    ``why_no_words`` says why. ``left_out`` counts, by ending, files that should be pictures in a
    format that was not read. ``exclude`` are the patterns that the index keeps; ``excluded`` counts
    what they and `.vecsearchignore` files left out when each source was last looked through.
    """

    path: Path
    images: int
    generation: int
    recipe: str
    size_bytes: int
    encoder: EncoderSpec
    reduction: Reduction | None
    agreement: Agreement | None
    sources: tuple[SourceName, ...]
    skipped: tuple[Skipped, ...]
    left_out: Mapping[str, int]
    exclude: tuple[str, ...]
    excluded: Excluded
    words: int
    why_no_words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureInfo:
    """What an index knows of a picture.

    ``id``, size in pixels, size in bytes and ``taken``, the date in its metadata, are None for a
    picture that the index does not have, and the last where there is no date;
    ``words`` are the likeliest words, none where the index has no words.
    """

    query: str
    id: int | None
    path: Path | None
    width: int | None
    height: int | None
    size_bytes: int | None
    taken: str | None
    words: tuple[Guess, ...]


def describe(reader: IndexReader, encoder: EncoderSpec, words: int) -> IndexInfo:
    """Describe an open index that has this number of *words*."""
    snapshot = reader.snapshot
    return IndexInfo(
        path=snapshot.folder,
        images=len(reader),
        generation=snapshot.generation.id,
        recipe=", ".join(dict.fromkeys(one.recipe for one in snapshot.bases.values())),
        size_bytes=sum(file.size_bytes for file in snapshot.files()),
        encoder=encoder,
        reduction=_measured(snapshot, Reduction, snapshot.reduction),
        agreement=_measured(snapshot, Agreement, snapshot.agreement),
        sources=tuple(snapshot.sources()),
        skipped=tuple(snapshot.skipped()),
        left_out=_left_out(snapshot),
        exclude=tuple(
            dict.fromkeys(
                text for _, shard in snapshot.shards() for text in _noted(shard, KEPT, read_texts)
            )
        ),
        excluded=_excluded(snapshot),
        words=words,
        why_no_words="" if words else why_no_words(encoder)[0],
    )


def _left_out(stored: StoredImages) -> dict[str, int]:
    """Add up what the builds noted of each source."""
    counts: Counter[str] = Counter()
    for _, shard in stored.shards():
        for source in shard.sources():
            counts.update(read_counts(shard.stamp(left_out_name(source))))
    return dict(counts)


def _excluded(stored: StoredImages) -> Excluded:
    """Add up what patterns left out of each source."""
    total = Excluded()
    for _, shard in stored.shards():
        for source in shard.sources():
            total.add(_noted(shard, excluded_name(source), read_excluded))
    return total


def _noted(snapshot: Snapshot, name: Path, read: Callable[[str], N]) -> N:
    """Read a note of a build; raises IndexDamagedError."""
    try:
        return read(snapshot.stamp(name))
    except ValueError as error:
        raise damaged_catalog(snapshot.folder / CATALOG, f"a note {error}") from None


def _measured(snapshot: StoredImages, kind: type[T], text: str) -> T | None:
    """Read what the build measured; None where it did not."""
    try:
        return read_fields(kind, text) if text else None
    except ValueError as error:
        why = f"{kind.__name__.lower()} {error}"
        raise damaged_catalog(snapshot.folder / CATALOG, why) from None


def look(
    reader: IndexReader,
    embedder: Embedder,
    words: Words | None,
    query_images: Sequence[QueryImage],
    progress: Progress | None,
) -> list[PictureInfo]:
    """Return what *reader* knows of pictures, new ones included."""
    if any(one.word for one in query_images):
        raise UsageError("a word is not a picture", hint="vecsearch words lists the words")
    done = 0

    def step(count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress("embedding", done, len(query_images))

    found: list[PictureInfo] = []
    for start in range(0, len(query_images), BATCH):
        batch = embedder.embed(reader, query_images[start : start + BATCH], lambda: None, step)
        check_embedded(batch)
        guesses = words.guess(stacked(batch)) if words else [()] * len(batch)
        for one, own in zip(batch, guesses, strict=True):
            (given,), (image,) = one.query_images, one.images
            dates = dates_of(reader.snapshot, [image]) if image else {}
            found.append(
                PictureInfo(
                    query=given.query,
                    id=image.id if image else None,
                    path=image.path if image else given.path,
                    width=image.width if image else None,
                    height=image.height if image else None,
                    size_bytes=image.size_bytes if image else None,
                    taken=next(iter(dates.values()), None) or None,
                    words=own,
                )
            )
    return found
