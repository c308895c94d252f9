"""The command ``relocate``."""

from __future__ import annotations

from pathlib import Path

import click

from vecsearch.cli.help import Command
from vecsearch.cli.json_fields import record_fields, renamed
from vecsearch.cli.options import dry_run_option, index_option, json_option
from vecsearch.cli.output import say
from vecsearch.indexing.renamed import RelocateReport
from vecsearch.maintenance.relocate import relocate as relocate_images
from vecsearch.view.text import counted, printable, shown, to_json


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  vecsearch relocate /mnt/old/photos /mnt/new/photos
  vecsearch relocate /home/ann/photos ~/photos -i indexes/from-ann
  vecsearch relocate photos s3://bucket/photos --dry-run
""",
)
@click.argument("old", type=click.Path(readable=False), metavar="OLD")
@click.argument("new", type=click.Path(readable=False), metavar="NEW")
@index_option
@dry_run_option
@json_option
def relocate(old: str, new: str, index: Path | None, dry_run: bool, as_json: bool) -> None:
    """Tell an index that what was at OLD is at NEW now: a folder, a .tar, a URL or a file.

    Pictures keep their ids and vectors, and what was removed stays so. Up to 100 pictures are first
    looked for at NEW; unless more than half are there as they were, nothing is changed.

    A folder that was renamed on this machine needs none of this: vecsearch build NEW finds it.
    """
    report = relocate_images(old, new, index=index, dry_run=dry_run)
    say(to_json(relocate_fields(report)) if as_json else describe(report))


def relocate_fields(report: RelocateReport) -> dict[str, object]:
    """Return a report as JSON has it: the pictures that got a new path are ``moved``."""
    return renamed(record_fields(report), images="moved")


def describe(report: RelocateReport) -> str:
    """Say in a line what is where now."""
    old, new = (printable(shown(one)) for one in (report.old, report.new))
    return (
        f"{old} {'would be' if report.dry_run else 'is'} {new} now: "
        f"{counted(report.images, 'image')} with their ids "
        f"({report.same} of {report.compared} compared are the same)"
    )
