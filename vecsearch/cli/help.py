"""What --help shows: what is used every day; and --help-all, which shows the rest too."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import click

_ALL: Final = "--help-all"
_MORE: Final = "\nMore examples:\n"

_NAMES: Final = 22
"""How many columns the names of options have; longer ones stand in a line of their own."""


class Command(click.Command):
    """A command whose --help fits a screen.

    Where there are *rare* options, by the names of their parameters, --help shows the first
    paragraph of the description, the other options, and the examples before a line "More
    examples:"; --help-all shows everything.
    """

    def __init__(self, *args: Any, rare: Collection[str] = (), **settings: Any) -> None:
        """Set the command up, with --help-all where --help leaves something out."""
        super().__init__(*args, **settings)
        assert set(rare) <= {param.name for param in self.params}, self.name
        self.rare = frozenset(rare)
        if rare:
            self.params.append(
                click.Option(
                    [_ALL],
                    is_flag=True,
                    is_eager=True,
                    expose_value=False,
                    callback=_show_all,
                    help="Show all options and examples, and exit.",
                )
            )

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the description, or its first paragraph."""
        if not self._is_short(ctx):
            super().format_help_text(ctx, formatter)
            return
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text((self.help or "").partition("\n\n")[0])

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, without the rare ones if the help is the short one."""
        rare = self.rare if self._is_short(ctx) else ()
        options = [one for one in self.get_params(ctx) if isinstance(one, click.Option)]
        shown = [one for one in options if one.name not in rare]
        rows = [row for one in shown if (row := one.get_help_record(ctx)) is not None]
        with formatter.section("Options"):
            formatter.write_dl(rows, col_max=_NAMES)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, or the first of them."""
        examples, _, others = (self.epilog or "").partition(_MORE)
        if examples:
            if not self._is_short(ctx):
                examples = f"{examples.rstrip()}\n{others}"  # one block, which is not wrapped
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(examples)

    def _is_short(self, ctx: click.Context) -> bool:
        return bool(self.rare) and not ctx.meta.get(_ALL)


def _show_all(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        ctx.meta[_ALL] = True
        click.echo(ctx.get_help(), color=ctx.color)
        ctx.exit()
