"""The command ``duplicates``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from vecsearch.cli.gather import gathered
from vecsearch.cli.help import Command
from vecsearch.cli.html import html_option
from vecsearch.cli.json_fields import record_fields
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
from vecsearch.cli.output import print_records, refuse_pictures, say, say_paths
from vecsearch.cli.output_format import chosen_form
from vecsearch.cli.progress import progress
from vecsearch.cli.units import written_size
from vecsearch.deduplication.find import duplicates as find_duplicates
from vecsearch.deduplication.move_aside import check_aside_folder, is_safe, move_aside
from vecsearch.deduplication.move_back import move_back
from vecsearch.deduplication.move_reports import AsideReport, BackReport, Left, MovedFile
from vecsearch.deduplication.report import (
    DuplicateCopy,
    DuplicateGroup,
    DuplicatesReport,
    pixels_of,
)
from vecsearch.errors import UsageError
from vecsearch.paths import shown_in
from vecsearch.view.text import (
    counted,
    format_csv,
    format_gone,
    format_table,
    printable,
    shown,
    to_json,
)


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
    _print(report, aside, form, null=null)
    return 1 if aside is not None and aside.left else 0


def _move_back(undo: Path, moves: _Moves, index: Path | None, form: str) -> int:
    """Move back what was moved aside; return the exit code, 1 if some was left."""
    if moves.move_to is not None or moves.html is not None or moves.dry_run:
        raise UsageError("--undo goes alone", hint="leave out --move-to, --html, --dry-run")
    with progress() as report_to:
        back = move_back(undo, index=index, progress=report_to)
    if form in ("json", "jsonl"):
        say(to_json(_aside_fields(back), indent=2 if form == "json" else None))
    else:
        say(_describe_back(back))
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


def _print(report: DuplicatesReport, aside: AsideReport | None, form: str, *, null: bool) -> None:
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
        say_paths([one.path for one in others], null=null)
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
        "not_copies": report.not_copies,
        "groups": [_group_fields(group) for group in report.groups],
    }


def _group_fields(group: DuplicateGroup) -> dict[str, object]:
    return {
        "why": group.why,
        "kept": _copy_fields(group.kept),
        "others": [_copy_fields(one) for one in group.others],
        "better": [one.id for one in group.better],
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
        return [*lines, *_describe_aside(aside, report.index), *_larger_left(report, aside)]
    return [*lines, *_offers(report)]


def _remarks(report: DuplicatesReport) -> Iterator[str]:
    """Say what limits the result."""
    if report.not_copies:
        were = "was" if report.not_copies == 1 else "were"
        yield (
            f"{counted(report.not_copies, 'pair')} {were} said to be no copies, and left out; "
            f"{_command(report.index)} --not-copies lists them"
        )
    if report.approximate:
        yield "the index is approximate: copies may have been missed"
    if report.by == "pixels" and not report.measured:
        yield (
            f"edited copies were looked for from a cosine of {report.threshold:g} on: what cosines "
            "mean for this encoder was not measured"
        )


def _offers(report: DuplicatesReport) -> Iterator[str]:
    """Say what can be moved aside, and how."""
    there = [
        (one, is_safe(one, group, report))
        for group in report.groups
        for one in group.others
        if one.state == "there"
    ]
    others = "edited, similar or larger" if any(one.better for one in report.groups) else ""
    for safe, option in ((True, ""), (False, "--edited ")):
        some = [one for one, is_one in there if is_one is safe]
        if some or (safe and not there):
            size = written_size(sum(one.size_bytes for one in some))
            unsafe = f"{others or 'edited or similar'} ones could be"
            what = "can be moved aside" if safe else unsafe
            offer = f"; {option}--move-to DIR does that" if some else ""
            yield f"{len(some):,} {what}, {size}{offer}"


def _larger_left(report: DuplicatesReport, aside: AsideReport) -> Iterator[str]:
    """Say that pictures were not moved because they are larger than a preferred one."""
    touched = {one.source for one in aside.files} | {one.path for one in aside.left}
    left = [
        one
        for group in report.groups
        for one in group.better
        if one.state == "there" and pixels_of(one) > pixels_of(group.kept)
    ]
    if count := sum(one.path not in touched for one in left):
        stay = "stays" if count == 1 else "stay"
        yield (
            f"{counted(count, 'picture')} larger than a preferred one {stay}; "
            "--edited moves larger ones too"
        )


def _group_table(group: DuplicateGroup) -> str:
    rows = [_line("keep", group.kept), *(_line(one.kind, one) for one in group.others)]
    table = format_table(("", "score", "pixels", "size", "id", "path"), rows)
    return f"{table}\n{_warning(group)}" if group.better else table


def _warning(group: DuplicateGroup) -> str:
    """Say that a picture is kept though copies of it are better."""
    larger = [one for one in group.better if pixels_of(one) > pixels_of(group.kept)]
    some = larger or group.better
    ids = " ".join(f"id:{one.id}" for one in some)
    has = "has" if len(some) == 1 else "have"
    what = f"{has} more pixels" if larger else f"{has} as many pixels in a larger file"
    return f"kept because it is preferred, but {ids} {what}"


def _command(index: Path) -> str:
    return f"vecsearch duplicates -i {printable(shown(index))}"


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
            f"{_command(index)} --undo {printable(shown(report.folder))} moves them back"
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
