"""The truncated network as an OpenVINO model: pictures in, unit vectors out.

Normalisation of the input, pooling, projection and L2 normalisation are inside, so that the model
alone is the whole encoder. Every parameter is a constant that bears its state-dict name, which is
how `read_parameters` gets them back for another engine.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from vecsearch.embed.backbones.backbone import Array, Arrays, Layer
from vecsearch.embed.engines.openvino_runtime import ov
from vecsearch.embed.graph_nodes import channels, constant, flatten, ops, scalar
from vecsearch.embed.pca import Projection
from vecsearch.embed.spec import EncoderSpec

GEM_P: Final = 3.0
"""The exponent of generalised-mean pooling; Radenović et al. (TPAMI 2019) learn about 3."""
EPSILON: Final = 1e-6

POOLING_OPERATIONS: Final = ("Maximum", "NormalizeL2", "Power", "ReduceMax", "ReduceMean")
"""Operations with which pooling begins; no network has them."""

_PARAMETERS: Final = (".weight", ".bias")


def build_graph(spec: EncoderSpec, arrays: Arrays, projection: Projection | None) -> Any:
    """Build the model: ``rgb`` (n, size, size, 3) uint8 -> (n, d) float32."""
    rgb = ops.parameter([-1, spec.image_size, spec.image_size, 3], np.uint8, name="rgb")
    mean, std = (channels(np.array(values, np.float32) * 255) for values in (spec.mean, spec.std))
    x = ops.transpose(ops.convert(rgb, "f32"), ops.constant(np.array([0, 3, 1, 2])))
    x = ops.multiply(ops.subtract(x, constant(mean)), constant(np.reciprocal(std)))
    backbone = spec.backbone
    activations = backbone.build(x, spec.layers[-1], arrays)
    features = [
        _unit(_pool(activations[layer.name], layer, spec.pool))
        for layer in backbone.layers
        if layer.name in spec.layers
    ]
    y = features[0] if len(features) == 1 else _unit(ops.concat(features, axis=1))
    if projection is not None:
        # Not copied: it may be many times what all other parameters are.
        matrix = constant(projection.matrix, "projection.matrix", shared=True)
        y = ops.matmul(y, matrix, transpose_a=False, transpose_b=True)
        y = _unit(ops.add(y, constant(projection.bias[None], "projection.bias")))
    return ov.Model([y], [rgb], f"{spec.model}-{spec.layer}-{spec.pool}")


def read_parameters(model: Any) -> dict[str, Array]:
    """Read back the network's parameters that `build_graph` put in, as float32."""
    found: dict[str, Array] = {}
    for node in model.get_ordered_ops():
        # A constant that was compressed to float16 bears its name with this ending.
        name = node.get_friendly_name().removesuffix("_compressed")
        if node.get_type_name() == "Constant" and name.endswith(_PARAMETERS):
            array = np.asarray(node.get_data(), dtype=np.float32)
            found[name] = array.reshape(-1) if name.endswith(".bias") else array
    found.pop("projection.bias", None)
    return found


def _pool(x: Any, layer: Layer, pool: str) -> Any:
    if layer.flat:
        return x
    if pool == "flatten":
        return flatten(x)
    window = ops.constant(np.array([2, 3]))
    if pool == "max":
        return ops.reduce_max(x, window)
    if pool == "avg":
        return ops.reduce_mean(x, window)
    cubes = ops.power(ops.maximum(x, scalar(EPSILON)), scalar(GEM_P))
    return ops.power(ops.reduce_mean(cubes, window), scalar(1 / GEM_P))


def _unit(x: Any) -> Any:
    return ops.normalize_l2(x, ops.constant(np.array([1])), 1e-12, "add")
