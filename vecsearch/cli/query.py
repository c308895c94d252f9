"""The command ``query``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from vecsearch.cli.gather import gathered
from vecsearch.cli.html import Guesses, guesses_about, html_option, write_results
from vecsearch.cli.open import open_queryable
from vecsearch.cli.options import (
    PATH,
    CountingCommand,
    expand_option,
    fetch_option,
    format_option,
    glob_option,
    index_option,
    json_option,
    k_option,
    rerank_option,
    server_option,
    since_option,
    threshold_option,
    under_option,
    until_option,
    vectors_option,
)
from vecsearch.cli.output import (
    complain,
    note,
    refuse_pictures,
    say,
    say_paths,
    tell_not_fetched,
)
from vecsearch.cli.output_format import chosen_form
from vecsearch.cli.preview import preview_option, show_preview
from vecsearch.cli.progress import progress
from vecsearch.errors import ImageError, NotFoundError, UsageError, VecsearchError
from vecsearch.paths import real_path
from vecsearch.search.query_options import COMBINATIONS, QueryOptions
from vecsearch.types import Box, QueryImage, Result, Word
from vecsearch.view.text import (
    FORMATS,
    counted,
    format_error,
    format_gone,
    format_results,
    printable,
    shown,
)

if TYPE_CHECKING:
    from vecsearch.search.query_image import Query
    from vecsearch.search.queryable import Queryable

_MANY: Final = 16
"""For more queries there is a progress bar, whose library takes a moment to load."""


class _Given(NamedTuple):  # made five times as fast as a dataclass, at every start
    """What makes the query."""

    queries: tuple[str, ...]
    vectors: Path | None
    word: tuple[str, ...]
    minus: tuple[str, ...]
    not_word: tuple[str, ...]
    combine: str | None
    box: str | None
    include_self: bool
    null: bool


class _Limits(NamedTuple):
    """Which images may be hits, and in which order they come."""

    threshold: float
    offset: int
    expand: int
    rerank: int
    under: tuple[str, ...]
    patterns: tuple[str, ...]
    since: str | None
    until: str | None


class _Outputs(NamedTuple):
    """Where results go, beside standard output."""

    copy_to: Path | None
    link_to: Path | None
    viewer: bool
    sheet: Path | None
    html: Path | None
    preview: bool
    preview_mode: str | None

    def sheets(self, count: int) -> list[Path]:
        """Name a sheet for each of *count* results, if sheets are wanted."""
        if self.sheet is None:
            return []
        if count == 1:
            return [self.sheet]
        stem = self.sheet.stem
        return [self.sheet.with_stem(f"{stem}-{number}") for number in range(1, count + 1)]


@click.command(
    cls=CountingCommand,
    rare=(
        *("vectors", "threshold", "offset", "expand", "combine", "not_word", "box"),
        *("include_self", "null", "link_to", "preview_mode", "fetch", "server"),
    ),
    epilog="""\b
Examples:
  vecsearch query photo.jpg
  vecsearch query id:17 id:18 -k 10 --json
  vecsearch query *.jpg --html hits.html
  vecsearch query burger.jpg --not fries.jpg --not id:4
  vecsearch query --word strawberry
  vecsearch query photo.jpg --under photos/2026 --since 2026-08-01
  vecsearch query photo.jpg --copy-to hits     # hits/01_beach.jpg, hits/02_sea.jpg ...

More examples:
  vecsearch query photo.jpg --sheet sheet.png
  vecsearch query photo.jpg --preview
  vecsearch query photo.jpg --threshold 0.9 --format paths -0 | xargs -0r ls -l
  vecsearch query front.jpg side.jpg --combine max
  vecsearch query beach.jpg --word umbrella --not-word parachute
  vecsearch query street.jpg --box 310,80,200,150
  vecsearch query photo.jpg --glob '*.png' --until 2026-08
  vecsearch query photo.jpg -k 20 --offset 20
  vecsearch query photo.jpg --expand=5 --rerank=500
  curl -s https://example.org/photo.jpg | vecsearch query -
  find new -name '*.jpg' -print0 | vecsearch query -0 - --format jsonl
  vecsearch query --vectors queries.npy --json
