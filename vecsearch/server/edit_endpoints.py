"""Endpoints that change an index: add a picture, remove an image, update; where it is allowed."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus
from typing import Final

from vecsearch.indexing.build import BuildReport
from vecsearch.maintenance.remove import RemoveReport
from vecsearch.server import messages
from vecsearch.server.changes import removal, update, write_picture
from vecsearch.server.endpoint import PICTURE, Call, Endpoint
from vecsearch.server.problems import RequestError
from vecsearch.server.served_index import ServedIndex

LIMIT_S: Final = 3600.0
"""An update of a large collection takes long; whoever waits no longer finds it done later."""


async def _add(call: Call) -> messages.Added:
    served = editable(call)
    given: messages.AddParameters = call.parameters
    if served.additions is None:
        raise RequestError(
            HTTPStatus.FORBIDDEN,
            "no_folder",
            "no folder for new pictures was named",
            hint="vecsearch serve --add-to FOLDER names one",
        )
    path = await call.state.in_thread(write_picture, call.body, given.name, served.additions)
    await served.changes.submit(update(served.index.path))
    image = await call.state.in_thread(served.index.image_at, path)
    reason = "" if image else "the update did not take it in: see skipped of the index"
    return messages.Added(path=str(path), id=image.id if image else None, reason=reason)


async def _remove(call: Call) -> messages.Removed:
    served = editable(call)
    number: int = call.request.path_params["id"]
    report = await served.changes.submit(removal(served.index.path, number))
    assert isinstance(report, RemoveReport)
    return messages.Removed(id=number, images=report.total)


async def _update(call: Call) -> messages.Updated:
    served = editable(call)
    given: messages.UpdateRequest = call.body
    change = update(
        served.index.path, allow_empty=given.allow_empty, retry_skipped=given.retry_skipped
    )
    report = await served.changes.submit(change)
    assert isinstance(report, BuildReport)
    return messages.Updated(
        images=report.total, counts=asdict(report.counts), seconds=report.seconds
    )


def editable(call: Call) -> ServedIndex:
    """Return the index that is to be changed; raises RequestError if it can only be read."""
    if not call.served.has_edits:
        raise RequestError(
            HTTPStatus.FORBIDDEN,
            "read_only",
            "this index can only be read",
            hint="vecsearch serve --allow-edits lets it be changed",
        )
    return call.served


ENDPOINTS: Final = (
    Endpoint(
        method="POST",
        path="/indexes/{index}/images",
        kind="add",
        summary="Add a picture: it becomes a file in the folder for that, and an image.",
        handler=_add,
        parameters=messages.AddParameters,
        body=PICTURE,
        answer=messages.Added,
        errors=(409, 422),
        status=201,
        limit_s=LIMIT_S,
    ),
    Endpoint(
        method="DELETE",
        path="/indexes/{index}/images/{id}",
        kind="remove",
        summary="Take an image out of the index; its file stays where it is.",
        handler=_remove,
        answer=messages.Removed,
        errors=(409,),
        limit_s=LIMIT_S,
    ),
    Endpoint(
        method="POST",
        path="/indexes/{index}/update",
        kind="update",
        summary="Bring the index up to date with its sources.",
        handler=_update,
        body=messages.UpdateRequest,
        answer=messages.Updated,
        errors=(409,),
        limit_s=LIMIT_S,
    ),
)
