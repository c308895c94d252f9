"""The commands ``reindex`` and ``tune``."""

from __future__ import annotations

from pathlib import Path

import click

from vecsearch.cli.help import Command
from vecsearch.cli.json_fields import measured, record_fields, renamed, settings_fields
from vecsearch.cli.options import Number, index_option, json_option, recipe_option
from vecsearch.cli.output import say
from vecsearch.cli.progress import progress
from vecsearch.maintenance.reindex import TunedBase, TuneReport
from vecsearch.maintenance.reindex import reindex as reindex_index
from vecsearch.maintenance.reindex import tune as tune_index
from vecsearch.view.text import counted, format_table, shown, to_json

_recall_option = click.option(
    "--recall",
    type=Number(0, 1, min_open=True, max_open=True),
    help="The share of the true 10 nearest that approximate files are to find.  [default: as "
    "before, at first 0.95]",
)


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  vecsearch reindex                                  # what fits the size of the index
  vecsearch reindex --recipe SQfp16                  # exact, however long it takes
  vecsearch reindex --recipe IVF1024,PQ128x4fs --recall 0.99
""",
)
@index_option
@recipe_option(default="auto")
@_recall_option
@json_option
def reindex(index: Path | None, recipe: str, recall: float | None, as_json: bool) -> None:
    """Make the FAISS files anew from the stored vectors, without touching a picture.

    The recipe is kept for what is added later. An approximate file proposes candidates only; the
    scores always come from the vectors.
    """
    with progress() as report_to:
        report = reindex_index(index, recipe=recipe, recall=recall, progress=report_to)
    say(to_json(_fields(report)) if as_json else _describe(report))


@click.command(
    cls=Command,
    epilog="""\b
Examples:
  vecsearch tune                       # the fastest settings that find as many as before
  vecsearch tune --recall 0.99 -i indexes/photos
""",
)
@index_option
@_recall_option
@json_option
def tune(index: Path | None, recall: float | None, as_json: bool) -> None:
    """Choose how approximate FAISS files are searched, and keep it in the index.

    Measured with images that were held out of these files; judged with others of them.
    """
    with progress() as report_to:
        report = tune_index(index, recall=recall, progress=report_to)
    say(to_json(_fields(report)) if as_json else _describe(report))


def _fields(report: TuneReport) -> dict[str, object]:
    fields = record_fields(report, bases=[_base_fields(base) for base in report.bases])
    return renamed(fields, total="images")


def _base_fields(base: TunedBase) -> dict[str, object]:
    settings, recall = settings_fields(base.settings), measured(base.recall)
    return renamed(record_fields(base, settings=settings, recall=recall), images="rows")


def _describe(report: TuneReport) -> str:
    lines = [f"{shown(report.index)}: {counted(report.total, 'image')}, {report.seconds:.1f} s"]
    if report.bases:
        heads = ("images", "recipe", "nprobe / ef", "candidates", "recall@10", "judged by")
        lines.append(format_table(heads, [_row(base) for base in report.bases]))
    missed = [base for base in report.bases if 0 <= base.settings.recall < report.target]
    if missed:
        lines.append(
            f"{len(missed)} of the FAISS files do not reach {report.target}: "
            "vecsearch reindex --recipe gives another kind"
        )
    return "\n".join(lines)


def _row(base: TunedBase) -> tuple[str, ...]:
    settings = base.settings
    if not settings.candidates:
        return (str(base.images), base.recipe, "-", "-", "exact", "-")
    effort = settings.nprobe or settings.ef_search
    found = f"{base.recall:.3f}" if base.recall >= 0 else "not measured"
    return (
        str(base.images),
        base.recipe,
        str(effort or "-"),
        str(settings.candidates),
        found,
        f"{base.queries} others",
    )
