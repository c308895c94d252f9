"""What is not ours: a fault of the program, told in one line, with a file for a report."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Final

DEBUG: Final = "VECSEARCH_DEBUG"
"""Set to 1, faults show where they come from."""


def describe_fault(error: BaseException) -> str:
    """Print what failed in a line; what is needed to find out why is written to a file.

    It has the version, the system, the command line and the trace, and nothing of the environment.
    """
    what = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    try:
        place = _write(error)
    except OSError as refusal:
        reason = refusal.strerror or str(refusal)
        hint = f"the report could not be written ({reason}); {DEBUG}=1 shows where it comes from"
    else:
        hint = f"please report it with {place}"
    return f"a fault of vecsearch ({what}); nothing that was committed is lost; {hint}"


def shows_trace() -> bool:
    """Return whether the user wants to see where a fault comes from."""
    return os.environ.get(DEBUG, "") not in ("", "0")


def _write(error: BaseException) -> Path:
    from importlib.metadata import version

    lines = [
        f"vecsearch {version('vecsearch')}, Python {platform.python_version()}",
        platform.platform(),
        f"command: {' '.join(map(repr, sys.argv))}",
        "",
        *traceback.format_exception(error),
    ]
    handle, name = tempfile.mkstemp(prefix="vecsearch-report-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write("\n".join(lines))
    return Path(name)
