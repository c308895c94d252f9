"""Printing results, and refusing to write over what must not be lost."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from vecsearch.errors import UsageError
from vecsearch.paths import shown_in
from vecsearch.types import Result
from vecsearch.view.text import harmless, printable

if TYPE_CHECKING:
    from vecsearch.search.index import Index


def say(text: str, *, err: bool = False, file: TextIO | None = None) -> None:
    """Print *text*, to *file* if it is given; to a terminal with what would control it escaped.

    A pipe gets names as they are: without ``color`` click takes escape characters out of them.
    """
    stream = file or (sys.stderr if err else sys.stdout)
    if stream is not None and stream.isatty():
        text = "\n".join(map(harmless, text.split("\n")))
    click.echo(text, file=file, err=err, color=True)


def complain(message: str) -> None:
    """Say in one line what is wrong; names in it may hold anything."""
    say(f"vecsearch: {printable(shown_in(message))}", err=True)


def print_failure(message: str, kind: str) -> None:
    """Print what went wrong as JSON, an object in one line; *kind* is the name of the error."""
    from vecsearch.view.text import to_json

    say(to_json({"error": shown_in(message), "type": kind}, indent=None))


def print_records(records: Sequence[object], form: str) -> None:
    """Print *records* as a JSON list, or each in a line of its own, where *form* is ``jsonl``."""
    from vecsearch.view.text import to_json

    if form == "json":
        say(to_json(records))
        return
    for record in records:
        say(to_json(record, indent=None))


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
