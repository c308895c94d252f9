"""The command ``query``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from vecsearch.cli.html import html_option, write_results
from vecsearch.cli.options import PATH, index_option, json_option, k_option, threshold_option
from vecsearch.cli.output import print_result, refuse_pictures
from vecsearch.cli.preview import preview_option, show_preview
from vecsearch.errors import UsageError
from vecsearch.search.index import open_index
from vecsearch.types import Vectors
from vecsearch.view.text import FORMATS, format_results

_ROWS_AT_A_TIME: Final = 8192


@click.command(
    epilog="""\b
Examples:
  vecsearch query photo.jpg
  vecsearch query id:17 id:18 -k 10 --json
  vecsearch query photo.jpg --sheet sheet.png
  vecsearch query *.jpg --html hits.html
  vecsearch query photo.jpg --preview
  vecsearch query photo.jpg --threshold 0.9 --format paths
  vecsearch query --vectors queries.npy --json
"""
)
@click.argument("queries", nargs=-1, metavar="[IMAGE | id:N]...")
@click.option(
    "--vectors", type=PATH, metavar="FILE", help="Ask with each row of a .npy or .parquet instead."
)
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
@html_option
@preview_option
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    default="table",
    show_default=True,
    envvar="VECSEARCH_QUERY_FORMAT",
    help="How to print the hits.",
)
@json_option
def query(
    queries: tuple[str, ...],
    vectors: Path | None,
    index: Path | None,
    k: int,
    threshold: float,
    include_self: bool,
    sheet: Path | None,
    html: Path | None,
    preview: bool,
    preview_mode: str | None,
    form: str,
    as_json: bool,
) -> None:
    """Find the pictures of the index that are most similar to each IMAGE.

    An IMAGE is a picture file or id:N, the picture with that id in the index. A picture that the
    index has is answered at once, from its stored vector. Of an index of imported vectors the ids
    of the import can be asked as they were given.
    """
    if vectors is not None and (queries or sheet or include_self):
        raise UsageError(
            "--vectors goes with -k, --threshold and a format alone",
            hint="ask with pictures in another call",
        )
    if vectors is None and not queries:
        raise click.MissingParameter(param_type="argument", param_hint="'[IMAGE | id:N]...'")
    sheets = _sheet_names(sheet, queries) if sheet is not None else []
    with open_index(index) as opened:
        refuse_pictures(opened, *sheets, *([html] if html else []))
        if vectors is not None:
            results = opened.search(_read(vectors), k=k, threshold=threshold)
        else:
            results = opened.query(queries, k=k, threshold=threshold, include_self=include_self)
    if sheets:
        from vecsearch.view.sheet import draw_sheet

        for result, path in zip(results, sheets, strict=True):
            draw_sheet(result, path)
    if html is not None:
        title = "1 query" if len(results) == 1 else f"{len(results):,} queries"
        write_results(results, html, title, None)
    show_preview(results, preview, preview_mode, result_is_text=form == "table" and not as_json)
    print_result(format_results(results, "json" if as_json else form))


def _read(vectors: Path) -> Vectors:
    import numpy as np

    from vecsearch.exchange.vectors import open_vectors

    file = open_vectors(vectors)
    # Not at once: of a file that is no query but a collection, nothing should be held twice.
    xq = np.empty((file.row_count, file.dim), np.float32)
    start = 0
    for block in file.blocks(_ROWS_AT_A_TIME):
        xq[start : start + len(block)] = block
        start += len(block)
    return xq


def _sheet_names(sheet: Path, queries: tuple[str, ...]) -> list[Path]:
    names = [sheet]
    if len(queries) > 1:
        names = [sheet.with_stem(f"{sheet.stem}-{n}") for n in range(1, len(queries) + 1)]
    for query in queries:
        if Path(query).absolute() in [name.absolute() for name in names]:
            raise UsageError(f"the sheet would overwrite the query {query}")
    return names
