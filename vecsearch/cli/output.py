"""Printing results, and refusing to write over what must not be lost."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from vecsearch.errors import UsageError
from vecsearch.search.index import Index
from vecsearch.view.text import harmless


def say(text: str, *, err: bool = False) -> None:
    """Print *text*; to a terminal with whatever would control it written as escapes.

    A pipe gets names as they are: without ``color`` click takes escape characters out of them.
    """
    stream = sys.stderr if err else sys.stdout
    if stream is not None and stream.isatty():
        text = "\n".join(map(harmless, text.split("\n")))
    click.echo(text, err=err, color=True)


def refuse_pictures(index: Index, *outputs: Path) -> None:
    """Raise UsageError if a file to be written is a picture of the index."""
    for path in outputs:
        if index.has_path(path):
            raise UsageError(
                f"{path} is a picture of the index, and would be overwritten",
                hint="choose another output",
            )
