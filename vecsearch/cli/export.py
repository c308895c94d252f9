"""The command ``export``."""

from __future__ import annotations

from pathlib import Path

import click

from vecsearch.cli.options import PATH, index_option, json_option
from vecsearch.cli.output import say
from vecsearch.cli.progress import progress
from vecsearch.search.export import DTYPES, ExportReport, export_vectors
from vecsearch.view.text import shown, to_json


@click.command(
    epilog="""\b
Examples:
  vecsearch export -o vectors.npy --ids ids.txt
  vecsearch export -i indexes/photos -o vectors.parquet --dtype float32
"""
)
@index_option
@click.option(
    "-o",
    "--output",
    type=PATH,
    required=True,
    metavar="FILE",
    help="The .npy or .parquet to write.",
)
@click.option(
    "--ids", type=PATH, metavar="FILE", help="For the paths beside a .npy: a .txt or .json file."
)
@click.option(
    "--dtype",
    type=click.Choice(DTYPES),
    default=DTYPES[0],
    show_default=True,
    help="float16 is what the index holds; float32 are the same values.",
)
@json_option
def export(index: Path | None, output: Path, ids: Path | None, dtype: str, as_json: bool) -> None:
    """Write an index's vectors to FILE, a .npy or a .parquet, in the order of the ids.

    A .parquet has a row for each picture, with its path and what is known of it. Files that are
    there are replaced, unless they are pictures of the index.
    """
    with progress() as report_to:
        report = export_vectors(output, ids=ids, index=index, dtype=dtype, progress=report_to)
    text = f"{shown(report.output)}: {report.vectors} x {report.dim}, {report.dtype}"
    say(to_json(_fields(report)) if as_json else text)


def _fields(report: ExportReport) -> dict[str, object]:
    return {
        "index": report.index,
        "images": report.vectors,
        "dim": report.dim,
        "dtype": report.dtype,
        "written": [report.output] if report.ids is None else [report.output, report.ids],
        "seconds": report.seconds,
    }
