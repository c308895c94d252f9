"""The command ``viz``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vecsearch.cli.gather import gathered
from vecsearch.cli.help import Command
from vecsearch.cli.html import html_option
from vecsearch.cli.open import open_queryable
from vecsearch.cli.options import (
    PATH,
    Number,
    fetch_option,
    glob_option,
    index_option,
    json_option,
    since_option,
    under_option,
    until_option,
)
from vecsearch.cli.output import refuse_pictures, say, tell_not_fetched
from vecsearch.cli.progress import progress
from vecsearch.errors import UsageError
from vecsearch.layout.collection import COLOURS, CollectionMap, MapOptions, map_collection
from vecsearch.layout.methods import METHODS
from vecsearch.search.query_options import ImageFilter
from vecsearch.types import Progress
from vecsearch.view.text import counted, shown, to_json

if TYPE_CHECKING:
    from vecsearch.search.queryable import Queryable


@dataclass(frozen=True, slots=True, kw_only=True)
class MapFiles:
    """What a map is written to; ``raw_csv`` is for coordinates in a .csv."""

    picture: Path | None = None
    page: Path | None = None
    coordinates: Path | None = None
    raw_csv: bool = False

    @property
    def wanted(self) -> list[Path]:
        """Those that have a name."""
        return [path for path in (self.picture, self.page, self.coordinates) if path is not None]


@click.command(
    cls=Command,
    rare=("save_coordinates", "csv_raw", "perplexity", "fetch"),
    epilog="""\b
Examples:
  vecsearch viz
  vecsearch viz --html map.html                  # a page to browse, without a network
  vecsearch viz -o map.svg --color folder --seed 3
  vecsearch viz --html norway.html --under photos/norway --since 2025

More examples:
  vecsearch viz --method pca --save-coordinates map.csv
""",
)
@index_option
@click.option(
    "-o",
    "--output",
    type=PATH,
    metavar="FILE",
    help="The picture to write: .png, .jpg, .webp, .pdf, .svg.  [default: tsne.png, pca.png or "
    "umap.png, unless a page or coordinates are asked for]",
)
@html_option
@click.option(
    "--save-coordinates",
    type=PATH,
    metavar="FILE",
    help="Write id, path, x, y and group of every picture: .csv or .parquet.",
)
@click.option(
    "--csv-raw",
    is_flag=True,
    help="Write texts into a .csv as they are, even if a spreadsheet would take them for formulas.",
)
@click.option(
    "--method",
    type=click.Choice(list(METHODS)),
    default=MapOptions().method,
    show_default=True,
    help="How vectors become places.",
)
@click.option(
    "--color",
    type=click.Choice(COLOURS),
    default=MapOptions().color,
    show_default=True,
    help="What is coloured alike.",
)
@click.option(
    "--perplexity",
    type=Number(1.0, 1000.0),
    help="Of t-SNE: about how many neighbours count.  [default: 30, or what few pictures allow]",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Another seed, another arrangement.",
)
@under_option
@glob_option
@since_option
@until_option
@fetch_option
@json_option
@gathered(options=MapOptions)
def viz(
    index: Path | None,
    output: Path | None,
    html: Path | None,
    save_coordinates: Path | None,
    csv_raw: bool,
    options: MapOptions,
    under: tuple[str, ...],
    patterns: tuple[str, ...],
    since: str | None,
    until: str | None,
    fetch: bool,
    as_json: bool,
) -> None:
    """Draw a map of the collection: similar pictures lie close together.

    Clusters are crowds on the map; one is called by a word that holds for half of it, of its files'
    and folders' names, or else of what the network finds likely. Pictures without a colour are in
    none. More than 10,000 pictures are laid out by a sample of them (extra
    large-viz).
    """
    if output is None and html is None and save_coordinates is None:
        output = Path(f"{options.method}.png")
    if csv_raw and (save_coordinates is None or save_coordinates.suffix.lower() != ".csv"):
        raise UsageError("--csv-raw is about coordinates", hint="add --save-coordinates FILE.csv")
    chosen = ImageFilter(under=under, glob=patterns, since=since, until=until)
    chosen.check()
    files = MapFiles(picture=output, page=html, coordinates=save_coordinates, raw_csv=csv_raw)
    with open_queryable(index, fetch=fetch) as opened, progress() as report:
        _check(opened, files)
        if chosen.has_dates:
            opened.read_dates(progress=report)
        collection = draw(opened, files, options, report, chosen=chosen)
        folder = opened.path
    if as_json:
        say(to_json(_fields(collection, folder, files.wanted)))
    else:
        for path in files.wanted:
            say(f"{shown(path)}: {counted(len(collection.images), 'picture')}")
    if output is not None or html is not None:
        tell_not_fetched(image.path for image in collection.images)


def _fields(collection: CollectionMap, index: Path, written: list[Path]) -> dict[str, object]:
    options = collection.options
    return {
        "index": index,
        "images": len(collection.images),
        "method": options.method,
        "color": options.color,
        "seed": options.seed,
        "groups": [{"name": one.name, "images": one.size} for one in collection.groups],
        "written": written,
    }


def draw(
    index: Queryable,
    files: MapFiles,
    options: MapOptions,
    report: Progress | None,
    *,
    chosen: ImageFilter | None = None,
) -> CollectionMap:
    """Lay *index* out, or what is *chosen* of it, and write *files*."""
    vectors = index.map_vectors(chosen)
    collection = map_collection(
        vectors,
        vectors.images,
        options,
        encoder=vectors.encoder,
        guesses=vectors.guesses(),
        progress=report,
    )
    if files.coordinates is not None:
        from vecsearch.transfer.formats.coordinates import write_coordinates

        names = ["", *(group.name for group in collection.groups)]
        groups = [names[label + 1] for label in collection.labels.tolist()]
        write_coordinates(
            files.coordinates, vectors.images, collection.points, groups, raw_csv=files.raw_csv
        )
    if files.picture is not None:
        from vecsearch.view.map import draw_map

        draw_map(collection, files.picture, progress=report)
    if files.page is not None:
        from vecsearch.view.page import write_page

        near = vectors.nearest(progress=report)
        write_page(collection, near, files.page, progress=report)
    return collection


def _check(index: Queryable, files: MapFiles) -> None:
    """Refuse what cannot be written before the work, and not after it."""
    refuse_pictures(index, *files.wanted)
    if len({path.absolute() for path in files.wanted}) < len(files.wanted):
        raise UsageError("two outputs have one name", hint="name each of them")
    if files.picture is not None:
        from vecsearch.view.image_files import format_of

        format_of(files.picture, vector=True)
    if files.coordinates is not None:
        from vecsearch.transfer.formats.coordinates import check_coordinates

        check_coordinates(files.coordinates)
