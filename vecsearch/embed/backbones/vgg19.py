"""VGG19 as a table: every layer's name, size and place in torchvision's checkpoint.

Configuration E of Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition" (ICLR 2015), table 1; the layer names are those of Keras. A convolution's or fc
layer's output is taken after its ReLU, as Keras does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from vecsearch.embed.backbones.backbone import (
    Array,
    Arrays,
    Calibration,
    Classifier,
    Downloaded,
    Layer,
    ModelFacts,
    NetworkInput,
    Shapes,
)

_PRODUCTS: Final = {"conv": 9, "pool": 0, "fc": 1}
"""Multiplications for each pair of an input and an output channel, at each place."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One layer: ``key`` is its prefix in torchvision's state dict, ``side`` its output's side."""

    name: str
    kind: Literal["conv", "pool", "fc"]
    inputs: int
    outputs: int
    side: int
    key: str

    def shapes(self) -> Shapes:
        if self.kind == "pool":
            return {}
        window = (3, 3) if self.kind == "conv" else ()
        return {
            f"{self.key}.weight": (self.outputs, self.inputs, *window),
            f"{self.key}.bias": (self.outputs,),
        }


def _table(image_size: int) -> tuple[_Row, ...]:
    rows: list[_Row] = []
    inputs, side, position = 3, image_size, 0
    for block, (convolutions, outputs) in enumerate(
        ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512)), start=1
    ):
        for number in range(1, convolutions + 1):
            name, key = f"block{block}_conv{number}", f"features.{position}"
            rows.append(_Row(name, "conv", inputs, outputs, side, key))
            inputs, position = outputs, position + 2  # a convolution and its ReLU
        side //= 2
        rows.append(_Row(f"block{block}_pool", "pool", outputs, outputs, side, ""))
        position += 1
    rows.append(_Row("fc1", "fc", inputs * side**2, 4096, 1, "classifier.0"))
    rows.append(_Row("fc2", "fc", 4096, 4096, 1, "classifier.3"))
    return tuple(rows)


class _VGG19:
    """The backbone; see `Backbone`."""

    facts: Final = ModelFacts(
        name="vgg19",
        title="VGG19",
        licence="BSD 3-Clause",
        input=NetworkInput(size=224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
        default_layer="block5_pool",
        default_pool="gem",
        # torchvision's VGG19_Weights.IMAGENET1K_V1.
        pretrained=Downloaded(
            url="https://download.pytorch.org/models/vgg19-dcbb9e9d.pth", size_bytes=574_673_361
        ),
        calibration=Calibration(pictures=16, held_out=32),
        classifier=Classifier(
            layer="fc2",
            width=4096,
            weight="classifier.6.weight",
            bias="classifier.6.bias",
            length=None,
        ),
        rates={"fp32": 4.6, "bf16": 9.0, "int8": 20.0},
        copies=None,
        unnamed=True,
    )
    _rows: Final = _table(facts.input.size)
    layers: Final = tuple(Layer(row.name, row.outputs, row.side, row.kind == "fc") for row in _rows)

    def parameters(self, deepest: str) -> Shapes:
        return {name: shape for row in self._up_to(deepest) for name, shape in row.shapes().items()}

    def products(self, deepest: str) -> int:
        return sum(
            _PRODUCTS[row.kind] * row.inputs * row.outputs * row.side**2
            for row in self._up_to(deepest)
        )

    def checkpoint(self, deepest: str) -> Shapes:
        return self.parameters(deepest)

    def from_checkpoint(self, arrays: Arrays, deepest: str) -> dict[str, Array]:
        return {name: arrays[name] for name in self.parameters(deepest)}

    def build(self, x: Any, deepest: str, arrays: Arrays) -> dict[str, Any]:
        nodes = {}
        for row in self._up_to(deepest):
            x = nodes[row.name] = _apply(x, row, arrays)
        return nodes

    def _up_to(self, deepest: str) -> tuple[_Row, ...]:
        names = [row.name for row in self._rows]
        return self._rows[: names.index(deepest) + 1]


def _apply(x: Any, row: _Row, arrays: Arrays) -> Any:
    from vecsearch.embed.graph_nodes import channels, constant, flatten, ops

    if row.kind == "pool":
        return ops.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)
    weight = constant(arrays[f"{row.key}.weight"], f"{row.key}.weight")
    bias = arrays[f"{row.key}.bias"]
    if row.kind == "conv":
        x = ops.convolution(x, weight, [1, 1], [1, 1], [1, 1], [1, 1])
        bias = channels(bias)
    else:
        x = ops.matmul(flatten(x), weight, transpose_a=False, transpose_b=True)
        bias = bias[None]
    return ops.relu(ops.add(x, constant(bias, f"{row.key}.bias")))


VGG19: Final = _VGG19()
