"""What --help shows: of a command with many options those of every day, of --help-all the rest."""

from __future__ import annotations

from typing import Any, Final

import click

_ALL: Final = "--help-all"
_MORE: Final = "\nMore examples:\n"


class Rare(click.Option):
    """An option that few need, which --help-all shows and --help leaves out."""


class Command(click.Command):
    """A command whose --help fits a screen.

    With an option of the class `Rare`, --help shows the first paragraph of the description, the
    other options, and the examples before a line "More examples:"; --help-all shows all.
    """

    def __init__(self, *args: Any, **settings: Any) -> None:
        """Set the command up, with --help-all where --help leaves something out."""
        super().__init__(*args, **settings)
        if self.is_long:
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

    @property
    def is_long(self) -> bool:
        """Whether --help leaves something out."""
        return any(isinstance(param, Rare) for param in self.params)

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
        short = self._is_short(ctx)
        shown = [one for one in self.get_params(ctx) if not (short and isinstance(one, Rare))]
        rows = [row for one in shown if (row := one.get_help_record(ctx)) is not None]
        with formatter.section("Options"):
            formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, or the first of them."""
        examples, _, others = (self.epilog or "").partition(_MORE)
        if examples:
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(examples if self._is_short(ctx) else f"{examples}\n{others}")

    def _is_short(self, ctx: click.Context) -> bool:
        return self.is_long and not ctx.meta.get(_ALL)


def _show_all(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        ctx.meta[_ALL] = True
        click.echo(ctx.get_help(), color=ctx.color)
        ctx.exit()
