"""Hits in the viewer that the system has for pictures."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from vecsearch.arguments import check_results, checked
from vecsearch.errors import UsageError, VecsearchError
from vecsearch.images.decoders.formats import has_picture_name
from vecsearch.images.decoders.to_rgb import is_picture
from vecsearch.images.sources.access import read_content
from vecsearch.types import Result, UrlPath

MOST: Final = 20
"""The most windows that are opened at once."""

_HINT: Final = "--html FILE, --sheet FILE and --preview show the hits too"

_WAIT_S: Final = 2.0
"""What cannot open a picture says so within that time; what can may stay as long as its window."""


@checked
def open_hits(results: Sequence[Result]) -> list[tuple[Path, str]]:
    """Open the hits of *results*, each picture once, in the system's viewer of pictures.

    Returns those that were not opened, and why: one that is gone or cannot be read, is in a tar or
    behind a URL, or has another content or name than a picture, for the system goes by names.

    Raises UsageError for more than `MOST` pictures, VecsearchError where there is no viewer, no
    display, or it fails.
    """
    check_results(results)
    paths = list(dict.fromkeys(hit.path for result in results for hit in result.hits))
    if len(paths) > MOST:
        raise UsageError(
            f"{len(paths):,} pictures are too many to open, {MOST} is the limit",
            hint="lower -k, or look at all of them with --html or --sheet",
        )
    if not paths:
        return []
    command = _viewer()
    reasons = {path: _obstacle(path) for path in paths}
    _open(command, [path for path in paths if not reasons[path]])
    return [(path, reason) for path, reason in reasons.items() if reason]


def _viewer() -> list[str]:
    """Find what opens a file, nothing on Windows; raises VecsearchError."""
    if os.name == "nt":
        return []
    name = "open" if sys.platform == "darwin" else "xdg-open"
    if name == "xdg-open" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise VecsearchError("there is no display to open pictures on", hint=_HINT)
    found = shutil.which(name)
    if found is None:
        raise VecsearchError(f"{name}, which opens pictures, is not installed", hint=_HINT)
    return [found]


def _obstacle(path: Path) -> str:
    """Say why a picture is not to be opened, or nothing."""
    if isinstance(path, UrlPath):
        return "is behind a URL; --copy-to fetches it"
    try:
        path.stat()
    except NotADirectoryError:
        return "is in a tar; --copy-to extracts it"
    except FileNotFoundError:
        return "is gone"
    except (OSError, ValueError) as error:
        return f"cannot be read: {getattr(error, 'strerror', None) or error}"
    # An index may come from somebody else, and name a file that another program would run.
    if not has_picture_name(os.fsencode(path.name)):
        return "does not have the name of a picture"
    try:
        return "" if is_picture(read_content(path).data) else "is not a picture"
    except VecsearchError as error:
        return str(error)


def _open(command: list[str], paths: Sequence[Path]) -> None:
    if not command:
        for path in paths:
            os.startfile(path)  # type: ignore[attr-defined]  # noqa: S606
        return
    started = [
        subprocess.Popen(  # noqa: S603 - the system's own program, and pictures
            [*command, path.absolute()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for path in paths
    ]
    end = time.monotonic() + _WAIT_S
    for one in started:
        try:
            code = one.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            one.returncode = 0  # it is looked at; nobody waits for the window to be closed
            continue
        if code:
            raise VecsearchError(f"{command[0]} failed with exit code {code}", hint=_HINT)
