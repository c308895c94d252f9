"""The command ``info``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from vecsearch.cli.options import index_option, json_option
from vecsearch.cli.output import say
from vecsearch.search.index import open_index
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
    epilog="""\b
Examples:
  vecsearch info
  vecsearch info -i indexes/photos --json
  vecsearch info photo.jpg id:17
"""
)
@click.argument("queries", nargs=-1, metavar="[IMAGE | id:N]...")
@index_option
@json_option
def info(queries: tuple[str, ...], index: Path | None, as_json: bool) -> None:
    """Show what an index is: pictures, encoder, size, and the files that were skipped.

    With an IMAGE, a picture file or id:N, show what the index knows of that instead, and which
    three of its words the network finds likeliest. Their shares are rough, and of all words.
    """
    with open_index(index) as opened:
        if queries:
            found = opened.look(queries)
            text = "\n\n".join(map(_describe_picture, found))
            say(to_json([_picture_fields(one) for one in found]) if as_json else text)
            return
        facts = opened.info()
    say(to_json(facts) if as_json else _describe(facts))


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


def _picture_fields(picture: PictureInfo) -> dict[str, object]:
    fields = {key: value for key, value in asdict(picture).items() if value is not None}
    words = [
        {"word": one.word, "share": None if one.share is None else round(one.share, 4)}
        for one in picture.words
    ]
    return {**fields, "words": words}


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
    lines.extend(f"  {printable(shown(skip.path))}: {skip.reason}" for skip in facts.skipped)
    return "\n".join(lines)
