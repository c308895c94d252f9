"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from vecsearch.embed.backbones.registry import DEFAULT_MODEL, MODELS

PATH: Final = click.Path(path_type=Path)

index_option = click.option(
    "-i",
    "--index",
    type=PATH,
    envvar="VECSEARCH_INDEX",
    help="The index folder.  [default: the only one in indexes/]",
)
k_option = click.option("-k", default=5, show_default=True, help="How many neighbours.")
threshold_option = click.option(
    "--threshold",
    type=float,
    default=-1.0,
    metavar="COSINE",
    help="Leave out hits with a lower score.",
)
model_option = click.option(
    "--model",
    metavar="|".join(MODELS),
    help="The network; the weights of efficientnet-lite0 need no download."
    f"  [default: {DEFAULT_MODEL}, or that of the index]",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, envvar="VECSEARCH_JSON", help="Print the result as JSON."
)
