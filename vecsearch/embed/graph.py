"""The truncated network as an OpenVINO model: pictures in, unit vectors out.

Normalisation of the input, pooling, projection and L2 normalisation are inside, so that the model
alone is the whole encoder. Every parameter is a constant that bears its state-dict name, which is
how `read_parameters` gets them back for another engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from vecsearch.embed.layers import Layer, truncated
from vecsearch.embed.projection import Projection
from vecsearch.embed.runtime import ov
from vecsearch.embed.spec import EncoderSpec

ops = ov.opset13

GEM_P = 3.0
"""The exponent of generalised-mean pooling; Radenović et al. (TPAMI 2019) learn about 3."""
EPSILON = 1e-6

Array = npt.NDArray[np.float32]


def build_graph(
    spec: EncoderSpec, arrays: Mapping[str, Array], projection: Projection | None
) -> Any:
    """Build the model: ``rgb`` (n, 224, 224, 3) uint8 -> (n, d) float32."""
    rgb = ops.parameter([-1, spec.image_size, spec.image_size, 3], np.uint8, name="rgb")
    mean, std = (_channels(np.array(values, np.float32) * 255) for values in (spec.mean, spec.std))
    x = ops.transpose(ops.convert(rgb, "f32"), ops.constant(np.array([0, 3, 1, 2])))
    x = ops.multiply(ops.subtract(x, _constant(mean)), _constant(np.reciprocal(std)))
    features = []
    for layer in truncated(spec.layers):
        x = _apply(x, layer, arrays)
        if layer.name in spec.layers:
            features.append(_unit(_pool(x, layer, spec.pool)))
    y = features[0] if len(features) == 1 else _unit(ops.concat(features, axis=1))
    if projection is not None:
        # Not copied: it may be many times what all other parameters are.
        matrix = _constant(projection.matrix, "projection.matrix", shared=True)
        y = ops.matmul(y, matrix, transpose_a=False, transpose_b=True)
        y = _unit(ops.add(y, _constant(projection.bias[None], "projection.bias")))
    return ov.Model([y], [rgb], f"vgg19-{spec.layer}-{spec.pool}")


def read_parameters(model: Any) -> tuple[dict[str, Array], Projection | None]:
    """Read back what `build_graph` put in, as float32."""
    found = {}
    for node in model.get_ordered_ops():
        if node.get_type_name() == "Constant":
            # A constant that was compressed to float16 bears its name with this ending.
            name = node.get_friendly_name().removesuffix("_compressed")
            found[name] = np.asarray(node.get_data(), dtype=np.float32)
    arrays = {
        name: array.reshape(-1) if name.endswith(".bias") else array
        for name, array in found.items()
        if name.startswith(("features.", "classifier."))
    }
    if "projection.matrix" not in found:
        return arrays, None
    bias = found["projection.bias"].reshape(-1)
    return arrays, Projection(found["projection.matrix"], bias)


def _apply(x: Any, layer: Layer, arrays: Mapping[str, Array]) -> Any:
    if layer.kind == "pool":
        return ops.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)
    weight = _constant(arrays[f"{layer.key}.weight"], f"{layer.key}.weight")
    bias = arrays[f"{layer.key}.bias"]
    if layer.kind == "conv":
        x = ops.convolution(x, weight, [1, 1], [1, 1], [1, 1], [1, 1])
        bias = _channels(bias)
    else:
        flat = ops.reshape(x, ops.constant(np.array([0, -1])), special_zero=True)
        x = ops.matmul(flat, weight, transpose_a=False, transpose_b=True)
        bias = bias[None]
    return ops.relu(ops.add(x, _constant(bias, f"{layer.key}.bias")))


def _pool(x: Any, layer: Layer, pool: str) -> Any:
    if layer.kind == "fc":
        return x
    if pool == "flatten":
        return ops.reshape(x, ops.constant(np.array([0, -1])), special_zero=True)
    window = ops.constant(np.array([2, 3]))
    if pool == "max":
        return ops.reduce_max(x, window)
    if pool == "avg":
        return ops.reduce_mean(x, window)
    cubes = ops.power(ops.maximum(x, _scalar(EPSILON)), _scalar(GEM_P))
    return ops.power(ops.reduce_mean(cubes, window), _scalar(1 / GEM_P))


def _unit(x: Any) -> Any:
    return ops.normalize_l2(x, ops.constant(np.array([1])), 1e-12, "add")


def _channels(values: Array) -> Array:
    return values.reshape(1, -1, 1, 1)


def _scalar(value: float) -> Any:
    return ops.constant(np.float32(value))


def _constant(array: Array, name: str = "", *, shared: bool = False) -> Any:
    node = ops.constant(np.ascontiguousarray(array, dtype=np.float32), shared_memory=shared)
    if name:
        node.set_friendly_name(name)
    return node
