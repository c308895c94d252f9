"""Ctrl-C and SIGTERM: a moment to end in good order, then the end all the same."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import TYPE_CHECKING, Final, NoReturn

from vecsearch.cli.interrupt_message import interrupted

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

GRACE_S: Final = 0.75
"""Python's own handling waits for the call into a library that is at work, which may take long."""

_came: Final = threading.Event()


def end_within_a_second() -> None:
    """Let SIGTERM act like Ctrl-C, and see to it that either ends the process soon.

    Ending without further ado is safe at any moment: what counts in an index is what is committed.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    sys.unraisablehook = _end_if_swallowed
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reading,), daemon=True, name="interrupt").start()


def leave_to_others() -> None:
    """Do nothing any more when a signal comes: a server ends in its own time."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def was_interrupted() -> bool:
    """Return whether a signal came: some libraries turn what it raises into errors of their own."""
    return _came.is_set()


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, once: the end that it leads to is not to be broken off."""
    if not _came.is_set():
        _came.set()
        signal.default_int_handler(number, frame)


def _end_if_swallowed(what: UnraisableHookArgs) -> None:
    """End where Python would write a trace and go on, as in a destructor."""
    if isinstance(what.exc_value, KeyboardInterrupt):
        _end()
    sys.__unraisablehook__(what)


def _watch(reading: int) -> None:
    while os.read(reading, 1)[0] not in (signal.SIGINT, signal.SIGTERM):
        pass
    time.sleep(GRACE_S)
    _end()


def _end() -> NoReturn:
    cursor = "\x1b[?25h" if sys.stderr.isatty() else ""  # a progress bar hides it
    os.write(2, f"{cursor}{interrupted()}".encode())
    os._exit(130)
