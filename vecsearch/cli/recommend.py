"""The command ``recommend``."""

from __future__ import annotations

from pathlib import Path

import click

from vecsearch.cli.options import PATH, index_option, json_option, k_option, threshold_option
from vecsearch.cli.progress import progress
from vecsearch.search.index import Index, open_index
from vecsearch.types import Progress, Result
from vecsearch.view.text import result_fields, shown, to_json


@click.command(
    epilog="""\b
Examples:
  vecsearch recommend                       # sheets and recommendations.json in output/rec
  vecsearch recommend -k 3 -o rec-sheets
  vecsearch recommend --json --no-sheets > recommendations.json
"""
)
@index_option
@k_option
@threshold_option
@click.option(
    "-o",
    "--output",
    type=PATH,
    default=Path("output/rec"),
    show_default=True,
    help="The folder for the sheets and recommendations.json.",
)
@click.option("--sheets/--no-sheets", default=True, help="Whether to write files at all.")
@json_option
def recommend(
    index: Path | None, k: int, threshold: float, output: Path, sheets: bool, as_json: bool
) -> None:
    """Find, for every picture of the index, the most similar others.

    Draws one sheet a picture, named after it, and writes all as JSON.
    """
    with open_index(index) as opened, progress() as report:
        if sheets:
            results = write_recommendations(opened, output, k, threshold, report)
        else:
            results = list(opened.recommend(k=k, threshold=threshold))
    if as_json:
        click.echo(to_json([_fields(result) for result in results]))
    elif sheets:
        click.echo(f"{len(results)} sheets and recommendations.json in {shown(output)}")
    else:
        click.echo(f"{len(results)} pictures; add --json to print their recommendations")


def write_recommendations(
    index: Index, output: Path, k: int, threshold: float, report: Progress | None
) -> list[Result]:
    """Draw a sheet for every picture into *output*, and write ``recommendations.json``."""
    from vecsearch.view.sheet import draw_sheet, new_thumbnails

    thumbnails = new_thumbnails()
    results = []
    names: set[str] = set()
    for number, result in enumerate(index.recommend(k=k, threshold=threshold), start=1):
        assert result.path is not None
        name = result.path.stem
        if name.casefold() in names:  # the same name in another folder
            name = f"{name}-{result.query.removeprefix('id:')}"
        names.add(name.casefold())
        draw_sheet(result, output / f"{name}.png", thumbnails=thumbnails)
        results.append(result)
        if report:
            report("drawing sheets", number, len(index))
    text = to_json([_fields(result) for result in results]) + "\n"
    (output / "recommendations.json").write_text(text, encoding="utf-8")
    return results


def _fields(result: Result) -> dict[str, object]:
    assert result.path is not None
    return {**result_fields(result), "path": shown(result.path)}
