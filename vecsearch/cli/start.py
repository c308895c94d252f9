"""Where the program ``vecsearch`` begins: Ctrl-C ends it in order before anything else is loaded.

Nothing is imported here but what Python has loaded by itself: until `run` has begun, Ctrl-C ends in
Python's own trace.
"""

from __future__ import annotations

import os
import sys
from _signal import SIGINT, signal  # type: ignore[import-not-found]  # without signal's enums

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

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


def run() -> NoReturn:
    """Run the command line as a program of its own; see `vecsearch.cli.main.run`."""
    signal(SIGINT, _end)
    from vecsearch.cli.main import run

    run()


def interrupted() -> str:
    """Say that Ctrl-C ended the command, and what is left of one that changes an index."""
    kept = "; what was committed is kept, and the same command goes on from there"
    return f"vecsearch: interrupted{kept if {*sys.argv[1:2]} & {*_WRITING} else ''}\n"


def _end(*_: object) -> None:
    """End at once: nothing has been begun."""
    os.write(2, interrupted().encode())
    os._exit(130)
