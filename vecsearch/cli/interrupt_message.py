"""What is said when Ctrl-C or SIGTERM ended a command."""

from __future__ import annotations

import sys

_WRITING = (
    "build",
    "compact",
    "import",
    "merge",
    "reindex",
    "relocate",
    "remove",
    "repair",
    "tune",
)
"""The commands that change an index."""


def interrupted() -> str:
    """Say that Ctrl-C ended the command, and what is left of one that changes an index."""
    kept = "; what was committed is kept, and the same command goes on from there"
    return f"vecsearch: interrupted{kept if {*sys.argv[1:2]} & {*_WRITING} else ''}\n"
