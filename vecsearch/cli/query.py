"""The command ``query``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Final

import click

from vecsearch.cli.html import guesses_about, html_option, write_results
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
from vecsearch.errors import ImageError, NotFoundError, UsageError
from vecsearch.search.index import Index, open_index
from vecsearch.search.query_options import COMBINATIONS, QueryOptions, Question
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

_MANY: Final = 16
"""So many queries are worth a progress bar, whose library takes a moment to load."""


@click.command(
    cls=CountingCommand,
    rare=(
        *("vectors", "threshold", "offset", "expand", "combine", "not_word", "box"),
        *("include_self", "null", "link_to", "preview_mode", "fetch"),
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
def query(
    queries: tuple[str, ...],
    vectors: Path | None,
    index: Path | None,
    k: int,
    threshold: float,
    offset: int,
    expand: int,
    rerank: int,
    combine: str | None,
    minus: tuple[str, ...],
    word: tuple[str, ...],
    not_word: tuple[str, ...],
    box: str | None,
    under: tuple[str, ...],
    patterns: tuple[str, ...],
    since: str | None,
    until: str | None,
    include_self: bool,
    null: bool,
    copy_to: Path | None,
    link_to: Path | None,
    viewer: bool,
    sheet: Path | None,
    html: Path | None,
    preview: bool,
    preview_mode: str | None,
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
    pictured = queries or word or not_word or sheet or html or preview or preview_mode
    if vectors is not None and (pictured or include_self or combine or minus or box):
        raise UsageError(
            "--vectors goes with -k, --threshold, --offset, --expand, --rerank, --under, --glob, "
            "--since, --until and a format alone",
            hint="ask with pictures in another call",
        )
    if vectors is None and not (queries or word):
        hint = "'[IMAGE | id:N | -]...' or --word WORD"
        raise click.MissingParameter(param_type="argument", param_hint=hint)
    if null and "-" not in queries and (as_json or form != "paths"):
        raise UsageError(
            "--null is about a list on standard input and about --format paths",
            hint="add - to read one, or --format paths",
        )
    if "-" in minus:
        raise UsageError("--not does not read standard input", hint="give a file or id:N")
    if word and len(word) + len(queries) > 1:
        combine = combine or "mean"
    options = QueryOptions(
        threshold=threshold,
        include_self=include_self,
        offset=offset,
        expand=expand,
        rerank=rerank,
        combine=combine,
        minus=[*minus, *map(Word, not_word)],
        box=_parse_box(box) if box is not None else None,
        under=under,
        glob=patterns,
        since=since,
        until=until,
    )
    questions = [*_with_input(queries, null), *map(Word, word)]
    form = chosen_form(form, as_json)
    with open_index(index, fetch=fetch) as opened:
        if options.filter.has_dates:
            with progress() as report:
                opened.read_dates(progress=report)
        for folder in (copy_to, link_to):
            if folder is not None:
                opened.check_copies(folder)
        if vectors is not None:
            from vecsearch.transfer.formats.vectors import read_vectors

            results = opened.search(read_vectors(vectors), k=k, options=options)
            _print(results, form, null=null)
            return _hand_out(results, copy_to, link_to, viewer=viewer)
        sheets = _sheet_names(sheet, questions, combine) if sheet is not None else []
        outputs = [*sheets, *([html] if html else [])]
        refuse_pictures(opened, *outputs)
        _refuse_queries(outputs, [*questions, *minus])
        streams = form == "jsonl" and not sheets
        try:
            results = _answer(opened, questions, k, options, streams=streams)
        except (ImageError, NotFoundError) as error:
            if form not in ("json", "jsonl"):
                raise
            # A program reads what was wrong where it reads hits.
            complain(str(error))
            name = " ".join(map(_name_of, questions))
            say(format_results([Result(name, None, (), error=str(error))], form))
            return 1
        guesses = guesses_about(opened, results) if html is not None else {}
    if sheets:
        from vecsearch.view.sheet import draw_sheet

        for result, path in zip(results, sheets, strict=True):
            if not result.error:
                draw_sheet(result, path)
    if html is not None:
        title = counted(len(results), "query")
        write_results(results, guesses, html, title, None)
    for path in outputs:
        note(f"{shown(path)}: written", err=True)
    show_preview(results, preview, preview_mode, result_is_text=form == "table")
    if outputs or preview or preview_mode:
        tell_not_fetched(results)
    if not streams:
        _print(results, form, null=null)
    left = _hand_out(results, copy_to, link_to, viewer=viewer)
    return 1 if left or any(result.error for result in results) else 0


def _hand_out(
    results: Sequence[Result],
    copy_to: Path | None,
    link_to: Path | None,
    *,
    viewer: bool,
) -> int:
    """Copy the hits, link to them, open them; return the exit code, 1 if some were left."""
    code = 0
    for folder, link in ((copy_to, False), (link_to, True)):
        if folder is not None:
            from vecsearch.cli.copied_hits import say_copied
            from vecsearch.search.copy_hits import copy_hits

            report = copy_hits(results, folder, link=link)
            say_copied(report)
            code = 1 if report.left else code
    if viewer:
        from vecsearch.view.opener import open_hits

        for path, reason in open_hits(results):
            say(f"vecsearch: not opened: {printable(shown(path))} ({printable(reason)})", err=True)
            code = 1
    return code


def _name_of(question: Question) -> str:
    if isinstance(question, Word):
        return f"word:{question.name}"
    return question.query if isinstance(question, QueryImage) else str(question)


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
    opened: Index, questions: Sequence[Question], k: int, options: QueryOptions, *, streams: bool
) -> list[Result]:
    """Answer *questions*, and say on stderr what was wrong with some; print JSON lines at once."""
    stdout = sys.stdout  # the progress bar takes its place
    shown = len(questions) > _MANY and not (streams and stdout.isatty())
    results = []
    with progress() if shown else nullcontext() as report:
        for result in opened.query_each(questions, k=k, options=options, progress=report):
            results.append(result)
            if result.error:
                say(f"vecsearch: {format_error(result)}", err=True)
            if streams:
                say(format_results([result], "jsonl"), file=stdout)
    return results


def _with_input(queries: Sequence[str], null: bool) -> list[Question]:
    """Put what comes on standard input in the place of ``-``."""
    if queries.count("-") > 1:
        raise UsageError("standard input can be read once", hint="give - once")
    return list(_expanded(queries, null))


def _expanded(queries: Sequence[str], null: bool) -> Iterator[Question]:
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


def _sheet_names(sheet: Path, questions: Sequence[Question], combine: str | None) -> list[Path]:
    names = [sheet]
    if len(questions) > 1 and not combine:
        names = [sheet.with_stem(f"{sheet.stem}-{n}") for n in range(1, len(questions) + 1)]
    return names


def _refuse_queries(outputs: Sequence[Path], questions: Sequence[Question]) -> None:
    """Raise UsageError if a file to be written is a picture that is asked with."""
    taken = {path.resolve() for path in outputs}
    for question in questions:
        if isinstance(question, str) and Path(question).resolve() in taken:
            raise UsageError(
                f"{question} is a query, and would be overwritten", hint="choose another output"
            )
