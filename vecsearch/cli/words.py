"""The command ``words``."""

from __future__ import annotations

from pathlib import Path

import click

from vecsearch.cli.help import Command
from vecsearch.cli.open import open_queryable
from vecsearch.cli.options import format_option, index_option, json_option, server_option
from vecsearch.cli.output import print_records, say
from vecsearch.cli.output_format import chosen_form
from vecsearch.types import WordCount
from vecsearch.view.text import format_table


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  vecsearch words
  vecsearch words straw
  vecsearch words --count -i indexes/photos
""",
)
@click.argument("prefix", default="")
@index_option
@server_option
@click.option(
    "--count",
    is_flag=True,
    help="Tell of how many pictures each word is the first guess, most first; reads all vectors.",
)
@format_option("words", "table", "json", "jsonl")
@json_option
def words(
    prefix: str,
    index: Path | None,
    server: str | None,
    count: bool,
    form: str | None,
    as_json: bool,
) -> None:
    """List the words that query --word knows, those with a part that begins with PREFIX.

    They are the classes that the network was trained to tell apart.
    """
    form = chosen_form(form, as_json)
    with open_queryable(index, server=server) as opened:
        found = opened.words(prefix, count=count)
    if form in ("json", "jsonl"):
        print_records([_fields(one) for one in found], form)
    elif count:
        counted = [(str(one.images), one.word) for one in found if one.images]
        say(format_table(("pictures", "word"), counted) if counted else "no words")
    else:
        say("\n".join(one.word for one in found) or "no words")


def _fields(one: WordCount) -> dict[str, object]:
    return {"word": one.word} | ({} if one.images is None else {"images": one.images})
