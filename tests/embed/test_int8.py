"""int8: what is quantised and what is not, and that it finds what fp32 finds."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from samples import SAMPLES, Run, hits_of

from vecsearch.embed.encoder import EncoderConfig, make_encoder
from vecsearch.embed.pca import Projection
from vecsearch.embed.quantize import quantized
from vecsearch.images.reader import read_image
from vecsearch.types import Pixels

MODEL = "efficientnet-lite0"


@pytest.fixture
def run(run_here: Run) -> Run:
    """Run commands in this process."""
    return run_here


@cache
def pictures() -> Pixels:
    pixels = [read_image(path, 224).pixels for path in sorted(SAMPLES.glob("*1.jpg"))]
    return np.stack([one for one in pixels if one is not None])


def graph_of(model: str, layer: str, pool: str, pca: bool = False) -> Any:
    weights = "imagenet" if model == MODEL else "random:0"
    config = EncoderConfig(
        model=model, layer=layer, pool=pool, weights=weights, precision="fp32", engine="openvino"
    )
    encoder = make_encoder(config)
    if pca:
        matrix = np.eye(4, encoder.spec.dim, dtype=np.float32)
        mean = np.zeros(encoder.spec.dim, np.float32)
        projection = Projection(matrix, np.zeros(4, np.float32), mean, 1.0)
        encoder = encoder.with_projection(projection)
    return quantized(encoder, pictures()).graph


def above(node: Any) -> list[Any]:
    """List what *node* takes its input from, pictures first, without constants."""
    return [one.get_node() for one in node.input_values()
            if one.get_node().get_type_name() != "Constant"]  # fmt: skip


def is_quantised(node: Any) -> bool:
    return any(one.get_type_name() == "FakeQuantize" for one in above(node))


@pytest.mark.parametrize(
    ("model", "layer", "pool", "pca"),
    [
        (MODEL, "stage1+stage3", "gem", True),
        (MODEL, "stage2", "flatten", False),
        ("vgg19", "block1_pool", "max", True),
    ],
)
def test_convolutions_are_quantised_and_nothing_behind_them(
    model: str, layer: str, pool: str, pca: bool
) -> None:
    nodes = graph_of(model, layer, pool, pca).get_ordered_ops()
    by_type: dict[str, list[Any]] = {}
    for node in nodes:
        by_type.setdefault(node.get_type_name(), []).append(node)
    convolutions = [
        node for node in nodes if node.get_type_name() in ("Convolution", "GroupConvolution")
    ]
    # The stem and the two of the first block are what EfficientNet-Lite0 keeps.
    kept = 3 if model == MODEL else 0
    assert [is_quantised(node) for node in convolutions] == [
        number >= kept for number in range(len(convolutions))
    ]
    for kind in ("Power", "Maximum", "ReduceMean", "ReduceMax", "NormalizeL2", "MatMul", "Concat"):
        assert not any(is_quantised(node) for node in by_type.get(kind, ()))


def test_weights_that_meet_in_a_sum_have_seven_bits() -> None:
    """Processors without VNNI add products of two channels in 16 bits, which 8 would overflow."""
    arrays = [
        node.get_data()
        for node in graph_of(MODEL, "stage3", "gem").get_ordered_ops()
        if node.get_type_name() == "Constant" and node.get_element_type().get_type_name() == "i8"
    ]
    between_channels = [array for array in arrays if array.ndim == 4]  # depthwise ones have 5
    assert len(between_channels) > 5
    assert all(np.abs(array).max() <= 64 for array in between_channels)


def test_int8_finds_what_fp32_finds(tmp_path: Path, run: Run) -> None:
    """Without --force, over the sample pictures, at the model's own layer and pooling."""
    printed = run("build", SAMPLES, "-i", "ix", "--model", MODEL, "--precision", "int8").stdout
    assert "int8 finds 9" in printed
    facts = json.loads(run("info", "-i", "ix", "--json").stdout)
    assert facts["encoder"]["precision"] == "int8"
    assert facts["agreement"]["pictures"] == 20
    assert facts["agreement"]["overlap"] >= 0.9
    shutil.copy(SAMPLES / "sushi3.jpg", tmp_path / "new.jpg")
    assert hits_of(run("query", "new.jpg", "-i", "ix", "--json", "-k", "1")) == [["sushi3.jpg"]]
