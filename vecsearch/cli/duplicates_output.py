"""What ``duplicates`` prints: groups of copies, and what was moved aside or back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vecsearch.cli.json_fields import record_fields
from vecsearch.cli.output import print_records, say, say_paths
from vecsearch.deduplication.move_aside import is_safe
from vecsearch.deduplication.move_reports import AsideReport, BackReport, Left, MovedFile
from vecsearch.deduplication.report import (
    DuplicateCopy,
    DuplicateGroup,
    DuplicatesReport,
    pixels_of,
)
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
from vecsearch.wording import written_size


def print_duplicates(
    report: DuplicatesReport, aside: AsideReport | None, form: str, *, null: bool
) -> None:
    """Print the groups of copies, and what was moved aside, in the format *form*."""
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


def print_moved_back(report: BackReport, form: str) -> None:
    """Print what was moved back, in the format *form*."""
    if form in ("json", "jsonl"):
        say(to_json(_aside_fields(report), indent=2 if form == "json" else None))
    else:
        say(_describe_back(report))


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
