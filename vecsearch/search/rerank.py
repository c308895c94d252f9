"""k-reciprocal re-ranking: who has the same mutual neighbours as the query comes first.

Zhong, Zheng, Cao and Li, "Re-ranking Person Re-identification with k-reciprocal Encoding" (CVPR
2017), with the constants of the paper. Everything is computed among the candidates and the query;
what that leaves out was measured to be little: see docs/experiments/rerank.md.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from vecsearch.search.centre import centred
from vecsearch.types import Vectors

K1: Final = 20
K2: Final = 6
LAMBDA: Final = 0.3

_ITSELF: Final = 4.0
_TIE: Final = 1e-6
"""Cosines that differ by less are equal, for sums of the same products differ by their order."""

_DECIMALS: Final = 6
_ROWS_AT_A_TIME: Final = 128
"""So that a thousand equal candidates, which all are neighbours, take little memory."""

Booleans = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]


def k_reciprocal(
    vectors: Vectors, centre: Floats, *, k1: int = K1, k2: int = K2, weight: float = LAMBDA
) -> npt.NDArray[np.float64]:
    """Score the candidates, `vectors[1:]`, for the query, `vectors[0]`; larger is better.

    *vectors* (m + 1, d) float32 have unit length, *centre* (d,) is the mean of the collection.
    Returns (m,) scores 1 - d*, to six decimals:

    - N(p, k) are the k nearest of p by cosine and p itself, R(p, k) those q of N(p, k) that have p
      in N(q, k) (equation 2);
    - R*(p, k1) is R(p, k1) and every R(q, k1 / 2), q in R(p, k1), of which two thirds at least are
      in R(p, k1) (equation 3);
    - V_p has exp(-d(p, g)) for each g of R*(p, k1) (equation 7), divided by their sum, and is then
      the mean of V_g over the k2 nearest g of p, p being the first of them (equation 11);
    - d_J is the Jaccard distance of V_p and V_g, 1 - Σ min / Σ max (equation 10);
    - d* = (1 - weight) d_J + weight d (equation 12).

    d is the squared Euclidean distance, 2 - 2 cos, and all cosines here are those of the centred
    vectors (`vecsearch.search.centre`). What is as near as the k-th is among the k nearest, so
    the order of the candidates does not matter.
    """
    if len(vectors) < 2:
        return np.empty(0)
    directions = centred(vectors, centre)
    cosines: Floats = np.clip(directions @ directions.T, -1, 1)
    near, nearer, nearest = _nearest(cosines, (k1, (k1 + 1) // 2, k2 - 1))
    members = _members(near & near.T, nearer & nearer.T)
    distances = 2 - 2 * cosines
    weights = np.where(members, np.exp(-distances), np.float32(0))
    weights /= weights.sum(axis=1, keepdims=True)
    shares = nearest.astype(np.float32)
    shares /= shares.sum(axis=1, keepdims=True)
    of_query = shares[0] @ weights
    counted = np.flatnonzero(of_query)  # the others are in no minimum
    in_common = np.minimum(of_query[counted], shares[1:] @ weights[:, counted])
    shared_sum = in_common.sum(axis=1, dtype=np.float64)
    jaccard = 1 - shared_sum / (2 - shared_sum)  # all sums of weights are 1
    distance = (1 - weight) * jaccard + weight * distances[0, 1:]
    return np.asarray(np.round(1 - distance, _DECIMALS), np.float64)


def _members(mutual: Booleans, halves: Booleans) -> Booleans:
    """Return which columns are in R* of each row, by those in R(., k1) and in R(., k1 / 2).

    As sets of bits, and pair by pair: a product of the matrices, which are mostly zero, takes ten
    times as long for 1,000 candidates.
    """
    ours, theirs, sizes = _packed(mutual), _packed(halves), halves.sum(axis=1)
    united = ours.copy()
    for start in range(0, len(mutual), _ROWS_AT_A_TIME):
        p, q = np.nonzero(mutual[start : start + _ROWS_AT_A_TIME])
        p += start
        shared = np.bitwise_count(ours[p] & theirs[q]).sum(axis=1, dtype=np.int64)
        taken = 3 * shared >= 2 * sizes[q]
        p, q = p[taken], q[taken]
        firsts = np.flatnonzero(np.diff(p, prepend=-1))  # every p has at least itself as a q
        united[start : start + _ROWS_AT_A_TIME] |= np.bitwise_or.reduceat(theirs[q], firsts, axis=0)
    bits = np.unpackbits(united.view(np.uint8), axis=1, count=len(mutual))
    return bits.view(np.bool_)


def _packed(sets: Booleans) -> npt.NDArray[np.uint64]:
    packed = np.packbits(sets, axis=1)
    return np.pad(packed, ((0, 0), (0, -packed.shape[1] % 8))).view(np.uint64)


def _nearest(cosines: Floats, counts: tuple[int, ...]) -> list[Booleans]:
    """Tell, for each count k, which columns are among the k nearest others of a row, or itself."""
    others = cosines.copy()
    np.fill_diagonal(others, -_ITSELF)
    last = [min(count, len(cosines) - 1) for count in counts]
    ordered = np.sort(others, axis=1)
    np.fill_diagonal(others, _ITSELF)
    return [others >= (ordered[:, -k, None] if k else _ITSELF) - _TIE for k in last]
