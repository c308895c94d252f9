"""What each class finds: its own images, or those of which other classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.evaluation.measures import Figures
from vecsearch.types import Rows

NEIGHBOURS: Final = 5
"""The number of first hits that are counted by class, or fewer where a class has fewer images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelShare:
    """The share of a class's first hits that have a label."""

    label: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassQuality:
    """How well a class of ``images`` is found by ``queries`` of them.

    Precision (at 5) and average precision are means over these. ``neighbours`` are the labels of
    their first 5 hits, or of as many as the class has other images, the most frequent first: more
    could not be right.
    """

    label: str
    images: int
    queries: int
    precision: float
    average_precision: float
    neighbours: tuple[LabelShare, ...]

    @property
    def confused_with(self) -> LabelShare | None:
        """The other label that most of its first hits have, None if none has another."""
        return next((one for one in self.neighbours if one.label != self.label), None)


def by_class(
    names: Sequence[str],
    sizes: Rows,
    classes: Rows,
    first: Rows,
    precisions: Figures,
    average_precisions: Figures,
) -> tuple[ClassQuality, ...]:
    """Sum up queries by class, those of the least average precision first.

    *sizes* (c,) count the images of the classes *names*; *classes* (q,) are the classes of the
    queries, *first* (q, 5) those of their first hits, -1 where there is none.
    """
    found = []
    for number in np.unique(classes).tolist():
        mine = classes == number
        hits = first[mine]
        numbers, counts = np.unique(hits[hits >= 0], return_counts=True)
        order = np.lexsort((numbers, -counts))
        found.append(
            ClassQuality(
                label=names[number],
                images=int(sizes[number]),
                queries=int(mine.sum()),
                precision=float(precisions[mine].mean()),
                average_precision=float(average_precisions[mine].mean()),
                neighbours=tuple(
                    LabelShare(label=names[one], share=count / counts.sum().item())
                    for one, count in zip(
                        numbers[order].tolist(), counts[order].tolist(), strict=True
                    )
                ),
            )
        )
    return tuple(sorted(found, key=lambda one: (one.average_precision, one.precision, one.label)))


def confusion(
    classes: Sequence[ClassQuality], most: int
) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Return up to *most* labels, and the shares of their first hits, a row for each label.

    The shares (c, c + 1) are those of the labels and, in the last column, of all others. Labels
    are sorted; of more classes, the *most* first of *classes* are taken.
    """
    taken = sorted(classes[:most], key=lambda one: one.label)
    labels = [one.label for one in taken]
    places = {label: place for place, label in enumerate(labels)}
    shares = np.zeros((len(labels), len(labels) + 1))
    for row, one in enumerate(taken):
        for neighbour in one.neighbours:
            shares[row, places.get(neighbour.label, len(labels))] += neighbour.share
    return labels, shares
