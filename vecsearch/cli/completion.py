"""The command ``completion``."""

from __future__ import annotations

import click

from vecsearch.cli.help import Command


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  eval "$(vecsearch completion bash)"
  vecsearch completion fish > ~/.config/fish/completions/vecsearch.fish
""",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that lets SHELL complete commands and options."""
    from click.shell_completion import get_completion_class

    from vecsearch.cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "vecsearch", "_VECSEARCH_COMPLETE").source())
