"""Printing results, and refusing to write over what must not be lost."""

from __future__ import annotations

from pathlib import Path

import click

from vecsearch.errors import UsageError
from vecsearch.search.index import Index


def print_result(text: str) -> None:
    """Print *text* as it is: without ``color`` click takes escape characters out of file names."""
    click.echo(text, color=True)


def refuse_pictures(index: Index, *outputs: Path) -> None:
    """Raise UsageError if a file to be written is a picture of the index."""
    for path in outputs:
        if index.has_path(path):
            raise UsageError(
                f"{path} is a picture of the index, and would be overwritten",
                hint="choose another output",
            )
