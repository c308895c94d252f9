"""The protocol of a network that can be cut at a layer and become an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Arrays = Mapping[str, Array]
Shapes = dict[str, tuple[int, ...]]
Channels = tuple[float, float, float]

CLASSES: Final = 1000
"""Of ILSVRC 2012, which pretrained networks were trained to tell apart."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer that features can be taken from: (``channels``, ``side``, ``side``) values.

    ``flat`` is for a layer without places, whose ``channels`` values need no pooling.
    """

    name: str
    channels: int
    side: int
    flat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkInput:
    """The input of a network: squares of ``size`` pixels, RGB.

    From values of 0 to 1 ``mean`` is subtracted, and they are divided by ``std``. ``resize`` is the
    rule by which a picture becomes a square; there is one so far, which changes the proportions and
    cuts nothing off.
    """

    size: int
    mean: Channels
    std: Channels
    resize: Literal["squash"] = "squash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """Pretrained weights behind a URL, whose last part carries the start of its SHA-256."""

    url: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Packaged:
    """Pretrained weights in a file of an installed Python package."""

    distribution: str
    version: str
    package: str
    file: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How a model is turned into int8.

    ``pictures`` tell the ranges of the activations; up to ``held_out`` others tell how the result
    agrees with fp32. ``seven_bits`` rounds weights to 7 bits: a processor without VNNI adds pairs
    of products in 16 bits, which 8 can overflow, so that it would answer otherwise than others.
    ``unquantized`` are the parts of the network, by the first names of their parameters, that stay
    in floating point.
    """

    pictures: int
    held_out: int
    seven_bits: bool = False
    unquantized: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier:
    """The last layer, which is cut off: a row for each class of ImageNet.

    Its rows, (1000, ``width``), meet the features of ``layer``, averaged over the places of it.
    ``weight`` and ``bias`` are the parameters' names. ``length`` is how long these features are on
    average, which their unit vectors do not tell; None where that was not measured.
    """

    layer: str
    width: int
    weight: str
    bias: str
    length: float | None

    @property
    def shapes(self) -> Shapes:
        """Name and shape of both parameters."""
        return {self.weight: (CLASSES, self.width), self.bias: (CLASSES,)}


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyCosines:
    """Cosines of copies: from ``alone`` on, pictures count as copies by their features alone; from
    ``candidate`` on, their pixels are compared.
    """

    alone: float
    candidate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """A model as a row of data.

    ``name`` is what the command line calls it, ``title`` what people call it, ``licence`` that of
    the pretrained weights. Exactly one row is ``unnamed``: the first model there was, which old
    descriptions of encoders mean without naming it.
    ``rates`` are pictures a second at the default layer by precision, reading included, on two
    cores with bf16: measured, or derived where the row says so. ``classifier`` has the words.
    ``copies`` is None where it was not measured.
    """

    name: str
    title: str
    licence: str
    input: NetworkInput
    default_layer: str
    default_pool: str
    pretrained: Downloaded | Packaged
    calibration: Calibration
    classifier: Classifier
    rates: Mapping[str, float]
    copies: CopyCosines | None
    unnamed: bool = False


class Backbone(Protocol):
    """A convolutional network that can be cut at any of its layers.

    Pooling, PCA and L2 normalisation are outside it. Names of parameters are those of the truncated
    network; a checkpoint may have others, which `from_checkpoint` turns into these.
    """

    @property
    def facts(self) -> ModelFacts:
        """The model as a row of data."""
        ...

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers that features can be taken from, in the order of the network."""
        ...

    def parameters(self, deepest: str) -> Shapes:
        """Return name and shape of every parameter up to the layer *deepest*."""
        ...

    def products(self, deepest: str) -> int:
        """Count the multiplications for one picture up to the layer *deepest*."""
        ...

    def checkpoint(self, deepest: str) -> Shapes:
        """Return name and shape of what a checkpoint has of the network up to *deepest*."""
        ...

    def from_checkpoint(self, arrays: Arrays, deepest: str) -> dict[str, Array]:
        """Turn what `checkpoint` lists into what `parameters` lists."""
        ...

    def build(self, x: Any, deepest: str, arrays: Arrays) -> dict[str, Any]:
        """Build the network from the normalised input *x*, (n, 3, size, size), up to *deepest*.

        Returns the nodes of OpenVINO's graph by the names of all layers on the way.
        """
        ...
