"""The weight of the pictures of ``--not``: what hits are of, for each weight.

    python benchmarks/minus.py DATA [--model NAME] [--weights W]

DATA is a folder with any of ``steakhouse`` and ``caltech101``, as in ``quality.py``. Each picture
asks for its five nearest, with each picture of another class as the one that hits should not be
like; twice: with every such picture, and with only those that are among its five nearest anyway.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from quality import LABELS

import vecsearch
from vecsearch import EncoderConfig

WEIGHTS: Final = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.75, 1.0)
K: Final = 5


def label_of(path: Path, labels: str) -> str:
    """Return the class of a picture: its folder, or what the pattern *labels* finds in its name."""
    if labels == "folder":
        return path.parent.name
    found = re.search(labels, path.name)
    return found.group() if found else path.name


def rows(index: Path, labels: str) -> Iterator[str]:
    """Measure every weight; give a line for each."""
    with vecsearch.open_index(index) as opened:
        images, vectors = opened.vectors()
    names = np.array([label_of(image.path, labels) for image in images])
    cosines = vectors @ vectors.T
    plain = nearest(cosines, np.arange(len(names))[:, None])
    yield f"{'weight':>8}  all pairs: own    hits: own  minus  that stay"
    for weight in WEIGHTS:
        every, own, minus, stay = [], [], [], []
        for query, name in enumerate(names.tolist()):
            others = np.flatnonzero(names != name)
            scores = cosines[query] - np.float32(weight) * cosines[others]
            out = np.stack([np.full_like(others, query), others], axis=1)
            found = nearest(scores, out)
            of_own = names[found] == name
            every.append(of_own.mean(axis=1).mean())
            hit = np.isin(others, plain[query])
            own += of_own[hit].mean(axis=1).tolist()
            minus += (names[found[hit]] == names[others[hit], None]).mean(axis=1).tolist()
            for other, kept in zip(others[hit].tolist(), found[hit], strict=True):
                rest = np.setdiff1d(plain[query], [other])
                stay.append(np.isin(rest, kept).mean())
        yield (
            f"{weight:8.2f}{np.mean(every):17.3f}{np.mean(own):13.3f}{np.mean(minus):7.3f}"
            f"{np.mean(stay):11.3f}"
        )
    yield f"{len(own):,} pairs of a picture and a hit of another class"


def nearest(scores: npt.NDArray[np.float32], out: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Return the `K` places of the largest *scores*, (n, images), but for those in *out*."""
    left = scores.copy()
    np.put_along_axis(left, out, -np.inf, axis=1)
    return np.argsort(-left, axis=1, kind="stable")[:, :K]


def main() -> None:
    """Build an index of each folder and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument("--weights")
    given = parser.parse_args()
    encoder = EncoderConfig(model=given.model, weights=given.weights)
    for name, labels in LABELS.items():
        if not (given.data / name).is_dir():
            continue
        with tempfile.TemporaryDirectory() as folder:
            report = vecsearch.build(given.data / name, index=Path(folder, "i"), encoder=encoder)
            print(f"{name}: {report.total} images, {report.encoder.title}")
            for row in rows(report.index, labels):
                print(row, flush=True)


if __name__ == "__main__":
    main()
