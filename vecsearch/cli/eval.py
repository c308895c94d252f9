"""The command ``eval``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from vecsearch.cli.options import PATH, index_option, json_option
from vecsearch.cli.output import print_result
from vecsearch.cli.progress import progress
from vecsearch.search.evaluate import BATCH, SAMPLE, BaseFacts, EvaluateReport, K, evaluate
from vecsearch.view.text import format_fields, shown, to_json


@click.command(
    epilog="""\b
Examples:
  vecsearch eval
  vecsearch eval -i indexes/photos -k 20 --json
  vecsearch eval --queries held-out.npy --sample 5000
"""
)
@index_option
@click.option("-k", default=K, show_default=True, help="How many neighbours.")
@click.option(
    "--queries",
    type=PATH,
    metavar="FILE.npy",
    help="Your own vectors, (q, d), that the index does not have.  [default: images held out of "
    "approximate bases]",
)
@click.option("--sample", default=SAMPLE, show_default=True, help="Use at most so many queries.")
@json_option
def eval(  # noqa: A001 - the command's name
    index: Path | None, k: int, queries: Path | None, sample: int, as_json: bool
) -> None:
    """Measure how good and how fast the answers of an index are; nothing is changed.

    Recall is the share of the true nearest neighbours, by exact search, that are found. By default
    it is of the approximate FAISS bases alone, asked with images that were held out of them; with
    --queries it is of the whole index.
    """
    with progress() as report_to:
        report = evaluate(index, k=k, queries=queries, sample=sample, progress=report_to)
    print_result(to_json(report) if as_json else _describe(report))


def _describe(report: EvaluateReport) -> str:
    memory = report.memory_bytes
    fields = {
        "index": f"{shown(report.index)}: {report.images} images, d = {report.dim}",
        f"recall@{report.k}": _recall(report),
        "queries": _queries(report),
        "latency": f"p50 {report.p50_ms:.2f} ms, p95 {report.p95_ms:.2f} ms, "
        f"p99 {report.p99_ms:.2f} ms (Index.search, one vector at a time)",
        "throughput": f"{report.single_rate:.0f} queries/s one at a time, "
        f"{report.batch_rate:.0f} queries/s in batches of {min(BATCH, report.queries)}",
        "memory": "unknown" if memory is None else f"{memory / 1e6:.0f} MB without page cache",
    }
    lines = [format_fields(fields)]
    lines.extend(f"FAISS base: {_base(base)}" for base in report.bases)
    return "\n".join(lines)


def _recall(report: EvaluateReport) -> str:
    if report.exact:
        return "1.0 by construction: exact, every vector is compared"
    of = "the whole index" if report.origin == "file" else "the approximate bases"
    low, high, method = report.interval.low, report.interval.high, report.interval.method
    return (
        f"{report.recall:.4f} (95%: {low:.4f} to {high:.4f}, {method} over queries) "
        f"among {report.measured_rows} rows of {of}"
    )


def _queries(report: EvaluateReport) -> str:
    text = {
        "held out": f"{report.queries} images held out of the bases and not used to tune them",
        "file": f"{report.queries} vectors of the file",
        "stored": f"{report.queries} stored vectors",
    }[report.origin]
    if report.left_out:
        text += f"; {report.left_out} more left out, for what is measured has them"
    return text


def _base(base: BaseFacts) -> str:
    settings = {name: value for name, value in asdict(base.settings).items() if value > 0}
    told = [
        f"{name.replace('_', ' ')} {settings[name]}"
        for name in ("nprobe", "ef_search", "candidates")
        if name in settings
    ]
    if "recall" in settings:
        tuned = f"recall@{base.settings.k} {base.settings.recall:.4f} when it was tuned"
        told.append(f"{tuned} with {base.settings.queries} others")
    return f"{base.recipe} over {base.rows} rows" + "".join(f", {one}" for one in told)
