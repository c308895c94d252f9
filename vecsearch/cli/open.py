"""Opening an index: the only place where the command line knows what kind it is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from vecsearch.errors import UsageError

if TYPE_CHECKING:
    from vecsearch.search.queryable import Queryable


def open_queryable(
    index: Path | None, *, server: str | None = None, fetch: bool = False
) -> Queryable:
    """Open *index*, as `open_index`; without one, the only index in ``indexes/``.

    With a *server*, whose address that is, ask for its index of the name that *index* ends with.
    """
    if server is None:
        from vecsearch.cluster.open_index import open_index

        return open_index(index, fetch=fetch)
    if fetch:
        raise UsageError("--fetch is about indexes here: a server decides itself what it fetches")
    from vecsearch.server.client import connect

    token = os.environ.get("VECSEARCH_TOKEN")
    return connect(server, index=None if index is None else index.name, token=token)
