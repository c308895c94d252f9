"""The images of an index as text, a few at a time, for there may be any number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Final

from vecsearch.spreadsheet import csv_lines
from vecsearch.types import ListedImage
from vecsearch.view.text import format_guesses, printable, shown, to_json

_BLOCK: Final = 500
_FILE: Final = " (file)"
_DATE_WIDTH: Final = len("2026-08-01 12:30:15") + len(_FILE)


def listed_fields(image: ListedImage, *, words: bool) -> dict[str, object]:
    """Return an image as the JSON of the command line has it.

    ``taken`` is null where the metadata have no date, ``modified`` where there was no file. With
    *words*, they are there; ``gone`` is, if its file is not there any more.
    """
    fields: dict[str, object] = {
        "id": image.id,
        "path": shown(image.path),
        "width": image.width,
        "height": image.height,
        "size_bytes": image.size_bytes,
        "taken": image.taken or None,
        "modified": image.modified or None,
    }
    if words:
        fields["words"] = [
            {"word": one.word, "share": None if one.share is None else round(one.share, 4)}
            for one in image.words
        ]
    if image.is_gone:
        fields["gone"] = True
    return fields


def format_date(image: ListedImage) -> str:
    """Write when an image was taken; the time of its file is marked as that."""
    written = image.date[:19].replace("T", " ")
    return written if image.taken or not written else written + _FILE


def listed_lines(images: Iterable[ListedImage], form: str, *, words: bool) -> Iterator[str]:
    """Write *images* in one of `LIST_FORMATS`, line by line or, of a table, part by part."""
    return LIST_FORMATS[form](images, words)


def _table(images: Iterable[ListedImage], words: bool) -> Iterator[str]:
    images = iter(images)
    widths = [2, _DATE_WIDTH, len("size"), len("bytes")]
    guesses = len("words")
    heads = True
    while block := list(islice(images, _BLOCK)):
        cells = [
            (
                str(one.id),
                format_date(one) or "-",
                f"{one.width} x {one.height}" if one.width else "-",
                f"{one.size_bytes:,}" if one.has_file else "-",
            )
            for one in block
        ]
        # What was printed stays as it is; wider columns begin with the block that has them.
        widths = [
            max(width, *map(len, column))
            for width, column in zip(widths, zip(*cells, strict=True), strict=True)
        ]
        told = [format_guesses(one.words) for one in block] if words else []
        guesses = max(guesses, *map(len, told)) if words else 0
        if heads:
            head = _line(("id", "date", "size", "bytes"), widths)
            yield f"{head}  {'words':<{guesses}}  path" if words else f"{head}  path"
            heads = False
        for place, (image, line) in enumerate(zip(block, cells, strict=True)):
            path = printable(shown(image.path)) + ("  (gone)" if image.is_gone else "")
            middle = f"  {told[place]:<{guesses}}" if words else ""
            yield f"{_line(line, widths)}{middle}  {path}"


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    number, date, size, length = cells
    return f"{number:>{widths[0]}}  {date:<{widths[1]}}  {size:>{widths[2]}}  {length:>{widths[3]}}"


def _json(images: Iterable[ListedImage], words: bool) -> Iterator[str]:
    before = "[\n"
    for image in images:
        item = to_json(listed_fields(image, words=words))
        yield before + "\n".join(f"  {line}" for line in item.split("\n"))
        before = ",\n"
    yield "[]" if before == "[\n" else "\n]"


def _jsonl(images: Iterable[ListedImage], words: bool) -> Iterator[str]:
    return (to_json(listed_fields(image, words=words), indent=None) for image in images)


def _csv(images: Iterable[ListedImage], words: bool, *, raw: bool = False) -> Iterator[str]:
    heads = ["id", "path", "width", "height", "size_bytes", "taken", "modified"]
    heads += ["words", "gone"] if words else ["gone"]

    def rows() -> Iterator[list[object]]:
        for image in images:
            fields = listed_fields(image, words=False)
            fields |= {"words": format_guesses(image.words), "gone": image.is_gone}
            yield ["" if fields[head] is None else fields[head] for head in heads]

    return csv_lines(heads, rows(), raw=raw)


def _paths(images: Iterable[ListedImage], words: bool) -> Iterator[str]:
    return (shown(image.path) for image in images)


LIST_FORMATS: Final[Mapping[str, Callable[[Iterable[ListedImage], bool], Iterator[str]]]] = {
    "table": _table,
    "json": _json,
    "jsonl": _jsonl,
    "csv": _csv,
    "csv-raw": partial(_csv, raw=True),
    "paths": _paths,
}
