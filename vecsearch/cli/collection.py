"""The command ``collection``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from vecsearch.cli.help import Command
from vecsearch.cli.options import PATH, json_option
from vecsearch.cli.output import say
from vecsearch.errors import UsageError
from vecsearch.paths import shown_in
from vecsearch.view.text import counted, printable, shown, to_json

if TYPE_CHECKING:
    from vecsearch.cluster.list_shards import CollectionReport, ShardInfo

_ACTIONS: Final = ("create", "add", "drop", "move", "list")


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  vecsearch collection create indexes/all indexes/2024 indexes/2025
  vecsearch query photo.jpg -i indexes/all
  vecsearch collection add indexes/all indexes/2026
  vecsearch collection move indexes/all 2024 /mnt/disk2/2024
  vecsearch collection drop indexes/all 2025
  vecsearch collection list indexes/all
""",
)
@click.argument("action", type=click.Choice(_ACTIONS), metavar="ACTION")
@click.argument("folder", type=PATH, metavar="FOLDER")
@click.argument("given", nargs=-1, metavar="[INDEX | SHARD]...")
@json_option
def collection(action: str, folder: Path, given: tuple[str, ...], as_json: bool) -> None:
    """Make several indexes with one encoder a collection, which is asked as one index.

    FOLDER has the catalog of the collection, and may be given wherever an index is read. Its
    shards are index folders, named by name, number or path. They stay where they are, and are
    built one by one as before.

    \b
    create FOLDER INDEX...    make a collection of indexes
    add FOLDER INDEX...       add indexes
    drop FOLDER SHARD...      take shards out; their folders stay
    move FOLDER SHARD NEW     move a shard to NEW, or note that it is there
    list FOLDER               show the shards, and which are gone
    """
    report = _do(action, folder, given)
    say(to_json(report) if as_json else _describe(report))


def _do(action: str, folder: Path, given: tuple[str, ...]) -> CollectionReport:
    from vecsearch.cluster.change_shards import add_shards, create_collection, drop_shards
    from vecsearch.cluster.list_shards import list_shards
    from vecsearch.cluster.move_shard import move_shard

    counts = {"move": (2, 2), "list": (0, 0)}
    least, most = counts.get(action, (1, len(given)))
    if not least <= len(given) <= max(least, most):
        wanted = {"move": "a SHARD and its NEW place", "list": "nothing", "drop": "a SHARD or more"}
        raise UsageError(
            f"collection {action} takes {wanted.get(action, 'an INDEX or more')} after FOLDER",
            hint="vecsearch collection --help shows all",
        )
    match action:
        case "create":
            return create_collection(folder, given)
        case "add":
            return add_shards(folder, given)
        case "drop":
            return drop_shards(folder, given)
        case "move":
            return move_shard(folder, given[0], given[1])
        case _:
            return list_shards(folder)


def _describe(report: CollectionReport) -> str:
    images = sum(one.images or 0 for one in report.shards)
    head = f"{shown(report.collection)}: {counted(len(report.shards), 'shard')}, {images:,} images"
    return "\n".join([head, *map(_line, report.shards)])


def _line(shard: ShardInfo) -> str:
    what = f"{shard.images:,} images" if shard.images is not None else shown_in(shard.problem)
    return f"  {shard.number}  {printable(shard.name)}  {printable(shown(shard.path))}  {what}"
