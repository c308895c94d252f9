"""The encoder on an accelerator (or, for comparison, a CPU), by torch.

The graph of OpenVINO, which is the encoder, is gone through node by node: a network that can be
built as such a graph needs nothing else here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from vecsearch.types import Pixels, Vectors

T = TypeVar("T")

_Attributes = Mapping[str, Any]
_Operation = Callable[..., torch.Tensor]


def accelerator() -> str | None:
    """Name the accelerator that torch can use: ``cuda``, ``mps``, or None."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else None


def has_bf16() -> bool:
    """Return whether the device of this engine computes in bfloat16."""
    return accelerator() == "cuda" and torch.cuda.is_bf16_supported()


class TorchEngine:
    """Runs the graph of an encoder in channels_last, for bf16 its convolutions under autocast."""

    name = "torch"

    def __init__(self, graph: Any, precision: str, *, device: str | None = None) -> None:
        """Take over what *graph*, an OpenVINO model, computes, in fp32 or bf16."""
        self._device = torch.device(device or accelerator() or "cpu")
        self._bf16 = precision == "bf16"
        network = _Network(graph)
        self._network = network.eval().to(self._device).to(memory_format=torch.channels_last)

    @property
    def batch_size(self) -> int:
        """The number of pictures in a batch that keeps the device busy."""
        return 128 if self._device.type == "cuda" else 8

    def embed(self, pixels: Pixels) -> Vectors:
        """(n, size, size, 3) uint8 RGB -> (n, d) float32 of unit length."""
        return self._start(pixels).cpu().numpy()

    def stream(self, batches: Iterable[tuple[T, Pixels]]) -> Iterator[tuple[T, Vectors]]:
        """Embed tagged batches in order; a batch is on its way while the one before is fetched.

        On CUDA copying in and computing are only queued by `_start`, so that reading the next
        pictures overlaps with both.
        """
        ahead: tuple[T, torch.Tensor] | None = None
        for tag, pixels in batches:
            started = tag, self._start(pixels)
            if ahead is not None:
                yield ahead[0], ahead[1].cpu().numpy()
            ahead = started
        if ahead is not None:
            yield ahead[0], ahead[1].cpu().numpy()

    def _start(self, pixels: Pixels) -> torch.Tensor:
        images = torch.from_numpy(np.array(pixels))
        if self._device.type == "cuda":
            images = images.pin_memory().to(self._device, non_blocking=True)
        else:
            images = images.to(self._device)
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16),
        ):
            vectors: torch.Tensor = self._network(images)
        return vectors


@dataclass(slots=True)
class _Step:
    """An operation, the places of what it is given, and whether it is about features.

    Features, all from the first L2 normalisation on, are computed in float32 whatever the network
    is computed in.
    """

    place: int
    operation: _Operation
    inputs: list[int]
    of_features: bool


