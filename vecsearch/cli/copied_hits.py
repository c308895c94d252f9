"""What ``query --copy-to`` and ``--link-to`` have done, in lines."""

from __future__ import annotations

from vecsearch.cli.output import say
from vecsearch.search.copy_hits import CopyReport
from vecsearch.view.text import counted, printable, shown


def say_copied(report: CopyReport) -> None:
    """Say on stderr which hits were left, and how many are in the folder."""
    verb = "linked to" if report.links else "copied"
    for one in report.left:
        path = printable(shown(one.hit.path))
        say(f"vecsearch: not {verb}: {path} ({printable(one.reason)})", err=True)
    new = sum(one.new for one in report.files)
    folder = printable(shown(report.folder))
    text = f"{counted(new, 'picture')} copied to {folder}"
    if report.links:
        text = f"{counted(new, 'link')} made in {folder}"
    if there := len(report.files) - new:
        text = f"{text}, {there:,} {'was' if there == 1 else 'were'} there before"
    say(text, err=True)
