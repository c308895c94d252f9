"""Whether a command was told to be quiet, for what prints."""

from __future__ import annotations

from typing import Final

import click

QUIET: Final = "vecsearch.quiet"
REPORTING: Final = "vecsearch.reporting"
"""Where the context of a command line has that it is quiet, and which commands only report."""


def is_quiet() -> bool:
    """Return whether progress, notes and reports of what was done are to be left out."""
    ctx = click.get_current_context(silent=True)
    return ctx is not None and QUIET in ctx.meta


def reports_quietly() -> bool:
    """Return whether the command prints only what it did, for people, and was told to be quiet."""
    ctx = click.get_current_context(silent=True)
    if ctx is None or QUIET not in ctx.meta:
        return False
    return ctx.info_name in ctx.meta[REPORTING] and not ctx.params.get("as_json")
