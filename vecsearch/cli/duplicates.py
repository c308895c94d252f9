"""The command ``duplicates``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from vecsearch.cli.html import html_option
from vecsearch.cli.json_fields import record_fields
from vecsearch.cli.options import (
    PATH,
    dry_run_option,
    fetch_option,
    format_option,
    index_option,
    json_option,
)
from vecsearch.cli.output import print_records, refuse_pictures, say, tell_not_fetched
from vecsearch.cli.progress import progress
from vecsearch.cli.units import written_size
from vecsearch.cli.wanted import chosen_form
from vecsearch.copies.aside import (
    AsideReport,
    BackReport,
    Left,
    MovedFile,
    check_folder,
    is_safe,
    move_aside,
    move_back,
)
from vecsearch.copies.find import duplicates as find_duplicates
from vecsearch.copies.report import DuplicateCopy, DuplicateGroup, DuplicatesReport
from vecsearch.errors import UsageError
from vecsearch.paths import shown_in
from vecsearch.search.index import open_index
from vecsearch.types import Progress
from vecsearch.view.text import (
    counted,
    format_csv,
    format_gone,
    format_table,
    printable,
    shown,
    to_json,
)


@click.command(
    epilog="""\b
Examples:
  vecsearch duplicates
  vecsearch duplicates --exact --format paths
  vecsearch duplicates --html copies.html       # side by side, to look at first
  vecsearch duplicates --move-to copies         # all but the best of each group
  vecsearch duplicates --no-edited --json       # no cropped, mirrored, framed ... ones
  vecsearch duplicates --threshold 0.99         # by features alone, without opening files
  vecsearch duplicates --undo copies            # and back, below the index's sources alone
