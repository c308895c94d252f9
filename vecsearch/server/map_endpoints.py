"""Endpoints: the map of an index, and what its page is made of."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import numpy as np
from starlette.responses import Response

from vecsearch.layout.collection import CollectionMap, MapOptions, map_collection
from vecsearch.search.query_options import ImageFilter
from vecsearch.server.background_work import BackgroundWork, Made, Working
from vecsearch.server.endpoint import JSON, Call, Endpoint, matches
from vecsearch.server.map_messages import (
    Map,
    MapGroup,
    MapParameters,
    SheetParameters,
    WorkInProgress,
)
from vecsearch.server.problems import RequestError, encode
from vecsearch.server.served_index import ServedIndex
from vecsearch.types import Progress
from vecsearch.view.document import encode as encode_array
from vecsearch.view.document import split_root, to_json
from vecsearch.view.page import Near, map_document

_DIGITS: Final = 4
_BYTES_PER_IMAGE: Final = 1000
"""About what an image of a map takes: the image, its words, its nearest others."""

_SHEET: Final = "image/webp"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """A map by what it is made of; *key* is equal for maps that are equal."""

    served: ServedIndex
    generation: int
    options: MapOptions
    chosen: ImageFilter

    @property
    def key(self) -> Hashable:
        return ("map", self.served.name, self.generation, self.options, self.chosen)

    @property
    def token(self) -> str:
        """Return what names it in addresses."""
        text = repr((self.served.name, self.generation, self.options, self.chosen))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class _LaidOut:
    collection: CollectionMap
    near: Near


@dataclass(frozen=True, slots=True)
class _Page:
    """The data of a page, as JSON, and the sheets of its thumbnails."""

    data: bytes
    sheets: list[bytes]


async def _map(call: Call) -> Map | Response:
    wanted = await _wanted(call)
    found = call.state.background.get(wanted.key, lambda report: _lay_out(wanted, report))
    if isinstance(found, Working):
        return in_progress(found)
    return await call.state.in_thread(_to_message, found.collection, wanted.generation)


async def _page(call: Call) -> Response:
    wanted = await _wanted(call)
    background = call.state.background

    def make(report: Progress) -> Made[_Page]:
        return _make_page(wanted, background, report)

    found = background.get(("map page", wanted.token), make)
    if isinstance(found, Working):
        return in_progress(found)
    return as_it_is(call, found.data, JSON, f"map-{wanted.token}")


async def _sheet(call: Call) -> Response:
    given: SheetParameters = call.parameters
    number = call.request.path_params["id"]
    page: _Page | None = call.state.background.kept(("map page", given.made))
    if page is None or number >= len(page.sheets):
        raise RequestError(
            HTTPStatus.GONE,
            "map_gone",
            "this map is not kept any more",
            hint="load the page again",
        )
    return as_it_is(call, page.sheets[number], _SHEET, f"{given.made}-{number}")


def in_progress(working: Working) -> Response:
    """Return the answer while work is done."""
    message = WorkInProgress(
        state="working", phase=working.phase, done=working.done, total=working.total
    )
    headers = {"Retry-After": "1", "Cache-Control": "no-store"}
    return Response(encode(message), HTTPStatus.ACCEPTED.value, headers, JSON)


def as_it_is(call: Call, data: bytes, media_type: str, name: str) -> Response:
    """Return bytes that are always the same under a *name*, so that they are not sent twice."""
    tag = f'"{name}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if matches(call.request, tag):
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers, media_type=media_type)


async def _wanted(call: Call) -> _Wanted:
    """Return what is asked for; raises UsageError."""
    given: MapParameters = call.parameters
    chosen = ImageFilter(under=given.under, glob=given.glob, since=given.since, until=given.until)
    chosen.check()
    options = MapOptions(method=given.method, color=given.color, seed=given.seed)
    generation = await call.state.in_thread(lambda: call.served.index.generation)
    return _Wanted(served=call.served, generation=generation, options=options, chosen=chosen)


def _lay_out(wanted: _Wanted, report: Progress) -> Made[_LaidOut]:
    """Lay images out, and find the nearest of each."""
    vectors = wanted.served.index.map_vectors(wanted.chosen)
    collection = map_collection(
        vectors,
        vectors.images,
        wanted.options,
        encoder=vectors.encoder,
        guesses=vectors.guesses(),
        progress=report,
    )
    near = vectors.nearest(progress=report)
    return Made(_LaidOut(collection, near), _BYTES_PER_IMAGE * len(vectors.images))


def _make_page(wanted: _Wanted, background: BackgroundWork, report: Progress) -> Made[_Page]:
    laid: _LaidOut | None = background.kept(wanted.key)
    if laid is None:
        made = _lay_out(wanted, report)
        background.keep(wanted.key, made)
        laid = made.value
    report("arranging", 0, 0)
    document = map_document(laid.collection, laid.near)
    sheets = list(document.sprites.draw(report))
    images = laid.collection.images
    ids = np.array([image.id for image in images], np.float64)
    root, rest = split_root([image.path for image in images], str)
    server = {
        "index": wanted.served.name,
        "ids": encode_array(ids),
        "title": document.title,
        "subtitle": document.subtitle,
        "sheets": len(sheets),
        "made": wanted.token,
    }
    own = {"root": root, "paths": rest, "server": server}
    data = to_json({**document.all_data(), **own}).encode()
    return Made(_Page(data, sheets), len(data) + sum(map(len, sheets)))


def _to_message(collection: CollectionMap, generation: int) -> Map:
    points = np.round(collection.points.astype(np.float64), _DIGITS)
    options = collection.options
    return Map(
        generation=generation,
        method=options.method,
        color=options.color,
        seed=options.seed,
        ids=tuple(image.id for image in collection.images),
        x=tuple(points[:, 0].tolist()),
        y=tuple(points[:, 1].tolist()),
        labels=tuple(collection.labels.tolist()),
        groups=tuple(
            MapGroup(name=one.name, size=one.size, named=one.named) for one in collection.groups
        ),
    )


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/indexes/{index}/map",
        kind="map",
        summary="Lay the images out in the plane, so that similar ones lie close together.",
        handler=_map,
        parameters=MapParameters,
        answer=Map,
        meanwhile=WorkInProgress,
        errors=(404,),
    ),
    Endpoint(
        method="GET",
        path="/indexes/{index}/map/page",
        kind="map_page",
        summary="Return what the page map.html is made of, which may change by release.",
        handler=_page,
        parameters=MapParameters,
        answer=JSON,
        meanwhile=WorkInProgress,
        errors=(404,),
    ),
    Endpoint(
        method="GET",
        path="/indexes/{index}/map/sheets/{id}",
        kind="map_sheet",
        summary="Return a sheet of the thumbnails of the page map.html, while its map is kept.",
        handler=_sheet,
        parameters=SheetParameters,
        answer=_SHEET,
        errors=(410,),
    ),
)
