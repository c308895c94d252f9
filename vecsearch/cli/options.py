"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from vecsearch.embed.backbones.registry import DEFAULT_MODEL, MODELS
from vecsearch.search.options import CANDIDATES, NEIGHBOURS

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
    help="Leave out hits with a lower score, the cosine.",
)


class _OptionalCount(click.ParamType[int]):
    """The number behind an option that may stand without one."""

    name = "count"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Return it; says what to do where a picture was taken for it."""
        try:
            return int(str(value))
        except ValueError:
            option = param.opts[0] if param else ""
            self.fail(
                f"{value!r} is no number; write {option}=N, or {option} behind the pictures",
                param,
                ctx,
            )


expand_option = click.option(
    "--expand",
    type=_OptionalCount(),
    is_flag=False,
    flag_value=str(NEIGHBOURS),
    default=0,
    metavar="[N]",
    help=f"Lead the query towards its N nearest first ({NEIGHBOURS} if no N is given); scores are "
    "cosines with that.",
)
rerank_option = click.option(
    "--rerank",
    type=_OptionalCount(),
    is_flag=False,
    flag_value=str(CANDIDATES),
    default=0,
    metavar="[N]",
    help="Order the first N hits anew, by the neighbours that they share with the query "
    f"({CANDIDATES} if no N is given).",
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
