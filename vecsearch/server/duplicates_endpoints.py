"""Endpoints: copies in an index, what their page is made of, and what is said not to be one."""

from __future__ import annotations

import shlex
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

import numpy as np
from starlette.responses import Response

from vecsearch.deduplication.find import duplicates
from vecsearch.deduplication.not_copies import not_copies
from vecsearch.deduplication.report import DuplicateCopy, DuplicateGroup, DuplicatesReport
from vecsearch.server.background_work import BackgroundWork, Made, Working
from vecsearch.server.changes import Change
from vecsearch.server.conversions import version_of
from vecsearch.server.duplicates_messages import (
    CopiedImage,
    CopiesGroup,
    CopiesParameters,
    Duplicates,
    DuplicatesParameters,
    NotCopies,
    NotCopiesRequest,
)
from vecsearch.server.edit_endpoints import LIMIT_S, editable
from vecsearch.server.endpoint import JSON, Call, Endpoint
from vecsearch.server.map_endpoints import in_progress
from vecsearch.server.map_messages import WorkInProgress
from vecsearch.server.served_index import ServedIndex
from vecsearch.types import Progress, absolute_path
from vecsearch.view.document import encode as encode_array
from vecsearch.view.document import split_root, to_json
from vecsearch.view.duplicates_gallery import duplicates_gallery, pictures_of
from vecsearch.view.gallery import Decisions, gallery_document
from vecsearch.wording import counted, written_size

_SIDE: Final = 400
"""Pixels of a tile's picture at most, before it is looked at more closely."""

