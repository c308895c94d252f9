"""The encoder as a whole: made from weights for a build, or opened from an index."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from vecsearch.arguments import check_fields
from vecsearch.embed.backbones.backbone import Backbone
from vecsearch.embed.backbones.registry import DEFAULT_MODEL, find_model
from vecsearch.embed.engines.engine import Engine, choose_engine, choose_precision, start_engine
from vecsearch.embed.layers import parse_layers, parse_pooling
from vecsearch.embed.spec import PRETRAINED, EncoderSpec
from vecsearch.errors import IndexFolderError
from vecsearch.types import Pixels, Progress, Vectors

if TYPE_CHECKING:
    from vecsearch.embed.pca import Projection
    from vecsearch.embed.words import Words

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """What a user chooses of an encoder; None leaves it to the index, or to the default.

    ``model``: the name of a network. ``weights``: ``imagenet``, a file, a URL, or for tests
    ``random:SEED``. ``dim``: the PCA's dimensions, None for no PCA. ``engine`` is where it runs,
    and does not change the vectors.
    """

    model: str | None = None
    layer: str | None = None
    pool: str | None = None
    dim: int | None = None
    weights: str | None = None
    precision: str | None = None
    engine: str = "auto"

    def __post_init__(self) -> None:
        """Raise UsageError for a value of another type."""
        check_fields(self)


class Encoder:
    """A truncated network ready to turn pictures into unit vectors.

    The OpenVINO graph is the encoder: it is what an index keeps, and what every engine starts from.
    ``words`` are those of its classifier, for a new index; None where there are none, and for an
    encoder that was opened from an index.
    """

    def __init__(
        self, spec: EncoderSpec, graph: Any, engine: str, words: Words | None = None
    ) -> None:
        """Keep the parts; the engine is started by the first use."""
        self.words = words
        self.spec = spec
        self.graph = graph
        self._engine_name = engine

    @cached_property
    def engine(self) -> Engine:
        """The running engine."""
        return start_engine(self._engine_name, self.graph, self.spec.precision)

    def embed(self, pixels: Pixels) -> Vectors:
        """(n, size, size, 3) uint8 RGB -> (n, d) float32 of unit length."""
        return self.engine.embed(pixels)

    def stream(self, batches: Iterable[tuple[T, Pixels]]) -> Iterator[tuple[T, Vectors]]:
        """Embed tagged batches as they come; results may overtake one another."""
        return self.engine.stream(batches)

    def with_projection(self, projection: Projection) -> Encoder:
        """Return this encoder with a PCA behind it."""
        from vecsearch.embed.graph import build_graph, read_parameters

        spec = replace(self.spec, dim=len(projection.bias), projection_hash=projection.sha256())
        graph = build_graph(spec, read_parameters(self.graph), projection)
        words = self.words.projected(projection) if self.words else None
        return Encoder(spec, graph, self._engine_name, words)

    def serialize(self) -> tuple[bytes, bytes]:
        """Write the network as OpenVINO IR: the XML and its constants.

        A bf16 encoder's constants are kept as float16, which bf16 arithmetic cannot tell apart.
        """
        from vecsearch.embed.engines.openvino_runtime import ov

        with tempfile.TemporaryDirectory() as folder:
            xml = Path(folder, "encoder.xml")
            try:
                ov.save_model(self.graph, xml, compress_to_fp16=self.spec.precision == "bf16")
            except RuntimeError as error:
                reason = " ".join(str(error).split()).rpartition(": ")[2]
                raise IndexFolderError(
                    f"the network cannot be written to {folder}: {reason}",
                    hint="free some room there, or set TMPDIR to another folder",
                    path=folder,
                ) from None
            return xml.read_bytes(), xml.with_suffix(".bin").read_bytes()

    def reread(self, xml: bytes, constants: bytes) -> Encoder:
        """Return the encoder that `serialize` wrote, with its rounded constants."""
        from vecsearch.embed.engines.openvino_runtime import ov

        tensor = ov.Tensor(np.frombuffer(constants, np.uint8))
        return Encoder(self.spec, ov.Core().read_model(xml, tensor), self._engine_name, self.words)


def model_of(config: EncoderConfig) -> Backbone:
    """Return the network that *config* chooses; raises UsageError for an unknown one."""
    return find_model(DEFAULT_MODEL if config.model is None else config.model)


def layers_of(config: EncoderConfig) -> tuple[str, ...]:
    """Return the layers that *config* chooses, in network order; raises UsageError."""
    backbone = model_of(config)
    chosen = backbone.facts.default_layer if config.layer is None else config.layer
    return parse_layers(backbone, chosen)


def pool_of(config: EncoderConfig) -> str:
    """Return the pooling that *config* chooses; raises UsageError."""
    default = model_of(config).facts.default_pool
    return parse_pooling(default if config.pool is None else config.pool)


def make_encoder(config: EncoderConfig, progress: Progress | None = None) -> Encoder:
    """Make the encoder that *config* describes, as yet without its PCA and before int8.

    Raises UsageError for an impossible choice, WeightsError for missing or damaged weights.
    """
    # Here, because a query, which opens an encoder, should not wait for what makes one.
    from vecsearch.embed.classifier import load_words
    from vecsearch.embed.graph import build_graph
    from vecsearch.embed.pca import check_dim
    from vecsearch.embed.weights import load_weights

    backbone = model_of(config)
    facts = backbone.facts
    layers, pool = layers_of(config), pool_of(config)
    engine = choose_engine(config.engine, config.precision)
    precision = choose_precision(config.precision or "auto", engine)
    if precision == "int8":
        precision = "fp32"  # until `quantized` has seen pictures
    source = PRETRAINED if config.weights is None else config.weights
    weights = load_weights(source, backbone, layers[-1], progress)
    spec = EncoderSpec(
        layers=layers,
        pool=pool,
        weights=weights.name,
        weights_hash=weights.sha256(),
        precision=precision,
        mean=facts.input.mean,
        std=facts.input.std,
        dim=0,
        image_size=facts.input.size,
        model=facts.name,
    )
    spec = replace(spec, dim=spec.feature_dim)
    if config.dim is not None:
        check_dim(config.dim, spec.feature_dim, samples=config.dim + 1)
    words = load_words(source, backbone, layers, pool)
    return Encoder(spec, build_graph(spec, weights.arrays, None), engine, words)


def open_encoder(spec: EncoderSpec, xml: Path, constants: Path, *, engine: str = "auto") -> Encoder:
    """Open the encoder that an index carries, to embed many more pictures with it."""
    from vecsearch.embed.engines.openvino import read_graph

    return Encoder(spec, read_graph(xml, constants, spec), choose_engine(engine, spec.precision))


def open_query_engine(spec: EncoderSpec, xml: Path, constants: Path, content: bytes) -> Engine:
    """Open the encoder that an index carries, for a few pictures with little delay.

    *content* identifies the two files to the cache of compiled networks.
    """
    from vecsearch.embed.engines.openvino import OpenVINOEngine, compile_for_queries

    return OpenVINOEngine(compile_for_queries(xml, constants, content, spec))


def check_same(config: EncoderConfig, spec: EncoderSpec) -> list[str]:
    """List, as the command line writes them, the choices in *config* that *spec* contradicts.

    Weights are compared by content: the truncated network is loaded and hashed.
    """
    backbone = spec.backbone
    if config.model is not None and find_model(config.model) is not backbone:
        return [f"--model {config.model} (the index has {spec.model})"]
    differing = []
    if config.layer is not None and parse_layers(backbone, config.layer) != spec.layers:
        differing.append(f"--layer {config.layer} (the index has {spec.layer})")
    if config.pool is not None and parse_pooling(config.pool) != spec.pool:
        differing.append(f"--pool {config.pool} (the index has {spec.pool})")
    if config.dim is not None and config.dim != (spec.dim if spec.projection_hash else None):
        differing.append(f"--dim {config.dim} (the index has d = {spec.dim})")
    if config.precision not in (None, "auto", spec.precision):
        choose_precision(config.precision, "openvino")
        differing.append(f"--precision {config.precision} (the index has {spec.precision})")
    if config.weights is not None and not differing:
        from vecsearch.embed.weights import load_weights

        weights = load_weights(config.weights, backbone, spec.layers[-1])
        if weights.sha256() != spec.weights_hash:
            differing.append(f"--weights {config.weights} (the index has {spec.weights})")
    return differing
