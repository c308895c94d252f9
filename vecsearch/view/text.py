"""Results as text: table, JSON, CSV or bare paths."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from vecsearch.paths import shown as shown
from vecsearch.paths import shown_in
from vecsearch.spreadsheet import csv_lines
from vecsearch.types import (
    Agreement,
    Box,
    Guess,
    Hit,
    ListName,
    Problem,
    QueryImage,
    Reduction,
    Result,
)
from vecsearch.wording import counted as counted

_LEAST_SHARE: Final = 0.005
"""Smaller ones would be 0%."""

_MOST_NAMED: Final = 10


def printable(text: str) -> str:
    """Write line ends and other control characters as escapes, for output that has lines."""
    return "".join(
        c if c.isprintable() or "\udc80" <= c <= "\udcff" else repr(c)[1:-1] for c in text
    )


def harmless(text: str) -> str:
    """Write a line as `printable` does, and bytes that are no text as escapes too."""
    return "".join(
        f"\\x{ord(c) - 0xDC00:02x}" if "\udc80" <= c <= "\udcff" else c for c in printable(text)
    )


def to_json(value: object, *, indent: int | None = 2) -> str:
    """Write dataclasses, paths and plain values as JSON.

    Letters beyond ASCII stay readable. What could control a terminal is escaped, and so are bytes
    of a path that are no text, as halves of surrogate pairs, so that nothing is lost.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False, default=_plain)
    escaped = (c for c in set(text) if not c.isprintable() and c != "\n")
    return text.translate({ord(c): json.dumps(c)[1:-1] for c in escaped})


def hit_fields(hit: Hit) -> dict[str, object]:
    """Return a hit as the JSON of the command line has it.

    ``order`` is there if it is re-ranked, ``gone`` if its file is not there any more.
    """
    fields: dict[str, object] = {
        "rank": hit.rank,
        "id": hit.id,
        "path": shown(hit.path),
        "score": hit.score,
        "distance": hit.distance,
    }
    if hit.order is not None:
        fields["order"] = hit.order
    if hit.is_gone:
        fields["gone"] = True
    return fields


def result_fields(result: Result) -> dict[str, object]:
    """Return a query and its hits as the JSON of every command has them.

    ``path`` is null unless the query is one picture that has one. ``asked`` is there if a query is
    more than one whole picture, ``expand`` and ``rerank`` if they were wanted, ``error`` if it
    has no answer.
    """
    path = None if result.path is None else shown(result.path)
    fields: dict[str, object] = {"query": result.query, "path": path}
    if len(result.asked) > 1 or any(one.box for one in result.asked):
        fields["asked"] = [_query_image_fields(one) for one in result.asked]
    if result.expand:
        fields["expand"] = result.expand
    if result.rerank:
        fields["rerank"] = result.rerank
    fields["hits"] = [hit_fields(hit) for hit in result.hits]
    if result.error:
        fields["error"] = shown_in(result.error)
    return fields


def format_results(results: Sequence[Result], form: str) -> str:
    """Write *results* in one of `FORMATS`, without a newline at the end."""
    return FORMATS[form](results)


def format_gone(paths: Sequence[Path], of: int) -> str:
    """Say which files are gone, of how many."""
    named = [printable(shown(path)) for path in paths[:_MOST_NAMED]]
    if len(paths) > len(named):
        named.append(f"{len(paths) - len(named):,} more")
    are = "is" if len(paths) == 1 else "are"
    return f"{len(paths):,} of {counted(of, 'file')} {are} gone: {', '.join(named)}"


def format_fields(fields: Mapping[str, object]) -> str:
    """Write names and values in two columns."""
    width = max(len(name) for name in fields)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in fields.items())