_BYTES_PER_COPY: Final = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What is looked for; *key* is equal where the same is."""

    served: ServedIndex
    generation: int
    given: CopiesParameters

    @property
    def key(self) -> Hashable:
        given = self.given
        chosen = (given.threshold, given.exact, given.edited, given.keep)
        return ("duplicates", self.served.name, self.generation, chosen)


async def _duplicates(call: Call) -> Duplicates | Response:
    given: DuplicatesParameters = call.parameters
    wanted = await _wanted(call)
    found = call.state.background.get(wanted.key, lambda report: _find(wanted, report))
    if isinstance(found, Working):
        return in_progress(found)
    last = given.after + given.limit
    return Duplicates(
        generation=wanted.generation,
        by=found.by,
        threshold=found.threshold,
        approximate=found.approximate,
        total_groups=len(found.groups),
        total_copies=found.copies,
        freed_bytes=found.freed_bytes,
        not_copies=found.not_copies,
        groups=tuple(map(_to_group, found.groups[given.after : last])),
        next=last if last < len(found.groups) else None,
    )


async def _page(call: Call) -> Response:
    wanted = await _wanted(call)
    background = call.state.background

    def make(report: Progress) -> Made[bytes]:
        return _make_page(wanted, background, report)

    found = background.get(("duplicates page", wanted.key), make)
    if isinstance(found, Working):
        return in_progress(found)
    return Response(found, headers={"Cache-Control": "no-store"}, media_type=JSON)


async def _say_not_copies(call: Call) -> NotCopies:
    given: NotCopiesRequest = call.body
    served = editable(call)

    def say() -> int:
        total = 0
        for pair in given.pairs:
            pictures = [f"id:{one}" for one in pair]
            total = not_copies(*pictures, index=served.index.path, forget=given.forget).total
        return total

    total = await served.changes.submit(Change(say))
    assert isinstance(total, int)
    return NotCopies(total=total)


async def _wanted(call: Call) -> _Wanted:
    generation = await call.state.in_thread(lambda: call.served.index.generation)
    return _Wanted(served=call.served, generation=generation, given=call.parameters)


def _find(wanted: _Wanted, report: Progress) -> Made[DuplicatesReport]:
    given = wanted.given
    found = duplicates(
        wanted.served.index.path,
        threshold=given.threshold,
        exact=given.exact,
        edited=given.edited,
        keep=given.keep,
        progress=report,
    )
    return Made(found, _BYTES_PER_COPY * (found.copies + len(found.groups)))


def _make_page(wanted: _Wanted, background: BackgroundWork, report: Progress) -> Made[bytes]:
    found: DuplicatesReport | None = background.kept(wanted.key)
    if found is None:
        made = _find(wanted, report)
        background.keep(wanted.key, made)
        found = made.value
    report("arranging", 0, 0)
    served, given = wanted.served, wanted.given
    guesses = served.index.guess_at(pictures_of(found))
    command = ["vecsearch", "duplicates", "-i", str(absolute_path(served.index.path))]
    decisions = Decisions(
        not_copies=shlex.join([*command, "--not-copies"]),
        again=shlex.join([*command, *_options(given)]),
        keep=shlex.join([part for one in given.keep for part in ("--keep", one)]),
    )
    document = gallery_document(duplicates_gallery(found, guesses, decisions))
    copies = {one.path: one for group in found.groups for one in (group.kept, *group.others)}
    pictures = [copies[one] for one in document.sprites.pictures if one in copies]
    shapes = np.array([_fitted(one) for one in pictures], np.uint16).reshape(-1, 2)
    root, rest = split_root([one.path for one in pictures], str)
    data = {
        **document.data,
        "root": root,
        "paths": rest,
        "sprites": {
            "side": _SIDE,
            "widths": encode_array(shapes[:, 0]),
            "heights": encode_array(shapes[:, 1]),
        },
        "server": {
            "index": served.name,
            "ids": encode_array(np.array([one.id for one in pictures], np.float64)),
            "title": document.title,
            "subtitle": f"{counted(found.copies, 'copy')}, "
            f"{written_size(found.freed_bytes)} to free",
            "generation": wanted.generation,
            "by": found.by,
            "has_edits": served.has_edits,
        },
    }
    text = to_json(data).encode()
    return Made(text, len(text))


def _options(given: CopiesParameters) -> list[str]:
    """Write the options of the command that decide what is a copy."""
    chosen = [] if given.threshold is None else ["--threshold", f"{given.threshold:g}"]
    return [*chosen, *(["--exact"] if given.exact else [] if given.edited else ["--no-edited"])]


def _fitted(copy: DuplicateCopy) -> tuple[int, int]:
    """Return the size of a picture that fits into a square of _SIDE; one unknown fills it."""
    if not copy.width or not copy.height:
        return _SIDE, _SIDE
    scale = _SIDE / max(copy.width, copy.height)
    return max(1, round(copy.width * scale)), max(1, round(copy.height * scale))


def _to_group(group: DuplicateGroup) -> CopiesGroup:
    return CopiesGroup(
        kept=_to_copied(group.kept),
        why=group.why,
        copies=tuple(map(_to_copied, group.others)),
        freed_bytes=group.freed_bytes,
    )


def _to_copied(copy: DuplicateCopy) -> CopiedImage:
    return CopiedImage(
        id=copy.id,
        path=str(copy.path),
        width=copy.width,
        height=copy.height,
        size_bytes=copy.size_bytes,
        mtime_ns=copy.mtime_ns,
        score=copy.score,
        kind=copy.kind,
        exact=copy.exact,
        state=copy.state,
        version=version_of(copy.content_hash),
        agreement=copy.agreement,
    )


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/indexes/{index}/duplicates",
        kind="duplicates",
        summary="Find images that are copies of each other, and which of them to keep.",
        handler=_duplicates,
        parameters=DuplicatesParameters,
        answer=Duplicates,
        meanwhile=WorkInProgress,
        errors=(404,),
    ),
    Endpoint(
        method="GET",
        path="/indexes/{index}/duplicates/page",
        kind="duplicates_page",
        summary="Return what the page duplicates.html is made of, which may change by release.",
        handler=_page,
        parameters=CopiesParameters,
        answer=JSON,
        meanwhile=WorkInProgress,
        errors=(404,),
    ),
    Endpoint(
        method="POST",
        path="/indexes/{index}/duplicates/not-copies",
        kind="not_copies",
        summary="Remember that pairs of images are no copies of each other.",
        handler=_say_not_copies,
        body=NotCopiesRequest,
        answer=NotCopies,
        errors=(404, 409),
        limit_s=LIMIT_S,
    ),
)
