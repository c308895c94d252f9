"""The command ``recommend``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from vecsearch.cli.html import guesses_about, html_option, write_results
from vecsearch.cli.open import open_queryable
from vecsearch.cli.options import (
    PATH,
    CountingCommand,
    expand_option,
    fetch_option,
    format_option,
    index_option,
    json_option,
    k_option,
    rerank_option,
    server_option,
    threshold_option,
)
from vecsearch.cli.output import note, refuse_pictures, say, tell_not_fetched
from vecsearch.cli.output_format import chosen_form
from vecsearch.cli.preview import preview_option, show_preview
from vecsearch.cli.progress import progress
from vecsearch.files import whole_file
from vecsearch.search.query_options import QueryOptions
from vecsearch.types import Progress, Result
from vecsearch.view.text import FORMATS, counted, format_results, shown

if TYPE_CHECKING:
    from vecsearch.search.queryable import Queryable

_STEM_BYTES: Final = 180
"""File systems allow 255 bytes a name; an id and the ending come behind."""


@click.command(
    cls=CountingCommand,
    rare=("threshold", "expand", "preview_mode", "fetch", "server"),
    epilog="""\b
Examples:
  vecsearch recommend                     # sheets and recommendations.json in output/rec
  vecsearch recommend -k 3 -o rec-sheets
  vecsearch recommend --html recommendations.html   # one page, instead of sheets

More examples:
  vecsearch recommend --rerank --html recommendations.html
  vecsearch recommend --json --no-sheets > recommendations.json
""",
)
@index_option
@server_option
@k_option
@threshold_option
@expand_option
@rerank_option
@click.option(
    "-o",
    "--output",
    type=PATH,
    default=Path("output/rec"),
    show_default=True,
    help="The folder for the sheets and recommendations.json.",
)
@click.option("--sheets/--no-sheets", default=True, help="Whether to write files at all.")
@html_option
@preview_option
@fetch_option
@format_option("recommend", *FORMATS, default=None)
@json_option
def recommend(
    index: Path | None,
    server: str | None,
    k: int,
    threshold: float,
    expand: int,
    rerank: int,
    output: Path,
    sheets: bool,
    html: Path | None,
    preview: bool,
    preview_mode: str | None,
    fetch: bool,
    form: str | None,
    as_json: bool,
) -> None:
    """Find, for every picture of the index, the most similar others.

    Draws one sheet a picture, named after it, and writes all as JSON; or a page with --html.
    """
    form = chosen_form(form, as_json)
    streams = form == "jsonl" and not (sheets or html or preview or preview_mode)
    stdout = sys.stdout  # a progress bar takes its place
    options = QueryOptions(threshold=threshold, expand=expand, rerank=rerank)
    with open_queryable(index, server=server, fetch=fetch) as opened, progress() as report:
        if html is not None:
            refuse_pictures(opened, html)
            results = list(opened.recommend(k=k, options=options))
            title = counted(len(results), "picture")
            write_results(results, guesses_about(opened, results), html, title, report)
        elif sheets:
            results = write_recommendations(opened, output, k, options, report)
        else:
            results = []
            for result in opened.recommend(k=k, options=options):
                if streams:
                    say(format_results([result], form), file=stdout)
                else:
                    results.append(result)
    if streams:
        return
    show_preview(results, preview, preview_mode, result_is_text=form in ("", "table"))
    if sheets or html is not None or preview or preview_mode:
        tell_not_fetched(results)
    if form:
        say(format_results(results, form))
    elif html is not None:
        note(f"{shown(html)}: {counted(len(results), 'picture')}")
    elif sheets:
        note(f"{counted(len(results), 'sheet')} and recommendations.json in {shown(output)}")
    else:
        note(f"{counted(len(results), 'picture')}; --format table prints their recommendations")


def write_recommendations(
    index: Queryable, output: Path, k: int, options: QueryOptions, report: Progress | None
) -> list[Result]:
    """Draw a sheet for every picture into *output*, and write ``recommendations.json``."""
    from vecsearch.view.sheet import draw_sheet, new_thumbnails

    thumbnails = new_thumbnails()
    results = []
    names: set[str] = set()
    for number, result in enumerate(index.recommend(k=k, options=options), start=1):
        assert result.path is not None
        path = output / _sheet_name(result, names)
        refuse_pictures(index, path)
        draw_sheet(result, path, thumbnails=thumbnails)
        results.append(result)
        if report:
            report("drawing sheets", number, len(index))
    text = format_results(results, "json") + "\n"
    with whole_file(output / "recommendations.json") as file:
        file.write(text.encode())
    return results


def _sheet_name(result: Result, taken: set[str]) -> str:
    """Name a sheet after its picture; one of the same name in another folder gets its id behind."""
    assert result.path is not None
    number = result.query.removeprefix("id:")
    # An id of an import may be nothing but slashes.
    stem = os.fsdecode(os.fsencode(result.path.stem)[:_STEM_BYTES]) or number
    name = f"{stem}.png"
    while name.casefold() in taken:
        stem = f"{stem}-{number}"
        name = f"{stem}.png"
    taken.add(name.casefold())
    return name
