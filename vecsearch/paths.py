"""What paths name, and how they are printed: relative where they lie below the current folder."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from vecsearch.types import ListName, SourceName, TextPath

_BEGINS: Final = r"(?<![^\s'\"(=:,;>])"
"""What stands before a path in a message, if anything does."""


def shown(path: SourceName) -> str:
    """Write a path as a user would: relative where it lies below the current folder.

    A URL, the name of a list, and an id of an import, which a relative path is too, are written as
    they are.
    """
    if isinstance(path, TextPath | ListName):
        return str(path)
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, FileNotFoundError):  # not below it, or there is none any more
        return str(path)


def from_root(path: Path) -> Path:
    """Return a path that was given, from the root on, for the same file.

    What is behind ``..`` is what the file system says: the folder before it may be a link. What is
    no path, or relative to a folder that is gone, is returned as it is.
    """
    try:
        if ".." not in path.parts:
            return path.absolute()
        return real_path(path) if path.name == ".." else real_path(path.parent) / path.name
    except (OSError, ValueError):
        return path


def real_path(path: Path) -> Path:
    """Return where *path* leads through all links; a loop of links is left as it is.

    Before Python 3.13 `Path.resolve` raises RuntimeError for one. Raises ValueError for what is no
    path.
    """
    return Path(os.path.realpath(path))


def shown_in(message: str) -> str:
    """Write the paths in a message as `shown` writes them."""
    try:
        here = os.getcwd()  # noqa: PTH109 - a text
    except FileNotFoundError:
        return message
    if here not in message:
        return message
    below = re.escape(here.rstrip("/") + "/")
    message = re.sub(rf"{_BEGINS}{below}(?=[^\s/])(?!\.\.(/|$))", "", message)
    return re.sub(rf"{_BEGINS}{re.escape(here)}(?=[\s'\",;:)]|$)", ".", message)
