"""What determines a vector: the description of an encoder, and its fingerprint."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vecsearch.embed.backbones.backbone import Backbone
from vecsearch.embed.backbones.registry import MODELS
from vecsearch.embed.layers import POOLINGS, feature_dim
from vecsearch.errors import EncoderMismatchError, IndexDamagedError, IndexFormatError
from vecsearch.fields import read_fields
from vecsearch.images import PREPROCESSING_VERSION

PRETRAINED: Final = "imagenet"
"""What the weights are called that a model was published with."""

RANDOM: Final = "random:"
"""What the name of untrained weights begins with; the seed follows."""

_KEPT_PRECISIONS: Final = ("fp32", "bf16", "int8")

MOST_DIM: Final = 1 << 26
_MOST_SIDE: Final = 4096

_FIRST_MODEL: Final = "vgg19"
"""Descriptions from when there was no other do not name it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSpec:
    """Everything that two encoders must share for their vectors to be comparable.

    ``model`` names the network. ``weights`` is a name for people; what counts is ``weights_hash``,
    the SHA-256 of the truncated network's parameters. ``projection_hash`` is that of the PCA and
    ``quantization_hash`` that of the calibrated int8 network, empty without one.

    An encoder that is not ours, whose vectors were imported, has no layers; see `external`.
    """

    layers: tuple[str, ...]
    pool: str
    weights: str
    weights_hash: str
    precision: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    dim: int
    projection_hash: str = ""
    quantization_hash: str = ""
    image_size: int = 224
    preprocessing: int = PREPROCESSING_VERSION
    model: str = _FIRST_MODEL

    @classmethod
    def external(cls, name: str, dim: int) -> EncoderSpec:
        """Describe a program of which nothing is known but its *name* and its vectors' length."""
        return cls(
            layers=(),
            pool="none",
            weights=name,
            weights_hash=hashlib.sha256(b"external encoder " + os.fsencode(name)).hexdigest(),
            precision="none",
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
            dim=dim,
            image_size=0,
            preprocessing=0,
        )

    def check_numbers(self) -> None:
        """Raise ValueError for what no encoder has."""
        if not 0 < self.dim <= MOST_DIM:
            raise ValueError(f"has dim = {self.dim}")
        if self.is_external:
            return
        if not 0 < self.image_size <= _MOST_SIDE:
            raise ValueError(f"has image_size = {self.image_size}")
        if self.precision not in _KEPT_PRECISIONS or self.pool not in POOLINGS:
            raise ValueError(f"has {self.precision!r:.100} and {self.pool!r:.100}")
        if len(set(self.layers)) < len(self.layers):
            raise ValueError("names a layer twice")

    @property
    def is_external(self) -> bool:
        """Return whether the vectors were made by another program, so that there is no network."""
        return not self.layers

    @property
    def title(self) -> str:
        """Name the encoder in a line."""
        if self.is_external:
            return f"imported ({self.weights}), d = {self.dim}, no network"
        title = f"{self.backbone.facts.title} {self.layer}, {self.pool}, d = {self.dim}"
        if self.projection_hash:
            title += f", PCA from {self.feature_dim}"
        if not self.is_current:
            title += f", preprocessing {self.preprocessing}"
        return f"{title}, untrained (for tests)" if self.weights.startswith(RANDOM) else title

    @property
    def is_current(self) -> bool:
        """Return whether new pictures can be embedded: of old preprocessing no code is kept."""
        return self.is_external or self.preprocessing == PREPROCESSING_VERSION

    def check_current(self, folder: Path) -> None:
        """Raise EncoderMismatchError if a new picture cannot be compared with those in *folder*."""
        if self.is_current:
            return
        raise EncoderMismatchError(
            f"pictures are prepared in another way since {folder} was built, so it can be asked "
            "about its own pictures, and not about new ones",
            hint=f"build it anew: vecsearch build -i {folder} --fresh{self._choices()}",
            path=folder,
        )

    def _choices(self) -> str:
        """Write the options that choose this encoder, weights in a file by their name."""
        facts = self.backbone.facts
        chosen = {
            "--model": self.model if self.model != _FIRST_MODEL else "",
            "--layer": self.layer if self.layer != facts.default_layer else "",
            "--pool": self.pool if self.pool != facts.default_pool else "",
            "--dim": str(self.dim) if self.projection_hash else "",
            "--precision": "int8" if self.quantization_hash else "",
            "--weights": self.weights if self.weights != PRETRAINED else "",
        }
        return "".join(f" {option} {value}" for option, value in chosen.items() if value)

    @property
    def backbone(self) -> Backbone:
        """The network, before it is cut."""
        return MODELS[self.model]

    @property
    def layer(self) -> str:
        """The layers as the command line writes them."""
        return "+".join(self.layers)

    @property
    def feature_dim(self) -> int:
        """The length of a vector before the projection."""
        return feature_dim(self.backbone, self.layers, self.pool)

    @property
    def fingerprint(self) -> str:
        """32 hex digits that differ when vectors would."""
        fields = dataclasses.asdict(self)
        del fields["weights"]
        if self.model == _FIRST_MODEL:
            del fields["model"]
        text = json.dumps(fields, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def to_json(self) -> str:
        """Write the description as a JSON object."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str, dim: int | None = None) -> EncoderSpec:
        """Read what `to_json` wrote, in an index whose vectors have *dim* dimensions.

        Raises IndexDamagedError for anything else, IndexFormatError for a model, a layer or a
        preprocessing that is unknown here.
        """
        try:
            spec = read_fields(cls, text)
            spec.check_numbers()
            if dim not in (None, spec.dim):
                raise ValueError(f"has dim = {spec.dim}, the vectors have {dim}")
        except ValueError as error:
            raise IndexDamagedError(
                f"the description of the encoder {error}",
                hint="restore the index from a copy, or build with --fresh",
            ) from None
        if not spec.is_external and spec.model not in MODELS:
            raise IndexFormatError(
                f"the index was built with the model {spec.model}, which this vecsearch does not "
                f"know; it knows {', '.join(MODELS)}",
                hint="update vecsearch",
            )
        known = [] if spec.is_external else [one.name for one in spec.backbone.layers]
        if not set(spec.layers) <= set(known):
            raise IndexFormatError(
                f"the index was built with layers that {spec.model} does not have here",
                hint="update vecsearch, or build it again with --fresh",
            )
        if not spec.is_external and spec.preprocessing > PREPROCESSING_VERSION:
            raise IndexFormatError(
                f"the index was built with preprocessing {spec.preprocessing}, which this "
                f"vecsearch, with {PREPROCESSING_VERSION}, does not know",
                hint="update vecsearch",
            )
        return spec
