"""Messages of the API into what an index takes, and what it returns into messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vecsearch.errors import NotFoundError, UsageError
from vecsearch.images.sources.access import is_gone
from vecsearch.search.info import IndexInfo, PictureInfo
from vecsearch.search.query_options import QueryOptions
from vecsearch.server import messages
from vecsearch.types import (
    Guess,
    Hit,
    Image,
    ListedImage,
    QueryImage,
    Result,
    Word,
    path_of,
)

if TYPE_CHECKING:
    from vecsearch.search.query_image import Query
    from vecsearch.server.sent_pictures import SentPictures
    from vecsearch.server.served_index import ServedIndex


def version_of(content_hash: bytes) -> str:
    """Return what names the content of a file in addresses."""
    return content_hash.hex()


def to_options(given: messages.QueryParameters, minus: tuple[Query, ...] = ()) -> QueryOptions:
    """Return the options of a query; raises UsageError for such as contradict each other."""
    return QueryOptions(
        threshold=given.threshold,
        include_self=given.include_self,
        offset=given.offset,
        expand=given.expand,
        rerank=given.rerank,
        combine=given.combine,
        minus=minus,
        box=given.box,
        under=given.under,
        glob=given.glob,
        since=given.since,
        until=given.until,
    )


def to_query(given: messages.Asked, served: ServedIndex, pictures: SentPictures) -> Query:
    """Return a query; no file is read for a path.

    Raises UsageError unless it is exactly one thing, NotFoundError for a path that the index does
    not have, or has with another file, RequestError for a picture that is not kept any more.
    """
    name = given.name
    kinds = (given.id, given.picture, given.word, given.path)
    if sum(kind is not None for kind in kinds) != 1:
        raise UsageError("a query is not exactly one thing", hint="give id, picture, word or path")
    if given.word is not None:
        return Word(given.word)
    if given.picture is not None:
        data = pictures.get(given.picture)
        plain = name is None and given.box is None
        label = given.picture if name is None else name
        return data if plain else QueryImage(label, None, data, given.box)
    text = given.path
    if text is None:
        text = f"id:{given.id}"
    elif not (text.startswith("id:") or served.encoder.is_external):  # of which none names a file
        text = f"id:{_image_at(given, served).id}"
    if name is None:
        return text if given.box is None else QueryImage(text, None, None, given.box)
    return QueryImage(name, path_of(text), None, given.box)


def _image_at(given: messages.Asked, served: ServedIndex) -> Image:
    path = given.path
    assert path is not None
    image = served.index.image_at(path)
    if image is None:
        raise NotFoundError(f"{served.name} has no image at {path}", hint="send the picture")
    file = (given.size_bytes, given.mtime_ns)
    if file not in ((None, None), (image.size_bytes, image.mtime_ns)) and served.can_embed:
        raise NotFoundError(f"{served.name} has another picture at {path}", hint="send it")
    return image


def to_message(result: Result) -> messages.Result:
    """Return a result as it is sent."""
    path = None if result.path is None else str(result.path)
    return messages.Result(
        query=result.query,
        path=path,
        hits=tuple(map(_hit, result.hits)),
        asked=tuple(map(_asked, result.asked)),
        expand=result.expand,
        rerank=result.rerank,
        error=result.error,
    )


def _hit(hit: Hit) -> messages.Hit:
    return messages.Hit(
        rank=hit.rank,
        id=hit.id,
        path=str(hit.path),
        score=hit.score,
        distance=hit.distance,
        version=version_of(hit.content_hash),
        order=hit.order,
        has_file=hit.has_file,
        gone=hit.is_gone,
    )


def _asked(one: QueryImage) -> messages.AskedPicture:
    return messages.AskedPicture(
        query=one.query,
        path=None if one.path is None else str(one.path),
        box=one.box,
        minus=one.minus,
        word=one.word,
    )


def to_listed(image: ListedImage) -> messages.ListedImage:
    """Return an image of a list as it is sent."""
    return messages.ListedImage(
        id=image.id,
        path=str(image.path),
        width=image.width,
        height=image.height,
        size_bytes=image.size_bytes,
        mtime_ns=image.mtime_ns,
        version=version_of(image.content_hash),
        taken=image.taken,
        has_file=image.has_file,
        gone=image.is_gone,
        words=tuple(map(to_guess, image.words)),
    )


def to_image(image: Image, words: Iterable[Guess] = ()) -> messages.ListedImage:
    """Return an image as it is sent."""
    return messages.ListedImage(
        id=image.id,
        path=str(image.path),
        width=image.width,
        height=image.height,
        size_bytes=image.size_bytes,
        mtime_ns=image.mtime_ns,
        taken=image.taken or "",
        has_file=image.has_file,
        words=tuple(map(to_guess, words)),
        version=version_of(image.content_hash),
        gone=image.has_file and is_gone(image.path),
    )


def to_known(picture: PictureInfo) -> messages.KnownPicture:
    """Return what is known of a picture as it is sent."""
    return messages.KnownPicture(
        query=picture.query,
        id=picture.id,
        path=None if picture.path is None else str(picture.path),
        width=picture.width,
        height=picture.height,
        size_bytes=picture.size_bytes,
        taken=picture.taken,
        words=tuple(map(to_guess, picture.words)),
    )


def to_guess(guess: Guess) -> messages.Guess:
    """Return a guess as it is sent."""
    return messages.Guess(word=guess.word, share=guess.share)


def to_facts(served: ServedIndex) -> messages.IndexFacts:
    """Return what an index is, in short."""
    return messages.IndexFacts(
        name=served.name,
        images=len(served.index),
        dim=served.encoder.dim,
        encoder=served.encoder.title,
        can_embed=served.can_embed,
        imported=served.encoder.is_external,
        has_words=served.has_words,
        has_edits=served.has_edits,
    )


def to_record(info: IndexInfo) -> messages.IndexRecord:
    """Return all that an index says of itself as it is sent."""
    excluded = info.excluded
    return messages.IndexRecord(
        path=str(info.path),
        images=info.images,
        generation=info.generation,
        recipe=info.recipe,
        size_bytes=info.size_bytes,
        encoder=info.encoder,
        reduction=info.reduction,
        agreement=info.agreement,
        sources=tuple(map(str, info.sources)),
        skipped=tuple(
            messages.SkippedFile(
                path=str(one.path),
                reason=one.reason,
                size_bytes=one.size_bytes,
                mtime_ns=one.mtime_ns,
            )
            for one in info.skipped
        ),
        left_out=dict(info.left_out),
        exclude=info.exclude,
        excluded=messages.LeftOut(
            pictures=excluded.pictures,
            folders=excluded.folders,
            ignored_pictures=excluded.ignored_pictures,
            ignored_folders=excluded.ignored_folders,
            ignore_files=excluded.ignore_files,
            ignore_paths=tuple(map(str, excluded.ignore_paths)),
        ),
        words=info.words,
        why_no_words=info.why_no_words,
    )


def to_description(served: ServedIndex, info: IndexInfo) -> messages.IndexDescription:
    """Return what an index is, in figures."""
    return messages.IndexDescription(
        name=served.name,
        images=info.images,
        dim=info.encoder.dim,
        encoder=info.encoder.title,
        can_embed=served.can_embed,
        imported=served.encoder.is_external,
        has_words=served.has_words,
        has_edits=served.has_edits,
        generation=info.generation,
        recipe=info.recipe,
        size_bytes=info.size_bytes,
        fingerprint=info.encoder.fingerprint,
        sources=tuple(map(str, info.sources)),
        skipped=tuple(messages.Skipped(path=str(s.path), reason=s.reason) for s in info.skipped),
        words=info.words,
    )
