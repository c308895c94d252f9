"""Where the program ``vecsearch`` begins: Ctrl-C ends it in order before anything else is loaded.

Nothing is imported here but what Python has loaded by itself, and what is said then: until `run`
has begun, Ctrl-C ends in Python's own trace.
"""

from __future__ import annotations

import os
from _signal import SIGINT, signal  # type: ignore[import-not-found]  # without signal's enums

from vecsearch.cli.interrupt_message import interrupted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def run() -> NoReturn:
    """Run the command line as a program of its own; see `vecsearch.cli.main.run`."""
    signal(SIGINT, _end)
    from vecsearch.cli.main import run

    run()


def _end(*_: object) -> None:
    """End at once: nothing has been begun."""
    os.write(2, interrupted().encode())
    os._exit(130)
