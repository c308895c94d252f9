"""The command ``merge``."""

from __future__ import annotations

from pathlib import Path

import click

from vecsearch.cli.help import Command
from vecsearch.cli.options import PATH, json_option
from vecsearch.cli.output import say
from vecsearch.cli.progress import progress
from vecsearch.transfer.merge import MergeReport
from vecsearch.transfer.merge import merge as merge_indexes
from vecsearch.view.text import counted, printable, shown, to_json


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  vecsearch merge indexes/2023 indexes/2024 -i indexes/all
  vecsearch merge indexes/2025 -i indexes/all        # adds to it
""",
)
@click.argument("indexes", nargs=-1, required=True, type=PATH, metavar="INDEX...")
@click.option(
    "-i",
    "--index",
    type=PATH,
    envvar="VECSEARCH_INDEX",
    required=True,
    help="The index folder, new or not.",
)
@json_option
def merge(indexes: tuple[Path, ...], index: Path, as_json: bool) -> None:
    """Unite indexes that have the same encoder; each INDEX is only read.

    Of pictures at the same path the one with the newest file stays. Pictures get new ids. An
    interrupted merge goes on where it was when the command is given again.
    """
    with progress() as report_to:
        report = merge_indexes(*indexes, index=index, progress=report_to)
    counts = {"added": report.added, "replaced": report.replaced, "there already": report.present}
    parts = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    total = counted(report.total, "image")
    text = f"{shown(report.index)}: {total} ({parts}) in {report.seconds:.1f} s"
    if report.differing_at is not None:
        text += (
            f"\nleft out: {counted(report.differing, 'picture')} whose path or id is there with "
            f"another content of the same time, such as {printable(shown(report.differing_at))}"
        )
    say(to_json(_fields(report)) if as_json else text)


def _fields(report: MergeReport) -> dict[str, object]:
    return {
        "index": report.index,
        "merged": report.merged,
        "counts": {
            "added": report.added,
            "replaced": report.replaced,
            "present": report.present,
            "differing": report.differing,
        },
        "differing_at": report.differing_at,
        "images": report.total,
        "seconds": report.seconds,
    }
