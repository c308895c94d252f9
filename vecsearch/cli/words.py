"""The command ``words``."""

from __future__ import annotations

from pathlib import Path

import click

from vecsearch.cli.options import index_option, json_option
from vecsearch.cli.output import say
from vecsearch.search.index import open_index
from vecsearch.types import WordCount
from vecsearch.view.text import format_table, to_json


@click.command(
    epilog="""\b
Examples:
  vecsearch words
  vecsearch words straw
  vecsearch words --count -i indexes/photos
"""
)
@click.argument("prefix", default="")
@index_option
@click.option(
    "--count",
    is_flag=True,
    help="Tell of how many pictures each word is the first guess, most first; reads all vectors.",
)
@json_option
def words(prefix: str, index: Path | None, count: bool, as_json: bool) -> None:
    """List the words that query --word knows, those with a part that begins with PREFIX.

    They are the classes that the network was trained to tell apart.
    """
    with open_index(index) as opened:
        found = opened.words(prefix, count=count)
    if as_json:
        say(to_json([_fields(one) for one in found]))
    elif count:
        counted = [(str(one.images), one.word) for one in found if one.images]
        say(format_table(("pictures", "word"), counted) if counted else "no words")
    else:
        say("\n".join(one.word for one in found) or "no words")


def _fields(one: WordCount) -> dict[str, object]:
    return {"word": one.word} | ({} if one.images is None else {"images": one.images})
