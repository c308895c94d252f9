"""Queries as a server takes them: what it has by its id, other pictures by their bytes."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final

from vecsearch.errors import ImageError, NotFoundError, VecsearchError
from vecsearch.images.sources.access import read_content, stat_file
from vecsearch.search.query import named
from vecsearch.search.query_options import ImageFilter, QueryOptions
from vecsearch.search.resolve import as_given, paths_like
from vecsearch.server.channel import Channel
from vecsearch.server.received import Message, to_image
from vecsearch.server.request_limits import MOST_ID, MOST_PATHS
from vecsearch.types import Image, QueryImage, is_plain

_MOST_BYTES: Final = 16 << 20
"""So much of pictures is sent for one request: a server keeps some of them only."""

_LONGEST: Final = 4096
"""No path has more characters."""


_NO_PICTURE: Final = b"\0"
"""Is sent in the place of a file that cannot be read, so that all others are answered as ever."""

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A query as it is sent, and as it was given; ``error`` says why no picture could be sent."""

    message: dict[str, Any]
    given: QueryImage
    error: ImageError | None = None
    sent_bytes: int = 0


class Asker:
    """Turns queries for one index into what its server takes."""

    def __init__(self, channel: Channel, address: str, *, imported: bool) -> None:
        """Ask about the index at *address*; of an *imported* one, no picture is ever sent."""
        self._channel, self._address, self.imported = channel, address, imported

    def batches(self, queries: Sequence[QueryImage], most: int) -> Iterator[list[Asked]]:
        """Find out what queries are, at most *most* at a time; pictures are sent meanwhile."""
        for start in range(0, len(queries), most):
            part = queries[start : start + most]
            found = self.find([_text(one) for one in part if _names_file(one)])
            batch: list[Asked] = []
            for one in part:
                batch.append(self._asked(one, found.get(_text(one))))
                if sum(asked.sent_bytes for asked in batch) > _MOST_BYTES:
                    yield batch
                    batch = []
            if batch:
                yield batch

    def all(self, queries: Sequence[QueryImage]) -> list[Asked]:
        """Find out what queries are that are asked together."""
        found = self.find([_text(one) for one in queries if _names_file(one)])
        return [self._asked(one, found.get(_text(one))) for one in queries]

    def find(self, texts: Sequence[str]) -> dict[str, Image]:
        """Find the images at *texts*, under any spelling of them, as `image_at` does."""
        tried = {text: list(dict.fromkeys(map(str, paths_like(text)))) for text in {*texts}}
        messages = self.find_exactly(path for paths in tried.values() for path in paths)
        images = {one["path"]: to_image(one) for one in messages}
        found: dict[str, Image] = {}
        for text, paths in tried.items():
            plain = is_plain(text)
            for number, path in enumerate(paths):
                image = images.get(path)
                if image and (not number or plain or image.size_bytes):
                    found[text] = image
                    break
        return found

    def find_exactly(self, paths: Iterable[str], *, words: bool = False) -> Iterator[Message]:
        """Return what the server tells of those of *paths* that it has, letter by letter."""
        fitting = [path for path in paths if 0 < len(path) <= _LONGEST]
        for start in range(0, len(fitting), MOST_PATHS):
            body = {"paths": fitting[start : start + MOST_PATHS], "words": words}
            yield from self._channel.post(f"{self._address}/images/find", body)["images"]

    def _asked(self, query: QueryImage, image: Image | None) -> Asked:
        if query.word:
            return Asked({"word": query.word}, query)
        message: dict[str, Any] = {} if query.box is None else {"box": [*map(int, query.box)]}
        text = query.query
        if query.data is None and text.startswith("id:"):
            digits = text[3:]
            if query.path is not None and digits.isdecimal() and int(digits) <= MOST_ID:
                return Asked(message | {"id": int(digits)}, query)
            return Asked(message | {"path": text}, query)
        message["name"] = text
        if query.data is None:
            if image and (self.imported or _unchanged(image)):
                return Asked(message | {"id": image.id}, query)
            if self.imported:
                if query.path is None:
                    del message["name"]  # which would count as the name of a path
                return Asked(message | {"path": _text(query)}, query)
        return self._with_picture(query, message)

    def _with_picture(self, query: QueryImage, message: dict[str, Any]) -> Asked:
        """Send the picture of a query."""
        error = None
        data = query.data
        try:
            if data is None:
                query = replace(query, path=as_given(_text(query)))
                assert query.path is not None
                data = read_content(query.path).data
            if not data:
                raise ImageError("the file is empty", path=query.path)
            name = self._send(data)
        except ImageError as why:
            error, data = why, _NO_PICTURE
            name = self._send(data)
        return Asked(message | {"picture": name}, query, error, len(data))

    def _send(self, data: bytes) -> str:
        name: str = self._channel.post("/pictures", data, {"look": False})["picture"]
        return name


