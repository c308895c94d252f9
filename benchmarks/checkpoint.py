"""Untrained parameters of all of VGG19, as torchvision's checkpoint holds them.

    python benchmarks/checkpoint.py FOLDER

Prints the path of the file, which carries the start of its SHA-256 in its name.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import torch

from vecsearch.embed.backbones.vgg19 import VGG19
from vecsearch.embed.weights import random_arrays


def main() -> None:
    """Write the checkpoint."""
    folder = Path(sys.argv[1])
    arrays = random_arrays(0, VGG19.parameters("fc2"))
    state = {name: torch.from_numpy(array) for name, array in arrays.items()}
    state["classifier.6.weight"] = torch.zeros(1000, 4096)
    state["classifier.6.bias"] = torch.zeros(1000)
    path = folder / "vgg19.pth"
    torch.save(state, path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:8]
    print(path.rename(folder / f"vgg19-{digest}.pth"))


if __name__ == "__main__":
    main()
