"""The command ``query``."""

from __future__ import annotations

from pathlib import Path

import click

from vecsearch.cli.options import PATH, index_option, json_option, k_option, threshold_option
from vecsearch.errors import UsageError
from vecsearch.search.index import open_index
from vecsearch.view.text import FORMATS, format_results


@click.command(
    epilog="""\b
Examples:
  vecsearch query photo.jpg
  vecsearch query id:17 id:18 -k 10 --json
  vecsearch query photo.jpg --sheet sheet.png
  vecsearch query photo.jpg --threshold 0.9 --format paths | xargs open
"""
)
@click.argument("queries", nargs=-1, required=True, metavar="[IMAGE | id:N]...")
@index_option
@k_option
@threshold_option
@click.option("--include-self", is_flag=True, help="Let an indexed picture be its own hit.")
@click.option(
    "--sheet",
    type=PATH,
    metavar="FILE",
    help="Draw the query and its hits side by side. Several queries: FILE-1, FILE-2 ...",
)
@click.option(
    "--format", "form", type=click.Choice(list(FORMATS)), default="table", show_default=True
)
@json_option
def query(
    queries: tuple[str, ...],
    index: Path | None,
    k: int,
    threshold: float,
    include_self: bool,
    sheet: Path | None,
    form: str,
    as_json: bool,
) -> None:
    """Find the pictures of the index that are most similar to each IMAGE.

    An IMAGE is a picture file or id:N, the picture with that id in the index. A picture that the
    index has is answered at once, from its stored vector.
    """
    if k < 1:
        raise UsageError(f"k is {k}", hint="ask for at least 1 neighbour")
    with open_index(index) as opened:
        results = opened.query(queries, k=k, threshold=threshold, include_self=include_self)
    if sheet is not None:
        from vecsearch.view.sheet import draw_sheet

        for number, result in enumerate(results, start=1):
            name = sheet if len(results) == 1 else sheet.with_stem(f"{sheet.stem}-{number}")
            draw_sheet(result, name)
    click.echo(format_results(results, "json" if as_json else form))
