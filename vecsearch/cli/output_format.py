"""Which format the output is to have, of a command that succeeds and of one that fails."""

from __future__ import annotations

from dataclasses import dataclass

import click
from click.core import ParameterSource


@dataclass(slots=True)
class Wanted:
    """What is known of it so far: ``json`` if a program is to read the output."""

    json: bool = False


def note_json(ctx: click.Context, param: click.Parameter, value: bool | str | None) -> object:
    """Note it before anything else can fail, as the callback of an option."""
    wanted = ctx.find_object(Wanted)
    if wanted is not None and value in (True, "json", "jsonl"):
        wanted.json = True
    return value


def chosen_form(form: str | None, as_json: bool) -> str:
    """Return the format that ``--format`` or ``--json`` asks for; the command line counts most.

    That is "" for neither, where ``--format`` has no default.
    """
    context = click.get_current_context()
    given = ParameterSource.COMMANDLINE
    said = context.get_parameter_source("form") is given
    if as_json and not (said and context.get_parameter_source("as_json") is not given):
        form = "json"
    wanted = context.find_object(Wanted)
    if wanted is not None:
        wanted.json = form in ("json", "jsonl")
    return form or ""
