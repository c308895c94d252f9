"""Printing results, and refusing to write over what must not be lost."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

import click

from vecsearch.cli.quiet import is_quiet, reports_quietly
from vecsearch.errors import UsageError
from vecsearch.paths import shown, shown_in
from vecsearch.types import Result
from vecsearch.view.text import harmless, printable

if TYPE_CHECKING:
    from vecsearch.search.queryable import Queryable

_MOST_SHOWN: Final = 5


def say(text: str, *, err: bool = False, file: TextIO | None = None, end: str = "\n") -> None:
    """Print *text* and *end*, to *file* if given; to a terminal without what would control it.

    A pipe gets names as they are: without ``color`` click takes escape characters out of them. Of a
    command that only reports what it did, nothing is printed with --quiet, unless it is JSON.
    """
    if file is None and not err and reports_quietly():
        return
    stream = file or (sys.stderr if err else sys.stdout)
    if stream is not None and stream.isatty():
        text = "\n".join(map(harmless, text.split("\n")))
    click.echo(text + end, file=file, err=err, color=True, nl=False)


def say_paths(paths: Sequence[Path], *, null: bool) -> None:
    """Print *paths*, one a line; with *null*, each ended by a null byte and nothing else."""
    text = "".join(f"{shown(path)}\0" for path in paths) if null else "\n".join(map(shown, paths))
    say(text, end="" if null else "\n")


def note(text: str, *, err: bool = False) -> None:
    """Print what --quiet leaves out: a note beside the result, or a report of what was done."""
    if not is_quiet():
        say(text, err=err)


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
            paths.update(image.path for image in one.asked if image.path is not None)
        else:
            paths.add(one)
    if remark := describe_not_fetched(paths):
        say(f"vecsearch: {remark}", err=True)


def tell_lacking_fonts() -> None:
    """Say which characters no font here has, of all that this process has drawn, and what helps."""
    drawing = sys.modules.get("vecsearch.view.system_fonts")
    lacking: Mapping[str, str] = drawing.lacking_fonts() if drawing else {}
    if not lacking:
        return
    some = " ".join(list(lacking)[:_MOST_SHOWN])
    more = len(lacking) - _MOST_SHOWN
    which = f"{some} and {more:,} more" if more > 0 else some
    packages = ", ".join(sorted(set(lacking.values())))
    say(
        f"vecsearch: no font here has {which}; install one that has, in Debian: {packages}",
        err=True,
    )


def refuse_pictures(index: Queryable, *outputs: Path) -> None:
    """Raise UsageError if a file to be written is a picture of the index."""
    for path in outputs:
        if index.has_path(path):
            raise UsageError(
                f"{path} is a picture of the index, and would be overwritten",
                hint="choose another output",
            )
