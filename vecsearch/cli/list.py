"""The command ``list``."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Final

import click

from vecsearch.cli.help import Command
from vecsearch.cli.open import open_queryable
from vecsearch.cli.options import (
    format_option,
    glob_option,
    index_option,
    json_option,
    null_option,
    server_option,
    since_option,
    under_option,
    until_option,
)
from vecsearch.cli.output import say
from vecsearch.cli.output_format import chosen_form
from vecsearch.cli.progress import progress
from vecsearch.errors import UsageError
from vecsearch.search.list import SORTS, ListOptions
from vecsearch.view.list import LIST_FORMATS, listed_lines

_AT_ONCE: Final = 500
"""The number of lines that are written together."""


@click.command(
    "list",
    cls=Command,
    epilog="""\b
Examples:
  vecsearch list
  vecsearch list --since 2026-08 --until 2026-08
  vecsearch list --sort taken -r --limit 20
  vecsearch list --under photos/2026 --glob '*.png' --words
  vecsearch list --since 30d --format paths -0 | xargs -0r cp -t recent
  vecsearch list --format jsonl > images.jsonl
""",
)
@index_option
@server_option
@under_option
@glob_option
@since_option
@until_option
@click.option(
    "--sort",
    type=click.Choice(SORTS),
    default="id",
    show_default=True,
    help="The order; taken is the date in the metadata, else that of the file.",
)
@click.option("-r", "--reverse", is_flag=True, help="The other way round.")
@click.option("--limit", type=int, metavar="N", help="At most the first N.")
@click.option("--words", is_flag=True, help="Also the likeliest words; reads the vectors.")
@format_option("list", *LIST_FORMATS)
@json_option
@null_option
def list_(
    index: Path | None,
    server: str | None,
    under: tuple[str, ...],
    patterns: tuple[str, ...],
    since: str | None,
    until: str | None,
    sort: str,
    reverse: bool,
    limit: int | None,
    words: bool,
    form: str | None,
    as_json: bool,
    null: bool,
) -> None:
    """List the images of an index: ids, dates, sizes, paths.

    The date is when a picture was taken, by the clock of its camera, as its metadata say; where
    they do not, it is when the file was modified, and is marked (file).
    """
    form = chosen_form(form, as_json)
    if null and form != "paths":
        raise UsageError("--null is about paths", hint="add --format paths")
    options = ListOptions(
        under=under,
        glob=patterns,
        since=since,
        until=until,
        sort=sort,
        reverse=reverse,
        limit=limit,
        words=words,
        dates=form != "paths",
    )
    end = "\0" if null else "" if form == "json" else "\n"
    with open_queryable(index, server=server) as opened:
        if options.filter.has_dates or sort == "taken":
            with progress() as report:
                opened.read_dates(progress=report)
        lines = listed_lines(opened.list_images(options), form, words=words)
        while some := "".join(f"{line}{end}" for line in islice(lines, _AT_ONCE)):
            say(some, end="")
        if form == "json":
            say("")
