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
    command = [argument for argument in sys.argv[1:] if not argument.startswith("-")][:1]
    kept = ""
    if "--fresh" in sys.argv:
        kept = "; an index that was there is as it was; give the same command again"
    elif {*command} & {*_WRITING}:
        kept = "; what was committed is kept, and the same command goes on from there"
    return f"vecsearch: interrupted{kept}\n"
