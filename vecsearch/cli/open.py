"""Opening an index: the only place where the command line knows what kind it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vecsearch.search.index import open_index

if TYPE_CHECKING:
    from vecsearch.search.queryable import Queryable


def open_queryable(index: Path | None, *, fetch: bool = False) -> Queryable:
    """Open *index*, as `open_index`; without one, the only index in ``indexes/``."""
    return open_index(index, fetch=fetch)
