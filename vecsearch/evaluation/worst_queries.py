"""The queries of an evaluation by labels that found the wrong images."""

from __future__ import annotations

from typing import Final

import numpy as np

from vecsearch.evaluation.classes import NEIGHBOURS
from vecsearch.evaluation.judgements import Judgements
from vecsearch.evaluation.labels import Labelled
from vecsearch.evaluation.leave_one_out import leave_one_out
from vecsearch.search.hits import HitFinder
from vecsearch.search.index_reader import IndexReader
from vecsearch.search.query_options import QueryOptions
from vecsearch.types import JudgedQuery, QueryImage, Result

WORST: Final = 50
"""The most queries that are reported."""


def worst_queries(
    reader: IndexReader, labelled: Labelled, found: Judgements, options: QueryOptions
) -> tuple[JudgedQuery, ...]:
    """Return the queries of least average precision, at most `WORST`, with their first hits.

    One whose ranking is perfect is none of them.
    """
    order = np.lexsort((found.rows, found.average_precision))
    worst = order[found.average_precision[order] < 1][:WORST]
    rows = found.rows[worst]
    among = labelled.rows if len(labelled.rows) < len(reader) else None
    finder = HitFinder(reader, NEIGHBOURS, options, among=among)
    hits = list(finder.nearest(reader.gather(rows), leave_one_out(rows)))
    ids = {hit.id for some in hits for hit in some}
    images = reader.snapshot.images_by_row(rows.tolist())
    row_of = {image.id: image.row for image in reader.snapshot.images_by_id(ids).values()}
    names = dict(zip(labelled.rows.tolist(), labelled.classes.tolist(), strict=True))
    judged = []
    for place, row, some in zip(worst.tolist(), rows.tolist(), hits, strict=True):
        image = images[row]
        given = QueryImage(f"id:{image.id}", image.path)
        judged.append(
            JudgedQuery(
                result=Result(given.query, image.path, some, (given,)),
                label=labelled.names[int(found.classes[place])],
                hit_labels=tuple(labelled.names[names[row_of[hit.id]]] for hit in some),
                average_precision=float(found.average_precision[place]),
                first_right=int(found.first_right[place]) or None,
            )
        )
    return tuple(judged)
