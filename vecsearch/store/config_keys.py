"""The keys of ``config`` under which the catalog keeps stamps, removed content and no copies."""

from __future__ import annotations

import re
from typing import Final

import apsw

from vecsearch.store.sqlite import fetch
from vecsearch.types import SourceName, stored_name

CONFIG: Final = (
    "SELECT key, value FROM config WHERE (key < 'removed:' OR key >= 'removed;') "
    "AND (key < 'stamp:' OR key >= 'stamp;') AND (key < 'apart:' OR key >= 'apart;')"
)
"""Asks for the config without what there may be much of."""

HASH_BYTES: Final = 16
"""The length of a content hash."""

MOST_APART: Final = 100_000
"""So many pairs of pictures may be said to be no copies."""

_APART: Final = re.compile(f"apart:([0-9a-f]{{{2 * HASH_BYTES}}}):([0-9a-f]{{{2 * HASH_BYTES}}})")


def stamp_key(source: SourceName) -> str:
    """Return the key under which the stamp of a source is kept; its path need not be text."""
    return f"stamp:{stored_name(source).hex()}"


def removed_key(content_hash: bytes) -> str:
    """Return the key under which it is kept that this content was removed."""
    return f"removed:{content_hash.hex()}"


def apart_key(pair: tuple[bytes, bytes]) -> str:
    """Return the key under which it is kept that pictures with these hashes are no copies."""
    first, second = sorted(pair)
    return f"apart:{first.hex()}:{second.hex()}"


def read_apart(connection: apsw.Connection) -> set[tuple[bytes, bytes]]:
    """Read the pairs of content hashes, each sorted, of pictures that are said to be no copies.

    Raises ValueError for what is no pair, and for more than `MOST_APART`; apsw.Error.
    """
    query = "SELECT key FROM config WHERE key >= 'apart:' AND key < 'apart;' LIMIT ?"
    keys = fetch(connection, query, (MOST_APART + 1,))
    if len(keys) > MOST_APART:
        raise ValueError(f"it has more than {MOST_APART} pairs that are no copies")
    pairs = set()
    for (key,) in keys:
        found = _APART.fullmatch(key)
        if found is None or found[1] >= found[2]:
            raise ValueError(f"{key!r:.100} is not a pair of pictures")
        pairs.add((bytes.fromhex(found[1]), bytes.fromhex(found[2])))
    return pairs
