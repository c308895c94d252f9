"""Printing results, and refusing to write over what must not be lost."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from vecsearch.cli.quiet import is_quiet, reports_quietly
from vecsearch.errors import UsageError
from vecsearch.types import Result
from vecsearch.view.text import harmless

if TYPE_CHECKING:
    from vecsearch.search.index import Index


def say(text: str, *, err: bool = False, file: TextIO | None = None) -> None:
    """Print *text*, to *file* if it is given; to a terminal with what would control it escaped.

    A pipe gets names as they are: without ``color`` click takes escape characters out of them. Of a
    command that only reports what it did, nothing is printed with --quiet, unless it is JSON.
    """
    if file is None and not err and reports_quietly():
        return
    stream = file or (sys.stderr if err else sys.stdout)
    if stream is not None and stream.isatty():
        text = "\n".join(map(harmless, text.split("\n")))
    click.echo(text, file=file, err=err, color=True)


def note(text: str, *, err: bool = False) -> None:
    """Print what --quiet leaves out: a note beside the result, or a report of what was done."""
    if not is_quiet():
        say(text, err=err)


def tell_not_fetched(shown: Iterable[Result | Path]) -> None:
    """Say how many of the pictures that were to be drawn were not fetched, and what to do.

    They are given singly, or as results with all that these show.
    """
    from vecsearch.view.thumbnails import describe_not_fetched

    paths: set[Path] = set()
    for one in shown:
        if isinstance(one, Result):
            paths.update(hit.path for hit in one.hits)
            paths.update(asked.path for asked in one.asked if asked.path is not None)
        else:
            paths.add(one)
    if remark := describe_not_fetched(paths):
        say(f"vecsearch: {remark}", err=True)


def refuse_pictures(index: Index, *outputs: Path) -> None:
    """Raise UsageError if a file to be written is a picture of the index."""
    for path in outputs:
        if index.has_path(path):
            raise UsageError(
                f"{path} is a picture of the index, and would be overwritten",
                hint="choose another output",
            )
