"""The command ``duplicates``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from vecsearch.cli.duplicates_output import print_duplicates, print_moved_back
from vecsearch.cli.gather import gathered
from vecsearch.cli.help import Command
from vecsearch.cli.html import html_option
from vecsearch.cli.not_copies import say_not_copies
from vecsearch.cli.open import open_queryable
from vecsearch.cli.options import (
    PATH,
    dry_run_option,
    fetch_option,
    format_option,
    index_option,
    json_option,
    null_option,
)
from vecsearch.cli.output import refuse_pictures
from vecsearch.cli.output_format import chosen_form
from vecsearch.cli.progress import progress
from vecsearch.deduplication.find import duplicates as find_duplicates
from vecsearch.deduplication.move_aside import check_aside_folder, move_aside
from vecsearch.deduplication.move_back import move_back
from vecsearch.deduplication.move_reports import AsideReport
from vecsearch.deduplication.report import DuplicatesReport
from vecsearch.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """What counts as a copy, and what to keep; see `vecsearch.duplicates`."""

    threshold: float | None
    exact: bool
    edited: bool | None
    keep: tuple[str, ...]
    fetch: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moves:
    """What to do with copies: move them aside, or back, or write a page of them."""

    move_to: Path | None
    undo: Path | None
    html: Path | None
    dry_run: bool


@click.command(
    cls=Command,
    rare=("threshold", "exact", "forget", "fetch", "null", "dry_run"),
    epilog="""\b
Examples:
  vecsearch duplicates
  vecsearch duplicates --html copies.html       # side by side, to look at first
  vecsearch duplicates --move-to copies         # all but the best of each group
  vecsearch duplicates --undo copies            # and back
  vecsearch duplicates --keep originals/ --move-to copies
  vecsearch duplicates --not-copies id:3 id:9   # remembered; alone it lists such pairs

More examples:
  vecsearch duplicates --exact --format paths
  vecsearch duplicates --no-edited --json       # no cropped, mirrored, framed ... ones
  vecsearch duplicates --threshold 0.99         # by features alone, without opening files
  vecsearch duplicates --keep 'originals/**' --keep '*.png'
""",
)
@click.argument("pictures", nargs=-1, metavar="[PICTURE]...")
@index_option
@click.option(
    "--threshold",
    type=float,
    metavar="COSINE",
    help="Do not look at pictures: copies are those that are this similar to the kept one.",
)
@click.option("--exact", is_flag=True, help="Only files with the same bytes.")
@click.option(
    "--edited/--no-edited",
    default=None,
    help="Also copies that were cropped, turned, mirrored, framed, written on, made grey ...; "
    "the default, but not with --move-to.",
)
@click.option(
    "--keep",
    multiple=True,
    metavar="GLOB",
    help="Keep what is like this before all else: a pattern of names or, with a slash, paths, a "
    "folder, a file or id:N. Repeatable, the first is preferred most.",
)
@click.option(
    "--not-copies",
    "apart",
    is_flag=True,
    help="Remember that the PICTUREs, paths or id:N, are no copies of each other.",
)
@click.option("--forget", is_flag=True, help="With --not-copies: take that back.")
@dry_run_option
@click.option(
    "--move-to", type=PATH, metavar="DIR", help="Move all but the best copy of each group to DIR."
)
@click.option("--undo", type=PATH, metavar="DIR", help="Move back what was moved to DIR.")
@html_option
@fetch_option
@format_option("duplicates", "table", "json", "jsonl", "csv", "csv-raw", "paths")
@null_option
@json_option
@gathered(search=_Search, moves=_Moves)
def duplicates(
    pictures: tuple[str, ...],
    index: Path | None,
    search: _Search,
    moves: _Moves,
    apart: bool,
    forget: bool,
    form: str | None,
    null: bool,
    as_json: bool,
) -> int:
    """Find pictures that are copies of each other, and which of them to keep.

    Copies are files with the same bytes, and pictures that agree where one is laid over the other:
    near ones all over, as after another size or encoding, edited ones in part. Of each group the
    largest picture is kept, or what --keep prefers, and every other is a copy of that one. No file
    is touched without --move-to, which writes a journal and overwrites nothing.
    """
    form = chosen_form(form, as_json)
    if apart:
        if moves.move_to is not None or moves.undo is not None or moves.html is not None:
            raise UsageError(
                "--not-copies does not go with --move-to, --undo and --html",
                hint="give them in another call",
            )
        say_not_copies(pictures, index, forget=forget, as_json=form == "json")
        return 0
    if forget or pictures:
        given = "--forget goes" if forget else f"{pictures[0]} was given, and pictures go"
        raise UsageError(f"{given} with --not-copies alone", hint="--help has examples")
    if null and form != "paths":
        raise UsageError("--null is about --format paths", hint="add it")
    if moves.undo is not None:
        return _move_back(moves.undo, moves, index, form)
    with open_queryable(index) as opened:
        index = opened.path
        refuse_pictures(opened, *([moves.html] if moves.html else []))
        if moves.move_to is not None:
            check_aside_folder(moves.move_to, index, opened.info().sources)
    report, aside = _find(index, search, moves)
    print_duplicates(report, aside, form, null=null)
    return 1 if aside is not None and aside.left else 0


def _move_back(undo: Path, moves: _Moves, index: Path | None, form: str) -> int:
    """Move back what was moved aside; return the exit code, 1 if some was left."""
    if moves.move_to is not None or moves.html is not None or moves.dry_run:
        raise UsageError("--undo goes alone", hint="leave out --move-to, --html, --dry-run")
    with progress() as report_to:
        back = move_back(undo, index=index, progress=report_to)
    print_moved_back(back, form)
    return 1 if back.left else 0


def _find(
    index: Path, search: _Search, moves: _Moves
) -> tuple[DuplicatesReport, AsideReport | None]:
    """Find the copies, write the page, and move them aside; whatever is wanted."""
    edited = moves.move_to is None if search.edited is None else search.edited
    with progress() as report_to:
        report = find_duplicates(
            index,
            threshold=search.threshold,
            exact=search.exact,
            edited=edited,
            keep=search.keep,
            fetch=search.fetch,
            progress=report_to,
        )
        if moves.html is not None:
            from vecsearch.cli.duplicates_page import write_page

            options = _options(search.threshold, search.exact, edited)
            write_page(report, moves.html, options, search.keep, report_to)
        aside = None
        if moves.move_to is not None and not moves.dry_run:
            aside = move_aside(report, moves.move_to, edited=edited, progress=report_to)
    return report, aside


def _options(threshold: float | None, exact: bool, edited: bool) -> list[str]:
    """Write the options anew that decide what is a copy."""
    given = [] if threshold is None else ["--threshold", f"{threshold:g}"]
    return [*given, *(["--exact"] if exact else [] if edited else ["--no-edited"])]
