"""The command ``remove``."""

from __future__ import annotations

from pathlib import Path

import click

from vecsearch.cli.help import Command
from vecsearch.cli.json_fields import image_fields, record_fields, renamed
from vecsearch.cli.options import dry_run_option, index_option, json_option
from vecsearch.cli.output import say
from vecsearch.cli.progress import progress
from vecsearch.maintenance.remove import RemoveReport
from vecsearch.maintenance.remove import remove as remove_images
from vecsearch.view.text import counted, printable, shown, to_json


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  vecsearch remove id:17 id:18
  vecsearch remove photos/blurred.jpg photos/screenshots
  vecsearch remove 'IMG_00*.jpg' --dry-run
""",
)
@click.argument("targets", nargs=-1, required=True, metavar="[id:N | PATH | GLOB]...")
@index_option
@dry_run_option
@json_option
def remove(targets: tuple[str, ...], index: Path | None, dry_run: bool, as_json: bool) -> None:
    """Remove pictures from an index; their files are not touched.

    A PATH is a file, or a folder for all below it. A GLOB without a slash is compared with file
    names, one with a slash with whole paths; * stands for slashes too. Later builds leave out what
    was removed, under any name, until vecsearch build --retry-skipped.
    """
    with progress() as report_to:
        report = remove_images(*targets, index=index, dry_run=dry_run, progress=report_to)
    say(to_json(_fields(report)) if as_json else _describe(report))


def _fields(report: RemoveReport) -> dict[str, object]:
    removed = [image_fields(image) for image in report.removed]
    return renamed(record_fields(report, removed=removed), total="images")


def _describe(report: RemoveReport) -> str:
    lines = [f"id:{image.id}  {printable(shown(image.path))}" for image in report.removed]
    done = "would be removed from" if report.dry_run else "removed from"
    total = counted(report.total, "image")
    lines.append(f"{len(report.removed)} {done} {shown(report.index)}, which has {total}")
    return "\n".join(lines)
