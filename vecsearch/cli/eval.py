"""The command ``eval``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from vecsearch.cli.html import html_option
from vecsearch.cli.json_fields import record_fields, renamed, settings_fields
from vecsearch.cli.options import (
    PATH,
    CountingCommand,
    expand_option,
    fetch_option,
    index_option,
    json_option,
    rerank_option,
    vectors_option,
)
from vecsearch.cli.output import say
from vecsearch.cli.progress import progress
from vecsearch.cli.quality import QualityFiles, QualityOptions, print_quality
from vecsearch.errors import UsageError
from vecsearch.evaluation.evaluate import SAMPLE, BaseFacts, EvaluateReport, K, evaluate
from vecsearch.evaluation.quality import SAMPLE as SAMPLE_OF_LABELLED
from vecsearch.evaluation.speed import BATCH
from vecsearch.search.query_options import QueryOptions
from vecsearch.view.text import counted, format_fields, shown, to_json


@click.command(
    cls=CountingCommand,
    rare=("vectors", "expand", "rerank", "sample", "sheet", "confusion", "fetch"),
    epilog="""\b
Examples:
  vecsearch eval
  vecsearch eval -i indexes/photos -k 20 --json
  vecsearch eval --labels folder         # how well images find those of their folder
  vecsearch eval --labels labels.csv -k 5 --html quality.html

More examples:
  vecsearch eval --vectors held-out.npy --sample 5000
  vecsearch eval --labels folder --expand --rerank
  vecsearch eval --labels '^[a-z]+' --html quality.html --confusion confusion.png
""",
)
@index_option
@click.option(
    "-k",
    type=int,
    multiple=True,
    help="How many neighbours; with --labels repeatable.  [default: 10; with --labels 1, 5 and 10]",
)
@click.option(
    "--labels",
    metavar="folder|FILE.csv|REGEX",
    help="Measure how well images find those with the same label: the name of their folder, what "
    "a file says (columns path and label), or a part of the file name, such as '^[a-z]+'.",
)
@vectors_option
@expand_option
@rerank_option
@click.option(
    "--sample",
    type=int,
    help=f"Use at most so many queries.  [default: {SAMPLE}; with --labels {SAMPLE_OF_LABELLED}]",
)
@html_option
@click.option("--sheet", type=PATH, metavar="FILE", help="With --labels: draw the worst queries.")
@click.option(
    "--confusion",
    type=PATH,
    metavar="FILE",
    help="With --labels: draw which classes are taken for which others.",
)
@fetch_option
@json_option
def eval(  # noqa: A001 - the command's name
    index: Path | None,
    k: tuple[int, ...],
    labels: str | None,
    vectors: Path | None,
    expand: int,
    rerank: int,
    sample: int | None,
    html: Path | None,
    sheet: Path | None,
    confusion: Path | None,
    fetch: bool,
    as_json: bool,
) -> None:
    """Measure how good and how fast the answers of an index are; nothing is changed.

    Recall is the share of the true nearest neighbours, by exact search, that are found. By default
    it is of the approximate FAISS bases alone, asked with images that were held out of them; with
    --vectors it is of the whole index.

    With --labels it is something else that is measured: whether the nearest images are of the right
    kind, by precision, recall and mean average precision, each labelled image asking for the others
    with its label.
    """
    if labels is not None:
        if vectors is not None:
            raise UsageError("--labels asks with the images of the index", hint="omit --vectors")
        files = QualityFiles(html=html, sheet=sheet, confusion=confusion)
        query = QueryOptions(expand=expand, rerank=rerank)
        options = QualityOptions(ks=k, sample=sample, query=query, fetch=fetch)
        print_quality(index, labels, options, files, as_json=as_json)
        return
    if html or sheet or confusion or expand or rerank:
        raise UsageError(
            "--html, --sheet, --confusion, --expand and --rerank are about labels",
            hint="add --labels",
        )
    if len(k) > 1:
        raise UsageError("several -k are for --labels alone", hint="give one")
    with progress() as report_to:
        report = evaluate(
            index,
            k=k[0] if k else K,
            queries=vectors,
            sample=SAMPLE if sample is None else sample,
            progress=report_to,
        )
    say(to_json(_fields(report)) if as_json else _describe(report))


def _fields(report: EvaluateReport) -> dict[str, object]:
    bases = [record_fields(one, settings=settings_fields(one.settings)) for one in report.bases]
    return renamed(record_fields(report, bases=bases), left_out="queries_left_out")


def _describe(report: EvaluateReport) -> str:
    memory = report.memory_bytes
    fields = {
        "index": f"{shown(report.index)}: {counted(report.images, 'image')}, d = {report.dim}",
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
    images, vectors = counted(report.queries, "image"), counted(report.queries, "vector")
    text = {
        "held out": f"{images} held out of the bases and not used to tune them",
        "file": f"{vectors} of the file",
        "stored": counted(report.queries, "stored vector"),
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
