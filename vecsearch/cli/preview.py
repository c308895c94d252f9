"""Options to look at results in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import click

from vecsearch.types import Result

_MODES: Final = ("auto", "kitty", "iterm2", "sixel", "blocks")

_Value = TypeVar("_Value")
_Function = TypeVar("_Function", bound=Callable[..., Any])


def preview_option(function: _Function) -> _Function:
    """Add ``--preview`` and ``--preview-mode``, which implies it."""
    mode = click.option(
        "--preview-mode",
        callback=_need_chafa,
        type=click.Choice(_MODES),
        help="How to: by the protocol of kitty, iTerm2 or sixel, or in half blocks.",
    )
    flag = click.option(
        "--preview",
        is_flag=True,
        callback=_need_chafa,
        help="Show the pictures in the terminal.",
    )
    return flag(mode(function))


def show_preview(
    results: Iterable[Result], wanted: bool, mode: str | None, *, result_is_text: bool
) -> None:
    """Draw *results* if it is *wanted*, or a *mode* is given.

    On stdout; where what is printed there is for programs, on stderr.
    """
    if not wanted and mode is None:
        return
    from vecsearch.view.terminal import MODES, draw_results, look_at

    stream = sys.stdout if result_is_text else sys.stderr
    known = next((known for known in MODES if known == mode), None)
    for text in draw_results(results, look_at(stream, known)):
        click.echo(f"{text}\n", file=stream, color=True)


def _need_chafa(_: click.Context, __: click.Parameter, value: _Value) -> _Value:
    """Refuse at once, and not after the search."""
    if value:
        from vecsearch.view.terminal import import_chafa

        import_chafa()
    return value
