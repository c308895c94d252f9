"""The command ``config``."""

from __future__ import annotations

from pathlib import Path

import click

from vecsearch.cli.config_file import ConfigFile, check_file, config_files
from vecsearch.cli.help import Command
from vecsearch.cli.options import index_option, json_option
from vecsearch.cli.output import say
from vecsearch.view.text import printable, shown, to_json


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  vecsearch config
  vecsearch config -i indexes/photos --json
  VECSEARCH_CONFIG=my.toml vecsearch config
""",
)
@index_option
@json_option
@click.pass_context
def config(ctx: click.Context, index: Path | None, as_json: bool) -> None:
    """Show which config files there are, and what they set.

    They are TOML: options of all commands (index, json, quiet, fetch), then a table for a command,
    such as [query] with k = 10. The command line comes first, then the environment, the file beside
    the index (indexes/vecsearch.toml), and the user's own, which alone may set everything.
    """
    group = ctx.find_root().command
    assert isinstance(group, click.Group)
    files = list(config_files(index, group.list_commands(ctx)))
    for file in files:
        for name in filter(None, file.tables):
            command = group.get_command(ctx, name)
            assert command is not None
            check_file(file, name, command)
    say(to_json(list(map(_fields, files))) if as_json else "\n".join(map(_describe, files)))


def _fields(file: ConfigFile) -> dict[str, object]:
    settings = {name: dict(table) for name, table in file.tables.items() if name}
    return {
        "path": shown(file.path),
        "of": "index" if file.beside else "user",
        "found": file.found,
        "settings": {**file.tables.get("", {}), **settings},
    }


def _describe(file: ConfigFile) -> str:
    whose = "beside the index" if file.beside else "the user's own"
    lines = [f"{shown(file.path)} ({whose}){'' if file.found else ': not there'}"]
    for name, table in file.tables.items():
        before = f"[{name}] " if name else ""
        lines.extend(
            f"  {before}{key} = {to_json(value, indent=None)}" for key, value in table.items()
        )
    return "\n".join(map(printable, lines))
