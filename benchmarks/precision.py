"""Mean precision at 5 by class over a folder whose file names begin with their class.

    python benchmarks/precision.py FOLDER [--weights random:0] [--layer NAME[+NAME]...]

The class of ``burger3.jpg`` and ``burger_test.jpg`` is ``burger``; each picture asks for the five
others that are nearest to it.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path

import numpy as np

import vecsearch
from vecsearch import EncoderConfig


def label(path: Path) -> str:
    """Give the letters that a name begins with."""
    found = re.match(r"[A-Za-z]+", path.name)
    return found.group() if found else ""


def precision_at_5(index: Path) -> float:
    """Compute the mean share of the five nearest that are of the query's class."""
    with vecsearch.open_index(index) as opened:
        return float(
            np.mean(
                [
                    label(hit.path) == label(result.path)
                    for result in opened.recommend(k=5)
                    if result.path is not None
                    for hit in result.hits
                ]
            )
        )


def main() -> None:
    """Build an index in a temporary folder and print its precision."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    for option in ("weights", "layer", "pool", "precision"):
        parser.add_argument(f"--{option}")
    given = parser.parse_args()
    config = EncoderConfig(
        weights=given.weights, layer=given.layer, pool=given.pool, precision=given.precision
    )
    with tempfile.TemporaryDirectory() as folder:
        report = vecsearch.build(given.folder, index=Path(folder, "index"), encoder=config)
        encoder = report.encoder
        print(
            f"{encoder.layer} {encoder.pool} {encoder.weights} {encoder.precision}: "
            f"{precision_at_5(report.index):.3f} over {report.total} images"
        )


if __name__ == "__main__":
    main()
