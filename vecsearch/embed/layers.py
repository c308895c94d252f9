"""VGG19 as a table: every layer's name, size and place in torchvision's checkpoint.

Configuration E of Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition" (ICLR 2015), table 1; the layer names are those of Keras. A convolution's or fc
layer's output is taken after its ReLU, as Keras does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from vecsearch.errors import UsageError

IMAGE_SIZE: Final = 224
POOLINGS: Final = ("flatten", "avg", "max", "gem")
FIVE_POOLS: Final = "block1_pool+block2_pool+block3_pool+block4_pool+block5_pool"


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: ``key`` is its prefix in torchvision's state dict, ``side`` its output's side."""

    name: str
    kind: Literal["conv", "pool", "fc"]
    inputs: int
    outputs: int
    side: int
    key: str

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shapes of this layer's parameters by their names in the state dict."""
        if self.kind == "pool":
            return {}
        window = (3, 3) if self.kind == "conv" else ()
        return {
            f"{self.key}.weight": (self.outputs, self.inputs, *window),
            f"{self.key}.bias": (self.outputs,),
        }


def _table() -> tuple[Layer, ...]:
    rows: list[Layer] = []
    inputs, side, position = 3, IMAGE_SIZE, 0
    for block, (convolutions, outputs) in enumerate(
        ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512)), start=1
    ):
        for number in range(1, convolutions + 1):
            name, key = f"block{block}_conv{number}", f"features.{position}"
            rows.append(Layer(name, "conv", inputs, outputs, side, key))
            inputs, position = outputs, position + 2  # a convolution and its ReLU
        side //= 2
        rows.append(Layer(f"block{block}_pool", "pool", outputs, outputs, side, ""))
        position += 1
    rows.append(Layer("fc1", "fc", 512 * 7 * 7, 4096, 1, "classifier.0"))
    rows.append(Layer("fc2", "fc", 4096, 4096, 1, "classifier.3"))
    return tuple(rows)


VGG19: Final = _table()
_NAMES: Final = tuple(row.name for row in VGG19)


def parse_layers(text: str) -> tuple[str, ...]:
    """Split ``block4_pool+block5_pool`` into names in network order; raises UsageError."""
    names = [part.strip() for part in text.split("+")]
    for name in names:
        if name not in _NAMES:
            raise UsageError(f"unknown layer {name!r}", hint=f"known are {', '.join(_NAMES)}")
    if len(set(names)) < len(names):
        raise UsageError(f"a layer is named twice in {text!r}")
    return tuple(sorted(names, key=_NAMES.index))


def parse_pooling(text: str) -> str:
    """Return *text* if it is a pooling; raises UsageError."""
    if text not in POOLINGS:
        raise UsageError(f"unknown pooling {text!r}", hint=f"known are {', '.join(POOLINGS)}")
    return text


def truncated(names: tuple[str, ...]) -> tuple[Layer, ...]:
    """Give the rows of the network up to the deepest of *names*, the rest left away."""
    return VGG19[: max(_NAMES.index(name) for name in names) + 1]


def feature_dim(names: tuple[str, ...], pool: str) -> int:
    """Give the length of the feature vector before any projection."""
    rows = {row.name: row for row in VGG19}
    return sum(
        row.outputs * (row.side**2 if pool == "flatten" else 1)
        for row in (rows[name] for name in names)
    )
