"""The option --html, and the gallery that it writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vecsearch.cli.options import PATH
from vecsearch.types import Guess, Progress, Result
from vecsearch.view.text import format_made

if TYPE_CHECKING:
    from vecsearch.search.queryable import Queryable

Guesses = Mapping[Path, Sequence[Guess]]


def _page(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    if value is not None and value.suffix.lower() not in (".html", ".htm"):
        raise click.BadParameter(f"{value} is no name of a page; let it end in .html")
    return value


html_option = click.option(
    "--html", type=PATH, metavar="FILE", callback=_page, help="Write a page to browse in."
)


def guesses_about(index: Queryable, results: Sequence[Result]) -> Guesses:
    """Return the likeliest words of the pictures in *results* that *index* has."""
    queries = (one.path for result in results for one in result.asked if one.path is not None)
    return index.guess_at([*queries, *(hit.path for result in results for hit in result.hits)])


def write_results(
    results: Sequence[Result], guesses: Guesses, out: Path, title: str, progress: Progress | None
) -> None:
    """Write *results* as a gallery, with the *guesses* of their pictures."""
    from vecsearch.view.gallery import Gallery, result_section, write_gallery

    most = max((len(result.hits) for result in results), default=0)
    sections = [result_section(result) for result in results]
    made = next(filter(None, map(format_made, results)), "")
    encoder = results[0].encoder if results else ""
    subtitle = ", ".join(filter(None, (f"up to {most} nearest each", made, encoder)))
    gallery = Gallery(title=title, subtitle=subtitle, sections=sections, guesses=guesses)
    write_gallery(gallery, out, progress=progress)
