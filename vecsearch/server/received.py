"""What a server answers, made into the records that an open index returns."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vecsearch.embed.spec import EncoderSpec
from vecsearch.fields import read_fields
from vecsearch.images.sources.notes import Excluded
from vecsearch.search.info import IndexInfo, PictureInfo
from vecsearch.types import (
    Agreement,
    Guess,
    Hit,
    Image,
    ListedImage,
    QueryImage,
    Reduction,
    Result,
    Skipped,
    path_of,
    source_name,
)

Message = Mapping[str, Any]

NO_ROW = -1
"""Where vectors lie is the server's own matter."""


def to_result(message: Message, encoder: str, asked: Sequence[QueryImage]) -> Result:
    """Return a result; of *asked*, as they were given here, it takes paths and bytes."""
    told = [_to_asked(one) for one in message.get("asked", ())]
    known = tuple(
        replace(one, path=one.path or given.path, data=given.data)
        for one, given in zip(told, asked or told, strict=True)
    )
    path = message.get("path")
    is_single = len(known) == 1 and not known[0].minus
    return Result(
        query=message["query"],
        path=path_of(path) if path is not None else known[0].path if is_single else None,
        hits=tuple(_to_hit(one) for one in message["hits"]),
        asked=known,
        error=message.get("error", ""),
        expand=message.get("expand", 0),
        rerank=message.get("rerank", 0),
        encoder=encoder,
    )


def _to_asked(message: Message) -> QueryImage:
    path, box = message.get("path"), message.get("box")
    return QueryImage(
        message["query"],
        None if path is None else path_of(path),
        None,
        None if box is None else (box[0], box[1], box[2], box[3]),
        message.get("minus", False),
        message.get("word", ""),
    )


def _to_hit(message: Message) -> Hit:
    return Hit(
        message["rank"],
        message["id"],
        path_of(message["path"]),
        message["score"],
        message["distance"],
        message.get("order"),
        message.get("has_file", True),
        bytes.fromhex(message["version"]),
        message.get("gone", False),
    )


def to_listed(message: Message) -> ListedImage:
    """Return an image of a list."""
    return ListedImage(
        message["id"],
        path_of(message["path"]),
        message["width"],
        message["height"],
        message["size_bytes"],
        message["mtime_ns"],
        message.get("taken", ""),
        to_guesses(message),
        message.get("has_file", True),
        bytes.fromhex(message["version"]),
        gone=message.get("gone", False),
    )


def to_guesses(message: Message) -> tuple[Guess, ...]:
    """Return the likeliest words of an image."""
    return tuple(Guess(one["word"], one["share"]) for one in message.get("words", ()))


def to_image(message: Message) -> Image:
    """Return an image, of which the row is `NO_ROW`."""
    return Image(
        path_of(message["path"]),
        message["size_bytes"],
        message["mtime_ns"],
        bytes.fromhex(message["version"]),
        message["width"],
        message["height"],
        message.get("taken", ""),
        id=message["id"],
        row=NO_ROW,
    )


def to_picture(message: Message, asked: QueryImage) -> PictureInfo:
    """Return what is known of a picture, which was *asked* about."""
    path = message.get("path")
    return PictureInfo(
        query=message["query"],
        id=message.get("id"),
        path=asked.path if path is None else path_of(path),
        width=message.get("width"),
        height=message.get("height"),
        size_bytes=message.get("size_bytes"),
        taken=message.get("taken"),
        words=to_guesses(message),
    )


def to_info(message: Message) -> IndexInfo:
    """Return what an index is; raises ValueError, and what `EncoderSpec.from_json` does."""
    reduction, agreement = message.get("reduction"), message.get("agreement")
    excluded = message["excluded"]
    return IndexInfo(
        path=Path(message["path"]),
        images=message["images"],
        generation=message["generation"],
        recipe=message["recipe"],
        size_bytes=message["size_bytes"],
        encoder=EncoderSpec.from_json(json.dumps(message["encoder"])),
        reduction=read_fields(Reduction, json.dumps(reduction)) if reduction else None,
        agreement=read_fields(Agreement, json.dumps(agreement)) if agreement else None,
        sources=tuple(map(source_name, message["sources"])),
        skipped=tuple(
            Skipped(path_of(one["path"]), one["size_bytes"], one["mtime_ns"], one["reason"])
            for one in message["skipped"]
        ),
        left_out=message["left_out"],
        exclude=tuple(message["exclude"]),
        excluded=Excluded(
            excluded["pictures"],
            excluded["folders"],
            excluded["ignored_pictures"],
            excluded["ignored_folders"],
            excluded["ignore_files"],
            tuple(map(path_of, excluded["ignore_paths"])),
        ),
        words=message["words"],
        why_no_words=message["why_no_words"],
    )
