"""What an evaluation by labels found out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vecsearch.evaluation.classes import ClassQuality
from vecsearch.evaluation.confidence import Interval
from vecsearch.types import JudgedQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanFigure:
    """The mean of a measure, and its 95% interval."""

    value: float
    interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class FiguresAtK:
    """Precision and recall at ``k``: means over queries, and of precision the mean of the classes'.

    ``best_precision`` is the mean precision that perfect rankings would have: below 1 where classes
    have fewer than ``k`` other images.
    """

    k: int
    precision: MeanFigure
    precision_by_class: MeanFigure
    best_precision: float
    recall: MeanFigure


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityReport:
    """How well images find those with their label; see `evaluate_labels`.

    ``encoder`` names the model. Of ``images``, ``unlabelled`` have no label and are left out;
    ``alone`` are the only one of their class, so they can be wrong hits and are no queries.
    ``unknown`` lines of a CSV file name no image. ``classes`` counts those that have at least two
    images. ``depth`` ranks were looked at, which are all where ``whole``. ``expand`` and ``rerank``
    are those of the options.

    ``by_class`` has every class with a query, ``worst`` the queries of least average
    precision, none that is perfect, both worst first.
    """

    index: Path
    encoder: str
    labels: str
    images: int
    unlabelled: int
    alone: int
    unknown: int
    classes: int
    queries: int
    depth: int
    whole: bool
    expand: int
    rerank: int
    at: tuple[FiguresAtK, ...]
    r_precision: MeanFigure
    mean_average_precision: MeanFigure
    mean_reciprocal_rank: MeanFigure
    by_class: tuple[ClassQuality, ...]
    worst: tuple[JudgedQuery, ...]
