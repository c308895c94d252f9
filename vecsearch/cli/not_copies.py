"""The option --not-copies of ``duplicates``: pairs that are no copies are said, and listed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vecsearch.cli.output import say
from vecsearch.deduplication.not_copies import NotCopiesReport, not_copies
from vecsearch.types import Image
from vecsearch.view.text import counted, printable, shown, to_json


def say_not_copies(
    pictures: Sequence[str], index: Path | None, *, forget: bool, as_json: bool
) -> None:
    """Let *pictures* be no copies of each other, or copies again; without any list all pairs."""
    report = not_copies(*pictures, index=index, forget=forget)
    if as_json:
        say(to_json(_fields(report)))
        return
    lines = [f"{_told(one)} and {_told(other)}" for one, other in report.pairs]
    say("\n".join([*lines, _summary(report, listed=not pictures)]))


def _summary(report: NotCopiesReport, *, listed: bool) -> str:
    index = printable(shown(report.index))
    pairs = counted(report.total, "pair")
    of = f"{index}: {pairs} of pictures that are no copies"
    if report.unknown:
        of = f"{of}, {report.unknown:,} of which with a picture that the index no longer has"
    if listed:
        return of
    number = len(report.pairs)
    if report.forgotten:
        return f"{counted(number, 'pair')} may be copies again; {of}"
    return f"{counted(number, 'pair')} added; {of}"


def _told(image: Image) -> str:
    return f"id:{image.id}  {printable(shown(image.path))}"


def _fields(report: NotCopiesReport) -> dict[str, object]:
    return {
        "index": report.index,
        "pairs": [
            [{"id": image.id, "path": shown(image.path)} for image in pair] for pair in report.pairs
        ],
        "forgotten": report.forgotten,
        "total": report.total,
        "unknown": report.unknown,
    }