def _names_file(query: QueryImage) -> bool:
    return query.data is None and not query.word and not query.query.startswith("id:")


def _text(query: QueryImage) -> str:
    return query.query if query.path is None else str(query.path)


def _unchanged(image: Image) -> bool:
    """Return whether a file is as it was indexed; one that is not here counts as unchanged."""
    try:
        return stat_file(image.path) == (image.size_bytes, image.mtime_ns)
    except (OSError, ValueError):
        return True


def retold(error: VecsearchError, asked: Sequence[Asked]) -> VecsearchError:
    """Return *error*, or what was wrong with the picture of *asked* that it is about."""
    for one in asked:
        if one.error and str(error).startswith(f"query {one.given.query}: "):
            return named(one.given, one.error)
    return error


def filter_fields(chosen: ImageFilter, *, imported: bool) -> Fields:
    """Write which images are meant; paths as from the current folder here, unless they are ids."""
    here = os.getcwd()  # noqa: PTH109 - a text
    under = [os.fspath(one) for one in chosen.folders]
    patterns = list(chosen.patterns)
    if not imported:
        under = [_from_here(here, one) for one in under]
        start = glob.escape(here)
        patterns = [_from_here(start, one) if "/" in one else one for one in patterns]
    found: Fields = {"under": under, "glob": patterns}
    for name, moment in (("since", chosen.since), ("until", chosen.until)):
        if moment is not None:
            found[name] = _moment(moment)
    return found


@contextmanager
def told_as_given(chosen: ImageFilter) -> Iterator[None]:
    """Write paths and patterns in errors as they were given."""
    try:
        yield
    except NotFoundError as error:
        text = str(error)
        here = os.getcwd()  # noqa: PTH109 - a text
        for one in (os.fspath(folder) for folder in chosen.folders):
            text = text.replace(_from_here(here, one), one)
        for one in chosen.patterns:
            text = text.replace(_from_here(glob.escape(here), one), one)
        raise NotFoundError(text.removesuffix(f"; {error.hint}"), hint=error.hint) from None


def _from_here(here: str, text: str) -> str:
    return text if "://" in text else os.path.join(here, text)  # noqa: PTH118 - as it is written


def _moment(moment: str | date | datetime) -> str:
    if isinstance(moment, datetime):
        local = moment.astimezone() if moment.tzinfo else moment
        return local.replace(tzinfo=None).isoformat(timespec="seconds")
    return moment.isoformat() if isinstance(moment, date) else moment


def query_fields(options: QueryOptions, k: int, *, imported: bool) -> Fields:
    """Write the options of a query, but for pictures and their boxes."""
    return {
        "k": int(k),
        "threshold": float(options.threshold),
        "offset": int(options.offset),
        "include_self": bool(options.include_self),
        "expand": int(options.expand),
        "rerank": int(options.rerank),
        **({"combine": options.combine} if options.combine else {}),
        **filter_fields(options.filter, imported=imported),
    }
