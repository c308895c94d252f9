"""What ``eval --labels`` does: measures, writes files, and prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vecsearch.cli.open import open_queryable
from vecsearch.cli.output import note, refuse_pictures, say, tell_not_fetched
from vecsearch.cli.progress import progress
from vecsearch.cli.quality_tables import (
    CLASS_HEADS,
    FIGURE_HEADS,
    INTERVALS,
    class_rows,
    facts,
    figure_rows,
    format_quality,
    quality_fields,
    summary,
)
from vecsearch.errors import UsageError
from vecsearch.evaluation.classes import NEIGHBOURS, confusion
from vecsearch.evaluation.labels import is_file
from vecsearch.evaluation.quality import KS, SAMPLE, evaluate_labels
from vecsearch.evaluation.quality_report import QualityReport
from vecsearch.paths import real_path
from vecsearch.search.query_options import QueryOptions
from vecsearch.types import JudgedQuery, Progress
from vecsearch.view.text import counted, shown, to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityFiles:
    """What is to be written: a page, a sheet of the worst queries, a confusion matrix."""

    html: Path | None = None
    sheet: Path | None = None
    confusion: Path | None = None

    @property
    def wanted(self) -> list[Path]:
        """Those that have a name."""
        return [path for path in (self.html, self.sheet, self.confusion) if path is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityOptions:
    """How to measure, as `evaluate_labels` does; no ``ks`` and no ``sample`` are its defaults."""

    ks: Sequence[int]
    sample: int | None
    query: QueryOptions
    fetch: bool


def print_quality(
    index: Path | None, labels: str, options: QualityOptions, files: QualityFiles, *, as_json: bool
) -> None:
    """Measure by labels, write *files*, and print the report."""
    _check(index, labels, files)
    with progress() as report_to:
        report = evaluate_labels(
            index,
            labels,
            ks=options.ks or KS,
            options=options.query,
            sample=SAMPLE if options.sample is None else options.sample,
            fetch=options.fetch,
            progress=report_to,
        )
        write_quality(report, files, report_to)
    for path in files.wanted:
        note(f"{shown(path)}: written", err=True)
    if files.sheet is not None or files.html is not None:
        tell_not_fetched(one.result for one in report.worst)
    say(to_json(quality_fields(report)) if as_json else format_quality(report))


def write_quality(report: QualityReport, files: QualityFiles, report_to: Progress | None) -> None:
    """Write those of *files* that are wanted."""
    lines = list(facts(report).values())
    if files.confusion is not None:
        from vecsearch.view.confusion import MOST_CLASSES, draw_confusion

        names, shares = confusion(report.by_class, MOST_CLASSES)
        about = f"how many per cent of the first {NEIGHBOURS} hits of a row are of each column"
        if len(names) < len(report.by_class):
            about += f"; the {len(names)} worst of {len(report.by_class):,} classes"
        draw_confusion(names, shares, "Confusion by class", [*lines, about], files.confusion)
    if files.sheet is not None:
        from vecsearch.view.worst import draw_worst

        draw_worst(report.worst, "The worst queries", [summary(report), *lines], files.sheet)
    if files.html is not None:
        _write_page(report, files.html, report_to)


_SIGNS: Final = {True: "\u2713", False: "\u2717"}


def _write_page(report: QualityReport, out: Path, report_to: Progress | None) -> None:
    from vecsearch.view.gallery import (
        Gallery,
        Section,
        Table,
        Tile,
        result_section,
        write_gallery,
    )

    def section(one: JudgedQuery) -> Section:
        plain = result_section(one.result)
        first = f"the first at rank {one.first_right:,}" if one.first_right else "none found"
        return Section(
            heading=f"{one.label}: {plain.heading}",
            queries=[
                Tile(picture=tile.picture, left=one.label, left_out=one.label)
                for tile in plain.queries
            ],
            tiles=[
                Tile(
                    picture=tile.picture,
                    left=f"{tile.left} {_SIGNS[label == one.label]} {label}",
                    right=tile.right,
                    left_out=label,
                    mark=label == one.label,
                )
                for tile, label in zip(plain.tiles, one.hit_labels, strict=True)
            ],
            note=f"average precision {one.average_precision:.3f}, {first}",
            about=plain.about,
        )

    about = facts(report)
    if report.worst:
        about["below"] = f"{counted(len(report.worst), 'query')} of least average precision"
    tables = [
        Table(caption="Measured", heads=(), rows=list(about.items())),
        Table(caption=f"Figures, {INTERVALS}", heads=FIGURE_HEADS, rows=figure_rows(report)),
        Table(caption="By class, worst first", heads=CLASS_HEADS, rows=class_rows(report.by_class)),
    ]
    gallery = Gallery(
        title="Quality by labels",
        subtitle=report.encoder,
        sections=[section(one) for one in report.worst],
        tables=tables,
    )
    write_gallery(gallery, out, progress=report_to)


def _check(index: Path | None, labels: str, files: QualityFiles) -> None:
    """Refuse what cannot be written before the work, and not after it."""
    with open_queryable(index) as opened:
        refuse_pictures(opened, *files.wanted)
    taken = [real_path(path) for path in files.wanted]
    if is_file(labels):
        taken.append(real_path(Path(labels)))
    if len(set(taken)) < len(taken):
        raise UsageError("two of the files have one name", hint="name each of them")
    for path in (files.sheet, files.confusion):
        if path is not None:
            from vecsearch.view.image_files import format_of

            format_of(path, vector=True)
