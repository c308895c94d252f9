"""The command ``export``."""

from __future__ import annotations

from pathlib import Path

import click

from vecsearch.cli.help import Command
from vecsearch.cli.options import PATH, index_option, json_option
from vecsearch.cli.output import say
from vecsearch.cli.progress import progress
from vecsearch.errors import UsageError
from vecsearch.transfer.export import DTYPES, ExportReport, export_vectors
from vecsearch.view.text import shown, to_json


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  vecsearch export -o vectors.npy --ids ids.txt
  vecsearch export -i indexes/photos -o vectors.parquet --dtype float32
""",
)
@click.argument("file", type=PATH, required=False, metavar="")  # -o may be left out
@index_option
@click.option(
    "-o",
    "--output",
    type=PATH,
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
def export(
    file: Path | None,
    index: Path | None,
    output: Path | None,
    ids: Path | None,
    dtype: str,
    as_json: bool,
) -> None:
    """Write an index's vectors to FILE, a .npy or a .parquet, in the order of the ids.

    A .parquet has a row for each picture, with its path and what is known of it. Files that are
    there are replaced, unless they are pictures of the index.
    """
    out = output or file
    if out is None:
        raise click.MissingParameter(param_type="option", param_hint="'-o' / '--output'")
    if output and file:
        raise UsageError(f"there are two outputs, {output} and {file}", hint="give one")
    with progress() as report_to:
        report = export_vectors(out, ids=ids, index=index, dtype=dtype, progress=report_to)
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
