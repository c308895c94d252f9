"""Options that several commands share."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from vecsearch.cli.help import Command
from vecsearch.cli.output_format import note_json
from vecsearch.embed.backbones.registry import DEFAULT_MODEL, MODELS, PACKAGED_MODEL
from vecsearch.paths import from_root
from vecsearch.search.query_options import CANDIDATES, NEIGHBOURS


class AbsolutePath(click.Path):
    """A path that is made absolute, so that all output writes it in one way."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return it from the root on."""
        return from_root(Path(os.fsdecode(super().convert(value, param, ctx))))


PATH: Final = AbsolutePath(path_type=Path, readable=False)
_OPTIONAL: Final = "[N]"

Function = TypeVar("Function", bound=Callable[..., Any])


class Number(click.FloatRange):
    """A number within bounds, if there are any; not NaN, which every comparison lets pass."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse what is not a number."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not a number", param, ctx)
        return number


index_option = click.option(
    "-i",
    "--index",
    type=PATH,
    envvar="VECSEARCH_INDEX",
    help="The index folder.  [default: the only one in indexes/]",
)
server_option = click.option(
    "--server",
    metavar="URL",
    envvar="VECSEARCH_SERVER",
    help="Ask the server at URL, as vecsearch serve prints it; -i is then the name of one of its "
    "indexes.",
)
k_option = click.option("-k", default=5, show_default=True, help="How many neighbours.")
threshold_option = click.option(
    "--threshold",
    type=float,
    default=-1.0,
    metavar="COSINE",
    help="Leave out hits with a lower score (cosine).",
)


under_option = click.option(
    "--under",
    multiple=True,
    metavar="PATH",
    help="Only those below this folder, tar or URL; repeatable.",
)
glob_option = click.option(
    "--glob",
    "patterns",
    multiple=True,
    metavar="PATTERN",
    help="Only those whose name, or with a slash path, is like this; repeatable.",
)
null_option = click.option(
    "-0", "--null", is_flag=True, help="Null bytes end the paths of --format paths."
)
since_option = click.option(
    "--since",
    metavar="DATE",
    help="Only those taken on this date or later: 2026, 2026-08, 2026-08-01, today, or 30d, 2w, "
    "6m, 1y ago.",
)
until_option = click.option(
    "--until",
    metavar="DATE",
    help="Only those taken on this date or earlier; 2026-08 is the whole month.",
)


class CountingCommand(Command):
    """A command some of whose options may stand without their number, before a picture too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse *args*, in which the number of such an option is put where it is left out."""
        counts = {
            name: param.flag_value
            for param in self.params
            if isinstance(param, click.Option) and param.metavar == _OPTIONAL
            for name in param.opts
        }
        given: list[str] = []
        for token, following in zip(args, [*args[1:], ""], strict=False):
            left_out = token in counts and "--" not in given and not following.isdecimal()
            given.append(f"{token}={counts[token]}" if left_out else token)
        return super().parse_args(ctx, given)


expand_option = click.option(
    "--expand",
    type=int,
    is_flag=False,
    flag_value=str(NEIGHBOURS),
    default=0,
    metavar=_OPTIONAL,
    help=f"Lead the query towards its N nearest first ({NEIGHBOURS} if no N is given); scores are "
    "cosines with that.",
)
rerank_option = click.option(
    "--rerank",
    type=int,
    is_flag=False,
    flag_value=str(CANDIDATES),
    default=0,
    metavar=_OPTIONAL,
    help=f"Order the first N hits ({CANDIDATES}) by the neighbours that they share with the query: "
    "better, at no cost to speak of.",
)
model_option = click.option(
    "--model",
    metavar="|".join(MODELS),
    help=f"The network; the weights of {PACKAGED_MODEL} need no download."
    f"  [default: {DEFAULT_MODEL}, or that of the index]",
)


def recipe_option(default: str | None) -> Callable[[Function], Function]:
    """Return ``--recipe``, which a new index has no other default for than auto."""
    return click.option(
        "--recipe",
        metavar="auto|FACTORY",
        default=default,
        show_default=True,
        help="The kind of FAISS files: auto, by how many pictures there are, or a FAISS factory "
        f"string.{'' if default else '  [default: auto, or that of the index]'}",
    )


vectors_option = click.option(
    "--vectors",
    type=PATH,
    metavar="FILE",
    help="Ask with each row of a .npy, .npz or .parquet instead.",
)
dry_run_option = click.option(
    "-n", "--dry-run", is_flag=True, help="Change nothing; only tell what would be done."
)
fetch_option = click.option(
    "--fetch",
    is_flag=True,
    envvar="VECSEARCH_FETCH",
    help="Also fetch pictures behind URLs of the index that are below no source named on this "
    "machine.",
)
json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    is_eager=True,
    envvar="VECSEARCH_JSON",
    callback=note_json,
    help="Print the result as JSON.",
)


def format_option(
    command: str, *forms: str, default: str | None = "table"
) -> Callable[[Function], Function]:
    """Return ``--format``, the parameter ``form``, with *forms*; see `chosen_form`."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(forms),
        metavar="FORM",
        default=default,
        show_default=True,
        is_eager=True,
        envvar=f"VECSEARCH_{command.upper()}_FORMAT",
        callback=note_json,
        help=f"How to print the result: {', '.join(forms)}.",
    )
