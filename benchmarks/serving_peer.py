"""The server that one writes in an afternoon: Flask, FAISS and PyTorch in one process.

    python benchmarks/serving_peer.py VECTORS.npy [FACTORY_STRING NPROBE]

Prints its address. Without a factory string its index is an IndexFlatIP.
"""

from __future__ import annotations

import io
import logging
import sys
from pathlib import Path
from typing import Any, cast

import faiss
import numpy as np
import torch
from efficientnet_lite_pytorch import EfficientNet
from flask import Flask, jsonify, request
from PIL import Image
from torchvision import transforms
from werkzeug.serving import make_server

from vecsearch.embed.backbones.backbone import Packaged
from vecsearch.embed.backbones.efficientnet_lite import EFFICIENTNET_LITE0
from vecsearch.embed.packaged import packaged_file

K = 10
BLOCK = 50_000


def build(path: Path, factory: str, nprobe: int) -> faiss.Index:
    """Make the index, or read it where it is kept."""
    kept = path.with_suffix(f".{factory.replace(',', '-')}.faiss")
    if kept.exists():
        index = faiss.read_index(str(kept))
    else:
        vectors = np.load(path, mmap_mode="r")
        index = faiss.index_factory(vectors.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
        index.train(unit(vectors[:: max(1, len(vectors) // 100_000)]))
        for start in range(0, len(vectors), BLOCK):
            index.add(unit(vectors[start : start + BLOCK]))
        if nprobe:
            index.make_direct_map()
        faiss.write_index(index, str(kept))
    if nprobe:
        faiss.extract_index_ivf(index).nprobe = nprobe
    return index


def unit(vectors: Any) -> Any:
    """(n, d) of any floats -> (n, d) float32 of unit length."""
    found = np.asarray(vectors, np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def main() -> None:
    """Serve until the end."""
    path, factory, nprobe = sys.argv[1], "Flat", "0"
    if len(sys.argv) > 2:
        factory, nprobe = sys.argv[2:]
    index = build(Path(path), factory, int(nprobe))
    network = EfficientNet.from_name("efficientnet-lite0")
    weights = packaged_file(cast(Packaged, EFFICIENTNET_LITE0.facts.pretrained))
    network.load_state_dict(torch.load(weights, weights_only=True))
    network.eval()
    prepare = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize([0.5] * 3, [0.5] * 3),
        ]
    )
    app = Flask(__name__)

    def hits(vector: Any) -> Any:
        scores, rows = index.search(vector, K)
        found = zip(rows[0].tolist(), scores[0].tolist(), strict=True)
        return jsonify([{"id": row, "score": score} for row, score in found])

    @app.get("/similar/<int:row>")
    def similar(row: int) -> Any:
        return hits(index.reconstruct(row - 1)[None])

    @app.post("/query")
    def query() -> Any:
        picture = Image.open(io.BytesIO(request.get_data())).convert("RGB")
        with torch.inference_mode():
            features = network.extract_features(prepare(picture)[None]).mean((2, 3)).numpy()
        return hits(unit(features))

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(f"http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
