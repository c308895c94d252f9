"""The command ``compact``."""

from __future__ import annotations

from pathlib import Path

import click

from vecsearch.cli.help import Command
from vecsearch.cli.json_fields import record_fields, renamed
from vecsearch.cli.options import index_option, json_option
from vecsearch.cli.output import say
from vecsearch.cli.progress import progress
from vecsearch.maintenance.compact import compact as compact_index
from vecsearch.view.text import counted, shown, to_json


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  vecsearch compact
  vecsearch compact -i indexes/photos
""",
)
@index_option
@json_option
def compact(index: Path | None, as_json: bool) -> None:
    """Take removed pictures out of an index's files and fold in what was added.

    Builds do this by themselves whenever a tenth of the index has changed.
    """
    with progress() as report_to:
        report = compact_index(index, progress=report_to)
    if as_json:
        say(to_json(renamed(record_fields(report), total="images")))
    else:
        say(
            f"{shown(report.index)}: {counted(report.total, 'image')}, "
            f"{report.size_before_bytes / 1e6:.1f} MB before, {report.size_bytes / 1e6:.1f} MB now"
        )
