"""Quality by labels of a few encoders, over folders of labelled pictures.

    python benchmarks/quality.py DATA [--encoders NAME,...]

DATA is a folder with any of these: ``steakhouse``, whose labels are the letters that a file name
begins with (``burger3.jpg``), and ``caltech101``, with a folder for each class. Each encoder builds
an index in a temporary folder, and every picture asks for the others of its class: plainly, with
expansion, and re-ranked. Printed are precision at 5, as the mean over pictures and over classes,
and mean average precision, each with its 95% interval; over ``caltech101`` also the precision at 10
of words. ``make quality DATA=...`` runs it. ``--encoders vgg19`` is VGG19 with pretrained weights,
which it downloads.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from words import word_precision

import vecsearch
from vecsearch import EncoderConfig, MeanFigure, QueryOptions

LABELS: Final = {"steakhouse": "^[A-Za-z]+", "caltech101": "folder"}

_POOLS: Final = "+".join(f"block{number}_pool" for number in range(1, 6))

ENCODERS: Final[Mapping[str, EncoderConfig]] = {
    "efficientnet-lite0": EncoderConfig(model="efficientnet-lite0"),
    "efficientnet-lite0-avg": EncoderConfig(model="efficientnet-lite0", pool="avg"),
    "efficientnet-lite0-128": EncoderConfig(model="efficientnet-lite0", dim=128),
    "efficientnet-lite0-int8": EncoderConfig(model="efficientnet-lite0", precision="int8"),
    "vgg19-untrained": EncoderConfig(weights="random:0"),
    "vgg19-untrained-pools": EncoderConfig(layer=_POOLS, weights="random:0"),
    "vgg19": EncoderConfig(),
}
WITHOUT_DOWNLOAD: Final = [name for name in ENCODERS if name != "vgg19"]

WAYS: Final = {
    "plain": QueryOptions(),
    "expanded by 5": QueryOptions(expand=5),
    "200 re-ranked": QueryOptions(rerank=200),
}


def rows(data: Path, names: Sequence[str]) -> Iterator[str]:
    """Measure *names* of `ENCODERS` over each folder that is there; give a line for each figure."""
    for name, labels in LABELS.items():
        folder = data / name
        if not folder.is_dir():
            yield f"{name}: there is no folder {folder}, so nothing is measured"
            continue
        for encoder in names:
            with tempfile.TemporaryDirectory() as temporary:
                try:
                    config = ENCODERS[encoder]
                    built = vecsearch.build(folder, index=Path(temporary, "index"), encoder=config)
                except vecsearch.UsageError as error:  # fewer pictures than dimensions
                    yield f"{name}, {encoder}: {error}"
                    continue
                made = built.encoder
                yield f"{name}: {built.total} images, {made.title}, {made.precision}"
                yield from _by_labels(built.index, labels)
                if name == "caltech101" and made.model == "efficientnet-lite0":
                    found = word_precision(built.index)
                    yield f"  words: precision@10 {found.mean:.3f} over {len(found.by_word)} words"


def _by_labels(index: Path, labels: str) -> Iterator[str]:
    for way, options in WAYS.items():
        report = vecsearch.evaluate_labels(index, labels, ks=(5,), options=options)
        (at_5,) = report.at
        yield (
            f"  {way}: precision@5 {_shown(at_5.precision)}, by class "
            f"{_shown(at_5.precision_by_class)}, mAP {_shown(report.mean_average_precision)}"
        )


def _shown(figure: MeanFigure) -> str:
    return f"{figure.value:.3f} ({figure.interval.low:.3f} to {figure.interval.high:.3f})"


def main() -> None:
    """Print a line for each folder and encoder, as they are done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("data", nargs="?", default="", help="the folder that has them")
    parser.add_argument("--encoders", default=",".join(WITHOUT_DOWNLOAD), metavar="NAME,...")
    given = parser.parse_args()
    names = given.encoders.split(",")
    if unknown := sorted(set(names) - set(ENCODERS)):
        parser.error(f"unknown {', '.join(unknown)}; known are {', '.join(ENCODERS)}")
    if not given.data:
        print(f"No labelled pictures are at hand: give a folder that has {' or '.join(LABELS)}.")
        print("For example: make quality DATA=/path/to/folder")
        sys.exit(1)
    for row in rows(Path(given.data), names):
        print(row, flush=True)


if __name__ == "__main__":
    main()