"""
)
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
@dry_run_option
@click.option(
    "--move-to", type=PATH, metavar="DIR", help="Move all but the best copy of each group to DIR."
)
@click.option("--undo", type=PATH, metavar="DIR", help="Move back what was moved to DIR.")
@html_option
@fetch_option
@format_option("duplicates", "table", "json", "jsonl", "csv", "csv-raw", "paths")
@json_option
def duplicates(
    index: Path | None,
    threshold: float | None,
    exact: bool,
    edited: bool | None,
    dry_run: bool,
    move_to: Path | None,
    undo: Path | None,
    html: Path | None,
    fetch: bool,
    form: str | None,
    as_json: bool,
) -> int:
    """Find pictures that are copies of each other, and which of them to keep.

    Copies are files with the same bytes, and pictures that agree where one is laid over the other:
    near ones all over, as after another size or encoding, edited ones in part. Of each group the
    largest picture is kept, and every other is a copy of that one. Nothing is changed without
    --move-to, which writes a journal and overwrites nothing.
    """
    form = chosen_form(form, as_json)
    if undo is not None:
        if move_to is not None or html is not None or dry_run:
            raise UsageError("--undo goes alone", hint="leave out --move-to, --html, --dry-run")
        with progress() as report_to:
            back = move_back(undo, index=index, progress=report_to)
        if form in ("json", "jsonl"):
            say(to_json(_aside_fields(back), indent=2 if form == "json" else None))
        else:
            say(_describe_back(back))
        return 1 if back.left else 0
    with open_index(index) as opened:
        index = opened.path
        refuse_pictures(opened, *([html] if html else []))
        if move_to is not None:
            check_folder(move_to, index, opened.info().sources)
    edited = move_to is None if edited is None else edited
    with progress() as report_to:
        report = find_duplicates(
            index,
            threshold=threshold,
            exact=exact,
            edited=edited,
            fetch=fetch,
            progress=report_to,
        )
        if html is not None:
            _write_page(report, html, report_to)
        aside = None
        if move_to is not None and not dry_run:
            aside = move_aside(report, move_to, edited=edited, progress=report_to)
    _print(report, aside, form)
    return 1 if aside is not None and aside.left else 0


def _write_page(report: DuplicatesReport, out: Path, progress: Progress | None) -> None:
    """Write the groups of *report* side by side, the kept picture of each first."""
    from vecsearch.view.gallery import Section, Tile, write_gallery

    def tile(copy: DuplicateCopy, kept: bool) -> Tile:
        alike = "same bytes" if copy.exact else f"{copy.kind} {copy.score:.4f}"
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
    with open_index(report.index) as index:
        paths = [one.path for group in report.groups for one in (group.kept, *group.others)]
        guesses = index.guess_at(paths)
    write_gallery(sections, title, freed, out, guesses=guesses, progress=progress)
    tell_not_fetched(paths)


def _print(report: DuplicatesReport, aside: AsideReport | None, form: str) -> None:
    if form == "json":
        say(to_json(_fields(report) | ({"aside": _aside_fields(aside)} if aside else {})))
        return
    if form == "table":
        say("\n".join(_table(report, aside)))
        return
    if form == "jsonl":
        print_records([_group_fields(group) for group in report.groups], form)
    elif form in ("csv", "csv-raw"):
        say(format_csv(_HEADS, _rows(report), raw=form == "csv-raw"))
    elif report.copies:
        others = [one for group in report.groups for one in group.others]
        say("\n".join(shown(one.path) for one in others))
        if gone := [one.path for one in others if one.state == "gone"]:
            say(f"vecsearch: {format_gone(gone, len(others))}", err=True)
    if aside is not None:
        say("\n".join(_describe_aside(aside, report.index)), err=True)


_HEADS = (
    *("group", "kept", "id", "score", "exact", "kind", "agreement"),
    *("width", "height", "size_bytes", "state", "path"),
)


def _rows(report: DuplicatesReport) -> list[list[object]]:
    return [
        [number, int(place == 0), *_copy_fields(one).values()]
        for number, group in enumerate(report.groups, start=1)
        for place, one in enumerate((group.kept, *group.others))
    ]


def _fields(report: DuplicatesReport) -> dict[str, object]:
    return {
        "index": report.index,
        "images": report.images,
        "by": report.by,
        "threshold": report.threshold,
        "measured": report.measured,
        "looked_at": report.looked_at,
        "pairs": report.pairs,
        "approximate": report.approximate,
        "copies": report.copies,
        "kinds": {
            "exact": report.exact,
            "near": report.near,
            "edited": report.edited,
            "similar": report.similar,
        },
        "movable": report.movable,
        "freed_bytes": report.freed_bytes,
        "groups": [_group_fields(group) for group in report.groups],
    }


def _group_fields(group: DuplicateGroup) -> dict[str, object]:
    return {
        "kept": _copy_fields(group.kept),
        "others": [_copy_fields(one) for one in group.others],
        "freed_bytes": group.freed_bytes,
    }


def _aside_fields(report: AsideReport | BackReport) -> dict[str, object]:
    files = [{"old": one.source, "new": one.target} for one in report.files]
    left = [record_fields(one, reason=shown_in(one.reason)) for one in report.left]
    return record_fields(report, files=files, left=left)


def _copy_fields(copy: DuplicateCopy) -> dict[str, object]:
    return {
        "id": copy.id,
        "score": copy.score,
        "exact": copy.exact,
        "kind": copy.kind,
        "agreement": copy.agreement,
        "width": copy.width,
        "height": copy.height,
        "size_bytes": copy.size_bytes,
        "state": copy.state,
        "path": shown(copy.path),
    }


def _table(report: DuplicatesReport, aside: AsideReport | None) -> list[str]:
    what = "files with the same bytes" if report.by == "bytes" else "copies"
    if not report.groups:
        limit = f" at a cosine of {report.threshold:g}" if report.by == "cosine" else ""
        none = f"{shown(report.index)}: no {what} among {counted(report.images, 'image')}{limit}"
        return [none, *_remarks(report)]
    lines = []
    for group in report.groups:
        lines += [_group_table(group), ""]
    kinds = [
        f"{count:,} {words}"
        for count, words in (
            (report.exact, "with the same bytes"),
            (report.near, "near"),
            (report.edited, "edited"),
            (report.similar, "similar"),
        )
        if count
    ]
    lines.append(
        f"{counted(len(report.groups), 'group')}, {counted(report.copies, 'copy')} "
        f"({', '.join(kinds)}) among {counted(report.images, 'image')}"
    )
    lines += _remarks(report)
    if aside is not None:
        return lines + _describe_aside(aside, report.index)
    return [*lines, *_offers(report)]


def _remarks(report: DuplicatesReport) -> Iterator[str]:
    """Say what limits the result."""
    if report.approximate:
        yield "the index is approximate: copies may have been missed"
    if report.by == "pixels" and not report.measured:
        yield (
            f"edited copies were looked for from a cosine of {report.threshold:g} on: what cosines "
            "mean for this encoder was not measured"
        )


def _offers(report: DuplicatesReport) -> Iterator[str]:
    """Say what can be moved aside, and how."""
    there = [one for group in report.groups for one in group.others if one.state == "there"]
    for safe, option in ((True, ""), (False, "--edited ")):
        some = [one for one in there if is_safe(one, report) is safe]
        if some or (safe and not there):
            size = written_size(sum(one.size_bytes for one in some))
            what = "can be moved aside" if safe else "edited or similar ones could be"
            offer = f"; {option}--move-to DIR does that" if some else ""
            yield f"{len(some):,} {what}, {size}{offer}"


def _group_table(group: DuplicateGroup) -> str:
    rows = [_line("keep", group.kept), *(_line(one.kind, one) for one in group.others)]
    return format_table(("", "score", "pixels", "size", "id", "path"), rows)


def _line(mark: str, copy: DuplicateCopy) -> list[str]:
    score = "-" if mark == "keep" else f"{copy.score:.4f}"
    pixels = f"{copy.width} x {copy.height}" if copy.width else "-"
    state = "" if copy.state == "there" else f"  ({copy.state})"
    path = f"{printable(shown(copy.path))}{state}"
    return [mark, score, pixels, written_size(copy.size_bytes), str(copy.id), path]


def _describe_aside(report: AsideReport, index: Path) -> list[str]:
    lines = _describe_files(report.files, report.left)
    size = written_size(report.moved_bytes)
    lines.append(
        f"{counted(report.moved, 'file')} moved to {printable(shown(report.folder))}, {size}"
    )
    if report.moved:
        lines.append(
            "the index still has them: "
            f"vecsearch build -i {printable(shown(index))} brings it up to date; "
            f"vecsearch duplicates -i {printable(shown(index))} "
            f"--undo {printable(shown(report.folder))} moves them back"
        )
    return lines


def _describe_back(report: BackReport) -> str:
    lines = _describe_files(report.files, report.left)
    lines.append(
        f"{counted(report.moved, 'file')} moved back from {_place(report.folder)}; if an index was "
        "brought up to date meanwhile, vecsearch build adds them again"
    )
    return "\n".join(lines)


def _describe_files(moved: tuple[MovedFile, ...], left: tuple[Left, ...]) -> list[str]:
    return [
        *(f"{_place(one.source)} -> {_place(one.target)}" for one in moved),
        *(f"not moved: {_place(one.path)} ({printable(shown_in(one.reason))})" for one in left),
    ]


def _place(path: Path) -> str:
    return printable(shown(path))