""",
)
@click.argument("queries", nargs=-1, metavar="[IMAGE | id:N | -]...")
@vectors_option
@index_option
@server_option
@k_option
@threshold_option
@click.option("--offset", default=0, metavar="N", help="Skip the N nearest.")
@expand_option
@rerank_option
@click.option(
    "--combine",
    type=click.Choice(COMBINATIONS),
    help="Ask with all IMAGEs as one: with the mean of their vectors, or by each hit's largest "
    "cosine with any of them.",
)
@click.option(
    "--not",
    "minus",
    multiple=True,
    metavar="IMAGE",
    help="Less of what is like this file or id:N; repeatable.",
)
@click.option(
    "--word",
    multiple=True,
    metavar="WORD",
    help="Ask for what WORD means; vecsearch words lists all. Repeatable, also beside IMAGEs: all "
    "are one query.",
)
@click.option("--not-word", multiple=True, metavar="WORD", help="As --not, by a word.")
@click.option(
    "--box",
    metavar="X,Y,W,H",
    help="Ask with this part of each IMAGE, in pixels of the picture as it is looked at.",
)
@under_option
@glob_option
@since_option
@until_option
@click.option("--include-self", is_flag=True, help="Let an indexed picture be its own hit.")
@click.option(
    "-0",
    "--null",
    is_flag=True,
    help="Null bytes end paths: those of the list for -, and those of --format paths.",
)
@click.option(
    "--copy-to", type=PATH, metavar="DIR", help="Copy the hits to DIR; nothing is overwritten."
)
@click.option("--link-to", type=PATH, metavar="DIR", help="Make links to the hits in DIR.")
@click.option("--open", "viewer", is_flag=True, help="Open the hits in the system's viewer.")
@click.option(
    "--sheet",
    type=PATH,
    metavar="FILE",
    help="Draw the query and its hits side by side.",
)
@html_option
@preview_option
@fetch_option
@format_option("query", *FORMATS)
@json_option
@gathered(given=_Given, limits=_Limits, outputs=_Outputs)
def query(
    given: _Given,
    limits: _Limits,
    outputs: _Outputs,
    index: Path | None,
    server: str | None,
    k: int,
    fetch: bool,
    form: str | None,
    as_json: bool,
) -> int:
    """Find the pictures of the index that are most similar to each IMAGE.

    An IMAGE is a picture file or id:N, the picture with that id in the index; - is what comes on
    standard input: a picture, or a list of IMAGEs, one a line. A picture that the
    index has is answered at once, from its stored vector. Of an index of imported vectors the ids
    of the import can be asked as they were given. If one of several cannot be
    answered, the others still are, and the exit code is 1.
    """
    _check(given, outputs, prints_paths=form == "paths" and not as_json)
    options = _options(given, limits)
    queries = [*_with_input(given.queries, given.null), *map(Word, given.word)]
    form = chosen_form(form, as_json)
    with open_queryable(index, server=server, fetch=fetch) as opened:
        if options.filter.has_dates:
            with progress() as report:
                opened.read_dates(progress=report)
        for folder in filter(None, (outputs.copy_to, outputs.link_to)):
            opened.check_copies(folder)
        if given.vectors is not None:
            from vecsearch.transfer.formats.vectors import read_vectors

            results = opened.search(read_vectors(given.vectors), k=k, options=options)
            _print(results, form, null=given.null)
            return _hand_out(results, outputs)
        sheets = outputs.sheets(1 if options.combine else len(queries))
        files = [*sheets, *([outputs.html] if outputs.html else [])]
        refuse_pictures(opened, *files)
        _refuse_queries(files, [*queries, *given.minus])
        streams = form == "jsonl" and not sheets
        try:
            results = _answer(opened, queries, k, options, streams=streams)
        except (ImageError, NotFoundError) as error:
            if form not in ("json", "jsonl"):
                raise
            return _print_refusal(queries, error, form)
        guesses = guesses_about(opened, results) if outputs.html else {}
    _write(results, guesses, outputs, sheets, shows_text=form == "table")
    if not streams:
        _print(results, form, null=given.null)
    left = _hand_out(results, outputs)
    return 1 if left or any(result.error for result in results) else 0


def _check(given: _Given, outputs: _Outputs, *, prints_paths: bool) -> None:
    """Raise for options that do not go together."""
    drawn = outputs.sheet or outputs.html or outputs.preview or outputs.preview_mode
    pictured = given.queries or given.word or given.not_word or drawn
    made = given.include_self or given.combine or given.minus or given.box
    if given.vectors is not None and (pictured or made):
        raise UsageError(
            "--vectors goes with -k, --threshold, --offset, --expand, --rerank, --under, --glob, "
            "--since, --until and a format alone",
            hint="ask with pictures in another call",
        )
    if given.vectors is None and not (given.queries or given.word):
        hint = "'[IMAGE | id:N | -]...' or --word WORD"
        raise click.MissingParameter(param_type="argument", param_hint=hint)
    if given.null and "-" not in given.queries and not prints_paths:
        raise UsageError(
            "--null is about a list on standard input and about --format paths",
            hint="add - to read one, or --format paths",
        )
    if "-" in given.minus:
        raise UsageError("--not does not read standard input", hint="give a file or id:N")


def _options(given: _Given, limits: _Limits) -> QueryOptions:
    several = given.word and len(given.word) + len(given.queries) > 1
    return QueryOptions(
        threshold=limits.threshold,
        include_self=given.include_self,
        offset=limits.offset,
        expand=limits.expand,
        rerank=limits.rerank,
        combine=given.combine or ("mean" if several else None),
        minus=[*given.minus, *map(Word, given.not_word)],
        box=_parse_box(given.box) if given.box is not None else None,
        under=limits.under,
        glob=limits.patterns,
        since=limits.since,
        until=limits.until,
    )


def _print_refusal(queries: Sequence[Query], error: VecsearchError, form: str) -> int:
    """Say what was wrong, and print it too: a program reads it where it reads hits."""
    complain(str(error))
    name = " ".join(map(_name_of, queries))
    say(format_results([Result(name, None, (), error=str(error))], form))
    return 1


def _write(
    results: Sequence[Result],
    guesses: Guesses,
    outputs: _Outputs,
    sheets: Sequence[Path],
    *,
    shows_text: bool,
) -> None:
    """Draw *sheets*, write the page, and show the preview; whichever are wanted."""
    if sheets:
        from vecsearch.view.sheet import draw_sheet

        for result, path in zip(results, sheets, strict=True):
            if not result.error:
                draw_sheet(result, path)
    if outputs.html is not None:
        write_results(results, guesses, outputs.html, counted(len(results), "query"), None)
    files = [*sheets, *([outputs.html] if outputs.html else [])]
    for path in files:
        note(f"{shown(path)}: written", err=True)
    preview, mode = outputs.preview, outputs.preview_mode
    show_preview(results, preview, mode, result_is_text=shows_text)
    if files or preview or mode:
        tell_not_fetched(results)


def _hand_out(results: Sequence[Result], outputs: _Outputs) -> int:
    """Copy the hits, link to them, open them; return the exit code, 1 if some were left."""
    code = 0
    for folder, link in ((outputs.copy_to, False), (outputs.link_to, True)):
        if folder is not None:
            from vecsearch.cli.copied_hits import say_copied
            from vecsearch.search.copy_hits import copy_hits

            report = copy_hits(results, folder, link=link)
            say_copied(report)
            code = 1 if report.left else code
    if outputs.viewer:
        from vecsearch.view.opener import open_hits

        for path, reason in open_hits(results):
            say(f"vecsearch: not opened: {printable(shown(path))} ({printable(reason)})", err=True)
            code = 1
    return code


def _name_of(query: Query) -> str:
    if isinstance(query, Word):
        return f"word:{query.name}"
    return query.query if isinstance(query, QueryImage) else str(query)


def _print(results: Sequence[Result], form: str, *, null: bool) -> None:
    """Print *results*; beside bare paths, say on stderr which of their files are gone."""
    if form == "paths" and null:
        say_paths([hit.path for result in results for hit in result.hits], null=True)
    else:
        say(format_results(results, form))
    if form == "paths":
        hits = {hit.path: hit for result in results for hit in result.hits}
        if gone := [path for path, hit in hits.items() if hit.is_gone]:
            say(f"vecsearch: {format_gone(gone, len(hits))}", err=True)


def _answer(
    opened: Queryable, queries: Sequence[Query], k: int, options: QueryOptions, *, streams: bool
) -> list[Result]:
    """Answer *queries*, and say on stderr what was wrong with some; print JSON lines at once."""
    stdout = sys.stdout  # the progress bar takes its place
    shown = len(queries) > _MANY and not (streams and stdout.isatty())
    results = []
    with progress() if shown else nullcontext() as report:
        for result in opened.query_each(queries, k=k, options=options, progress=report):
            results.append(result)
            if result.error:
                say(f"vecsearch: {format_error(result)}", err=True)
            if streams:
                say(format_results([result], "jsonl"), file=stdout)
    return results


def _with_input(queries: Sequence[str], null: bool) -> list[Query]:
    """Put what comes on standard input in the place of ``-``."""
    if queries.count("-") > 1:
        raise UsageError("standard input can be read once", hint="give - once")
    return list(_expanded(queries, null))


def _expanded(queries: Sequence[str], null: bool) -> Iterator[Query]:
    for one in queries:
        if one == "-":
            from vecsearch.search.standard_input import MOST_BYTES, read_piped

            yield from read_piped(sys.stdin.buffer.read(MOST_BYTES + 1), null=null)
        else:
            yield one


def _parse_box(text: str) -> Box:
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"--box is {text!r}", hint="give x,y,width,height in whole pixels, such as 0,0,640,480"
        ) from None
    return x, y, width, height


def _refuse_queries(outputs: Sequence[Path], queries: Sequence[Query]) -> None:
    """Raise UsageError if a file to be written is a picture of a query."""
    taken = {real_path(path) for path in outputs}
    for query in queries:
        if isinstance(query, str) and real_path(Path(query)) in taken:
            raise UsageError(
                f"{query} is a query, and would be overwritten", hint="choose another output"
            )
