"""A report of quality by labels as rows of text, for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from vecsearch.cli.json_fields import record_fields, renamed
from vecsearch.evaluation.classes import NEIGHBOURS, ClassQuality
from vecsearch.evaluation.quality_report import MeanFigure, QualityReport
from vecsearch.view.text import (
    counted,
    format_fields,
    format_table,
    printable,
    result_fields,
    shown,
)

FIGURE_HEADS: Final = ("measure", "mean over queries", "mean by class", "at most")
CLASS_HEADS: Final = (
    "class",
    "images",
    f"precision@{NEIGHBOURS}",
    "AP",
    "most often confused with",
)
INTERVALS: Final = "in brackets 95% intervals over queries"

_MOST_CLASSES: Final = 20
"""The number of worst classes that are printed; JSON and page have all."""


def facts(report: QualityReport) -> dict[str, str]:
    """Say what was measured, of which index and model, and on what."""
    return {
        "index": f"{printable(shown(report.index))}: {counted(report.images, 'image')}",
        "encoder": report.encoder,
        "labels": _labels(report),
        "queries": _queries(report),
    }


def summary(report: QualityReport) -> str:
    """Say the main figures in a line."""
    figures = [f"precision@{one.k} {one.precision.value:.3f}" for one in report.at]
    mean = f"{map_name(report)} {report.mean_average_precision.value:.3f}"
    return ", ".join([*figures, mean])


def map_name(report: QualityReport) -> str:
    """Name the mean average precision, with the depth where rankings were not seen as a whole."""
    return "mAP" if report.whole else f"mAP@{report.depth}"


def figure_rows(report: QualityReport) -> list[tuple[str, ...]]:
    """Return a row for each measure, under `FIGURE_HEADS`."""
    rows: list[tuple[str, ...]] = [
        (
            f"precision@{one.k}",
            _figure(one.precision),
            _figure(one.precision_by_class),
            f"{one.best_precision:.3f}",
        )
        for one in report.at
    ]
    others = {f"recall@{one.k}": one.recall for one in report.at}
    others["R-precision"] = report.r_precision
    others[map_name(report)] = report.mean_average_precision
    others["MRR"] = report.mean_reciprocal_rank
    return rows + [(name, _figure(figure), "", "") for name, figure in others.items()]


def class_rows(classes: Sequence[ClassQuality]) -> list[tuple[str, ...]]:
    """Return a row for each class, under `CLASS_HEADS`."""
    rows: list[tuple[str, ...]] = []
    for one in classes:
        other = one.confused_with
        confused = f"{printable(other.label)} ({other.share:.0%})" if other else ""
        figures = f"{one.images:,}", f"{one.precision:.3f}", f"{one.average_precision:.3f}"
        rows.append((printable(one.label), *figures, confused))
    return rows


def format_quality(report: QualityReport) -> str:
    """Write a report as tables."""
    classes = format_table(CLASS_HEADS, class_rows(report.by_class[:_MOST_CLASSES]))
    if len(report.by_class) > _MOST_CLASSES:
        more = len(report.by_class) - _MOST_CLASSES
        classes += f"\n... and {more:,} better ones: --json and --html have all"
    figures = f"{format_table(FIGURE_HEADS, figure_rows(report))}\n({INTERVALS})"
    return "\n\n".join([format_fields(facts(report)), figures, classes])


def quality_fields(report: QualityReport) -> dict[str, object]:
    """Return a report as the JSON of the command line has it."""
    worst = [
        {
            **result_fields(one.result),
            "label": one.label,
            "hit_labels": one.hit_labels,
            "average_precision": one.average_precision,
            "first_right": one.first_right,
        }
        for one in report.worst
    ]
    return renamed(record_fields(report, worst=worst), encoder="encoder_title")


def _labels(report: QualityReport) -> str:
    parts = [f"{printable(report.labels)}: {report.classes:,} classes of 2 images or more"]
    if report.alone:
        parts.append(f"{counted(report.alone, 'image')} alone in a class, as wrong answers only")
    if report.unlabelled:
        parts.append(f"{counted(report.unlabelled, 'image')} without a label, left out")
    if report.unknown:
        parts.append(f"{counted(report.unknown, 'line')} of the file for no image of the index")
    return "; ".join(parts)


def _queries(report: QualityReport) -> str:
    able = sum(one.images for one in report.by_class)
    others = report.images - report.unlabelled - 1
    chosen = f"{report.queries:,} of {able:,} images" if report.queries < able else (
        counted(report.queries, "image")
    )  # fmt: skip
    depth = f"{others:,} others" if report.whole else f"first {report.depth:,} of {others:,} others"
    ways = [f"expanded by {report.expand}"] if report.expand else []
    ways += [f"the first {report.rerank:,} re-ranked"] if report.rerank else []
    return ", ".join([f"{chosen}, each ranking the {depth}", *ways])


def _figure(figure: MeanFigure) -> str:
    low, high = figure.interval.low, figure.interval.high
    return f"{figure.value:.3f} ({low:.3f} to {high:.3f})"
