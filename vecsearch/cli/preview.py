"""Options to look at results in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import click

from vecsearch.types import Result

_AUTO: Final = "auto"
_MODES: Final = (_AUTO, "kitty", "iterm2", "sixel", "blocks")

_Function = TypeVar("_Function", bound=Callable[..., Any])


def preview_option(function: _Function) -> _Function:
    """Add ``--preview`` and ``--preview-mode``, which become the argument *preview*, or None."""
    mode = click.option(
        "--preview-mode",
        "preview",
        callback=_need_chafa,
        type=click.Choice(_MODES),
        help="Show it so: by the protocol of kitty, iTerm2 or sixel, or in half blocks.",
    )
    flag = click.option(
        "--preview",
        "preview",
        flag_value=_AUTO,
        default=None,
        callback=_need_chafa,
        help="Show the pictures in the terminal.",
    )
    return flag(mode(function))


def show_preview(results: Iterable[Result], preview: str | None, *, result_is_text: bool) -> None:
    """Draw *results* if *preview* is given.

    On stdout; where what is printed there is for programs, on stderr.
    """
    if preview is None:
        return
    from vecsearch.view.terminal import MODES, draw_results, look_at

    stream = sys.stdout if result_is_text else sys.stderr
    wanted = next((mode for mode in MODES if mode == preview), None)
    for text in draw_results(results, look_at(stream, wanted)):
        click.echo(f"{text}\n", file=stream, color=True)


def _need_chafa(_: click.Context, __: click.Parameter, preview: str | None) -> str | None:
    """Refuse at once, and not after the search."""
    if preview is not None:
        from vecsearch.view.terminal import import_chafa

        import_chafa()
    return preview
