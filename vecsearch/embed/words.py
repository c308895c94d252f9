"""The words of an index: directions in the space of its vectors, one for each class of a network.

The rows of a linear classifier and the features that they meet lie in one space, so that a row
serves as a query, and a vector as what is classified.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from vecsearch.embed.backbones.backbone import Array
from vecsearch.types import Guess, Vectors
from vecsearch.unit_length import lengths_of, unit_length

if TYPE_CHECKING:
    from vecsearch.embed.pca import Projection

GUESSES: Final = 3

_LONGEST_NAME: Final = 100
_TOLERANCE: Final = 0.01
"""How far rows may be from unit length: they are kept as float16."""

_ARRAYS: Final = ("rows", "scales", "biases")
_FACTS: Final = "words"
_BLOCK: Final = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """``names`` (w,) and ``rows`` (w, d) float32 of unit length, in the space of the vectors.

    The logit of a word for a vector is its cosine with the row, times ``scales`` (w,), plus
    ``biases`` (w,). Of an uncalibrated vocabulary these are known up to a common factor, which
    leaves the order and takes away the shares.
    """

    names: tuple[str, ...]
    rows: Array
    scales: Array
    biases: Array
    calibrated: bool

    @classmethod
    def of_classifier(
        cls, names: Sequence[str], weight: Array, bias: Array, length: float | None
    ) -> Words:
        """Take the rows (w, d) of a classifier; *length* is that of typical features."""
        lengths = lengths_of(weight)
        return cls(
            tuple(names),
            unit_length(weight, lengths),
            np.asarray(lengths * (length or 1.0), np.float32),
            bias if length is not None else np.zeros_like(bias),
            calibrated=length is not None,
        )

    def projected(self, projection: Projection) -> Words:
        """Return the words in the space that *projection* leads to.

        With x = mean + spread M^T z for a unit vector z, w x = spread (M w) z + w mean.
        """
        weight = self.rows * self.scales[:, None]
        short = np.asarray(weight @ projection.matrix.T, np.float32)
        lengths = lengths_of(short)
        return Words(
            self.names,
            unit_length(short, lengths),
            np.asarray(lengths * projection.spread, np.float32),
            np.asarray(self.biases + weight @ projection.mean, np.float32),
            self.calibrated,
        )

    def guess(self, vectors: Vectors) -> list[tuple[Guess, ...]]:
        """Return the likeliest `GUESSES` words of each of (n, d) *vectors*, with their shares.

        A share is that of the softmax over all words.
        """
        guesses = []
        for start in range(0, len(vectors), _BLOCK):
            logits = self._logits(vectors[start : start + _BLOCK])
            order = np.argsort(-logits, axis=1, kind="stable")[:, :GUESSES]
            weights = np.exp(logits - logits.max(axis=1, keepdims=True))
            shares = np.take_along_axis(weights / weights.sum(axis=1, keepdims=True), order, axis=1)
            for places, parts in zip(order.tolist(), shares.tolist(), strict=True):
                guesses.append(
                    tuple(
                        Guess(self.names[place], part if self.calibrated else None)
                        for place, part in zip(places, parts, strict=True)
                    )
                )
        return guesses

    def count(self, vectors: Vectors) -> npt.NDArray[np.int64]:
        """Count for each word the (n, d) *vectors* of which it is the likeliest: (w,)."""
        counts = np.zeros(len(self.names), np.int64)
        for start in range(0, len(vectors), _BLOCK):
            first = self._logits(vectors[start : start + _BLOCK]).argmax(axis=1)
            counts += np.bincount(first, minlength=len(counts))
        return counts

    def to_bytes(self) -> bytes:
        """Write the words as a safetensors file, rows as float16, names in its metadata."""
        from safetensors.numpy import save

        arrays: dict[str, npt.NDArray[Any]] = {
            "rows": np.ascontiguousarray(self.rows, "<f2"),
            "scales": np.ascontiguousarray(self.scales, "<f4"),
            "biases": np.ascontiguousarray(self.biases, "<f4"),
        }
        facts = {"names": self.names, "calibrated": self.calibrated}
        # One entry: several would come in any order, and the same words not in the same bytes.
        return save(arrays, {_FACTS: json.dumps(facts, ensure_ascii=False)})

    @classmethod
    def from_bytes(cls, data: bytes, dim: int) -> Words:
        """Read what `to_bytes` wrote for vectors of *dim*; raises ValueError for anything else."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            arrays = load(data)
            # What is loaded has a sound header: its length in 8 bytes, then JSON.
            header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
            facts = json.loads(header["__metadata__"][_FACTS])
            names, calibrated = facts["names"], facts["calibrated"]
            rows, scales, biases = (arrays[name] for name in _ARRAYS)
        except (SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise ValueError(f"is no file of words ({type(error).__name__})") from None
        if not (isinstance(names, list) and names and all(map(_is_name, names))):
            raise ValueError("has words that are not text")
        if rows.dtype != np.float16 or rows.shape != (len(names), dim):
            raise ValueError(
                f"has {rows.dtype} of shape {rows.shape} for {len(names)} words of {dim} dimensions"
            )
        if any(one.dtype != np.float32 or one.shape != (len(names),) for one in (scales, biases)):
            raise ValueError("has no scale and bias for each word")
        wide = rows.astype(np.float32)
        finite = all(np.isfinite(one).all() for one in (wide, scales, biases))
        lengths = lengths_of(wide)
        if not (finite and (np.abs(lengths - 1) < _TOLERANCE).all() and (scales > 0).all()):
            raise ValueError("has rows that are not unit vectors")
        return cls(tuple(names), unit_length(wide, lengths), scales, biases, calibrated is True)

    def _logits(self, vectors: Vectors) -> Array:
        return vectors @ self.rows.T * self.scales + self.biases


def _is_name(name: object) -> bool:
    return (
        isinstance(name, str)
        and 0 < len(name) <= _LONGEST_NAME
        and name.isprintable()
        and name == name.strip()
    )
