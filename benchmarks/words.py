"""Precision at 10 of words, over the classes that a folder shares with ImageNet.

    python benchmarks/words.py CALTECH101 [--model NAME] [--pool NAME] [--dim N] [--weights FILE]

CALTECH101 is a folder with a folder for each class, as Caltech-101 is unpacked, or with some of
them. A hit is right if it lies in a folder of the word. Pictures of classes that ImageNet does not
have are in the index too.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import vecsearch
from vecsearch import EncoderConfig, Word

K: Final = 10

SHARED: Final[Mapping[str, tuple[str, ...]]] = {
    "accordion": ("accordion",),
    "African crocodile": ("crocodile", "crocodile_head"),
    "airliner": ("airplanes",),
    "American lobster": ("lobster",),
    "ant": ("ant",),
    "barrel": ("barrel",),
    "beaver": ("beaver",),
    "binoculars": ("binocular",),
    "cannon": ("cannon",),
    "cellular telephone": ("cellphone",),
    "chambered nautilus": ("nautilus",),
    "cock": ("rooster",),
    "cougar": ("cougar_body", "cougar_face"),
    "crayfish": ("crayfish",),
    "dalmatian": ("dalmatian",),
    "dragonfly": ("dragonfly",),
    "electric guitar": ("electric_guitar",),
    "flamingo": ("flamingo", "flamingo_head"),
    "giant panda": ("panda",),
    "grand piano": ("grand_piano",),
    "laptop": ("laptop",),
    "leopard": ("Leopards",),
    "llama": ("llama",),
    "pizza": ("pizza",),
    "platypus": ("platypus",),
    "porcupine": ("hedgehog",),  # ImageNet's class is "porcupine, hedgehog"
    "reflex camera": ("camera",),
    "revolver": ("revolver",),
    "sax": ("saxophone",),
    "schooner": ("schooner",),
    "scorpion": ("scorpion",),
    "soccer ball": ("soccer_ball",),
    "starfish": ("starfish",),
    "strawberry": ("strawberry",),
    "table lamp": ("lamp",),
    "tick": ("tick",),
    "trilobite": ("trilobite",),
    "umbrella": ("umbrella",),
}
"""Words of ImageNet, and the folders of Caltech-101 that hold what they mean, by hand.

Left out is what is only nearly the same: ``watch`` is no digital watch, ``crab`` is several words.
"""


@dataclass(frozen=True, slots=True)
class Precision:
    """How many of the first ``K`` hits are right, for each word that the folder has pictures of."""

    by_word: Mapping[str, float]

    @property
    def mean(self) -> float:
        """The mean over words."""
        return sum(self.by_word.values()) / len(self.by_word)


def word_precision(index: Path) -> Precision:
    """Ask *index* with each word that its folders have pictures of; of fewer than K count these."""
    with vecsearch.open_index(index) as opened:
        sizes = Counter(image.path.parent.name for image in opened)
        found = {}
        for word, folders in SHARED.items():
            if wanted := min(K, sum(sizes[folder] for folder in folders)):
                (result,) = opened.query(Word(word), k=wanted)
                right = sum(hit.path.parent.name in folders for hit in result.hits)
                found[word] = right / wanted
    return Precision(found)


def main() -> None:
    """Build an index in a temporary folder and print what its words find."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dim", type=int)
    parser.add_argument("--model", default="efficientnet-lite0")
    for option in ("weights", "layer", "pool", "precision"):
        parser.add_argument(f"--{option}")
    given = parser.parse_args()
    config = EncoderConfig(
        model=given.model, layer=given.layer, pool=given.pool, dim=given.dim,
        weights=given.weights, precision=given.precision,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        report = vecsearch.build(given.folder, index=Path(folder, "index"), encoder=config)
        precision = word_precision(report.index)
    for word, share in precision.by_word.items():
        if share < 1:
            print(f"{share:.2f}  {word}")
    print(
        f"{report.encoder.title}: precision at {K} {precision.mean:.3f} "
        f"over {len(precision.by_word)} words and {report.total} images"
    )


if __name__ == "__main__":
    main()
