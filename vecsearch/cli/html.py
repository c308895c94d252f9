"""The option --html, and the galleries that it writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from vecsearch.cli.options import PATH
from vecsearch.cli.units import written_size
from vecsearch.search.duplicates import DuplicateCopy, DuplicatesReport
from vecsearch.types import Progress, Result
from vecsearch.view.text import counted, shown


def _page(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    if value is not None and value.suffix.lower() not in (".html", ".htm"):
        raise click.BadParameter(f"{value} is no name of a page; let it end in .html")
    return value


html_option = click.option(
    "--html", type=PATH, metavar="FILE", callback=_page, help="Write a page to browse in."
)


def write_results(
    results: Sequence[Result], out: Path, title: str, progress: Progress | None
) -> None:
    """Write *results* as a gallery."""
    from vecsearch.view.gallery import result_section, write_gallery

    most = max((len(result.hits) for result in results), default=0)
    sections = [result_section(result) for result in results]
    write_gallery(sections, title, f"up to {most} nearest each", out, progress=progress)


def write_copies(report: DuplicatesReport, out: Path, progress: Progress | None) -> None:
    """Write the groups of *report* side by side, the kept picture of each first."""
    from vecsearch.view.gallery import Section, Tile, write_gallery

    def tile(copy: DuplicateCopy, kept: bool) -> Tile:
        alike = "same bytes" if copy.exact else f"{copy.score:.4f}"
        size = f"{copy.width} x {copy.height}, {written_size(copy.size_bytes)}"
        state = "" if copy.state == "there" else f" ({copy.state})"
        left = "keep" if kept else alike
        return Tile(
            picture=copy.path, name=copy.path.name, left=left, right=size + state, mark=kept
        )

    sections = [
        Section(
            heading=" ".join(shown(one.path) for one in (group.kept, *group.others)),
            queries=[tile(group.kept, kept=True)],
            tiles=[tile(one, kept=False) for one in group.others],
            note=f"{written_size(group.freed_bytes)} to free",
        )
        for group in report.groups
    ]
    title = f"{counted(len(sections), 'group')} of copies"
    freed = f"{report.copies:,} copies, {written_size(report.freed_bytes)} to free"
    write_gallery(sections, title, freed, out, progress=progress)
