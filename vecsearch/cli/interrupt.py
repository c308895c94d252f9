"""Ctrl-C and SIGTERM: a moment to end in good order, then the end all the same."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import Final

GRACE_S: Final = 0.75
"""Python's own handling waits for the call into a library that is at work, which may take long."""

MESSAGE: Final = (
    "vecsearch: interrupted; what was committed is kept, and the same command goes on from there\n"
)


def end_within_a_second() -> None:
    """Let SIGTERM act like Ctrl-C, and see to it that either ends the process soon.

    Ending without further ado is safe at any moment: what counts in an index is what is committed.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reading,), daemon=True, name="interrupt").start()


def _watch(reading: int) -> None:
    while os.read(reading, 1)[0] not in (signal.SIGINT, signal.SIGTERM):
        pass
    time.sleep(GRACE_S)
    cursor = "\x1b[?25h" if sys.stderr.isatty() else ""  # a progress bar hides it
    os.write(2, f"{cursor}{MESSAGE}".encode())
    os._exit(130)
