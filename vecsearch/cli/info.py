"""The command ``info``."""

from __future__ import annotations

from pathlib import Path

import click

from vecsearch.cli.help import Command
from vecsearch.cli.json_fields import encoder_fields, record_fields, renamed
from vecsearch.cli.open import open_queryable
from vecsearch.cli.options import format_option, index_option, json_option, server_option
from vecsearch.cli.output import print_records, say
from vecsearch.cli.output_format import chosen_form
from vecsearch.paths import shown_in
from vecsearch.search.info import IndexInfo, PictureInfo
from vecsearch.view.left_out import NEVER_INDEXED, format_excluded, format_left_out
from vecsearch.view.text import (
    format_agreement,
    format_fields,
    format_guesses,
    format_reduction,
    printable,
    shown,
    to_json,
)


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  vecsearch info
  vecsearch info -i indexes/photos --json
  vecsearch info photo.jpg id:17
""",
)
@click.argument("queries", nargs=-1, metavar="[IMAGE | id:N]...")
@index_option
@server_option
@format_option("info", "table", "json", "jsonl")
@json_option
def info(
    queries: tuple[str, ...],
    index: Path | None,
    server: str | None,
    form: str | None,
    as_json: bool,
) -> None:
    """Show what an index is: pictures, encoder, size, and the files that were skipped.

    With an IMAGE, a picture file or id:N, show what the index knows of that instead, and which
    three of its words the network finds likeliest. Their shares are rough, and of all words.
    """
    form = chosen_form(form, as_json)
    with open_queryable(index, server=server) as opened:
        if queries:
            found = opened.look(queries)
            if form == "table":
                say("\n\n".join(map(_describe_picture, found)))
            else:
                print_records(found, form)
            return
        facts = opened.info()
    if form == "table":
        say(_describe(facts))
    else:
        say(to_json(_fields(facts), indent=2 if form == "json" else None))


def _describe_picture(picture: PictureInfo) -> str:
    known = picture.id is not None
    return format_fields(
        {
            "picture": printable(shown(picture.path) if picture.path else picture.query),
            "id": picture.id if known else "not in the index",
            **({"size": f"{picture.width} x {picture.height}"} if picture.width else {}),
            **({"bytes": f"{picture.size_bytes:,}"} if picture.size_bytes else {}),
            **({"taken": picture.taken.replace("T", " ")} if picture.taken else {}),
            "words": format_guesses(picture.words) or "the index has none",
        }
    )


def _fields(facts: IndexInfo) -> dict[str, object]:
    fields = record_fields(
        facts,
        encoder=encoder_fields(facts.encoder),
        why_no_words=facts.why_no_words or None,
        skipped=[record_fields(one, reason=shown_in(one.reason)) for one in facts.skipped],
    )
    return renamed(fields, path="index", words="word_count")


def _describe(facts: IndexInfo) -> str:
    encoder = facts.encoder
    weights = f"{encoder.weights} ({encoder.weights_hash[:16]}), {encoder.precision}"
    excluded = format_excluded(facts.exclude, facts.excluded)
    patterns_in = ", ".join(printable(shown(path)) for path in facts.excluded.ignore_paths)
    if facts.excluded.ignore_files > len(facts.excluded.ignore_paths):
        patterns_in += " ..."
    fields = {
        "index": shown(facts.path),
        "images": facts.images,
        "sources": ", ".join(shown(path) for path in facts.sources),
        "encoder": encoder.title,
        **({} if encoder.is_external else {"weights": weights}),
        **({} if encoder.is_current else {"new pictures": "none; build it anew for them"}),
        **({"PCA": format_reduction(facts.reduction)} if facts.reduction else {}),
        **({"int8": format_agreement(facts.agreement)} if facts.agreement else {}),
        "words": f"{facts.words:,}" if facts.words else f"none, {facts.why_no_words}",
        "fingerprint": encoder.fingerprint,
        "FAISS": f"{facts.recipe}, inner product",
        "generation": facts.generation,
        "size": f"{facts.size_bytes / 1e6:.1f} MB",
        "passed over": NEVER_INDEXED,
        **({"excluded": "; ".join(excluded)} if excluded else {}),
        **({"patterns in": patterns_in} if patterns_in else {}),
        "skipped": len(facts.skipped),
    }
    lines = [format_fields(fields)]
    if facts.left_out:
        lines.append(format_left_out(facts.left_out))
    lines.extend(
        f"  {printable(shown(skip.path))}: {shown_in(skip.reason)}" for skip in facts.skipped
    )
    return "\n".join(lines)
