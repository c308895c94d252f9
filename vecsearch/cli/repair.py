"""The command ``repair``."""

from __future__ import annotations

from pathlib import Path

import click

from vecsearch.cli.help import Command
from vecsearch.cli.options import fetch_option, index_option, json_option
from vecsearch.cli.output import note, say
from vecsearch.cli.progress import progress
from vecsearch.maintenance.repair import RepairReport
from vecsearch.maintenance.repair import repair as repair_index
from vecsearch.view.text import format_problem, printable, shown, to_json


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  vecsearch repair
  vecsearch repair -i indexes/photos --json
""",
)
@index_option
@fetch_option
@json_option
def repair(index: Path | None, fetch: bool, as_json: bool) -> int:
    """Mend what verify finds; the exit code is 1 if something could not be brought back.

    The FAISS file is made anew from the vectors, damaged vectors from their pictures, the network
    from its weights. A picture whose vector is damaged and whose file is gone leaves the index.
    """
    with progress() as report_to:
        report = repair_index(index, fetch=fetch, progress=report_to)
    failed = bool(report.lost or report.left or report.words_lost)
    if as_json or failed:
        say(to_json(report) if as_json else _describe(report))
    else:
        note(_describe(report))
    return 1 if failed else 0


def _describe(report: RepairReport) -> str:
    lines = [f"found: {format_problem(problem)}" for problem in report.problems]
    lines += [f"embedded again: {printable(shown(path))}" for path in report.re_embedded]
    lines += [f"lost: {printable(shown(path))}" for path in report.lost]
    if report.words_lost:
        lines.append("lost: the words of the index, which build --fresh brings back")
    lines += [f"still wrong: {format_problem(problem)}" for problem in report.left]
    result = "nothing was wrong"
    if report.problems:
        result = "mended"
        if report.lost or report.left or report.words_lost:
            result = "not all could be mended"
    lines.append(f"{shown(report.index)}: {result}")
    return "\n".join(lines)
