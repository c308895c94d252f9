"""The original's result: the same neighbours as plain torchvision and numpy, from one weights file.

Runs over fifteen of the sample pictures and, if VECSEARCH_STEAKHOUSE names the folder that holds
``steakhouse/`` and ``steakhouse-published-top5.json``, over the 39 photographs of the original.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from samples import SAMPLES
from torchvision.models import vgg
from torchvision.transforms import v2

import vecsearch
from vecsearch import EncoderConfig
from vecsearch.embed.backbones.vgg19 import VGG19
from vecsearch.embed.weights import random_arrays
from vecsearch.types import Vectors

STEAKHOUSE = os.environ.get("VECSEARCH_STEAKHOUSE", "")
PRETRAINED = os.environ.get("VECSEARCH_PRETRAINED", "")
needs_steakhouse = pytest.mark.skipif(
    not STEAKHOUSE, reason="VECSEARCH_STEAKHOUSE does not name the photographs of the original"
)
PICTURES = [
    pytest.param(sorted(SAMPLES.glob("*[12t].jpg")), 15, id="samples"),
    pytest.param(
        sorted(Path(STEAKHOUSE, "steakhouse").iterdir()) if STEAKHOUSE else [], 39,
        id="steakhouse", marks=needs_steakhouse,
    ),
]  # fmt: skip


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state dict in torchvision's names, convolutions only, as torch saves it."""
    arrays = random_arrays(7, VGG19.parameters("block5_pool"))
    path = tmp_path_factory.mktemp("weights") / "vgg19.pth"
    torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, path)
    return path


@cache
def reference(paths: tuple[Path, ...], checkpoint: Path) -> dict[str, Vectors]:
    """Compute unit vectors by layer without a line of vecsearch's own: (n, d) float32."""
    features = vgg.make_layers(vgg.cfgs["E"], batch_norm=False)
    state = torch.load(checkpoint, weights_only=True)
    features.load_state_dict({name.removeprefix("features."): v for name, v in state.items()})
    transform = v2.Compose(
        [
            v2.Resize((224, 224), antialias=True),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    vectors: dict[str, list[torch.Tensor]] = {"block4_pool": [], "block5_pool": []}
    with torch.inference_mode():
        for path in paths:
            with Image.open(path) as image:
                x = features[:28](transform(image.convert("RGB"))[None])
            vectors["block4_pool"].append(x.flatten())
            x = features[28:37](x)  # and generalised mean, p = 3
            vectors["block5_pool"].append(x.pow(3).mean(dim=(2, 3)).pow(1 / 3).flatten())
    return {
        layer: np.asarray(torch.nn.functional.normalize(torch.stack(rows)))
        for layer, rows in vectors.items()
    }


@pytest.mark.parametrize(("pictures", "count"), PICTURES)
@pytest.mark.parametrize(
    ("layer", "pool", "dim"), [("block4_pool", "flatten", 100_352), ("block5_pool", "gem", 512)]
)
def test_the_five_neighbours_are_those_of_an_independent_computation(
    pictures: list[Path],
    count: int,
    layer: str,
    pool: str,
    dim: int,
    checkpoint: Path,
    tmp_path: Path,
) -> None:
    config = EncoderConfig(layer=layer, pool=pool, weights=str(checkpoint), precision="fp32")
    (tmp_path / "list").write_text("".join(f"{path}\n" for path in pictures))
    report = vecsearch.build(from_list=tmp_path / "list", index=tmp_path / "index", encoder=config)
    assert (report.total, report.encoder.dim) == (count, dim)
    with vecsearch.open_index(report.index) as index:
        paths = [image.path for image in index]
        results = list(index.recommend(k=5))
    expected = reference(tuple(paths), checkpoint)[layer]
    cosines = expected @ expected.T
    np.fill_diagonal(cosines, -np.inf)
    for row, result in enumerate(results):
        assert result.path == paths[row]
        order = np.argsort(-cosines[row], kind="stable")
        scores = [hit.score for hit in result.hits]
        np.testing.assert_allclose(scores, cosines[row, order[:5]], atol=1e-3)
        for rank, hit in enumerate(result.hits):
            if hit.path != paths[order[rank]]:  # only a tie, to float16's rounding, may swap
                swapped = cosines[row, paths.index(hit.path)]
                assert abs(swapped - cosines[row, order[rank]]) < 3e-5, (result.query, rank)


@needs_steakhouse
@pytest.mark.parametrize(
    ("layer", "least"),
    [
        ("block5_pool", 0.50),
        ("block1_pool+block2_pool+block3_pool+block4_pool+block5_pool", 0.60),
    ],
)
def test_untrained_weights_find_the_same_food(layer: str, least: float, tmp_path: Path) -> None:
    config = EncoderConfig(layer=layer, weights="random:0")
    folder = Path(STEAKHOUSE, "steakhouse")
    report = vecsearch.build(folder, index=tmp_path / "index", encoder=config)
    assert report.total == 39
    assert precision_at_5(report.index) >= least


@needs_steakhouse
@pytest.mark.skipif(
    not PRETRAINED, reason="VECSEARCH_PRETRAINED does not name torchvision's VGG19 checkpoint"
)
def test_pretrained_weights_agree_with_what_the_original_published(tmp_path: Path) -> None:
    """Its Keras weights are another training of the same network, so the lists overlap, no more."""
    published = json.loads(Path(STEAKHOUSE, "steakhouse-published-top5.json").read_text())
    config = EncoderConfig(layer="block4_pool", pool="flatten", weights=PRETRAINED)
    folder = Path(STEAKHOUSE, "steakhouse")
    report = vecsearch.build(folder, index=tmp_path / "index", encoder=config)
    shared = []
    with vecsearch.open_index(report.index) as index:
        for result in index.recommend(k=5):
            assert result.path is not None
            ours = {hit.path.name for hit in result.hits}
            shared.append(len(ours & set(published[result.path.name])) / 5)
    assert np.mean(shared) >= 0.5
    assert precision_at_5(report.index) >= 0.45


def precision_at_5(index_folder: Path) -> float:
    """Compute the mean share of hits of the query's own class, told by its name's first letters."""

    shares = []
    with vecsearch.open_index(index_folder) as index:
        for result in index.recommend(k=5):
            assert result.path is not None
            shares.append(
                np.mean([hit.path.name[:4] == result.path.name[:4] for hit in result.hits])
            )
    return float(np.mean(shares))
