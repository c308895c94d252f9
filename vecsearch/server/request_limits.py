"""How much can be asked in one request, for the server and for its client."""

from __future__ import annotations

from typing import Final

MOST_HITS: Final = 10_000
"""For one query."""

MOST_HITS_TOGETHER: Final = 50_000
"""For all queries of a request, and for all requests that are answered together."""

MOST_QUERIES: Final = 256
"""As many as are answered together."""

MOST_ID: Final = (1 << 63) - 1
"""SQLite's integers end there."""

MOST_PATHS: Final = 4096
MOST_JSON_BYTES: Final = 8 << 20
