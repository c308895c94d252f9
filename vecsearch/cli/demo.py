"""The command ``demo``: the main job from pictures to pictures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from vecsearch.cli.build import summary
from vecsearch.cli.help import Command
from vecsearch.cli.open import open_queryable
from vecsearch.cli.options import PATH
from vecsearch.cli.output import say
from vecsearch.cli.progress import progress
from vecsearch.cli.recommend import write_recommendations
from vecsearch.cli.viz import MapFiles, draw
from vecsearch.embed.backbones.registry import DEFAULT_MODEL, MODELS, PACKAGED_MODEL
from vecsearch.embed.encoder import EncoderConfig
from vecsearch.indexing.build import build
from vecsearch.indexing.build_options import BuildOptions
from vecsearch.layout.collection import MapOptions
from vecsearch.search.list import ListOptions
from vecsearch.search.query_options import QueryOptions
from vecsearch.store.locate import has_index
from vecsearch.types import ListedImage
from vecsearch.view.sheet import draw_sheet
from vecsearch.view.text import format_results, shown

if TYPE_CHECKING:
    from vecsearch.search.queryable import Queryable

_QUERIES: Final = 3


@click.command(
    cls=Command,
    help=f"""Build an index of SOURCE, ask it three questions, recommend, and draw the map.

    Takes {MODELS[DEFAULT_MODEL].facts.title} if its weights were downloaded before, else
    {MODELS[PACKAGED_MODEL].facts.title}, whose weights are installed, and says which. SOURCE
    defaults to db.
    """,
    epilog="""\b
Examples:
  vecsearch demo
  vecsearch demo photos --output photos-demo
""",
)
@click.argument("source", type=PATH, default=Path("db"))
@click.option(
    "-o",
    "--output",
    type=PATH,
    default=Path("output"),
    show_default=True,
    help="Where everything goes.",
)
def demo(source: Path, output: Path) -> None:
    """Build an index, query it, recommend, and draw the map."""
    folder = output / "index"
    config = EncoderConfig(model=_model())
    options = BuildOptions(fresh=_is_of_another(folder, source, config))
    with progress() as report:
        built = build(source, index=folder, encoder=config, options=options, progress=report)
    say(summary(built))
    written = []
    with open_queryable(folder) as index, progress() as report:
        for image in _choose(index):
            results = index.query([f"id:{image.id}"], k=5)
            say("\n" + format_results(results, "table"))
            written.append(output / f"query-{image.path.stem}.png")
            draw_sheet(results[0], written[-1])
        write_recommendations(index, output / "rec", 5, QueryOptions(), report)
        written.append(output / "tsne.png")
        written.append(output / "map.html")
        draw(index, MapFiles(picture=written[-2], page=written[-1]), MapOptions(), report)
    say("\nwritten:")
    for path in (*written, output / "rec", folder):
        say(f"  {shown(path.absolute())}")


def _model() -> str:
    """Choose the model, and say which it is and why."""
    from vecsearch.embed.weights import is_at_hand

    usual = MODELS[DEFAULT_MODEL]
    if is_at_hand(usual, usual.facts.default_layer):
        say(f"network: {usual.facts.title}, whose weights were downloaded before")
        return usual.facts.name
    packaged = MODELS[PACKAGED_MODEL].facts
    say(
        f"network: {packaged.title}, whose weights are installed ({usual.facts.title}'s, which "
        "vecsearch build takes by itself, were not downloaded yet)"
    )
    return packaged.name


def _is_of_another(folder: Path, source: Path, config: EncoderConfig) -> bool:
    """Return whether an earlier demo left an index of other pictures or another network."""
    if not has_index(folder):
        return False
    with open_queryable(folder) as index:
        facts = index.info()
    sources = (Path(os.path.normpath(source.absolute())),)
    return facts.sources != sources or facts.encoder.model != config.model


def _choose(index: Queryable) -> list[ListedImage]:
    """Choose the queries: pictures called test, else three spread over the collection."""
    images = list(index.list_images(ListOptions(dates=False)))
    tests = [image for image in images if image.path.stem.endswith("_test")]
    return (tests or images[:: max(1, len(images) // _QUERIES)])[:_QUERIES]
