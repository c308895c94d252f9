"""Which index is meant when none is named."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from vecsearch.errors import IndexFolderError
from vecsearch.store.safe_paths import is_file
from vecsearch.store.schema import CATALOG, COLLECTION

INDEXES: Final = Path("indexes")


def index_of(source: Path) -> Path:
    """Return the index of a folder of pictures: ``indexes/`` and the folder's name."""
    return INDEXES / (source.absolute().name or "root")


def only_index() -> Path:
    """Find the one index in ``indexes/``; raises IndexFolderError for none or several."""
    found = all_indexes()
    if len(found) == 1:
        return found[0]
    if not found:
        raise IndexFolderError(
            f"there is no index in {INDEXES.absolute()}",
            hint="make one with: vecsearch build SOURCE, or name one with -i",
        )
    raise IndexFolderError(
        f"there are {len(found)} indexes in {INDEXES}: {', '.join(p.name for p in found)}",
        hint=f"choose one, e.g. -i {found[0]}",
    )


def all_indexes() -> list[Path]:
    """List the indexes in ``indexes/``."""
    return sorted(path.parent for path in INDEXES.glob(f"*/{CATALOG}"))


def has_index(folder: Path) -> bool:
    """Return whether *folder* holds an index; raises IndexFolderError where it may not be read."""
    return is_file(folder / CATALOG)


def is_collection(folder: Path) -> bool:
    """Return whether *folder* holds a collection; raises IndexFolderError if it cannot be read."""
    return is_file(folder / COLLECTION)
