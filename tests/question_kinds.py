"""A question of every kind that an opened index answers, for many threads to ask."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image as Pillow

from vecsearch import IndexOutdatedError, QueryImage, QueryOptions, Result, VecsearchError
from vecsearch.types import Vectors

EACH: Final = 4
"""So many questions of each kind."""

_TOLERANCE: Final = 2e-4
"""How far scores of the same question may differ, by the order of sums."""

Line = tuple[int, str, float, float]
Asked = Any
"""An `Index`, or a `RemoteIndex` for the questions that it knows."""

Answer = list[Line | str]
"""Hits as id, name, score and order, a text for what is no hit."""


def jpeg(seed: int) -> bytes:
    """Make a seeded picture that no index has."""
    generator = np.random.RandomState(seed)
    small = generator.randint(0, 255, (5, 7, 3)).astype(np.uint8)
    out = io.BytesIO()
    Pillow.fromarray(small).resize((140, 100)).save(out, "JPEG")
    return out.getvalue()


def answer(results: Iterable[Result]) -> Answer:
    """Write down what was answered."""
    lines: Answer = []
    for result in results:
        lines.append(f"{result.query} {'is refused' if result.error else 'has'}")
        lines += [(hit.id, hit.path.name, hit.score, hit.order or 0.0) for hit in result.hits]
    return lines


def agree(one: Answer, other: Answer) -> bool:
    """Return whether two answers are the same, but for the last digits of scores."""
    if len(one) != len(other):
        return False
    return all(
        a == b
        if isinstance(a, str) or isinstance(b, str)
        else a[:2] == b[:2] and np.allclose(a[2:], b[2:], rtol=0, atol=_TOLERANCE)
        for a, b in zip(one, other, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Question:
    """A question: its kind, and how an index is asked it."""

    kind: str
    ask: Callable[[Asked], Answer]


class Questions:
    """Questions of every kind, by their numbers; new pictures lie in *folder*.

    The ids 1 to 12 must be in the index as they are; others may be asked for that are not.
    """

    def __init__(self, folder: Path, dim: int = 64) -> None:
        """Make the pictures."""
        self.all: list[Question] = []
        vectors = np.random.RandomState(0).normal(size=(EACH, dim)).astype(np.float32)
        for n in range(EACH):
            file, data = folder / f"new{n}.jpg", jpeg(100 + n)
            file.write_bytes(jpeg(n))
            k = 1 + n
            self._add_queries(n, k, file, data)
            self._add_others(n, k, file, vectors[n])

    def __len__(self) -> int:
        """Count the questions."""
        return len(self.all)

    def ask(self, index: Asked, number: int) -> Answer:
        """Ask question *number*; what is refused is an answer too."""
        try:
            return self.all[number].ask(index)
        except IndexOutdatedError:
            raise
        except VecsearchError as error:
            return [type(error).__name__]

    def _add_queries(self, n: int, k: int, file: Path, data: bytes) -> None:
        def add(kind: str, *asked: str | Path | bytes | QueryImage, **options: object) -> None:
            chosen = QueryOptions(**options)  # type: ignore[arg-type]
            self._add(kind, lambda index: answer(index.query(asked, k=k, options=chosen)))

        known = f"id:{n + 1}"
        add("bytes", data)
        add("file", file)
        add("id", known)
        add("id that may be gone", f"id:{14 + 3 * n}")
        add("box", file, box=(n, 5, 90, 60))
        add("box outside", data, box=(n, 5, 900, 60))
        boxes = (n, 5, 50, 60), (9, n, 90, 9)
        add("boxes", *(QueryImage(f"part {box}", file, None, box) for box in boxes))
        add("mean", data, file, "id:2", combine="mean")
        add("max", "id:3", data, combine="max")
        add("minus", "id:4", minus=[data])
        add("plus and minus", known, data, combine="mean", minus=["id:9", file])
        add("pattern", data, glob="*.png")
        add("pattern that leaves few", known, glob=["p1*", "*3.png"])
        add("expanded and re-ranked", data, expand=3, rerank=10)
        add("page", data, offset=n)
        add("threshold", file, threshold=0.9 - 0.02 * n)
        add("itself too", known, include_self=True)
        add("many", data, "id:5", b"no picture", file, f"id:{999 + n}", known)
        add("no picture", b"no picture" * n)

    def _add_others(self, n: int, k: int, file: Path, vector: Vectors) -> None:
        options = QueryOptions(glob=f"*{n}*", threshold=0.2)
        self._add("vector", lambda index: answer(index.search(vector, k=k)))
        self._add(
            "vector and pattern", lambda index: answer(index.search(vector, k=k, options=options))
        )
        self._add("recommend", lambda index: answer(index.recommend(k=1 + k % 2)))
        self._add("images", lambda index: [f"{image.id} {image.path.name}" for image in index])
        self._add("vectors", _vectors)
        self._add("look", lambda index: [f"{one.id}" for one in index.look([file, f"id:{k}"])])
        self._add("count", lambda index: [f"{index.info().images > 0} {index.has_path(file)}"])

    def _add(self, kind: str, ask: Callable[[Asked], Answer]) -> None:
        self.all.append(Question(kind, ask))


def _vectors(index: Any) -> Answer:
    images, vectors = index.vectors()
    return [
        f"{image.id} {image.path.name} {zlib.crc32(vector.tobytes())}"
        for image, vector in zip(images, vectors, strict=True)
    ]
