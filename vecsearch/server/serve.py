"""The command ``serve``: indexes over HTTP, until a signal comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from vecsearch.arguments import checked
from vecsearch.cluster.open_index import open_index
from vecsearch.errors import UsageError
from vecsearch.server.extra import check_installed
from vecsearch.server.serve_options import EditOptions, ServeOptions

if TYPE_CHECKING:
    from vecsearch.search.queryable import Queryable


@checked
def serve(
    indexes: str | Path | Iterable[str | Path | Queryable] = (),
    options: ServeOptions | None = None,
    *,
    edits: EditOptions | None = None,
    started: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve *indexes*, each under the name of its folder, until SIGINT or SIGTERM.

    They are folders, or open indexes; without any, the only index in ``indexes/``. *started* is
    told the address, with the token if there is one, when connections are taken. What is begun when
    the signal comes is answered within ``limits.grace_s``; then the indexes are closed. Without
    *edits* they are only read.

    Raises UsageError without the extra ``serve``, and for a collection with *edits*;
    IndexFolderError or a subclass, VecsearchError if the port is taken.
    """
    given = [indexes] if isinstance(indexes, str | Path) else indexes
    if not isinstance(given, Iterable) or any(not _can_be_opened(one) for one in given):
        raise UsageError("indexes are no folders", hint="give folders, or what open_index returns")
    check_installed()
    from vecsearch.server.run import run

    with ExitStack() as stack:
        opened = [
            stack.enter_context(open_index(one) if isinstance(one, str | Path) else one)
            for one in given
        ]
        opened = opened or [stack.enter_context(open_index())]
        if edits is not None:
            _refuse_collections(opened)
        run(opened, options or ServeOptions(), edits, started)


def _refuse_collections(opened: Iterable[Queryable]) -> None:
    """Raise UsageError for a collection, which is only read."""
    from vecsearch.cluster.collection_index import Collection

    for one in opened:
        if isinstance(one, Collection):
            raise UsageError(
                f"{one.path} is a collection, which cannot be edited",
                hint="serve its shards with edits, each as an index, or the collection without",
            )


def _can_be_opened(index: object) -> bool:
    return isinstance(index, str | Path) or hasattr(index, "query_each")