class _Network(nn.Module):
    """The nodes of a graph in their order; its constants are buffers, and move with the module."""

    def __init__(self, graph: Any) -> None:
        super().__init__()
        self._steps: list[_Step] = []
        self._input = self._output = 0
        aliases: dict[int, int] = {}
        features: set[int] = set()
        nodes = graph.get_ordered_ops()
        places = {node.get_friendly_name(): place for place, node in enumerate(nodes)}
        for place, node in enumerate(nodes):
            kind = node.get_type_name()
            sources = (port.get_source_output().get_node() for port in node.inputs())
            inputs = [places[source.get_friendly_name()] for source in sources]
            inputs = [aliases.get(one, one) for one in inputs]
            if kind == "Parameter":
                self._input = place
            elif kind == "Result":
                (self._output,) = inputs
            elif kind == "Constant":
                self._keep(place, torch.from_numpy(np.array(node.get_data())))
            elif kind == "Convert" and self._has(inputs[0]):  # of a constant, from float16
                self._keep(place, self._constant(inputs[0]).float())
            elif kind == "Add" and self._is_bias(*inputs):
                # One pass over the values less.
                self._steps[-1].inputs.append(inputs[1])
                self._keep(inputs[1], self._constant(inputs[1]).reshape(-1))
                aliases[place] = inputs[0]
            else:
                if kind == "GroupConvolution":  # OpenVINO counts the groups first
                    self._keep(inputs[1], self._constant(inputs[1]).flatten(0, 1))
                of_features = kind == "NormalizeL2" or not features.isdisjoint(inputs)
                if of_features:
                    features.add(place)
                operation = _OPERATIONS[kind](node.get_attributes())
                self._steps.append(_Step(place, operation, inputs, of_features))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(n, h, w, 3) uint8 -> (n, d) float32."""
        values = {self._input: images}
        for step in self._steps:
            given = [self._constant(one) if self._has(one) else values[one] for one in step.inputs]
            if step.of_features:
                with torch.autocast(images.device.type, enabled=False):
                    values[step.place] = step.operation(*given)
            else:
                values[step.place] = step.operation(*given)
        return values[self._output]

    def _is_bias(self, one: int, other: int) -> bool:
        """Return whether *other* is what is added to the channels of the convolution *one*."""
        if not (self._has(other) and self._steps and self._steps[-1].place == one):
            return False
        shape = self._constant(other).shape
        return len(shape) == 4 and shape[1] == shape.numel() and len(self._steps[-1].inputs) == 2

    def _keep(self, place: int, values: torch.Tensor) -> None:
        self.register_buffer(f"c{place}", values, persistent=False)

    def _has(self, place: int) -> bool:
        return f"c{place}" in self._buffers

    def _constant(self, place: int) -> torch.Tensor:
        return self.get_buffer(f"c{place}")


def _convolution(attributes: _Attributes) -> _Operation:
    strides, dilations = attributes["strides"], attributes["dilations"]
    (top, left), (bottom, right) = attributes["pads_begin"], attributes["pads_end"]
    symmetric = (top, left) == (bottom, right)

    def convolve(
        x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
    ) -> torch.Tensor:
        if not symmetric:
            x = F.pad(x, (left, right, top, bottom))
        padding = (top, left) if symmetric else (0, 0)
        groups = x.shape[1] // weight.shape[1]
        return F.conv2d(x, weight, bias, strides, padding, dilations, groups)

    return convolve


def _max_pool(attributes: _Attributes) -> _Operation:
    kernel, strides = attributes["kernel"], attributes["strides"]
    return lambda x: F.max_pool2d(x, kernel, strides)


def _matmul(attributes: _Attributes) -> _Operation:
    assert attributes["transpose_b"]
    assert not attributes["transpose_a"]
    return lambda x, weight: F.linear(x.to(weight.dtype), weight)


def _reduce(function: Callable[..., torch.Tensor]) -> Callable[[_Attributes], _Operation]:
    return lambda attributes: (
        lambda x, axes: function(x.float(), tuple(axes.tolist()), keepdim=attributes["keep_dims"])
    )


_OPERATIONS: Final[Mapping[str, Callable[[_Attributes], _Operation]]] = {
    "Add": lambda _: torch.add,
    "Clamp": lambda given: lambda x: x.clamp(given["min"], given["max"]),
    "Concat": lambda given: lambda *parts: torch.cat(parts, given["axis"]),
    "Convert": lambda _: lambda x: x.float(),
    "Convolution": _convolution,
    "GroupConvolution": _convolution,
    "MatMul": _matmul,
    "MaxPool": _max_pool,
    "Maximum": lambda _: lambda x, y: torch.maximum(x.float(), y),
    "Multiply": lambda _: torch.mul,
    "NormalizeL2": lambda given: lambda x, axes: F.normalize(x.float(), dim=1),
    "Power": lambda _: lambda x, y: torch.pow(x.float(), y),
    "ReduceMax": _reduce(torch.amax),
    "ReduceMean": _reduce(torch.mean),
    "Relu": lambda _: torch.relu,
    "Reshape": lambda _: lambda x, shape: x.flatten(1),
    "Subtract": lambda _: torch.sub,
    "Transpose": lambda _: lambda x, order: x.permute(tuple(order.tolist())),
}
"""What an operation of OpenVINO's is in torch: its attributes -> a function of its inputs."""
