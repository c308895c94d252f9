"""The command ``verify``."""

from __future__ import annotations

from pathlib import Path

import click

from vecsearch.cli.help import Command
from vecsearch.cli.options import index_option, json_option
from vecsearch.cli.output import note, say
from vecsearch.cli.progress import progress
from vecsearch.maintenance.verify import verify as verify_index
from vecsearch.view.text import counted, format_problem, shown, to_json


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  vecsearch verify
  vecsearch verify -i indexes/photos --quick
""",
)
@index_option
@click.option("--quick", is_flag=True, help="Compare only lengths and beginnings of files.")
@json_option
def verify(index: Path | None, quick: bool, as_json: bool) -> int:
    """Look for damage in an index; the exit code is 1 if there is any.

    Compares every page of the catalog, every file, every vector's checksum, and FAISS with the
    vectors.
    """
    with progress() as report_to:
        report = verify_index(index, quick=quick, progress=report_to)
    if as_json:
        say(to_json(report))
    else:
        for problem in report.problems:
            say(format_problem(problem))
        result = "sound at a quick look" if quick else "sound"
        if report.problems and all(problem.unreadable for problem in report.problems):
            count = counted(len(report.problems), "file")
            result = f"not known to be damaged, but {count} cannot be read"
        elif any(problem.kind == "catalog" for problem in report.problems):
            result = "damaged; restore the catalog from a copy, or build with --fresh"
        elif report.problems:
            result = "damaged; vecsearch repair mends what can be mended"
        (say if report.problems else note)(f"{shown(report.index)}: {result}")
    return 1 if report.problems else 0
