"""The colours of groups, which are told apart by the colour-blind too, and who gets which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.layout.clusters import Labels
from vecsearch.layout.points import Points
from vecsearch.view.colour_vision import contrast, differences, parse

GROUPS: Final = (
    "#3c00a5", "#f05a78", "#3c875a", "#b478ff", "#780000", "#969600",
    "#8700ff", "#005a3c", "#c387a5", "#696900", "#690f4b", "#875a78",
)  # fmt: skip
"""On a light ground. Any two differ by at least 13 (CIEDE2000), to those who see all colours and to
those with protanopia, deuteranopia or tritanopia; of Okabe and Ito's eight, two differ by 10.9.

Found by farthest points and exchanges, among colours of enough contrast. Source: Glasbey et al.,
Colour displays for categorical images, 2007.
"""
ON_DARK: Final = (
    "#c3a5ff", "#f01e78", "#2db4a5", "#c33cff", "#968700", "#ffff3c",
    "#a500a5", "#2d7869", "#ffd2f0", "#a5c378", "#695a00", "#b4ffd2",
)  # fmt: skip
"""On a dark ground, by the same rule: at least 15."""

_INK: Final = "#000000"
_PAPER: Final = "#ffffff"
_MEMBERS: Final = 64


def letters_on(colour: str) -> str:
    """Return the colour of letters on *colour*: dark or white, whichever is read better."""
    return max((_PAPER, _INK), key=lambda one: contrast(parse(one), parse(colour)))


def colours_of(placed: Points, labels: Labels, count: int) -> list[int]:
    """Choose a colour of GROUPS, by number, for each of *count* groups on the map.

    Up to as many groups as colours, each has one of its own. Of more, those that are near each
    other get colours that differ most, and only groups far apart share one.
    """
    if count <= len(GROUPS):
        return list(range(count))
    gaps = _gaps([placed[labels == number] for number in range(count)])
    nearness = (gaps + np.median(gaps) / 10) ** -2.0
    np.fill_diagonal(nearness, 0.0)
    alike = np.exp(-_differences() / 8.0)
    chosen = [0] * count
    # The first round is in order of size; the others mend what it could not foresee.
    for sweep in range(4):
        for number in range(count):
            others = [one for one in range(count) if one != number and (sweep or one < number)]
            costs = alike[:, [chosen[one] for one in others]] @ nearness[number, others]
            chosen[number] = int(costs.argmin()) if others else 0
    return chosen


def _differences() -> npt.NDArray[np.float64]:
    both = [differences([parse(one) for one in colours]) for colours in (GROUPS, ON_DARK)]
    least: npt.NDArray[np.float64] = np.minimum(*both)
    return least


def _gaps(crowds: Sequence[Points]) -> npt.NDArray[np.float64]:
    """Return the distance of each two crowds, (m, m), by some of their members."""
    some = [crowd[:: -(-len(crowd) // _MEMBERS)].astype(np.float64) for crowd in crowds]
    gaps = np.zeros((len(some), len(some)))
    for number, one in enumerate(some):
        for other in range(number):
            apart = one[:, np.newaxis] - some[other]
            gaps[number, other] = gaps[other, number] = np.sqrt((apart**2).sum(axis=2).min())
    return gaps
