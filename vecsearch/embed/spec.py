"""What determines a vector: the description of an encoder, and its fingerprint."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from vecsearch.embed.backbones.backbone import Backbone
from vecsearch.embed.backbones.registry import DEFAULT_MODEL, MODELS, UNNAMED_MODEL
from vecsearch.embed.layers import POOLINGS, feature_dim
from vecsearch.errors import EncoderMismatchError, IndexDamagedError, IndexFormatError
from vecsearch.fields import read_fields
from vecsearch.images import PREPROCESSING_VERSION

PRETRAINED: Final = "imagenet"
"""The name of the weights that a model was published with."""

RANDOM: Final = "random:"
"""The start of the name of untrained weights; the seed follows."""

_KEPT_PRECISIONS: Final = ("fp32", "bf16", "int8")

MOST_DIM: Final = 1 << 26
_MOST_SIDE: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSpec:
    """Everything that two encoders must share for their vectors to be comparable.

    ``model`` names the network. ``weights`` is a name for people; what counts is ``weights_hash``,
    the SHA-256 of the truncated network's parameters. ``projection_hash`` is that of the PCA and
    ``quantization_hash`` that of the calibrated int8 network, empty without one. Vectors that were
    made by another program have an `ExternalEncoder`.
    """

    is_external: ClassVar[bool] = False

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
    image_size: int = MODELS[UNNAMED_MODEL].facts.input.size
    preprocessing: int = PREPROCESSING_VERSION
    model: str = UNNAMED_MODEL

    def check_dim(self) -> None:
        """Raise ValueError for a length that vectors cannot have."""
        if not 0 < self.dim <= MOST_DIM:
            raise ValueError(f"has dim = {self.dim}")

    def check_numbers(self) -> None:
        """Raise ValueError for numbers and names that no encoder has."""
        self.check_dim()
        if not 0 < self.image_size <= _MOST_SIDE:
            raise ValueError(f"has image_size = {self.image_size}")
        if self.precision not in _KEPT_PRECISIONS or self.pool not in POOLINGS:
            raise ValueError(f"has {self.precision!r:.100} and {self.pool!r:.100}")
        if len(set(self.layers)) < len(self.layers):
            raise ValueError("names a layer twice")

    @property
    def title(self) -> str:
        """Name the encoder in a line."""
        title = f"{self.backbone.facts.title} {self.layer}, {self.pool}, d = {self.dim}"
        if self.projection_hash:
            title += f", PCA from {self.feature_dim}"
        if not self.is_current:
            title += f", preprocessing {self.preprocessing}"
        return f"{title}, untrained (for tests)" if self.weights.startswith(RANDOM) else title

    @property
    def is_current(self) -> bool:
        """Return whether new pictures can be embedded: of old preprocessing no code is kept."""
        return self.preprocessing == PREPROCESSING_VERSION

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
            "--model": self.model if self.model != DEFAULT_MODEL else "",
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
        if self.model == UNNAMED_MODEL:
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
            if not spec.layers:
                spec = ExternalEncoder(**dataclasses.asdict(spec))
            spec.check_numbers()
            if dim not in (None, spec.dim):
                raise ValueError(f"has dim = {spec.dim}, the vectors have {dim}")
        except ValueError as error:
            raise IndexDamagedError(
                f"the description of the encoder {error}",
                hint="restore the index from a copy, or build with --fresh",
            ) from None
        spec.check_known()
        return spec

    def check_known(self) -> None:
        """Raise IndexFormatError for a model, a layer or a preprocessing that is unknown here."""
        if self.model not in MODELS:
            raise IndexFormatError(
                f"the index was built with the model {self.model}, which this vecsearch does not "
                f"know; it knows {', '.join(MODELS)}",
                hint="update vecsearch",
            )
        if not set(self.layers) <= {one.name for one in self.backbone.layers}:
            raise IndexFormatError(
                f"the index was built with layers that {self.model} does not have here",
                hint="update vecsearch, or build it again with --fresh",
            )
        if self.preprocessing > PREPROCESSING_VERSION:
            raise IndexFormatError(
                f"the index was built with preprocessing {self.preprocessing}, which this "
                f"vecsearch, with {PREPROCESSING_VERSION}, does not know",
                hint="update vecsearch",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalEncoder(EncoderSpec):
    """Another program, whose vectors were imported: there is no network.

    ``weights`` is its name; its description has no layers.
    """

    is_external: ClassVar[bool] = True

    @classmethod
    def named(cls, name: str, dim: int) -> ExternalEncoder:
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
        """Raise ValueError for vectors that no encoder has."""
        self.check_dim()

    def check_known(self) -> None:
        """Accept every program."""

    @property
    def title(self) -> str:
        """Name the encoder in a line."""
        return f"imported ({self.weights}), d = {self.dim}, no network"

    @property
    def is_current(self) -> bool:
        """Return True: no picture is prepared for it."""
        return True
