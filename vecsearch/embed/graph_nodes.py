"""Nodes of an OpenVINO graph, for networks and for what is put behind them."""

from __future__ import annotations

from typing import Any

import numpy as np

from vecsearch.embed.backbones.backbone import Array
from vecsearch.embed.engines.openvino_runtime import ov

ops = ov.opset13


def constant(array: Array, name: str = "", *, shared: bool = False) -> Any:
    """Make a constant; without *shared* the values are copied."""
    node = ops.constant(np.ascontiguousarray(array, dtype=np.float32), shared_memory=shared)
    if name:
        node.set_friendly_name(name)
    return node


def scalar(value: float) -> Any:
    """Make a constant of one value."""
    return ops.constant(np.float32(value))


def channels(values: Array) -> Array:
    """Return one value per channel in the shape (1, c, 1, 1)."""
    return values.reshape(1, -1, 1, 1)


def flatten(x: Any) -> Any:
    """(n, ...) -> (n, d)."""
    return ops.reshape(x, ops.constant(np.array([0, -1])), special_zero=True)
