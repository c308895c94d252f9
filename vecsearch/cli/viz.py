"""The command ``viz``."""

from __future__ import annotations

from pathlib import Path

import click

from vecsearch.cli.options import PATH, index_option
from vecsearch.cli.output import refuse_pictures
from vecsearch.cli.progress import progress
from vecsearch.search.index import Index, open_index
from vecsearch.types import Progress
from vecsearch.view.text import shown


@click.command(
    epilog="""\b
Examples:
  vecsearch viz
  vecsearch viz -i indexes/photos -o map.png --seed 3
"""
)
@index_option
@click.option(
    "-o",
    "--output",
    type=PATH,
    default=Path("tsne.png"),
    show_default=True,
    help="The picture to write.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Another seed, another arrangement.",
)
def viz(index: Path | None, output: Path, seed: int) -> None:
    """Draw a t-SNE map of the collection: similar pictures lie close together."""
    with open_index(index) as opened, progress() as report:
        count = draw(opened, output, seed, report)
    click.echo(f"{shown(output)}: {count} pictures")


def draw(index: Index, output: Path, seed: int, report: Progress | None) -> int:
    """Draw the map of *index* and return how many pictures it shows."""
    from vecsearch.view.map import draw_map

    refuse_pictures(index, output)
    images, vectors = index.vectors()
    draw_map(vectors, [image.path for image in images], output, seed=seed, progress=report)
    return len(images)
