"""The command ``info``."""

from __future__ import annotations

from pathlib import Path

import click

from vecsearch.cli.options import index_option, json_option
from vecsearch.cli.output import print_result
from vecsearch.search.index import open_index
from vecsearch.search.info import IndexInfo
from vecsearch.view.text import (
    format_agreement,
    format_fields,
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
"""
)
@index_option
@json_option
def info(index: Path | None, as_json: bool) -> None:
    """Show what an index is: pictures, encoder, size, and the files that were skipped."""
    with open_index(index) as opened:
        facts = opened.info()
    print_result(to_json(facts) if as_json else _describe(facts))


def _describe(facts: IndexInfo) -> str:
    encoder = facts.encoder
    weights = f"{encoder.weights} ({encoder.weights_hash[:16]}), {encoder.precision}"
    fields = {
        "index": shown(facts.path),
        "images": facts.images,
        "sources": ", ".join(shown(path) for path in facts.sources),
        "encoder": encoder.title,
        **({} if encoder.is_external else {"weights": weights}),
        **({"PCA": format_reduction(facts.reduction)} if facts.reduction else {}),
        **({"int8": format_agreement(facts.agreement)} if facts.agreement else {}),
        "fingerprint": encoder.fingerprint,
        "FAISS": f"{facts.recipe}, inner product",
        "generation": facts.generation,
        "size": f"{facts.size_bytes / 1e6:.1f} MB",
        "skipped": len(facts.skipped),
    }
    lines = [format_fields(fields)]
    lines.extend(f"  {printable(shown(skip.path))}: {skip.reason}" for skip in facts.skipped)
    return "\n".join(lines)