def format_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out *rows* under *heads* in columns; numbers stand at the right."""
    columns = list(zip(heads, *rows, strict=True))
    numbers = [all(cell[:1].isdigit() or cell == "-" for cell in column[1:]) for column in columns]
    widths = [max(map(len, column)) for column in columns]
    lines = [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numbers, strict=True)
        ).rstrip()
        for line in (heads, *rows)
    ]
    return "\n".join(lines)


def format_csv(heads: Sequence[str], rows: Iterable[Sequence[object]], *, raw: bool = False) -> str:
    """Write *rows* under *heads* as `csv_lines` does, without a newline at the end."""
    return "\n".join(csv_lines(heads, rows, raw=raw))


def format_guesses(guesses: Iterable[Guess]) -> str:
    """Write the likeliest words of a picture, with their shares."""

    def written(share: float) -> str:
        return f"{share:.0%}" if share >= _LEAST_SHARE else "<1%"

    return ", ".join(
        guess.word if guess.share is None else f"{guess.word} {written(guess.share)}"
        for guess in guesses
    )


def format_agreement(agreement: Agreement) -> str:
    """Say how int8 compares with fp32."""
    return (
        f"int8 finds {agreement.overlap:.1%} of fp32's {agreement.k} nearest "
        f"(mean cosine {agreement.mean_cosine:.4f}, over {agreement.pictures} held-out pictures)"
    )


def format_reduction(reduction: Reduction) -> str:
    """Say what a PCA keeps, and over which pictures that was measured."""
    over = "held-out pictures" if reduction.held_out else "of these pictures themselves"
    return (
        f"PCA keeps {reduction.variance_kept:.1%} of the variance of {reduction.sample:,} pictures"
        f", and finds {reduction.overlap:.1%} of the {reduction.k} nearest by full vectors "
        f"(over {reduction.pictures} {over})"
    )


def format_problem(problem: Problem) -> str:
    """Say what is wrong with a file of an index."""
    rows = f" ({len(problem.rows)} of its rows are damaged)" if problem.rows else ""
    return f"{printable(shown(problem.path))}: {problem.what}{rows}"


def format_error(result: Result) -> str:
    """Say why a query has no answer."""
    return f"query {printable(result.query)}: {printable(shown_in(result.error))}"


def format_made(result: Result) -> str:
    """Say how the answer was made: expanded by 5 neighbours, re-ranked among the first 200.

    Nothing is said of a query that was left as it is, or could not be answered.
    """
    if result.error:
        return ""
    parts = []
    if result.expand:
        parts.append(f"expanded by {counted(result.expand, 'neighbour')}")
    if result.rerank:
        parts.append(f"re-ranked among the first {result.rerank:,}")
    return ", ".join(parts)


def format_box(box: Box) -> str:
    """Write a part of a picture as ``--box`` has it."""
    return ",".join(map(str, box))


def _query_image_fields(query_image: QueryImage) -> dict[str, object]:
    fields: dict[str, object] = {"query": query_image.query}
    if query_image.path is not None:
        fields["path"] = shown(query_image.path)
    if query_image.box:
        fields["box"] = query_image.box
    if query_image.word:
        fields["word"] = query_image.word
    if query_image.minus:
        fields["minus"] = True
    return fields


def _table(results: Sequence[Result]) -> str:
    blocks = []
    for result in results:
        label = printable(result.query)
        if result.path is not None and label.startswith("id:"):
            label = f"{label}  {printable(shown(result.path))}"
        if boxes := dict.fromkeys(one.box for one in result.asked if one.box):
            label = f"{label}  box {' '.join(map(format_box, boxes))}"
        if made := format_made(result):
            label = f"{label}  {made}"
        lines = [label]
        if result.error:
            lines.append(f"  {printable(shown_in(result.error))}")
        elif result.hits:
            lines += _lines(result)
        else:
            lines.append("  no hits")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _lines(result: Result) -> Iterator[str]:
    width = max(2, *(len(str(hit.id)) for hit in result.hits))
    orders = [f"{'' if hit.order is None else f'{hit.order:.4f}':>7}  " for hit in result.hits]
    order = f"{'order':>7}  "
    if not result.rerank:
        order, orders = "", [""] * len(result.hits)
    yield f"  rank  {order} score  distance  {'id':>{width}}  path"
    for hit, one in zip(result.hits, orders, strict=True):
        yield (
            f"  {hit.rank:>4}  {one}{hit.score:6.4f}    {hit.distance:6.4f}  "
            f"{hit.id:>{width}}  {printable(shown(hit.path))}{'  (gone)' if hit.is_gone else ''}"
        )


def _json(results: Sequence[Result]) -> str:
    return to_json([result_fields(result) for result in results])


def _jsonl(results: Sequence[Result]) -> str:
    return "\n".join(to_json(result_fields(result), indent=None) for result in results)


def _csv(results: Sequence[Result], *, raw: bool = False) -> str:
    heads = ["query", "rank", "id", "path", "score", "distance"]
    if any(one.rerank for one in results):
        heads.append("order")
    heads.append("gone")
    fields = ((one.query, hit_fields(hit)) for one in results for hit in one.hits)
    lines = (
        [query, *(hit.get(head, "") for head in heads[1:-1]), hit.get("gone", False)]
        for query, hit in fields
    )
    return format_csv(heads, lines, raw=raw)


def _paths(results: Sequence[Result]) -> str:
    return "\n".join(shown(hit.path) for result in results for hit in result.hits)


FORMATS: Final[Mapping[str, Callable[[Sequence[Result]], str]]] = {
    "table": _table,
    "json": _json,
    "jsonl": _jsonl,
    "csv": _csv,
    "csv-raw": partial(_csv, raw=True),
    "paths": _paths,
}


def _plain(value: object) -> object:
    if isinstance(value, ListName):
        return str(value)
    if isinstance(value, os.PathLike):
        return shown(value if isinstance(value, Path) else Path(value))
    if isinstance(value, bytes):
        return value.hex()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__} is not JSON")
