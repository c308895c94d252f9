"""How paths are printed: relative where they lie below the current folder, absolute otherwise."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from vecsearch.types import TextPath

_BEGINS: Final = r"(?<![^\s'\"(=:,;>])"
"""What stands before a path in a message, if anything does."""


def shown(path: Path) -> str:
    """Write a path as a user would: relative where it lies below the current folder.

    A URL, and an id of an import, which a relative path is too, are written as they are.
    """
    if isinstance(path, TextPath):
        return str(path)
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, FileNotFoundError):  # not below it, or there is none any more
        return str(path)


def shown_in(message: str) -> str:
    """Write the paths in a message as `shown` writes them."""
    try:
        here = os.getcwd()  # noqa: PTH109 - a text
    except FileNotFoundError:
        return message
    if here not in message:
        return message
    below = re.escape(here.rstrip("/") + "/")
    message = re.sub(rf"{_BEGINS}{below}(?=[^\s/])", "", message)
    return re.sub(rf"{_BEGINS}{re.escape(here)}(?=[\s'\",;:)]|$)", ".", message)
