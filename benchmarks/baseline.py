"""The straightforward program: what a competent user would write in an afternoon.

    python benchmarks/baseline.py build FOLDER INDEX --weights vgg19.pth
    python benchmarks/baseline.py query IMAGE INDEX --weights vgg19.pth

torchvision's VGG19 with the pretrained weights, batches of 16 without gradients, its own transforms
on Pillow's pictures, generalised-mean pooling, faiss.IndexFlatIP, and a JSON list as the ID map.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import faiss
import numpy as np
import torch
from PIL import Image
from torchvision import models, transforms

BATCH = 16


def load_network(weights: Path) -> torch.nn.Module:
    """Load VGG19 and keep its convolutions."""
    network = models.vgg19()
    network.load_state_dict(torch.load(weights))
    features: torch.nn.Module = network.features.eval()
    return features


def embed(
    network: torch.nn.Module, paths: list[Path]
) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Turn pictures into unit vectors (n, 512) float32."""
    transform = transforms.Compose(
        [
            transforms.Resize((224, 224)),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    parts = []
    with torch.inference_mode():
        for start in range(0, len(paths), BATCH):
            images = [Image.open(path).convert("RGB") for path in paths[start : start + BATCH]]
            activation = network(torch.stack([transform(image) for image in images]))
            parts.append(activation.clamp(min=1e-6).pow(3).mean(dim=(2, 3)).pow(1 / 3))
    return np.asarray(torch.nn.functional.normalize(torch.cat(parts)).numpy())


def main() -> None:
    """Build or query."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["build", "query"])
    parser.add_argument("source", type=Path)
    parser.add_argument("index", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    given = parser.parse_args()
    network = load_network(given.weights)
    names = given.index.with_suffix(".json")
    if given.command == "build":
        paths = sorted(given.source.glob("*.jp*g"))
        made = faiss.IndexFlatIP(512)
        made.add(embed(network, paths))
        faiss.write_index(made, str(given.index))
        names.write_text(json.dumps([str(path) for path in paths]))
        print(len(paths), "images")
    else:
        index = faiss.read_index(str(given.index))
        known = json.loads(names.read_text())
        scores, rows = index.search(embed(network, [given.source]), 5)
        for score, row in zip(scores[0], rows[0], strict=True):
            print(f"{score:.4f} {known[row]}")


if __name__ == "__main__":
    main()
