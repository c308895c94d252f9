"""Endpoints: what is known of an image, its thumbnails, and its file."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from vecsearch.errors import ImageError, UnreadableError
from vecsearch.images.decoders.to_rgb import open_image
from vecsearch.images.sources.access import read_content, stat_file
from vecsearch.server import messages
from vecsearch.server.conversions import to_image, version_of
from vecsearch.server.drawn_pictures import MEDIA_TYPE, SIDES, Size
from vecsearch.server.endpoint import Call, Endpoint, matches
from vecsearch.server.problems import RequestError
from vecsearch.types import Image

_MOST_BYTES: Final = 256 << 20
"""A larger original is not sent: it is held in memory meanwhile."""

_FOR_EVER: Final = "private, max-age=31536000, immutable"
_ASK_AGAIN: Final = "private, no-cache"


class PictureParameters(messages.Request, frozen=True, kw_only=True):
    """Whose `v` is the version of an image is answered for ever: another one has another."""

    v: str | None = None


class ThumbnailParameters(PictureParameters, frozen=True, kw_only=True):
    """`size`: small, medium or large, which fit into squares of 160, 400 and 1600 pixels."""

    size: Size = "medium"


async def _facts(call: Call) -> messages.ListedImage:
    number = call.request.path_params["id"]

    def read() -> messages.ListedImage:
        index = call.served.index
        image = index.image(number)
        guesses = index.guess_at([image.path]).get(image.path, ())
        return to_image(image, guesses)

    return await call.state.in_thread(read)


async def _find(call: Call) -> messages.FoundImages:
    given: messages.FindRequest = call.body

    def read() -> messages.FoundImages:
        index = call.served.index
        images = index.images_at(given.paths)
        guesses = index.guess_at([one.path for one in images]) if given.words else {}
        return messages.FoundImages(
            images=tuple(to_image(one, guesses.get(one.path, ())) for one in images)
        )

    return await call.state.in_thread(read)


async def _thumbnail(call: Call) -> Response:
    given: ThumbnailParameters = call.parameters
    image = await _image(call)
    drawn = call.state.drawn
    headers = _headers(image.content_hash, given.size, given.v)
    if matches(call.request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    data = drawn.get(image.content_hash, given.size)
    call.state.metrics.drawn.labels("memory" if data else "file").inc()
    if data is None:

        def draw() -> bytes:
            return drawn.draw(_read(image), image.content_hash, given.size)

        with call.state.metrics.phase("draw"):
            data = await call.state.in_thread(draw)
    return Response(data, headers=headers, media_type=MEDIA_TYPE)


async def _original(call: Call) -> Response:
    given: PictureParameters = call.parameters
    image = await _image(call)
    data, media_type = await call.state.in_thread(_read_original, image)
    headers = _headers(image.content_hash, "", given.v) | {
        "Accept-Ranges": "bytes",
        "Content-Disposition": f"inline; filename*=UTF-8''{_quoted(image.path.name)}",
    }
    if matches(call.request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    part = _range(call.request.headers.get("range"), len(data))
    if_range = call.request.headers.get("if-range")
    if part is None or (if_range is not None and if_range != headers["ETag"]):
        return Response(data, headers=headers, media_type=media_type)
    headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{len(data)}"
    return Response(data[part.start : part.stop], 206, headers, media_type)


async def _image(call: Call) -> Image:
    """Return the image; raises RequestError for one without a file."""
    image = await call.state.in_thread(call.served.index.image, call.request.path_params["id"])
    if not image.has_file:
        raise RequestError(HTTPStatus.NOT_FOUND, "no_file", "the image has no file")
    return image


def _read(image: Image) -> bytes:
    """Return the file of an image, as it was when it was indexed.

    An index may come from somebody else, and name any file of this machine, directly or by a link.
    But who cannot read a file does not know its hash, so what has the hash of the catalog is
    nothing that they do not have. That a file lies below a source of the index would say nothing:
    sources are named by the same catalog, and links that lead out of them are followed when an
    index is built. Raises UnreadableError, and RequestError for another file.
    """
    data = read_content(image.path).data
    if hashlib.sha256(data).digest()[:16] != image.content_hash:
        raise RequestError(
            HTTPStatus.NOT_FOUND,
            "changed",
            "the file is not the one that was indexed",
            hint="vecsearch build brings the index up to date",
        )
    return data


def _read_original(image: Image) -> tuple[bytes, str]:
    """Return the file of an image, and its media type; raises ImageError if it is no picture."""
    try:
        size_bytes = stat_file(image.path).size_bytes
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}", path=image.path) from None
    if size_bytes > _MOST_BYTES:
        raise RequestError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "too_large",
            f"the file is larger than {_MOST_BYTES >> 20} MiB",
            hint="the thumbnail of size large can be had",
        )
    data = _read(image)
    try:
        with open_image(data) as opened:
            return data, opened.get_format_mimetype() or "application/octet-stream"
    except ImageError:
        raise
    except Exception as error:  # a decoder fed with garbage raises nearly anything
        raise ImageError("not a picture in a format known here", path=image.path) from error


def _range(header: str | None, size: int) -> range | None:
    """Return the bytes that a Range header means; None for all of them.

    Several ranges, and units other than bytes, may be answered by all. Raises RequestError if
    there are no such bytes.
    """
    unit, _, text = (header or "").partition("=")
    first, dash, last = text.strip().partition("-")
    plain = all(one.isdecimal() and len(one) < 19 for one in (first, last) if one)
    if unit.strip().lower() != "bytes" or not dash or not (first or last) or not plain:
        return None
    if first and last and int(last) < int(first):
        return None
    if first:
        start, stop = int(first), min(int(last) + 1 if last else size, size)
    else:
        start, stop = max(0, size - int(last)), size
    if start >= stop:
        raise RequestError(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "range", f"the file has {size} bytes"
        )
    return range(start, stop)


def _headers(content_hash: bytes, what: str, version: str | None) -> dict[str, str]:
    """Return the headers by which a picture is kept: for ever, if the address names its content."""
    stays = version == version_of(content_hash)
    return {
        "ETag": _tag(content_hash, what),
        "Cache-Control": _FOR_EVER if stays else _ASK_AGAIN,
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }


def _tag(content_hash: bytes, what: str) -> str:
    return f'"{version_of(content_hash)}{what and "-"}{what}"'


def _quoted(name: str) -> str:
    return quote(name.encode("utf-8", "surrogateescape"), safe="")


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/indexes/{index}/images/{id}",
        kind="image",
        summary="Tell what the index knows of an image.",
        handler=_facts,
        answer=messages.ListedImage,
        errors=(404,),
    ),
    Endpoint(
        method="POST",
        path="/indexes/{index}/images/find",
        kind="find",
        summary="Find images by their paths.",
        handler=_find,
        body=messages.FindRequest,
        answer=messages.FoundImages,
        errors=(404,),
    ),
    Endpoint(
        method="GET",
        path="/indexes/{index}/images/{id}/thumbnail",
        kind="thumbnail",
        summary=f"Return an image, scaled down to fit into {SIDES['small']}, {SIDES['medium']} "
        f"or {SIDES['large']} pixels.",
        handler=_thumbnail,
        parameters=ThumbnailParameters,
        answer=MEDIA_TYPE,
        errors=(404, 422),
    ),
    Endpoint(
        method="GET",
        path="/indexes/{index}/images/{id}/original",
        kind="original",
        summary="Return the file of an image, or a Range of it.",
        handler=_original,
        parameters=PictureParameters,
        answer="image/*",
        errors=(404, 413, 416, 422),
    ),
)
