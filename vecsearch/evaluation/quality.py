"""Quality by labels: how well images find those of their own class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from vecsearch.arguments import checked
from vecsearch.cluster.open_index import open_index
from vecsearch.errors import UsageError
from vecsearch.evaluation import measures
from vecsearch.evaluation.classes import NEIGHBOURS, by_class
from vecsearch.evaluation.confidence import interval, mean_of
from vecsearch.evaluation.judgements import Judgements, JudgeOptions, choose_queries, judge
from vecsearch.evaluation.labels import Labelled, label_images
from vecsearch.evaluation.measures import Figures
from vecsearch.evaluation.quality_report import FiguresAtK, MeanFigure, QualityReport
from vecsearch.evaluation.worst_queries import worst_queries
from vecsearch.search.index import Index
from vecsearch.search.query_options import QueryOptions, check_k
from vecsearch.types import JudgedQuery, Progress, no_progress

KS: Final = (1, 5, 10)
SAMPLE: Final = 5000
"""The default limit of queries."""

WHOLE: Final = 20_000
"""Up to this number of images, whole rankings are judged, and otherwise the first `DEPTH` ranks."""
DEPTH: Final = 1000

_DEFAULTS: Final = QueryOptions()


@checked
def evaluate_labels(
    index: str | Path | None,
    labels: str | Path,
    *,
    ks: Sequence[int] = KS,
    options: QueryOptions = _DEFAULTS,
    sample: int = SAMPLE,
    fetch: bool = False,
    progress: Progress | None = None,
) -> QualityReport:
    """Measure how well the images of *index* find those with the same label; nothing is written.

    *labels* is ``folder``, a CSV file or a regular expression, see `label_images`. Every labelled
    image is a query, and its own hit is left out (leave-one-out). Right are the others of its
    class, so the only image of a class is no query, but may be a wrong hit. Images without a label
    are neither; the filter of *options* leaves out more.

    The rankings are those of `Index.recommend` with the same *options*, ties in its order: over
    all images, or only as far as rank 1,000 (or the largest k) where there are more than
    20,000. Measures (see `measures`) are means over queries: precision and recall at each of *ks*,
    R-precision, mean average precision, mean reciprocal rank; precision also as the mean of the
    classes' means. Their intervals are by percentile bootstrap over queries (see `interval`).

    Of more than *sample* possible queries, a seeded choice is taken: as many of each class as its
    share, and at least one.

    No picture is read. *fetch* says, as for `open_index`, whether pictures behind URLs may be read
    when the worst queries are drawn.

    Raises UsageError for a k, sample, options or labels that make no sense, SourceError for a
    CSV file that cannot be used, NotFoundError if no image has a label, IndexFolderError or a
    subclass.
    """
    ks = sorted(set(ks))
    _check(ks, sample, options)
    with open_index(index, fetch=fetch) as opened:
        reader = opened.reader()
        chosen = None
        if options.filter:
            from vecsearch.search.filters import chosen_rows

            chosen = chosen_rows(reader.snapshot, options.filter)
        labelled = label_images(labels, reader.snapshot, chosen)
        others = len(labelled.rows) - 1
        depth = others if _is_whole(labelled) else min(others, max(DEPTH, *ks))
        judging = JudgeOptions(depth=depth, ks=ks, query=options)
        queries = choose_queries(labelled.classes, sample)
        found = judge(reader, labelled, queries, judging, progress or no_progress)
        worst = worst_queries(reader, labelled, found, options)
        return _report(opened, str(labels), labelled, judging, found, worst)


def _is_whole(labelled: Labelled) -> bool:
    return len(labelled.rows) <= WHOLE


def _report(
    index: Index,
    labels: str,
    labelled: Labelled,
    options: JudgeOptions,
    found: Judgements,
    worst: tuple[JudgedQuery, ...],
) -> QualityReport:
    """Sum up what was judged."""
    sizes = np.bincount(labelled.classes)
    return QualityReport(
        index=index.path,
        encoder=index.encoder.title,
        labels=labels,
        images=len(labelled.rows) + labelled.unlabelled,
        unlabelled=labelled.unlabelled,
        alone=int(np.count_nonzero(sizes == 1)),
        unknown=labelled.unknown,
        classes=int(np.count_nonzero(sizes > 1)),
        queries=len(found.rows),
        depth=options.depth,
        whole=_is_whole(labelled),
        expand=options.query.expand,
        rerank=options.query.rerank,
        at=tuple(_at_k(k, found) for k in options.ks),
        r_precision=_figure(found.r_precision),
        mean_average_precision=_figure(found.average_precision),
        mean_reciprocal_rank=_figure(measures.reciprocal_rank(found.first_right)),
        by_class=by_class(
            labelled.names,
            sizes,
            found.classes,
            found.first,
            found.precision[NEIGHBOURS],
            found.average_precision,
        ),
        worst=worst,
    )


def _check(ks: Sequence[int], sample: int, options: QueryOptions) -> None:
    if not ks:
        raise UsageError("no k is given", hint="ask for at least one, such as 5")
    for k in ks:
        check_k(k)
    if sample < 1:
        raise UsageError(f"the sample is {sample}", hint="ask for at least 1 query")
    options.check_no_pictures()
    if options.offset or options.include_self:
        raise UsageError(
            "offset and include_self do not apply to quality",
            hint="leave them out: whole rankings are judged",
        )


def _at_k(k: int, found: Judgements) -> FiguresAtK:
    precision = found.precision[k]
    return FiguresAtK(
        k=k,
        precision=_figure(precision),
        precision_by_class=MeanFigure(
            value=mean_of(precision, found.classes), interval=interval(precision, found.classes)
        ),
        best_precision=float(measures.best_precision(found.relevant, k).mean()),
        recall=_figure(found.recall[k]),
    )


def _figure(figures: Figures) -> MeanFigure:
    return MeanFigure(value=float(figures.mean()), interval=interval(figures))
